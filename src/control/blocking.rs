//! The blocking driver of the records.

use embedded_storage::nor_flash::NorFlash;

use super::{BootStatus, Control};
use crate::device::Device;
use crate::digest::{Digest, Sha256};
use crate::error::{Error, Stop};
use crate::layout::Slot;
use crate::receipt::Verified;
use crate::records::{Log, Request, State, Stride, Work};
use crate::updater::{unit, Chunk, CHUNK};

/// Bytes hashed or copied between two pauses.
pub(crate) const PAUSE: u32 = 4096;

/// SHA-256 of the `size` bytes from `start` on; none if they cannot be read. `pause` is called every 4096 bytes.
pub(crate) fn image_digest<F: NorFlash, H: Sha256>(
    flash: &mut F,
    start: u32,
    size: u32,
    mut pause: impl FnMut(),
) -> Option<Digest> {
    let mut chunk = Chunk([0; CHUNK]);
    let mut hash = H::new();
    let mut done = 0u32;
    while done < size {
        if done.is_multiple_of(PAUSE) {
            pause();
        }
        let wanted = size.saturating_sub(done).min(CHUNK as u32) as usize;
        // Whole chunks, as the flash reads: behind the image lies the rest of its slot.
        flash.read(start.saturating_add(done), &mut chunk.0).ok().or_else(|| {
            let units = wanted.next_multiple_of(F::READ_SIZE.max(1)).min(CHUNK);
            flash.read(start.saturating_add(done), chunk.0.get_mut(..units)?).ok()
        })?;
        hash.update(chunk.0.get(..wanted)?);
        done = done.saturating_add(wanted as u32);
    }
    Some(hash.finish())
}

/// Does what the work asks for. An error of the flash that the log could make up for is passed over.
pub(crate) fn carry_out<F: NorFlash, H: Sha256>(
    log: &mut Log<'_>,
    work: &mut Work,
    flash: &mut F,
) -> Result<(), Error<F::Error>> {
    let mut stride = Stride::new();
    let mut cause = None;
    loop {
        match work.request(log) {
            Request::Done => return Ok(()),
            Request::Failed => return Err(cause.map_or(Error::Records, Error::Flash)),
            Request::Erase(sector) => {
                let outcome = flash.erase(sector.start, sector.end());
                work.done::<H>(log, outcome.is_ok());
                cause = outcome.err().or(cause);
            }
            Request::Write { at, bytes } => {
                let outcome = flash.write(at, bytes);
                work.done::<H>(log, outcome.is_ok());
                cause = outcome.err().or(cause);
            }
            Request::Read { at, len } => {
                let bytes = stride.room(len);
                let outcome = flash.read(at, bytes);
                work.read::<H>(log, outcome.is_ok().then_some(bytes));
            }
        }
    }
}

impl<'d, F: NorFlash> Control<'d, F> {
    /// The records of `device` in `flash`. Reads nothing yet. A driver whose `WRITE_SIZE` is larger than the geometry's write
    /// unit cannot write them: its calls end with [`Error::Records`].
    pub fn new(device: &Device<'d>, flash: F) -> Self {
        let _ = const { unit(F::WRITE_SIZE, F::READ_SIZE) };
        Self::build(device, flash, F::READ_SIZE, F::WRITE_SIZE)
    }
}

impl<F: NorFlash, H: Sha256> Control<'_, F, H> {
    /// Why the running image runs, and what becomes of the last update. Writes nothing.
    ///
    /// # Errors
    ///
    /// None today: what cannot be read is no record.
    pub fn status(&mut self) -> Result<BootStatus, Error<F::Error>> {
        self.load()?;
        Ok(BootStatus::of(self.log.state, self.strategy, self.runs_in))
    }

    /// Asks the boot stage to try, at the next reset, the image that `receipt` is for. A power cut leaves it asked or
    /// not.
    ///
    /// # Errors
    ///
    /// [`Error::Flash`] or [`Error::Records`] if it could not be written: [`status`](Self::status) tells. [`Error::Superseded`] if
    /// another update was started, or this one again, since the receipt was given.
    /// [`Error::Misuse`] with [`Strategy::Foreign`](crate::Strategy::Foreign): [`try_next_by`](Self::try_next_by). Nothing is changed then.
    pub fn try_next(&mut self, receipt: Verified) -> Result<(), Error<F::Error>> {
        self.load()?;
        self.write(self.request(&receipt).map_err(Stop::widen)?)
    }

    /// Keeps the image on trial, and raises the security counter to its own. Call it once the application has shown that
    /// it works. Confirmed already, it changes nothing. A power cut leaves it confirmed or not.
    ///
    /// # Errors
    ///
    /// [`Error::Flash`] or [`Error::Records`] if it could not be written: the image is on trial or confirmed, and
    /// the next call tells. [`Error::NotOnTrial`]
    /// after [`reject`](Self::reject), and by an image that is not the one on trial ([`runs_in`](Self::runs_in)).
    /// [`Error::Misuse`] with [`Strategy::Foreign`](crate::Strategy::Foreign): [`confirm_by`](Self::confirm_by).
    pub fn confirm(&mut self) -> Result<(), Error<F::Error>> {
        self.load()?;
        match self.confirmation().map_err(Stop::widen)? {
            Some(state) => self.write(state),
            None => Ok(()),
        }
    }

    /// Gives the image on trial up: the next boot goes back to the old one, and this image is refused from then on. Another
    /// bootloader goes back anyway, since this image cannot be confirmed any more. A power cut leaves it on trial or given up.
    ///
    /// # Errors
    ///
    /// [`Error::NotOnTrial`], also by an image that is not the one on trial ([`runs_in`](Self::runs_in)). [`Error::Flash`] or
    /// [`Error::Records`] if it could not be written: [`status`](Self::status) tells.
    pub fn reject(&mut self) -> Result<(), Error<F::Error>> {
        self.load()?;
        self.write(self.rejection().map_err(Stop::widen)?)
    }

    /// Writes the first record, as a factory does: the confirmed image is in `slot`. Without it the first boot finds that
    /// out from the trailers. A power cut leaves no records, or the first one.
    ///
    /// # Errors
    ///
    /// [`Error::Flash`] or [`Error::Records`] if it could not be written. [`Error::Misuse`] if there are records already, or for
    /// slot B where images run in slot A (swap, or another bootloader).
    pub fn initialize(&mut self, slot: Slot, security_counter: u32) -> Result<(), Error<F::Error>> {
        self.load()?;
        self.write(self.first(slot, security_counter).map_err(Stop::widen)?)
    }

    pub(super) fn load(&mut self) -> Result<(), Error<F::Error>> {
        let mut work = Work::load(&mut self.log);
        carry_out::<F, H>(&mut self.log, &mut work, &mut self.flash)
    }

    pub(super) fn write(&mut self, state: State) -> Result<(), Error<F::Error>> {
        let mut work = Work::state::<H>(&mut self.log, state);
        carry_out::<F, H>(&mut self.log, &mut work, &mut self.flash)
    }
}
