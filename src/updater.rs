//! The drivers' common part: a machine, a flash, a verifier and a policy.
//!
//! [`Blocking`] and [`Async`](crate::asynch) updaters are this one type with two thin loops around the
//! machine, `blocking.rs` and `asynch.rs`.

use core::marker::PhantomData;

use embedded_storage::nor_flash::ErrorType;

use crate::device::{Decision, Offer, Running};
use crate::digest::{Sha2, Sha256};
use crate::error::{Error, Stop};
use crate::geometry::MAX_WRITE_UNIT;
use crate::layout::Layout;
use crate::machine::{Ack, Machine};
use crate::status::{Progress, Status};
use crate::trust::Verify;

#[cfg(feature = "p256")]
use crate::es256::P256;

/// Bytes read back at once.
pub(crate) const CHUNK: usize = 256;

/// Room for a chunk, aligned as flash controllers like it.
#[repr(C, align(4))]
pub(crate) struct Chunk(pub(crate) [u8; CHUNK]);

/// The updater over `embedded-storage` and `embedded-io`.
#[derive(Clone, Copy, Debug)]
pub struct Blocking;

/// A policy that accepts whatever the device can take.
pub(crate) type AcceptAll = fn(&Offer<'_>) -> Decision;

#[cfg(feature = "p256")]
pub(crate) type DefaultVerifier = P256;
#[cfg(not(feature = "p256"))]
pub(crate) type DefaultVerifier = NoVerifier;

/// Stands where a verifier must be named: without the feature `p256` there is no default.
#[cfg(not(feature = "p256"))]
#[derive(Debug)]
pub enum NoVerifier {}

/// The blocking updater, over `embedded-storage` and `embedded-io`. See [`Driver`] for what it does.
pub type Updater<'a, F, V = DefaultVerifier, P = AcceptAll, H = Sha2> = Driver<'a, F, V, P, H, Blocking>;

/// Receives a package and puts its image into the slot that does not run.
///
/// Write the package to it in pieces of any size (it is an [`embedded_io::Write`]), then call `finish` for
/// the receipt; or hand it a reader with `install`. [`position`](Self::position) says where the transport
/// must go on after an error.
///
/// [`Updater`] and [`asynch::Updater`](crate::asynch::Updater) are its two forms. `F` is the flash, `V`
/// checks signatures, `P` is the application's policy, `H` hashes, `M` is [`Blocking`]
/// or [`Async`](crate::asynch::Async).
#[derive(Debug)]
pub struct Driver<'a, F, V, P, H, M> {
    pub(crate) flash: F,
    pub(crate) machine: Machine<'a, H>,
    pub(crate) verifier: V,
    pub(crate) policy: P,
    mode: PhantomData<M>,
}

/// The unit both sizes of a flash driver are met by. Evaluated while the program compiles.
pub(crate) const fn unit(write: usize, read: usize) -> u32 {
    assert!(
        write <= MAX_WRITE_UNIT as usize && write.is_power_of_two(),
        "the flash's WRITE_SIZE must be 1, 2, 4, 8, 16 or 32"
    );
    assert!(
        read <= MAX_WRITE_UNIT as usize && read.is_power_of_two(),
        "the flash's READ_SIZE must be 1, 2, 4, 8, 16 or 32"
    );
    if write > read {
        write as u32
    } else {
        read as u32
    }
}

impl<'a, F, V, H: Sha256, M> Driver<'a, F, V, AcceptAll, H, M> {
    pub(crate) fn build(machine: Machine<'a, H>, flash: F, verifier: V) -> Self {
        Self { flash, machine, verifier, policy: |_| Decision::Accept, mode: PhantomData }
    }
}

