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

mod chain;
mod head;
mod step;
mod writer;

use core::marker::PhantomData;

use crate::block::Buffer;
use crate::device::{Decision, Device, FinalHash, Offer, Running};
use crate::digest::{digest, Digest, Sha2, Sha256};
use crate::error::{Error, Refusal, Stop};
use crate::geometry::MAX_WRITE_UNIT;
use crate::layout::Slot;
use crate::message::message;
use crate::receipt::Verified;
use crate::status::{Progress, Stage, Status};
use crate::trust::CheckedSignature;
use chain::Chain;
use head::Head;
pub use step::{Ack, Step};
use writer::{Operation, Writer};

/// What is known of an update once its manifest is authenticated.
#[derive(Clone, Copy, Debug)]
struct Plan {
    manifest: Digest,
    image: Digest,
    image_size: u32,
    payload_size: u32,
    version: crate::Version,
    security_counter: u32,
}

/// Where to go on if the sector being filled is lost: always the first byte of a sector.
#[derive(Clone, Copy, Debug)]
struct Checkpoint {
    block: (u32, Digest),
    /// Bytes of that block that lie in front of the sector.
    consumed: u32,
    /// Offset of the sector in the slot.
    offset: u32,
}

#[derive(Debug)]
enum Phase<H> {
    Head(Head),
    Trailer,
    Block,
    Place,
    Stored,
    Hash(H, u32),
    Complete,
}

/// The machine, see the [module](self). It borrows its block buffer and the device's constants, nothing else,
/// and may live in a `static`.
#[derive(Debug)]
pub struct Machine<'a, H = Sha2> {
    device: &'a Device<'a>,
    running: Running,
    buffer: Buffer<'a>,
    phase: Phase<H>,
    plan: Option<Plan>,
    chain: Option<Chain>,
    checkpoint: Option<Checkpoint>,
    writer: Writer,
    /// Package offset of the next byte fed, and of the first byte that is wanted.
    at: u32,
    position: u32,
    /// Package offset of block 0.
    payload: u32,
    /// Bytes of this block that are collected, and of its data that were in the slot before.
    filled: u32,
    consumed: u32,
    /// The slot was filled in more than one go.
    interrupted: bool,
    hash: PhantomData<H>,
}

impl<'a, H: Sha256> Machine<'a, H> {
    /// A machine that waits for a package. `unit` is the largest of the flash driver's write and read sizes;
    /// it writes in that unit or the geometry's, whichever is larger (both are powers of two up to 32).
    pub fn new(device: &'a Device<'a>, running: Running, buffer: impl Into<Buffer<'a>>, unit: u32) -> Self {
        let slot = device.layout.target(running.slot);
        let unit = unit.max(device.layout.geometry().write_unit()).clamp(1, MAX_WRITE_UNIT).next_power_of_two();
        Self {
            device,
            running,
            buffer: buffer.into(),
            phase: Phase::Head(Head::new()),
            plan: None,
            chain: None,
            checkpoint: None,
            writer: Writer::new(device.layout, slot, unit),
            at: 0,
            position: 0,
            payload: 0,
            filled: 0,
            consumed: 0,
            interrupted: false,
            hash: PhantomData,
        }
    }

    /// The offset in the package of the first byte that is wanted. After any error the next byte fed must be
    /// this one, or [`stream_at`](Self::stream_at) must say where the stream goes on.
    pub fn position(&self) -> u32 {
        self.position
    }

    /// Says that the next byte fed has this offset in the package. Bytes before [`position`](Self::position)
    /// will be passed over.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if `offset` is beyond `position()`: bytes would be missing.
    pub fn stream_at(&mut self, offset: u32) -> Result<(), Error> {
        if offset > self.position {
            return Err(Stop::Misuse("the stream goes on beyond position(): bytes would be missing"));
        }
        if offset == 0 && matches!(self.phase, Phase::Head(_)) {
            self.forget();
        }
        self.at = offset;
        Ok(())
    }

    /// Whether bytes may be left out before the next one that is wanted: the stream is to go on at
    /// [`position`](Self::position), or will be passed over up to it.
    pub fn is_ahead(&self) -> bool {
        self.at < self.position
    }

