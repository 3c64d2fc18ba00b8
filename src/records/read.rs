//! Finds the sector that is current, and what its records say (`docs/records.md`, section 3).

use super::log::{Current, Log, Request};
use super::payload::{Checkpoint, Header, Kind, MAX_BODY};
use super::reader::{Found, Outcome, Place, Reader};
use super::state::{Phase, State};
use crate::digest::Sha256;
use crate::geometry::Sector;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// The best header: whose sector is read next.
    Headers,
    /// The last state in a sector.
    States,
    /// The sector that was current before, by its header; and whether it is used behind the note.
    Before,
    Notes,
    /// The last checkpoint that belongs to the state.
    Checkpoints,
    /// The current sector is known: whether another counts as well.
    OtherHeaders,
    OtherStates,
}

/// Headers are looked at first; then sectors are read in order of their generations until one counts.
#[derive(Debug)]
pub(crate) struct Find {
    look: Look,
    /// States in the sector that is read.
    states: u8,
    /// The stride that is read, 0 while headers are looked at; its sector's first address, and strides for records.
    stride: u16,
    strides: u16,
    start: u32,
    reader: Reader,
    /// Generations above are through.
    most: u32,
    /// The best header so far, and its sector's first address.
    best: Header,
    best_start: u32,
}

impl Find {
    pub(crate) fn new(log: &Log<'_>) -> Self {
        let sector = log.first();
        Self {
            look: Look::Headers,
            states: 0,
            stride: 0,
            strides: log.strides(sector),
            start: sector.start,
            reader: Reader::new(),
            most: u32::MAX,
            best: Header::default(),
            best_start: sector.start,
        }
    }

