//! The update as a sans-I/O machine: bytes go in, and it says what is to be done.
//!
//! ```text
//!            feed                    ack(Signature)            ack(Decision)
//!   +------+ prelude, manifest, +--------+  threshold  +-------+  Accept  +---------+
//!   | Head |------------------->| Verify |------------>| Offer |--------->| Trailer |  erase, write, read back
//!   +------+   signatures       +--------+     met     +-------+          +---------+
//!       ^                                                                      |
//!       | a write failed: the head is read again, blocks go on                 v
//!       |                                           +---------+  authentic +-------+
//!       +------------------------------------------ | Place   |<-----------| Block |<-- feed
//!                                                   +---------+----------->+-------+
//!                                   erase, write, read back     next block     | last block placed
//!                                                                              v
//!                                               +----------+    hash    +------------+
//!                                               | Complete |<-----------|   Stored   |<-- finish
//!                                               +----------+            +------------+
//! ```
//!
//! [`feed`](Machine::feed) takes input; [`step`](Machine::step) says what must be done and repeats itself
//! until [`ack`](Machine::ack). Only an authenticated block is ever part of a [`Step::Write`]. The drivers
//! ([`Updater`](crate::Updater)) are loops around this; write your own if your flash or your executor asks
//! for it.

mod accept;
mod chain;
#[cfg(feature = "decode")]
mod decode;
mod drive;
mod head;
mod input;
mod memory;
mod proof;
mod report;
#[cfg(feature = "rotation")]
mod rotation;
mod step;
mod trust;
#[cfg(feature = "decode")]
mod workspace;
mod writer;

use core::marker::PhantomData;

use crate::block::Buffer;
use crate::decode::Fault;
use crate::device::{Device, Offer, Running};
use crate::digest::{digest, Sha2, Sha256};
use crate::error::{Error, Stop};
use crate::geometry::MAX_WRITE_UNIT;
use crate::message::message;
use crate::records::{Log, Work};
use accept::{Payload, Plan};
use chain::Chain;
use head::Head;
#[cfg(feature = "rotation")]
use rotation::{Reading, Rotation, Taken};
pub use step::{Ack, Step};
#[cfg(feature = "decode")]
use workspace::Lent;
#[cfg(feature = "decode")]
pub use workspace::Workspace;
use writer::Writer;

/// Where a machine goes on that has read its records again.
#[derive(Clone, Copy, Debug)]
enum Rest {
    Trailer,
    Block,
    Decode,
    Place,
    Stored,
    Hash,
    Complete,
}

#[derive(Debug)]
enum Phase<H> {
    /// The records are read or written.
    Records(Work, Then),
    /// So many bytes of the running image's trailer are read.
    Identify(u32),
    /// A place of the key store is read.
    #[cfg(feature = "rotation")]
    Keys(Reading),
    Head(Head),
    /// A key set is written to the key store.
    #[cfg(feature = "rotation")]
    KeySet(Taken),
    Trailer,
    Block,
    /// The block in the buffer is authentic, and is not the image itself.
    Decode,
    Place,
    Stored,
    Hash(H, u32),
    Complete,
}

/// What work on the records is for.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// They are read, then the running image's trailer.
    Identify,
    /// No state names the place that a key set is going to.
    #[cfg(feature = "rotation")]
    Store(Taken),
    /// A key set is named, and trusted from then on.
    #[cfg(feature = "rotation")]
    Trust(Taken),
    /// The start is recorded; nothing is erased before.
    Trailer,
    /// A checkpoint is.
    Place,
    /// The slot is void: its checkpoints are. The payload does not decode, or not to the image that was signed.
    Refuse(Option<Fault>),
    /// They are read again, since the flash was shared; if they still tell of this start, it goes on there.
    GoOn(Rest, u16),
}

/// The machine, see the [module](self). It borrows its block buffer and the device's constants, nothing else,
/// and may live in a `static`.
#[derive(Debug)]
pub struct Machine<'a, H = Sha2> {
    device: &'a Device<'a>,
    /// What runs; counter and slot are the records', the rest its trailer's unless it is `known`.
    running: Running,
    known: bool,
    log: Log<'a>,
    buffer: Buffer<'a>,
    #[cfg(feature = "decode")]
    workspace: Option<Lent<'a>>,
    #[cfg(feature = "rotation")]
    rotation: Option<Rotation<'a>>,
    phase: Phase<H>,
    plan: Option<Plan>,
    chain: Option<Chain>,
    writer: Writer,
    /// Package offset of the next byte fed, and of the first byte that is wanted.
    at: u32,
    position: u32,
    /// Package offset of block 0.
    payload: u32,
    /// Bytes of this block that are collected, and of its data that were in the slot before.
    filled: u32,
    consumed: u32,
    /// Offset of the last checkpoint in the log.
    recorded: u32,
    /// The running image's trailer is still to be read.
    unnamed: bool,
    /// A write to the log was given and is not acknowledged.
    writing: bool,
    /// Somebody else had the flash: the log is to be read again.
    shared: bool,
    hash: PhantomData<H>,
}