    /// Bytes of the package still to be fed, held ones counted, once its manifest is accepted.
    pub fn remaining(&self) -> Option<u32> {
        self.progress().package.map(|package| package.saturating_sub(self.at))
    }

    /// Takes input, at most to the end of a block or to the next step that is not [`Step::Receive`]. Gives
    /// the bytes taken.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`]; what was taken of a refused block is forgotten.
    pub fn feed(&mut self, input: &[u8]) -> Result<usize, Error> {
        let held = (self.position.saturating_sub(self.at) as usize).min(input.len());
        let rest = input.get(held..).unwrap_or_default();
        self.at = self.at.saturating_add(held as u32);
        if rest.is_empty() {
            return Ok(held);
        }
        match self.collect(rest) {
            Ok(taken) => {
                self.position = self.position.saturating_add(taken);
                self.at = self.position;
                Ok(held.saturating_add(taken as usize))
            }
            Err(stop) => {
                self.forget();
                Err(told(stop))
            }
        }
    }

    fn collect(&mut self, input: &[u8]) -> Result<u32, Stop> {
        match (&mut self.phase, &mut self.chain) {
            (Phase::Head(head), _) => {
                let taken = head.feed::<H>(self.buffer.data(), &self.device.keys, input)?;
                self.judge()?;
                Ok(taken as u32)
            }
            (Phase::Block, Some(chain)) => {
                let taken = self.buffer.collect(chain.data(), !chain.is_last(), self.filled, input)?;
                self.filled = self.filled.saturating_add(taken);
                if self.filled == chain.size() {
                    chain.authenticate::<H>(&self.buffer)?;
                    self.place()?;
                }
                Ok(taken)
            }
            (Phase::Stored | Phase::Hash(..) | Phase::Complete, _) => Err(Refusal::Trailing.into()),
            _ => Ok(0),
        }
    }

    /// Says that the transport was lost. What was collected and not yet authenticated is forgotten, since a connection's
    /// bytes need not have been genuine: at most a head or a block is sent again.
    pub fn disconnected(&mut self) {
        self.forget();
    }

    /// Forgets what was collected and not yet authenticated.
    fn forget(&mut self) {
        match (&mut self.phase, &self.chain) {
            (Phase::Head(head), _) => {
                *head = Head::new();
                self.position = 0;
            }
            (Phase::Block, Some(chain)) => {
                self.filled = 0;
                self.position = self.payload.saturating_add(chain.position());
            }
            _ => {}
        }
        self.at = self.position;
    }

    /// The block in the buffer is authentic: what the slot does not hold of it yet is written.
    fn place(&mut self) -> Result<(), Stop> {
        let Some(chain) = &self.chain else { return Ok(()) };
        let data = chain.data();
        self.buffer.pad(data, self.writer.padded(data), self.device.layout.geometry().erased())?;
        let offset = chain.offset().saturating_add(self.consumed);
        self.writer.begin_image(offset, self.consumed, data.saturating_sub(self.consumed))?;
        self.phase = Phase::Place;
        Ok(())
    }