    pub(crate) fn request(&self, log: &Log<'_>) -> Request<'_> {
        let (at, len) = self.reader.wanted(log.grid, self.stride, log.least.into());
        Request::Read { at: self.start.wrapping_add(at), len }
    }

    /// Gives whether all is known.
    pub(crate) fn read<H: Sha256>(
        &mut self,
        log: &mut Log<'_>,
        body: &mut [u8; MAX_BODY],
        bytes: Option<&[u8]>,
    ) -> bool {
        let (first, strides) = (self.stride, self.strides);
        let place = Place { first, strides, generation: self.best.generation };
        let Some(outcome) = self.reader.take::<H>(log.grid, place, body, log.least.into(), bytes) else { return false };
        if first == 0 {
            self.header(log, body, outcome)
        } else if first < strides {
            self.record(log, body, outcome)
        } else {
            self.notes(log, outcome.used)
        }
    }

    /// A header is read: the next one's turn, or all are through.
    fn header(&mut self, log: &mut Log<'_>, body: &[u8; MAX_BODY], outcome: Outcome) -> bool {
        let header = outcome.record.and_then(|_| Header::decode(body, log.grid.unit()));
        if let Some(header) = header {
            log.generation = log.generation.max(header.generation);
            if self.look == Look::Before {
                if header.generation == self.best.before {
                    return self.records(Look::Notes, self.strides);
                }
            } else if header.generation <= self.most && header.generation > self.best.generation {
                (self.best, self.best_start) = (header, self.start);
            }
        }
        if let Some(sector) = log.after(log.sector(self.start)) {
            return self.headers(log, self.look, sector);
        }
        match self.look {
            // The sector before is gone: nothing speaks against this one.
            Look::Before => self.counts(log),
            _ if self.best.generation == 0 => true,
            Look::OtherHeaders => self.best(log, Look::OtherStates),
            _ => {
                self.best(log, Look::States);
                let (start, strides, generation) = (self.start, self.strides, self.best.generation);
                log.current = Current { start, strides, generation, next: 1, ..Current::NONE };
                self.states = 0;
                false
            }
        }
    }

    /// A place is read: the next one's turn.
    fn record(&mut self, log: &mut Log<'_>, body: &[u8; MAX_BODY], outcome: Outcome) -> bool {
        let mut behind = self.stride.wrapping_add(1);
        let mut used = behind;
        match outcome.record {
            Some(record) if self.keep(log, body, &record) => {
                used = self.stride.wrapping_add(record.extent);
                behind = self.stride.wrapping_add(record.written);
            }
            // A torn record behind the state may come to light at the next boot.
            _ if outcome.used > 0 && self.look == Look::States => log.durable = false,
            _ => {}
        }
        if outcome.used > 0 && self.look == Look::States {
            log.current.next = used.max(log.current.next);
        }
        self.records(self.look, behind)
    }

    /// The last stride is read, of whose units so many are used for notes: the sector is through.
    fn notes(&mut self, log: &mut Log<'_>, used: u8) -> bool {
        match self.look {
            // Another opening was begun since: what the sector that was opened shows may be half erased.
            Look::Notes if u16::from(used) > self.best.note.saturating_add(1) => self.next_best(log),
            Look::Notes => self.counts(log),
            Look::States => {
                log.current.note = used;
                match self.states {
                    0 => self.next_best(log),
                    1 if self.best.before > 0 => {
                        // The note of a later opening may come to light at the next boot.
                        log.settled = false;
                        self.headers(log, Look::Before, log.first())
                    }
                    _ => self.counts(log),
                }
            }
            Look::Checkpoints => self.known(log),
            _ => log.current.other || self.next_best(log),
        }
    }

    /// Whether the record is one; if so, what it says is kept.
    fn keep(&mut self, log: &mut Log<'_>, body: &[u8; MAX_BODY], record: &Found) -> bool {
        match record.kind {
            Kind::Header => return false,
            Kind::State => {
                let Some(state) = State::decode(body) else { return false };
                if self.look == Look::States {
                    let state = log.state.insert(state);
                    if state.phase.exchanges() {
                        state.step = state.step.saturating_add(record.ticks);
                    }
                    self.states = self.states.saturating_add(1);
                    log.current.proven |= record.sealed;
                    log.durable = record.sealed;
                }
                log.current.other |= self.look == Look::OtherStates;
            }
            Kind::Checkpoint | Kind::Compressed => {
                let (start, checkpoint) = Checkpoint::decode(body);
                if self.look == Look::Checkpoints && log.state.as_ref().is_some_and(|state| state.start == start) {
                    log.checkpoint = checkpoint;
                }
            }
        }
        true
    }

    /// The sector counts: its checkpoint is looked for.
    fn counts(&mut self, log: &mut Log<'_>) -> bool {
        if log.state.as_ref().is_some_and(|state| state.phase == Phase::Receiving) {
            return self.best(log, Look::Checkpoints);
        }
        self.known(log)
    }

    /// The current sector is known.
    fn known(&mut self, log: &mut Log<'_>) -> bool {
        // A later opening that was cut may come to light at the next boot.
        log.durable &= log.current.generation == log.generation;
        self.look = Look::OtherHeaders;
        log.current.proven || self.next_best(log)
    }

    /// The sector does not count: the one of the next lower generation is looked for.
    fn next_best(&mut self, log: &mut Log<'_>) -> bool {
        self.most = self.best.generation.saturating_sub(1);
        self.best = Header::default();
        if matches!(self.look, Look::OtherHeaders | Look::OtherStates) {
            return self.headers(log, Look::OtherHeaders, log.first());
        }
        (log.current, log.state, log.durable, log.settled) = (Current::NONE, None, false, true);
        self.headers(log, Look::Headers, log.first())
    }

    // What is next: not all is known yet.

    /// The header of `sector`.
    #[inline(never)]
    fn headers(&mut self, log: &Log<'_>, look: Look, sector: Sector) -> bool {
        (self.start, self.strides) = (sector.start, log.strides(sector));
        self.records(look, 0)
    }

    /// The records of the best header's sector.
    fn best(&mut self, log: &Log<'_>, look: Look) -> bool {
        self.headers(log, look, log.sector(self.best_start));
        self.records(look, 1)
    }

    /// The place at `stride` of the same sector.
    #[inline(never)]
    fn records(&mut self, look: Look, stride: u16) -> bool {
        (self.look, self.stride, self.reader) = (look, stride, Reader::new());
        false
    }
}
