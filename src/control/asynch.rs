//! The async driver of the records: the same names. Dropping a future midway leaves the change made or not; the next call reads
//! the records again.

use embedded_storage_async::nor_flash::NorFlash;

use super::{BootStatus, Handle};
use crate::asynch::Async;
use crate::device::Device;
use crate::digest::{Sha2, Sha256};
use crate::error::{Error, Stop};
use crate::layout::Slot;
use crate::receipt::Verified;
use crate::records::{Log, Request, State, Stride, Work};
use crate::updater::unit;

/// Does what the work asks for. An error of the flash that the log could make up for is passed over.
async fn carry_out<F: NorFlash, H: Sha256>(
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
                let outcome = flash.erase(sector.start, sector.end()).await;
                work.done::<H>(log, outcome.is_ok());
                cause = outcome.err().or(cause);
            }
            Request::Write { at, bytes } => {
                let outcome = flash.write(at, bytes).await;
                work.done::<H>(log, outcome.is_ok());
                cause = outcome.err().or(cause);
            }
            Request::Read { at, len } => {
                let bytes = stride.room(len);
                let outcome = flash.read(at, bytes).await;
                work.read::<H>(log, outcome.is_ok().then_some(bytes));
            }
        }
    }
}

impl<'d, F: NorFlash> Handle<'d, F, Sha2, Async> {
    /// The records of `device` in `flash`. Reads nothing yet. A driver whose `WRITE_SIZE` is larger than the geometry's write
    /// unit cannot write them: its calls end with [`Error::Records`].
    pub fn new(device: &Device<'d>, flash: F) -> Self {
        let _ = const { unit(F::WRITE_SIZE, F::READ_SIZE) };
        Self::build(device, flash, F::READ_SIZE, F::WRITE_SIZE)
    }
}

impl<F: NorFlash, H: Sha256> Handle<'_, F, H, Async> {
    /// As the blocking [`status`](crate::Control::status).
    ///
    /// # Errors
    ///
    /// The same.
    pub async fn status(&mut self) -> Result<BootStatus, Error<F::Error>> {
        self.load().await?;
        Ok(BootStatus::of(self.log.state, self.strategy, self.runs_in))
    }

    /// As the blocking [`try_next`](crate::Control::try_next).
    ///
    /// # Errors
    ///
    /// The same.
    pub async fn try_next(&mut self, receipt: Verified) -> Result<(), Error<F::Error>> {
        self.load().await?;
        self.write(self.request(&receipt).map_err(Stop::widen)?).await
    }

    /// As the blocking [`confirm`](crate::Control::confirm).
    ///
    /// # Errors
    ///
    /// The same.
    pub async fn confirm(&mut self) -> Result<(), Error<F::Error>> {
        self.load().await?;
        match self.confirmation().map_err(Stop::widen)? {
            Some(state) => self.write(state).await,
            None => Ok(()),
        }
    }

    /// As the blocking [`reject`](crate::Control::reject).
    ///
    /// # Errors
    ///
    /// The same.
    pub async fn reject(&mut self) -> Result<(), Error<F::Error>> {
        self.load().await?;
        self.write(self.rejection().map_err(Stop::widen)?).await
    }

    /// As the blocking [`initialize`](crate::Control::initialize).
    ///
    /// # Errors
    ///
    /// The same.
    pub async fn initialize(&mut self, slot: Slot, security_counter: u32) -> Result<(), Error<F::Error>> {
        self.load().await?;
        self.write(self.first(slot, security_counter).map_err(Stop::widen)?).await
    }

    async fn load(&mut self) -> Result<(), Error<F::Error>> {
        let mut work = Work::load(&mut self.log);
        carry_out::<F, H>(&mut self.log, &mut work, &mut self.flash).await
    }

    async fn write(&mut self, state: State) -> Result<(), Error<F::Error>> {
        let mut work = Work::state::<H>(&mut self.log, state);
        carry_out::<F, H>(&mut self.log, &mut work, &mut self.flash).await
    }
}
