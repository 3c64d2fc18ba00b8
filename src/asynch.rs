//! The async driver: the same names over `embedded-io-async` and `embedded-storage-async`. Its twin is
//! `blocking.rs`.
//!
//! Dropping a `write` future while it waits loses nothing; after dropping `install`, call `disconnected` unless the same
//! connection goes on. One dropped in the middle of a flash
//! write makes the next call say [`Error::Interrupted`]; the sector is then erased and filled again from
//! [`position`](Updater::position).

use core::future::{poll_fn, Future};
use core::task::Poll;

use embedded_io_async::{Read, Seek, SeekFrom, Write};
use embedded_storage_async::nor_flash::NorFlash;

use crate::block::Buffer;
use crate::device::{Decision, Device, Offer};
use crate::digest::Sha256;
use crate::error::{Error, Stop};
use crate::machine::{Ack, Machine, Step};
use crate::receipt::Verified;
use crate::status::Progress;
use crate::trust::Verify;
use crate::updater::{because, unit, AcceptAll, Chunk, Driver, CHUNK};

/// The mode of updaters over async traits.
#[derive(Clone, Copy, Debug)]
pub struct Async;

/// The async [`Updater`](crate::Updater).
pub type Updater<'a, F, V = crate::updater::DefaultVerifier, P = AcceptAll, H = crate::Sha2> =
    Driver<'a, F, V, P, H, Async>;

/// The async [`Control`](crate::Control).
pub type Control<'d, F, H = crate::Sha2> = crate::control::Handle<'d, F, H, Async>;

#[cfg(feature = "p256")]
impl<'a, F: NorFlash> Updater<'a, F> {
    /// An updater that waits for a package. `flash` covers the device's layout; signatures are checked by
    /// `p256`.
    pub fn new(device: &'a Device<'a>, flash: F, block: impl Into<Buffer<'a>>) -> Self {
        Self::with_verifier(device, flash, block, crate::P256)
    }
}

impl<'a, F: NorFlash, V: Verify, H: Sha256> Updater<'a, F, V, AcceptAll, H> {
    /// An updater with a verifier (and, by the type `H`, a hash) of your own.
    pub fn with_verifier(device: &'a Device<'a>, flash: F, block: impl Into<Buffer<'a>>, verifier: V) -> Self {
        let unit = const { unit(F::WRITE_SIZE, F::READ_SIZE) };
        Self::build(Machine::new(device, block, unit), flash, verifier)
    }
}