impl<'a, H: Sha256> Machine<'a, H> {
    /// A machine that reads the records first, then waits for a package. `unit` is the largest of the flash driver's write
    /// and read sizes; it writes in that unit or the geometry's, whichever is larger (both are powers of two up to 32).
    #[inline(never)] // its parts are not on the stack of who keeps it
    pub fn new(device: &'a Device<'a>, buffer: impl Into<Buffer<'a>>, unit: u32) -> Self {
        let running = Running::factory();
        let slot = device.layout.target(running.slot);
        let mut log = Log::new(device.layout, unit as usize, 1);
        let unit = unit.max(device.layout.geometry().write_unit()).clamp(1, MAX_WRITE_UNIT).next_power_of_two();
        Self {
            device,
            running,
            known: false,
            buffer: buffer.into(),
            #[cfg(feature = "decode")]
            workspace: None,
            #[cfg(feature = "rotation")]
            rotation: None,
            phase: Phase::Records(Work::load(&mut log), Then::Identify),
            log,
            plan: None,
            chain: None,
            writer: Writer::new(device.layout, slot, unit),
            at: 0,
            position: 0,
            payload: 0,
            filled: 0,
            consumed: 0,
            recorded: 0,
            unnamed: true,
            writing: false,
            shared: false,
            hash: PhantomData,
        }
    }

    /// Lends room to decode in: without it, payloads that are compressed or a delta are refused.
    #[cfg(feature = "decode")]
    #[must_use]
    pub fn workspace<const N: usize>(mut self, workspace: &'a mut Workspace<N>) -> Self {
        self.workspace = Some(workspace.lend());
        self
    }

    /// Lends room for the key set that the device trusts: without it, key sets are passed over and, once one was taken, every
    /// package is refused.
    #[cfg(feature = "rotation")]
    #[must_use]
    pub fn keyring(mut self, keyring: &'a mut crate::Keyring) -> Self {
        self.rotation = Some(Rotation::new(keyring));
        self
    }

    /// Whether bytes of the buffer go to flash.
    fn is_writing(&self) -> bool {
        #[cfg(feature = "rotation")]
        if let Phase::KeySet(_) = self.phase {
            return true;
        }
        matches!(self.phase, Phase::Trailer | Phase::Place)
    }

    /// Whether the payload is something else than the image.
    fn is_encoded(&self) -> bool {
        cfg!(feature = "decode") && self.plan.is_some_and(|plan| plan.payload != Payload::Raw)
    }

    /// Whether it wants input and nothing else.
    pub(crate) fn is_receiving(&self) -> bool {
        match &self.phase {
            Phase::Block => !self.shared,
            Phase::Head(head) => !self.shared && head.is_receiving(),
            _ => false,
        }
    }

    /// The authenticated manifest that waits for the application's decision.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if none does.
    pub fn offer(&self) -> Result<Offer<'_>, Error> {
        let Phase::Head(head) = &self.phase else { return Err(NO_SUCH_STEP) };
        if !head.is_complete() {
            return Err(NO_SUCH_STEP);
        }
        let body = head.manifest(self.buffer.data());
        let digest = digest::<H>(&[head.signed_bytes(self.buffer.data())]);
        Ok(Offer { manifest: self.device.parse(body)?, digest, body })
    }

    /// The trailer or a block is in the slot.
    fn placed(&mut self) {
        match self.phase {
            Phase::Place if !self.is_encoded() => self.next_block(),
            #[cfg(feature = "decode")]
            Phase::Place => {
                if let Some(lent) = &mut self.workspace {
                    lent.decoding.filled = 0;
                }
                self.phase = Phase::Decode;
            }
            #[cfg(feature = "rotation")]
            Phase::KeySet(taken) => self.key_set_stored(taken),
            _ => self.wait(),
        }
    }

    /// The block in the buffer is used up.
    fn next_block(&mut self) {
        if let Some(chain) = &mut self.chain {
            chain.advance(self.buffer.link());
        }
        self.consumed = 0;
        self.wait();
    }

    /// The next block is due, if there is one.
    fn wait(&mut self) {
        let Some(chain) = &self.chain else { return };
        self.filled = 0;
        self.position = self.payload.saturating_add(chain.position());
        self.phase = if chain.is_complete() { Phase::Stored } else { Phase::Block };
    }
}

/// Tells people of a refusal, and passes it on.
fn told(stop: Stop) -> Stop {
    if let Stop::Refused(refusal) = &stop {
        message!(warn, "update refused: {}", refusal);
    }
    stop
}

const NO_SUCH_STEP: Stop = Stop::Misuse("this answer does not fit the step");

/// On the chips it is made for. The block buffer and the workspace are the caller's.
#[cfg(target_pointer_width = "32")]
const _: () = assert!(
    core::mem::size_of::<Machine<'_>>()
        <= 552 + if cfg!(feature = "decode") { 16 } else { 0 } + if cfg!(feature = "rotation") { 24 } else { 0 },
    "the machine has grown beyond 552 bytes, 16 more with decoders, 24 more with key rotation"
);
