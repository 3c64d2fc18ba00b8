//! From the last signature to the first erase: the device's judgement, the application's, and where to go on.

use super::chain::Chain;
use super::{told, Machine, Phase, NO_SUCH_STEP};
use crate::device::Decision;
use crate::digest::{digest, Digest, Sha256};
use crate::error::{Error, Stop};
use crate::manifest::{Encoding, Manifest};
use crate::message::message;
use crate::records::{Checkpoint, Phase as Update};
use crate::refusal::Refusal;
use crate::trust::CheckedSignature;
use crate::wire::TRAILER_SIZE;
#[cfg(feature = "decode")]
use crate::{decode::Decoder, manifest::BaseImage};

/// How the payload becomes the image, as far as going on asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    Raw,
    Compressed,
    Delta,
}

/// What is known of an update once its manifest is authenticated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) image: Digest,
    pub(crate) image_size: u32,
    pub(crate) version: crate::Version,
    pub(crate) security_counter: u32,
    pub(crate) payload: Payload,
    /// The slot is not being filled: a receipt is made again for what it holds.
    pub(crate) staged: bool,
    /// The slot was filled in more than one go.
    pub(crate) interrupted: bool,
}

impl<H: Sha256> Machine<'_, H> {
    pub(crate) fn signature(&mut self, outcome: &CheckedSignature) -> Result<(), Stop> {
        if self.job().is_none() {
            return Err(NO_SUCH_STEP);
        }
        let (trust, Phase::Head(head), data) = self.trust() else { return Err(NO_SUCH_STEP) };
        let judged = head.checked(data, &trust, outcome).and_then(|()| self.judge());
        judged.map_err(|refusal| {
            self.forget();
            told(refusal.into())
        })
    }

    /// Once the manifest is authenticated: parses it, and holds it against the device. What it says is kept, to be followed
    /// if the application agrees.
    #[inline(never)] // no manifest is on the stack but here and while the application is asked
    pub(super) fn judge(&mut self) -> Result<(), Refusal> {
        let Phase::Head(head) = &self.phase else { return Ok(()) };
        #[cfg(feature = "rotation")]
        if head.is_signed_key_set() {
            return self.take_key_set();
        }
        if !head.is_complete() {
            return Ok(());
        }
        let manifest = self.device.parse(head.manifest(self.buffer.data()))?;
        self.device.judge_state(self.state(), &manifest)?;
        self.device.judge(&self.running, &manifest, self.buffer.capacity())?;
        self.judge_encoding(&manifest)?;
        self.chain = Some(Chain::new(&manifest));
        self.plan = Some(Plan {
            image: manifest.image_digest,
            image_size: manifest.image_size,
            version: manifest.version,
            security_counter: manifest.security_counter,
            payload: match manifest.encoding {
                Encoding::Raw => Payload::Raw,
                Encoding::Heatshrink(_) => Payload::Compressed,
                Encoding::Delta(_) => Payload::Delta,
            },
            staged: false,
            interrupted: false,
        });
        Ok(())
    }

    /// Whether the payload can be decoded here: there is room, and the running image is what a delta starts from.
    #[cfg(feature = "decode")]
    fn judge_encoding(&mut self, manifest: &Manifest) -> Result<(), Refusal> {
        if manifest.encoding == Encoding::Raw {
            return Ok(());
        }
        let lent = self.workspace.as_mut().ok_or(Refusal::Encoding)?;
        let base = manifest.base_image.map_or(0, |base| base.size);
        let (window, have) = (Decoder::window_size(manifest.encoding), lent.window());
        if window > have || lent.begin(manifest.encoding, manifest.image_size, base).is_none() {
            return Err(Refusal::WindowTooLarge { window, workspace: have });
        }
        match manifest.base_image {
            Some(BaseImage { size, digest })
                if self.running.image != Some(digest.into())
                    || size > self.device.layout.slot_capacity(self.running.slot) =>
            {
                Err(Refusal::WrongBase { package: digest.into(), running: self.running.image })
            }
            _ => Ok(()),
        }
    }

    #[cfg(not(feature = "decode"))]
    #[cfg_attr(test, mutants::skip)] // tests bring the feature along: none would judge it
    fn judge_encoding(&mut self, manifest: &Manifest) -> Result<(), Refusal> {
        (manifest.encoding == Encoding::Raw).then_some(()).ok_or(Refusal::Encoding)
    }

    pub(super) fn decision(&mut self, decision: Decision) -> Result<(), Stop> {
        if self.target() == self.running.slot {
            return Err(Stop::Misuse("with swap or another bootloader the running image is in slot A"));
        }
        if !self.is_offered() {
            return Err(NO_SUCH_STEP);
        }
        if !self.is_proven() {
            self.forget();
            return Err(told(Refusal::TooFewSignatures { valid: 0, needed: 1 }.into()));
        }
        match decision {
            Decision::Accept => self.accept(),
            Decision::Defer => {
                self.forget();
                Err(Error::Deferred)
            }
            Decision::Refuse => {
                self.forget();
                Err(told(Refusal::Policy.into()))
            }
        }
    }

    /// The manifest digest of the complete head, and its bytes.
    fn head(&self) -> Result<(Digest, u32), Stop> {
        let Phase::Head(head) = &self.phase else { return Err(NO_SUCH_STEP) };
        Ok((digest::<H>(&[head.signed_bytes(self.buffer.data())]), head.size() as u32))
    }

    /// The application agreed: from here on the slot changes.
    fn accept(&mut self) -> Result<(), Stop> {
        let (digest, trailer) = self.head()?;
        self.payload = self.position;
        let Checkpoint { offset, payload, hash, .. } = self.start(digest);
        let (Some(plan), Some(chain)) = (&mut self.plan, &mut self.chain) else { return Err(NO_SUCH_STEP) };
        plan.interrupted = offset > 0 || plan.payload != Payload::Raw;
        self.consumed = if payload > 0 { chain.resume(payload, hash) } else { 0 };
        message!(info, "update {} accepted, from image byte {}", plan.version, offset);
        self.buffer.pad(trailer, self.writer.padded(trailer), self.device.layout.geometry().erased())?;
        self.writer.resume(offset);
        self.writer.begin_trailer(trailer);
        Ok(())
    }

    /// Where the trailer of the update that was started last lies, and how long it may be: feed it, up to the offer, then
    /// [`adopt`](Self::adopt) it.
    ///
    /// # Errors
    ///
    /// [`Error::NothingStaged`].
    pub fn stage(&mut self) -> Result<(u32, u32), Error> {
        if self.state().phase != Update::Receiving {
            return Err(Error::NothingStaged);
        }
        let end = self.device.layout.slot_range(self.target()).end;
        Ok((end.saturating_sub(TRAILER_SIZE), TRAILER_SIZE))
    }

    /// Whether an authenticated manifest waits for the application's decision.
    pub fn is_offered(&self) -> bool {
        matches!(&self.phase, Phase::Head(head) if head.is_complete())
    }

    /// The complete head is that of the slot's trailer: if it is the update that was started last, the slot is to be
    /// hashed, and [`finish`](Self::finish) leads to its receipt.
    ///
    /// # Errors
    ///
    /// [`Error::NothingStaged`].
    pub fn adopt(&mut self) -> Result<(), Error> {
        if (self.is_offered(), self.is_proven()) != (true, true) {
            self.forget();
            return Err(Error::NothingStaged);
        }
        let (digest, _) = self.head()?;
        if digest != self.state().update {
            self.forget();
            return Err(Error::NothingStaged);
        }
        let (Some(plan), Some(chain)) = (&mut self.plan, &mut self.chain) else { return Err(Error::NothingStaged) };
        chain.complete();
        (plan.staged, plan.interrupted) = (true, true);
        self.phase = Phase::Stored;
        Ok(())
    }

    /// A write failed: the head is read again (its trailer shares the slot), then blocks go on at the
    /// checkpoint.
    pub(super) fn rewind(&mut self) {
        if matches!(self.phase, Phase::Records(..)) {
            // What they say was not followed yet, or not written to the end.
            self.log.forget();
        }
        self.writer.resume(0);
        self.phase = self.beginning();
        (self.at, self.position, self.filled) = (0, 0, 0);
        self.writing = false;
        self.interrupt();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Block;
    use crate::device::Device;
    use crate::digest::Sha2;
    use crate::id::Uuid;
    use crate::layout::Layout;
    use crate::machine::head::Head;
    use crate::trust::{KeySet, PublicKey};

    const LAYOUT: Layout =
        Layout::new(&crate::geometry::ESP8266_4M).records(0..0x2000).slots(0x2000..0x4000, 0x4000..0x6000).check();
    const KEYS: [PublicKey; 1] = [PublicKey([1; 64])];
    const DEVICE: Device<'static> = Device::new(&LAYOUT, Uuid([0; 16]), Uuid([0; 16]), KeySet::new(1, &KEYS));

    #[test]
    fn a_head_that_a_skipped_branch_completed_is_neither_accepted_nor_adopted() {
        let mut block = Block::<512>::new();
        let mut machine: Machine<'_, Sha2> = Machine::new(&DEVICE, &mut block, 4);
        machine.phase = Phase::Head(Head::unproven());
        assert!(machine.is_offered());
        let accepted = machine.decision(Decision::Accept);
        assert_eq!(accepted, Err(Refusal::TooFewSignatures { valid: 0, needed: 1 }.into()));
        machine.phase = Phase::Head(Head::unproven());
        assert_eq!(machine.adopt(), Err(Error::NothingStaged));
        assert!(!machine.is_offered(), "it is forgotten");
    }

    #[cfg(feature = "rotation")]
    #[test]
    fn a_key_set_that_a_skipped_branch_completed_is_not_taken() {
        let mut block = Block::<512>::new();
        let mut machine: Machine<'_, Sha2> = Machine::new(&DEVICE, &mut block, 4);
        machine.phase = Phase::Head(Head::unproven());
        assert_eq!(machine.take_key_set(), Err(Refusal::TooFewSignatures { valid: 0, needed: 1 }));
    }
}