impl<F, V, P, H> Updater<'_, F, V, P, H>
where
    F: NorFlash,
    V: Verify,
    P: FnMut(&Offer<'_>) -> Decision,
    H: Sha256,
{
    /// The package is at its end: proves the image and gives the receipt.
    ///
    /// A power cut before it returns leaves the running image as it was.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] if bytes are missing: they may still be written.
    /// [`Refusal::ImageDigest`](crate::Refusal::ImageDigest) if the slot holds another image than the one
    /// that was signed.
    pub async fn finish(&mut self) -> Result<Verified, Error<F::Error>> {
        self.run().await?;
        self.machine.finish().map_err(Stop::widen)?;
        self.run().await?;
        self.machine.receipt().ok_or(Error::Misuse("the update is not complete"))
    }

    /// Makes the receipt again for an update that was complete before a reset: its trailer is verified and its slot hashed, as
    /// `finish` does. For when power was lost between `finish` and [`Control::try_next`](crate::Control::try_next).
    ///
    /// # Errors
    ///
    /// [`Error::NothingStaged`] if the records know of no such update, or its slot is not whole; a [`Refusal`](crate::Refusal)
    /// if the device would not take it now.
    pub async fn staged(&mut self) -> Result<Verified, Error<F::Error>> {
        self.stage().await?;
        self.finish().await
    }

    /// Takes what is stored for a package that has arrived.
    async fn stage(&mut self) -> Result<(), Error<F::Error>> {
        self.machine.restart();
        self.run().await?;
        let (start, size) = self.machine.stage().map_err(Stop::widen)?;
        let mut done = 0;
        while done < size && !self.machine.is_offered() {
            let taken = self.reread(start, size, done).await?;
            if !self.check_signature()? && taken == 0 {
                break;
            }
            done = done.saturating_add(taken);
        }
        self.machine.adopt().map_err(Stop::widen)
    }

    /// Feeds the machine with what the slot holds `done` bytes behind `start`, `size` being there. Gives the bytes it took.
    async fn reread(&mut self, start: u32, size: u32, done: u32) -> Result<u32, Error<F::Error>> {
        let mut chunk = Chunk([0; CHUNK]);
        // Whole chunks, as the flash reads.
        let skip = done & (CHUNK as u32).wrapping_sub(1);
        let from = done.saturating_sub(skip);
        let (bytes, _) = chunk.0.split_at_mut(CHUNK.min(size.saturating_sub(from) as usize));
        self.flash.read(start.saturating_add(from), bytes).await.map_err(Error::Flash)?;
        self.machine.feed(bytes.get(skip as usize..).unwrap_or_default()).map_err(Stop::widen).map(|taken| taken as u32)
    }

    /// Reads a package, installs it and gives the receipt. Stops reading at its last byte, so a link that
    /// stays open (a UART) does not hold it up. Tells `progress` after each read, which may be each byte.
    ///
    /// After an error, call it again with a reader that begins at [`position`](Self::position), or say with
    /// [`stream_at`](Self::stream_at) where it begins.
    ///
    /// # Errors
    ///
    /// [`Error::Transport`] is the reader's. [`Error::kind`] tells what can be done.
    pub async fn install<R: Read>(
        &mut self,
        mut reader: R,
        progress: impl FnMut(Progress),
    ) -> Result<Verified, Error<F::Error, R::Error>> {
        self.pump(&mut reader, progress, async |_, _| Ok(())).await
    }

    /// As [`install`](Self::install), for a reader that can seek: it goes to [`position`](Self::position) by
    /// itself, and bytes that the slot holds are not read again.
    ///
    /// # Errors
    ///
    /// As [`install`](Self::install).
    pub async fn install_seekable<R: Read + Seek>(
        &mut self,
        mut reader: R,
        progress: impl FnMut(Progress),
    ) -> Result<Verified, Error<F::Error, R::Error>> {
        self.seek(&mut reader).await?;
        self.pump(&mut reader, progress, Self::seek).await
    }

    async fn seek<R: Read + Seek>(&mut self, reader: &mut R) -> Result<(), Error<F::Error, R::Error>> {
        let position = self.position();
        reader.seek(SeekFrom::Start(u64::from(position))).await.map_err(Error::Transport)?;
        self.stream_at(position).map_err(Stop::widen)
    }

    /// Reads and writes until the package or the reader ends; `jump` moves it when bytes may be left out.
    async fn pump<R: Read>(
        &mut self,
        reader: &mut R,
        mut progress: impl FnMut(Progress),
        jump: impl AsyncFn(&mut Self, &mut R) -> Result<(), Error<F::Error, R::Error>>,
    ) -> Result<Verified, Error<F::Error, R::Error>> {
        let mut chunk = Chunk([0; CHUNK]);
        loop {
            // A reader may answer an empty buffer with an error.
            let wanted = CHUNK.min(self.machine.wanted() as usize);
            if wanted == 0 {
                return self.finish().await.map_err(Error::reading);
            }
            let read = match reader.read(chunk.0.get_mut(..wanted).unwrap_or_default()).await {
                Ok(read) => read,
                Err(error) => {
                    self.machine.disconnected();
                    return Err(Error::Transport(error));
                }
            };
            if read == 0 {
                return self.finish().await.map_err(Error::reading);
            }
            self.write_all(chunk.0.get(..read).unwrap_or_default()).await.map_err(Error::reading)?;
            progress(self.progress());
            if self.machine.is_ahead() {
                jump(self, reader).await?;
            }
        }
    }

    /// Does what the machine asks for until it wants input.
    async fn run(&mut self) -> Result<(), Error<F::Error>> {
        let mut cause = None;
        while !self.machine.is_receiving() {
            let outcome = match self.machine.step() {
                Ok(Step::Receive | Step::Stored | Step::Complete) => break,
                Ok(Step::Erase { from, to }) => self.flash.erase(from, to).await.map(|()| Ack::Done),
                Ok(Step::Write { at, bytes }) => self.flash.write(at, bytes).await.map(|()| Ack::Done),
                Ok(Step::Read { .. }) => {
                    cause = self.read_back().await?.or(cause);
                    continue;
                }
                Ok(Step::Verify(_)) => {
                    others_first().await;
                    self.check_signature()?;
                    continue;
                }
                Ok(Step::Offer) => {
                    self.decide(self.flash.capacity(), F::WRITE_SIZE)?;
                    continue;
                }
                Err(stop) => return Err(because(stop, cause)),
            };
            cause = self.acknowledge(outcome)?.or(cause);
        }
        Ok(())
    }

    /// Reads what the machine wants to compare or to know, as long as that is the next thing to do.
    async fn read_back(&mut self) -> Result<Option<F::Error>, Error<F::Error>> {
        let mut chunk = Chunk([0; CHUNK]);
        let mut cause = None;
        while let Some((at, len)) = self.machine.reading() {
            let (bytes, _) = chunk.0.split_at_mut(CHUNK.min(len as usize));
            let outcome = self.flash.read(at, bytes).await.map(|()| Ack::Read(bytes));
            cause = self.acknowledge(outcome)?.or(cause);
        }
        Ok(cause)
    }
}

/// Takes the package in pieces of any size. Blocks are written to flash as they become whole.
impl<F, V, P, H> Write for Updater<'_, F, V, P, H>
where
    F: NorFlash,
    V: Verify,
    P: FnMut(&Offer<'_>) -> Decision,
    H: Sha256,
{
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.run().await?;
        let taken = self.machine.feed(bytes).map_err(Stop::widen)?;
        self.run().await?;
        Ok(taken)
    }

    // The trait's own would panic if nothing was taken.
    async fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), Self::Error> {
        while !bytes.is_empty() {
            let taken = self.write(bytes).await?;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        self.run().await
    }
}

/// Lets the executor's other tasks run before a signature keeps the core busy.
fn others_first() -> impl Future<Output = ()> {
    let mut yielded = false;
    poll_fn(move |context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
}
