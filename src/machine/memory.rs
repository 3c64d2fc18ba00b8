//! The machine and its records: read before the first package, written at the start, at checkpoints, and when a slot
//! turns out to be void.

use core::mem::replace;

use super::accept::Payload;
#[cfg(not(feature = "rotation"))]
use super::head::Head;
use super::writer::Writer;
use super::{Machine, Phase, Rest, Step, Then};
use crate::device::Running;
use crate::digest::{Digest, Sha256};
use crate::error::{Error, Stop};
use crate::geometry::MAX_WRITE_UNIT;
use crate::layout::{Slot, Strategy};
use crate::manifest::Manifest;
use crate::records::{Checkpoint, Log, Phase as Update, Request, State, Work};
use crate::refusal::Refusal;
use crate::wire::{ObjectType, Prelude, MAX_MANIFEST, PRELUDE_SIZE, TRAILER_SIZE};

/// Bytes of a trailer that name the image.
const NAME_SIZE: u32 = 544;

impl<H: Sha256> Machine<'_, H> {
    /// Says what runs: version and image as they are, the security counter if it is above the records', the slot if there
    /// are no records. For those who know it better than the running image's trailer.
    pub fn know(&mut self, running: Running) {
        (self.running, self.known) = (running, true);
    }

    /// The state, or what a device without records is taken for.
    pub(super) fn state(&self) -> &State {
        const NONE: State = State::new(Slot::A, 0);
        self.log.state.as_ref().unwrap_or(&NONE)
    }

    /// The work on the records that is under way.
    pub(super) fn work(&mut self) -> Option<&mut Work> {
        match &mut self.phase {
            Phase::Records(work, _) => Some(work),
            _ => None,
        }
    }

    /// Tells the work how it went.
    pub(super) fn record(&mut self, tell: impl FnOnce(&mut Work, &mut Log<'_>)) {
        self.writing = false;
        if let Phase::Records(work, _) = &mut self.phase {
            tell(work, &mut self.log);
        }
    }

    /// Whether the step's failure is made up for: an unreadable record, a place in the log that cannot be written.
    pub(crate) fn absorbs(&mut self) -> bool {
        #[cfg(feature = "rotation")]
        if let Phase::Keys(_) = self.phase {
            return true;
        }
        self.work().is_some() || matches!(self.phase, Phase::Identify(_))
    }

    /// The phase in which a package can begin.
    pub(super) fn beginning(&mut self) -> Phase<H> {
        match (self.log.loaded, self.unnamed) {
            (true, false) => self.begin_package(),
            (true, true) => Phase::Identify(0),
            (false, _) => Phase::Records(Work::load(&mut self.log), Then::Identify),
        }
    }

    /// Work that is done leads on; what failed leads back.
    pub(super) fn settle(&mut self) -> Result<(), Stop> {
        let Some(end) = self.ended() else { return Ok(()) };
        let Phase::Records(_, then) = replace(&mut self.phase, Phase::Place) else { return Ok(()) };
        match then {
            Then::Identify => self.loaded(),
            Then::GoOn(rest, start) => return self.learnt(rest, start),
            Then::Refuse(fault) => {
                self.rewind();
                return Err(super::told(fault.map_or(Refusal::ImageDigest, Refusal::Payload).into()));
            }
            _ if !end => {
                self.rewind();
                return Err(Error::Records);
            }
            #[cfg(feature = "rotation")]
            Then::Store(taken) => self.phase = Phase::KeySet(taken),
            #[cfg(feature = "rotation")]
            Then::Trust(taken) => self.key_set_taken(taken),
            Then::Trailer => self.phase = Phase::Trailer,
            Then::Place => self.recorded = self.log.held().map_or(0, |held| held.offset),
        }
        Ok(())
    }

    /// Whether the work on the records has come to an end, and to a good one.
    fn ended(&self) -> Option<bool> {
        let Phase::Records(work, _) = &self.phase else { return None };
        match work.request(&self.log) {
            Request::Done => Some(true),
            Request::Failed => Some(false),
            _ => None,
        }
    }

    /// If somebody else had the flash, the records are read again before anything is done.
    pub(super) fn learn(&mut self) -> Result<(), Stop> {
        if !self.shared {
            return Ok(());
        }
        self.shared = false;
        let rest = match &self.phase {
            Phase::Records(_, Then::Identify) | Phase::Identify(_) => None,
            #[cfg(feature = "rotation")]
            Phase::Keys(_) => None,
            Phase::Head(_) if self.position == 0 => None,
            Phase::Trailer => Some(Rest::Trailer),
            Phase::Block => Some(Rest::Block),
            Phase::Decode => Some(Rest::Decode),
            Phase::Place => Some(Rest::Place),
            Phase::Stored => Some(Rest::Stored),
            Phase::Hash(..) => Some(Rest::Hash),
            Phase::Complete => Some(Rest::Complete),
            // A head was judged by the old records, or a record was being written.
            _ => {
                self.log.forget();
                self.rewind();
                return Err(Error::Interrupted);
            }
        };
        let start = self.state().start;
        let work = Work::load(&mut self.log);
        self.phase = Phase::Records(work, rest.map_or(Then::Identify, |rest| Then::GoOn(rest, start)));
        Ok(())
    }

    /// The records were read again: they must still tell of this install.
    fn learnt(&mut self, rest: Rest, start: u16) -> Result<(), Stop> {
        let state = self.state();
        if state.phase != Update::Receiving || state.start != start {
            // What was known of the image that runs and of the keys is the old records'.
            self.log.forget();
            self.rewind();
            return Err(Error::Superseded);
        }
        // A receipt made again rests on a state of an earlier power cycle.
        self.log.fresh = self.plan.is_none_or(|plan| !plan.staged);
        self.phase = match rest {
            Rest::Trailer => Phase::Trailer,
            Rest::Block => Phase::Block,
            Rest::Decode => Phase::Decode,
            Rest::Place => Phase::Place,
            Rest::Stored => Phase::Stored,
            Rest::Hash => Phase::Hash(H::new(), 0),
            Rest::Complete => Phase::Complete,
        };
        Ok(())
    }

    /// The step that the records ask for.
    pub(super) fn record_step(&mut self) -> Option<Step<'_>> {
        let Phase::Records(work, _) = &self.phase else { return None };
        match work.request(&self.log) {
            Request::Erase(sector) => Some(Step::Erase { from: sector.start, to: sector.end() }),
            Request::Write { at, bytes } => {
                self.writing = true;
                Some(Step::Write { at, bytes })
            }
            Request::Read { at, len } => Some(Step::Read { at, len }),
            Request::Done | Request::Failed => None,
        }
    }

    /// The log is read: who runs is asked of the trailer.
    fn loaded(&mut self) {
        let slot = match (&self.log.state, self.device.layout.strategy()) {
            (None, Strategy::Select | Strategy::Swap) => self.running.slot,
            (_, strategy) => self.state().running(strategy),
        };
        let counter = self.state().security_counter.max(self.running.security_counter);
        self.running = Running { slot, security_counter: counter, ..self.running };
        #[cfg(feature = "rotation")]
        if let Some(rotation) = &mut self.rotation {
            rotation.forget();
        }
        self.writer = Writer::new(self.device.layout, self.target(), self.writer.unit());
        (self.phase, self.unnamed) = (Phase::Identify(0), true);
    }

    /// Bytes of the running image's trailer that may name it.
    fn name_size(&self) -> u32 {
        NAME_SIZE.min(self.buffer.capacity() as u32)
    }

    /// What is read of it next, and where: a unit, since what lies behind it may be unreadable.
    pub(super) fn name_at(&self, done: u32) -> (u32, u32) {
        let end = self.device.layout.slot_range(self.running.slot).end;
        let left = self.name_size().saturating_sub(done);
        (end.saturating_sub(TRAILER_SIZE).saturating_add(done), left.min(MAX_WRITE_UNIT))
    }

    /// Bytes of the trailer, or none because of a read error.
    pub(super) fn identify(&mut self, done: u32, bytes: Option<&[u8]>) {
        let (_, left) = self.name_at(done);
        let all = match bytes {
            Some(bytes) if bytes.len() <= left as usize && !bytes.is_empty() => {
                if let Some(room) = self.buffer.data_mut().get_mut(done as usize..) {
                    crate::block::copy(room, bytes);
                }
                done.saturating_add(bytes.len() as u32)
            }
            // What was read before holds.
            _ => done,
        };
        if all > done && all < self.name_size() {
            self.phase = Phase::Identify(all);
            return;
        }
        self.unnamed = false;
        if let Some(manifest) = self.named(all as usize) {
            self.running.version = manifest.version;
            self.running.image = Some(manifest.image_digest.into());
            if self.log.state.is_none() {
                self.running.security_counter = self.running.security_counter.max(manifest.security_counter);
            }
        }
        self.phase = self.begin_package();
    }

    #[cfg(not(feature = "rotation"))]
    fn begin_package(&mut self) -> Phase<H> {
        Phase::Head(Head::new())
    }

    /// Whether the keys are known that packages are to be judged by.
    pub(super) fn has_keys(&self) -> bool {
        #[cfg(feature = "rotation")]
        if let Some(rotation) = &self.rotation {
            return rotation.known;
        }
        self.state().places.keys == 0
    }

    fn named(&self, bytes: usize) -> Option<Manifest> {
        let trailer = self.buffer.data().get(..bytes.min(PRELUDE_SIZE.saturating_add(MAX_MANIFEST)))?;
        let prelude = Prelude::parse(trailer.get(..PRELUDE_SIZE)?).ok()?;
        let body = trailer.get(PRELUDE_SIZE..)?.get(..prelude.body)?;
        let manifest = Manifest::parse_stored(body).ok()?;
        (prelude.object == ObjectType::Update && !self.known).then_some(manifest)
    }

    /// The application agreed to the update: this is made known before the first erase. Gives the checkpoint to go on
    /// from.
    pub(super) fn start(&mut self, update: Digest) -> Checkpoint {
        let same = self.state().phase == Update::Receiving && self.state().update == update;
        // A device that does not resume believes no checkpoint but this power cycle's.
        let believed = same && (self.log.fresh || self.device.checkpoint_interval < u32::MAX);
        let held = self.log.held().filter(|held| believed && self.is_checkpoint(held));
        let checkpoint = held.unwrap_or(Checkpoint::START);
        self.recorded = checkpoint.offset;
        if held.is_some() && self.log.fresh {
            self.phase = Phase::Trailer;
        } else {
            self.begin((!same).then_some(update), checkpoint, Then::Trailer);
        }
        checkpoint
    }

    /// Records a new start: of this update, or again of the one that was started last.
    #[inline(never)] // one, for both who call it
    pub(super) fn begin(&mut self, update: Option<Digest>, checkpoint: Checkpoint, then: Then) {
        let state = self.state_or_new();
        let state = match (update, &self.plan) {
            (Some(update), Some(plan)) => state.receiving(update, plan.image, plan.security_counter),
            _ => state.void(),
        };
        self.phase = Phase::Records(Work::start::<H>(&mut self.log, state, checkpoint), then);
    }

    /// The state, or the first one.
    pub(super) fn state_or_new(&self) -> State {
        let first = State::new(self.running.slot, self.running.security_counter);
        #[cfg(feature = "rotation")]
        let first = State { places: self.places(), ..first };
        self.log.state.unwrap_or(first)
    }

    /// Whether an install can go on there: nothing that is stored is believed unseen. A delta begins with its first byte
    /// again. If it can, what decodes is there already.
    fn is_checkpoint(&mut self, held: &Checkpoint) -> bool {
        let (Some(plan), Some(chain)) = (&self.plan, &self.chain) else { return false };
        let edge = self.writer.address(held.offset);
        if held.offset >= plan.image_size || self.device.layout.sector(edge).start != edge {
            return false;
        }
        let fits = match plan.payload {
            Payload::Raw => held.payload == held.offset && held.token.is_none(),
            Payload::Delta => held.payload == 0 && held.token.is_none(),
            Payload::Compressed => {
                let begun = held.offset > 0;
                held.token.is_some() == begun && (held.payload > 0) == begun && held.payload < chain.length()
            }
        };
        #[cfg(feature = "decode")]
        if let (true, true, Some(lent)) = (fits, self.is_encoded(), &mut self.workspace) {
            return lent.resume(held).is_some();
        }
        fits
    }

    /// Before the first write into a sector: this is where to go on should it fail.
    pub(super) fn keep_checkpoint(&mut self) {
        let (Phase::Place, Some(chain)) = (&self.phase, &self.chain) else { return };
        let Some((offset, from)) = self.writer.at_edge() else { return };
        if self.log.held().is_some_and(|held| held.offset == offset) {
            return;
        }
        let (payload, hash) = (chain.offset().saturating_add(from), chain.expected());
        let checkpoint = Checkpoint { offset, payload, hash, token: None };
        #[cfg(feature = "decode")]
        let checkpoint = match &self.workspace {
            Some(lent) if self.is_encoded() => Checkpoint { offset, ..lent.decoding.begun },
            _ => checkpoint,
        };
        let due = self.recorded.checked_add(self.device.checkpoint_interval).is_some_and(|due| offset >= due);
        if due && offset > 0 {
            self.phase = Phase::Records(Work::checkpoint::<H>(&mut self.log, checkpoint), Then::Place);
        } else {
            self.log.hold(checkpoint);
        }
    }

    /// The slot does not hold the image that was signed: no checkpoint of this start may be gone on from.
    pub(super) fn void(&mut self) {
        self.begin(None, Checkpoint::START, Then::Refuse(None));
    }
}
