//! That the flash holds what was signed: the read-back of each write, the hash of the whole image, and the receipt.

use core::mem::replace;

use super::accept::Plan;
use super::head::Head;
use super::writer::{Job, Operation};
use super::{Machine, Phase, NO_SUCH_STEP};
use crate::device::FinalHash;
use crate::digest::Sha256;
use crate::error::{Error, Stop};
use crate::message::message;
use crate::receipt::Verified;
use crate::records::{Checkpoint, Request};

/// Whether they are equal, sixteen bytes at a time: a chip's `memcmp` goes byte by byte, and every byte of an image comes by
/// here.
fn same(read: &[u8], written: &[u8]) -> bool {
    let (mut parts, mut others) = (read.chunks_exact(16), written.chunks_exact(16));
    let equal = parts.by_ref().zip(others.by_ref()).all(|(part, other)| number(part) == number(other));
    equal && read.len() == written.len() && parts.remainder() == others.remainder()
}

fn number(bytes: &[u8]) -> u128 {
    bytes.try_into().map_or(0, u128::from_ne_bytes)
}

impl<H: Sha256> Machine<'_, H> {
    /// Says that somebody else had the flash: the slot will be hashed at the end, whatever the device's [`FinalHash`], and
    /// the records are read again.
    pub fn distrust(&mut self) {
        self.shared = true;
        self.interrupt();
    }

    /// The slot is not filled in one go: it will be hashed.
    pub(super) fn interrupt(&mut self) {
        if let Some(plan) = &mut self.plan {
            plan.interrupted = true;
        }
    }

    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let got = bytes.len() as u32;
        if self.work().is_some() {
            let mut fits = false;
            self.record(|work, log| {
                fits = matches!(work.request(log), Request::Read { len, .. } if len == got);
                if fits {
                    work.read::<H>(log, Some(bytes));
                }
            });
            return if fits { Ok(()) } else { Err(NO_SUCH_STEP) };
        }
        if let Phase::Identify(done) = self.phase {
            self.identify(done, Some(bytes));
            return Ok(());
        }
        #[cfg(feature = "rotation")]
        if let Phase::Keys(reading) = self.phase {
            self.keys_read(reading, Some(bytes));
            return Ok(());
        }
        if let Operation::Read { len, done } = self.writer.under_way() {
            let Job { at, from, .. } = self.writer.job();
            if got == 0 || got > len.saturating_sub(done) {
                return Err(NO_SUCH_STEP);
            }
            if !same(bytes, self.written(from.saturating_add(done), got)?) {
                #[cfg(feature = "decode")]
                if self.is_held(at) {
                    self.void();
                    return Ok(());
                }
                self.rewind();
                return Err(Error::Mismatch { address: at.saturating_add(done) });
            }
            self.writer.compared(got);
            return Ok(());
        }
        #[cfg(feature = "decode")]
        if let Phase::Decode = self.phase {
            return self.bytes_read(bytes);
        }
        let (Phase::Hash(hash, done), Some(plan)) = (&mut self.phase, self.plan) else { return Err(NO_SUCH_STEP) };
        if got == 0 {
            return Err(NO_SUCH_STEP);
        }
        let image = plan.image_size.saturating_sub(*done).min(got);
        hash.update(bytes.get(..image as usize).unwrap_or_default());
        *done = done.saturating_add(image);
        if *done >= plan.image_size {
            self.compare_image(&plan)?;
        }
        Ok(())
    }

    /// All of the image is hashed: it is the signed one, or the slot is void.
    fn compare_image(&mut self, plan: &Plan) -> Result<(), Stop> {
        let Phase::Hash(hash, _) = replace(&mut self.phase, Phase::Stored) else { return Err(NO_SUCH_STEP) };
        if hash.finish() == plan.image {
            self.phase = Phase::Complete;
        } else if plan.staged {
            // Not all of it has arrived: an install goes on where it was.
            self.rewind();
            return Err(Error::NothingStaged);
        } else {
            self.void();
        }
        Ok(())
    }

    /// What the slot holds cannot be read: it is asked for again, but who starts over does so at the first byte, so that every
    /// sector is erased.
    pub(super) fn doubt(&mut self) {
        self.log.hold(Checkpoint::START);
        self.log.fresh = false;
    }

    /// The package is at its end: from here on [`step`](Self::step) leads to [`Step::Complete`](super::Step::Complete).
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] if it is not.
    pub fn finish(&mut self) -> Result<(), Error> {
        match self.phase {
            Phase::Stored => {
                let interrupted = self.plan.is_none_or(|plan| plan.interrupted);
                let hash = interrupted || self.device.final_hash == FinalHash::Always;
                self.phase = if hash { Phase::Hash(H::new(), 0) } else { Phase::Complete };
                Ok(())
            }
            Phase::Hash(..) | Phase::Complete => Ok(()),
            _ => {
                let position = self.position;
                self.forget();
                Err(Error::Truncated { position })
            }
        }
    }

    /// The receipt, once, after [`Step::Complete`](super::Step::Complete). The machine then waits for another package.
    pub fn receipt(&mut self) -> Option<Verified> {
        let plan = self.plan.filter(|_| matches!(self.phase, Phase::Complete))?;
        self.phase = Phase::Head(Head::new());
        (self.plan, self.chain) = (None, None);
        (self.at, self.position) = (0, 0);
        // Whatever comes next is a new start, which makes this receipt worthless.
        self.log.fresh = false;
        message!(info, "image {} verified in slot {}", plan.version, self.target());
        Some(Verified::new(
            self.target(),
            self.state().update,
            plan.image,
            plan.image_size,
            plan.version,
            self.state().next_counter,
            self.state().start,
        ))
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::same;

    #[test]
    fn a_difference_in_any_byte_or_in_length_is_seen() {
        for length in 0..40 {
            let written = [0x5A; 40];
            let mut read = written;
            assert!(same(&read[..length], &written[..length]));
            assert!(!same(&read[..length], &written[..(length + 1) % 40]));
            for at in 0..length {
                read[at] ^= 0x80;
                assert!(!same(&read[..length], &written[..length]), "byte {at} of {length}");
                read[at] ^= 0x80;
            }
        }
    }
}