impl<'a, F, V, P, H: Sha256, M> Driver<'a, F, V, P, H, M> {
    /// Asks `policy` before anything is erased. It sees authenticated manifests only, and only those that the
    /// device itself would take.
    #[must_use]
    pub fn policy<Q: FnMut(&Offer<'_>) -> Decision>(self, policy: Q) -> Driver<'a, F, V, Q, H, M> {
        Driver { flash: self.flash, machine: self.machine, verifier: self.verifier, policy, mode: PhantomData }
    }

    /// Lends room to decode in: without it, payloads that are compressed or a delta are refused.
    #[cfg(feature = "decode")]
    #[must_use]
    pub fn workspace<const N: usize>(mut self, workspace: &'a mut crate::Workspace<N>) -> Self {
        self.machine = self.machine.workspace(workspace);
        self
    }

    /// Lends room for the key set that the device trusts ([`Device::rotate_keys`](crate::Device::rotate_keys)): without it, key sets
    /// are passed over and, once one was taken, every package is refused.
    #[cfg(feature = "rotation")]
    #[must_use]
    pub fn keyring(mut self, keyring: &'a mut crate::Keyring) -> Self {
        self.machine = self.machine.keyring(keyring);
        self
    }

    /// The version of the key set that updates are judged by, to report it to a server: known once a byte was written, or
    /// `install` was called.
    #[cfg(feature = "rotation")]
    pub fn key_set_version(&self) -> u32 {
        self.machine.key_set_version()
    }

    /// What runs, from one who knows it better than the records and the running image's trailer: a tool, or an application
    /// under another bootloader. Version and image are taken as they are, the security counter if it is above the
    /// records', the slot if there are no records.
    #[must_use]
    pub fn running(mut self, running: Running) -> Self {
        self.machine.know(running);
        self
    }

    /// The offset in the package of the first byte that is wanted: where a transport must seek to (HTTP
    /// Range, file offset), now and after any error.
    pub fn position(&self) -> u32 {
        self.machine.position()
    }

    /// Says that the next byte written has this offset in the package; bytes before
    /// [`position`](Self::position) are passed over. For transports that start again somewhere else than
    /// at `position()`.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if `offset` is beyond `position()`.
    pub fn stream_at(&mut self, offset: u32) -> Result<(), Error> {
        self.machine.stream_at(offset)
    }

    /// Starts over with the first byte of a package: of the same one, which then goes on where its slot is filled, or of
    /// another. For when the server has a newer one, or the same block is refused again and again.
    pub fn restart(&mut self) {
        self.machine.restart();
    }

    /// Says that the transport was lost: what is not authenticated yet, at most a head or a block, is forgotten and will
    /// be wanted again. `install` does this by itself when its reader fails; after dropping its future, do it yourself.
    pub fn disconnected(&mut self) {
        self.machine.disconnected();
    }

    /// How far the update is.
    pub fn progress(&self) -> Progress {
        self.machine.progress()
    }

    /// What runs, what arrives and how far it is. What runs is known once the records were read: after `flush`, the first write, or
    /// `install`. Before, it is [`Running::factory`] or what [`running`](Self::running) said.
    pub fn status(&self) -> Status {
        self.machine.status()
    }

    /// The flash, to share it with the rest of the program between calls, with a [`Control`](crate::Control) too: the
    /// records are read again afterwards. Whoever writes to the target slot meanwhile spoils the update; the final hash
    /// will say so.
    pub fn flash(&mut self) -> &mut F {
        self.machine.distrust();
        &mut self.flash
    }

    /// Gives the flash back.
    pub fn release(self) -> F {
        self.flash
    }

    /// Checks the signature that waits, if one does.
    #[inline(never)] // nothing but this is on the stack beside the arithmetic
    pub(crate) fn check_signature<E>(&mut self) -> Result<bool, Error<E>>
    where
        V: Verify,
    {
        let Some(job) = self.machine.job() else { return Ok(false) };
        let outcome = job.check(&mut self.verifier);
        self.machine.signature(&outcome).map_err(Stop::widen).map(|()| true)
    }

    /// Asks the application, once it is sure that a flash of `capacity` bytes which writes `write` at once is the layout's.
    #[inline(never)] // a manifest is not on the stack while a signature is checked
    pub(crate) fn decide<E>(&mut self, capacity: usize, write: usize) -> Result<(), Error<E>>
    where
        P: FnMut(&Offer<'_>) -> Decision,
    {
        if self.machine.end() as usize > capacity {
            return Err(FLASH_TOO_SMALL.widen());
        }
        if !fits(write, self.machine.layout()) {
            return Err(WRITE_SIZE_TOO_LARGE.widen());
        }
        let decision = (self.policy)(&self.machine.offer().map_err(Stop::widen)?);
        self.machine.ack(Ack::Decision(decision)).map_err(Stop::widen)
    }

    /// Tells the machine how a flash operation went. Gives the error that it makes up for, if there was one.
    pub(crate) fn acknowledge<E>(&mut self, outcome: Result<Ack<'_>, E>) -> Result<Option<E>, Error<E>> {
        match outcome {
            Ok(ack) => self.machine.ack(ack).map(|()| None).map_err(Stop::widen),
            Err(error) => {
                let absorbed = self.machine.absorbs();
                self.machine.ack(Ack::Failed).map_err(Stop::widen)?;
                if absorbed {
                    return Ok(Some(error));
                }
                Err(Error::Flash(error))
            }
        }
    }
}

/// What stopped the machine, or the flash error behind it.
pub(crate) fn because<E>(stop: Stop, cause: Option<E>) -> Error<E> {
    match (stop, cause) {
        (Stop::Records, Some(cause)) => Error::Flash(cause),
        (stop, _) => stop.widen(),
    }
}

/// Whether a driver that writes `write` bytes at once can write the records of this layout.
fn fits(write: usize, layout: &Layout) -> bool {
    write as u32 <= layout.geometry().write_unit().max(4)
}

const WRITE_SIZE_TOO_LARGE: Stop =
    Stop::Misuse("the flash driver's WRITE_SIZE is larger than the write unit of the layout's geometry");
const FLASH_TOO_SMALL: Stop = Stop::Misuse("the flash is smaller than the layout's geometry");

impl<F: ErrorType, V, P, H, M> embedded_io::ErrorType for Driver<'_, F, V, P, H, M> {
    type Error = Error<F::Error>;
}