    /// What is to be done next. Says the same until it is acknowledged.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`] if a [`Step::Write`] was given and never acknowledged: its sector will be
    /// erased again, and the package is to be fed again from [`position`](Self::position).
    pub fn step(&mut self) -> Result<Step<'_>, Error> {
        if let Operation::Write { .. } = self.writer.under_way() {
            self.rewind();
            return Err(Error::Interrupted);
        }
        if matches!(self.phase, Phase::Trailer | Phase::Place) {
            match self.writer.operation(self.device.layout) {
                Operation::Erase(sector) => return Ok(Step::Erase { from: sector.start, to: sector.end() }),
                Operation::Write { at, from, len } => {
                    self.keep_checkpoint(at, from);
                    return Ok(Step::Write { at, bytes: self.buffer.bytes(from, len)? });
                }
                Operation::Read { at, len, done, .. } => {
                    return Ok(Step::Read { at: at.saturating_add(done), len: len.saturating_sub(done) })
                }
                Operation::Idle => self.placed(),
            }
        }
        Ok(match &self.phase {
            Phase::Head(head) => {
                let data = self.buffer.data();
                if head.is_complete() {
                    let digest = digest::<H>(&[head.signed_bytes(data)]);
                    let body = head.manifest(data);
                    Step::Offer(Offer { manifest: self.device.parse(body)?, digest, body })
                } else {
                    head.job(data, &self.device.keys).map_or(Step::Receive, Step::Verify)
                }
            }
            Phase::Hash(_, done) => match self.plan {
                Some(plan) => Step::Read {
                    at: self.writer.address(*done),
                    len: self.writer.padded(plan.image_size).saturating_sub(*done),
                },
                None => Step::Receive,
            },
            Phase::Trailer | Phase::Block | Phase::Place => Step::Receive,
            Phase::Stored => Step::Stored,
            Phase::Complete => Step::Complete,
        })
    }

    /// The trailer or a block is in the slot.
    fn placed(&mut self) {
        let Some(chain) = &mut self.chain else { return };
        if matches!(self.phase, Phase::Place) {
            chain.advance(self.buffer.link());
            self.consumed = 0;
        }
        self.filled = 0;
        self.position = self.payload.saturating_add(chain.position());
        self.phase = if chain.is_complete() { Phase::Stored } else { Phase::Block };
    }

    /// Before the first write into a sector: this is where to go on should it fail.
    fn keep_checkpoint(&mut self, at: u32, from: u32) {
        let (Phase::Place, Some(chain)) = (&self.phase, &self.chain) else { return };
        if let Some(offset) = self.writer.sector_edge(self.device.layout, at) {
            self.checkpoint = Some(Checkpoint { block: chain.place(), consumed: from, offset });
        }
    }

    /// A write failed: the head is read again (its trailer shares the slot), then blocks go on at the
    /// checkpoint.
    fn rewind(&mut self) {
        self.writer.resume(0);
        self.phase = Phase::Head(Head::new());
        (self.at, self.position, self.filled) = (0, 0, 0);
        self.interrupted = true;
    }

    /// Answers the step.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], [`Error::Deferred`], [`Error::Mismatch`]; [`Error::Misuse`] for an answer that
    /// does not fit the step: it changes nothing.
    pub fn ack(&mut self, ack: Ack<'_>) -> Result<(), Error> {
        match ack {
            Ack::Signature(outcome) => self.signature(&outcome),
            Ack::Decision(decision) => self.decision(decision),
            Ack::Done => match self.writer.under_way() {
                Operation::Erase(_) | Operation::Write { .. } => {
                    self.writer.done();
                    Ok(())
                }
                _ => Err(NO_SUCH_STEP),
            },
            Ack::Read(bytes) => self.read(bytes),
            Ack::Failed => {
                if let Operation::Write { .. } = self.writer.under_way() {
                    self.rewind();
                }
                Ok(())
            }
        }
    }

    fn signature(&mut self, outcome: &CheckedSignature) -> Result<(), Stop> {
        let Phase::Head(head) = &mut self.phase else { return Err(NO_SUCH_STEP) };
        let data = self.buffer.data();
        if head.job(data, &self.device.keys).is_none() {
            return Err(NO_SUCH_STEP);
        }
        let judged = head.checked(data, &self.device.keys, outcome).and_then(|()| self.judge());
        judged.map_err(|refusal| {
            self.forget();
            told(refusal.into())
        })
    }

    /// Once the manifest is authenticated: parses it, and holds it against the device.
    fn judge(&mut self) -> Result<(), Refusal> {
        match &self.phase {
            Phase::Head(head) if head.is_complete() => {
                let manifest = self.device.parse(head.manifest(self.buffer.data()))?;
                self.device.judge(&self.running, &manifest, self.buffer.capacity())
            }
            _ => Ok(()),
        }
    }

    fn decision(&mut self, decision: Decision) -> Result<(), Stop> {
        let Phase::Head(head) = &self.phase else { return Err(NO_SUCH_STEP) };
        if !head.is_complete() {
            return Err(NO_SUCH_STEP);
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

    /// The application agreed: from here on the slot changes.
    fn accept(&mut self) -> Result<(), Stop> {
        let Phase::Head(head) = &self.phase else { return Err(NO_SUCH_STEP) };
        let data = self.buffer.data();
        let manifest = self.device.parse(head.manifest(data))?;
        let plan = Plan {
            manifest: digest::<H>(&[head.signed_bytes(data)]),
            image: manifest.image_digest,
            image_size: manifest.image_size,
            payload_size: manifest.payload_size(),
            version: manifest.version,
            security_counter: manifest.security_counter,
        };
        let trailer = head.size() as u32;
        let mut chain = Chain::new(&manifest);
        self.payload = self.position;
        (self.consumed, self.interrupted) = (0, false);
        let mut offset = 0;
        let same = self.plan.is_some_and(|before| before.manifest == plan.manifest);
        match self.checkpoint.filter(|_| same) {
            Some(checkpoint) => {
                chain.resume(checkpoint.block);
                self.consumed = checkpoint.consumed;
                self.interrupted = true;
                offset = checkpoint.offset;
            }
            None => self.checkpoint = None,
        }
        message!(info, "update {} accepted for slot {}, from image byte {}", plan.version, self.target(), offset);
        self.buffer.pad(trailer, self.writer.padded(trailer), self.device.layout.geometry().erased())?;
        self.writer.resume(offset);
        self.writer.begin_trailer(trailer);
        (self.plan, self.chain, self.phase) = (Some(plan), Some(chain), Phase::Trailer);
        Ok(())
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let got = bytes.len() as u32;
        if let Operation::Read { at, from, len, done } = self.writer.under_way() {
            if got == 0 || got > len.saturating_sub(done) {
                return Err(NO_SUCH_STEP);
            }
            if bytes != self.buffer.bytes(from.saturating_add(done), got)? {
                self.rewind();
                return Err(Error::Mismatch { address: at.saturating_add(done) });
            }
            self.writer.compared(got);
            return Ok(());
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
        if let Phase::Hash(hash, _) = core::mem::replace(&mut self.phase, Phase::Complete) {
            if hash.finish() != plan.image {
                self.rewind();
                self.checkpoint = None;
                return Err(told(Refusal::ImageDigest.into()));
            }
        }
        Ok(())
    }

    /// The package is at its end: from here on [`step`](Self::step) leads to [`Step::Complete`].
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] if it is not.
    pub fn finish(&mut self) -> Result<(), Error> {
        match self.phase {
            Phase::Stored => {
                let hash = self.interrupted || self.device.final_hash == FinalHash::Always;
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

    /// The receipt, once, after [`Step::Complete`]. The machine then waits for another package.
    pub fn receipt(&mut self) -> Option<Verified> {
        let plan = self.plan.filter(|_| matches!(self.phase, Phase::Complete))?;
        self.phase = Phase::Head(Head::new());
        (self.plan, self.chain, self.checkpoint) = (None, None, None);
        (self.at, self.position) = (0, 0);
        message!(info, "image {} verified in slot {}", plan.version, self.target());
        Some(Verified::new(
            self.target(),
            plan.manifest,
            plan.image,
            plan.image_size,
            plan.version,
            plan.security_counter,
        ))
    }

    /// The slot that is written.
    pub fn target(&self) -> Slot {
        self.device.layout.target(self.running.slot)
    }

    /// How far the update is.
    pub fn progress(&self) -> Progress {
        let known = self.plan.filter(|_| !matches!(self.phase, Phase::Head(_)));
        Progress {
            received: self.position,
            package: known.map(|plan| self.payload.saturating_add(plan.payload_size)),
            written: match (&self.chain, known) {
                (Some(chain), Some(plan)) => chain.offset().saturating_add(self.consumed).min(plan.image_size),
                _ => 0,
            },
            image: known.map(|plan| plan.image_size),
        }
    }

    /// What the device could report to a server.
    pub fn status(&self) -> Status {
        let stage = match &self.phase {
            Phase::Head(head) if head.is_complete() => Stage::Offered,
            Phase::Head(_) => Stage::Waiting,
            Phase::Trailer | Phase::Block | Phase::Place => Stage::Receiving,
            Phase::Stored | Phase::Hash(..) => Stage::Stored,
            Phase::Complete => Stage::Verified,
        };
        let incoming = self.plan.filter(|_| !matches!(self.phase, Phase::Head(_))).map(|plan| plan.version);
        Status { running: self.running, target: self.target(), stage, incoming, progress: self.progress() }
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
