//! Finds the sector that is current, and what its records say (`docs/records.md`, section 3).

use super::log::{Current, Log, Request};
use super::payload::{Checkpoint, Header, Kind, Phase, State, MAX_BODY};
use super::reader::{Found, Outcome, Place, Reader};
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
    /// The sector that is read, and in it the stride.
    start: u32,
    stride: u16,
    reader: Reader,
    /// Generations above are through.
    most: u32,
    /// The best header so far, and its sector.
    best: Header,
    best_start: u32,
    /// States in the sector that is read.
    states: u8,
}

impl Find {
    pub(crate) fn new(log: &Log<'_>) -> Self {
        let sector = log.first();
        Self {
            look: Look::Headers,
            start: sector.start,
            stride: 0,
            reader: Reader::new(),
            most: u32::MAX,
            best: Header::default(),
            best_start: 0,
            states: 0,
        }
    }

    pub(crate) fn request(&self, log: &Log<'_>) -> Request<'_> {
        let (at, len) = self.reader.wanted(log.grid, self.stride, log.least.into());
        Request::Read { at: self.start.saturating_add(at), len }
    }

    /// Gives whether all is known.
    pub(crate) fn read<H: Sha256>(
        &mut self,
        log: &mut Log<'_>,
        body: &mut [u8; MAX_BODY],
        bytes: Option<&[u8]>,
    ) -> bool {
        let seed = match self.look {
            Look::Headers | Look::OtherHeaders | Look::Before => None,
            Look::Notes => Some(self.best.before),
            Look::States | Look::Checkpoints | Look::OtherStates => Some(self.best.generation),
        };
        let place = Place { first: self.stride, strides: log.strides(log.sector(self.start)), seed };
        let Some(outcome) = self.reader.take::<H>(log.grid, place, body, log.least.into(), bytes) else { return false };
        match self.look {
            Look::Headers | Look::OtherHeaders | Look::Before => self.header(log, body, outcome),
            _ => self.record(log, body, outcome),
        }
    }

    /// A header is read: the next one's turn, or all are through.
    fn header(&mut self, log: &mut Log<'_>, body: &[u8; MAX_BODY], outcome: Outcome) -> bool {
        let header = Header::decode(body, log.grid.unit())
            .filter(|_| outcome.record.is_some_and(|record| record.kind == Kind::Header));
        if let Some(header) = header {
            log.generation = log.generation.max(header.generation);
            if self.look == Look::Before {
                if header.generation == self.best.before {
                    self.records(Look::Notes, self.start, log.strides(log.sector(self.start)));
                    return false;
                }
            } else if header.generation <= self.most && header.generation > self.best.generation {
                (self.best, self.best_start) = (header, self.start);
            }
        }
        if let Some(sector) = log.after(log.sector(self.start)) {
            self.headers(self.look, sector);
            return false;
        }
        match self.look {
            // The sector before is gone: nothing speaks against this one.
            Look::Before => self.counts(log),
            _ if self.best.generation == 0 => {
                log.loaded = true;
                true
            }
            Look::OtherHeaders => {
                self.records(Look::OtherStates, self.best_start, 1);
                false
            }
            _ => {
                let (start, Header { generation, .. }) = (self.best_start, self.best);
                log.current = Some(Current { start, generation, next: 1, note: 0, proven: false, other: false });
                self.states = 0;
                self.records(Look::States, start, 1);
                false
            }
        }
    }

    /// A place is read: the next one's turn, or the sector is through.
    fn record(&mut self, log: &mut Log<'_>, body: &[u8; MAX_BODY], outcome: Outcome) -> bool {
        let strides = log.strides(log.sector(self.start));
        if self.stride >= strides {
            return self.notes(log, outcome.used);
        }
        let mut behind = self.stride.saturating_add(1);
        if outcome.used > 0 {
            self.used(log, behind);
        }
        if let Some(record) = outcome.record.filter(|record| self.keep(log, body, record)) {
            self.used(log, self.stride.saturating_add(record.extent));
            behind = self.stride.saturating_add(record.written);
        } else if outcome.used > 0 && self.look == Look::States {
            // A torn record behind the state may come to light at the next boot.
            log.durable = false;
        }
        self.records(self.look, self.start, behind.min(strides));
        false
    }

    /// The last stride is read, of whose units so many are used for notes.
    fn notes(&mut self, log: &mut Log<'_>, used: u8) -> bool {
        match (self.look, &mut log.current) {
            // Another opening was begun since: what the sector that was opened shows may be half erased.
            (Look::Notes, _) if u16::from(used) > self.best.note.saturating_add(1) => return self.next_best(log),
            (Look::States, Some(current)) => current.note = used,
            _ => {}
        }
        self.through(log)
    }

    /// Everything in front of `end` is used.
    fn used(&self, log: &mut Log<'_>, end: u16) {
        if let Some(current) = log.current.as_mut().filter(|_| self.look == Look::States) {
            current.next = current.next.max(end);
        }
    }

    /// Whether the record is one; if so, what it says is kept.
    fn keep(&mut self, log: &mut Log<'_>, body: &[u8; MAX_BODY], record: &Found) -> bool {
        let state = State::decode(body).filter(|_| record.kind == Kind::State);
        let checkpoint = Checkpoint::decode(body).filter(|_| record.kind == Kind::Checkpoint);
        match (self.look, &mut log.current) {
            (Look::States, Some(current)) => {
                if let Some(mut state) = state {
                    if matches!(state.phase, Phase::Swapping | Phase::Reverting) {
                        state.step = state.step.saturating_add(record.ticks);
                    }
                    self.states = self.states.saturating_add(1);
                    current.proven |= record.sealed;
                    (log.state, log.durable) = (Some(state), record.sealed);
                }
            }
            (Look::Checkpoints, _) => {
                let start = log.state.map(|state| state.start);
                let own = checkpoint.filter(|(of, _)| Some(*of) == start);
                log.checkpoint = own.map_or(log.checkpoint, |(_, checkpoint)| checkpoint);
            }
            (Look::OtherStates, Some(current)) => current.other |= state.is_some(),
            _ => {}
        }
        state.is_some() || checkpoint.is_some()
    }

    /// A sector is through.
    fn through(&mut self, log: &mut Log<'_>) -> bool {
        match self.look {
            Look::States if log.state.is_none() => self.next_best(log),
            Look::States if self.states == 1 && self.best.before > 0 => {
                self.headers(Look::Before, log.first());
                false
            }
            Look::States | Look::Notes => self.counts(log),
            Look::Checkpoints => self.known(log),
            _ if log.current.is_some_and(|current| current.other) => {
                log.loaded = true;
                true
            }
            _ => self.next_best(log),
        }
    }

    /// The sector counts: its checkpoint is looked for.
    fn counts(&mut self, log: &mut Log<'_>) -> bool {
        if log.state.is_some_and(|state| state.phase == Phase::Receiving) {
            self.records(Look::Checkpoints, self.best_start, 1);
            return false;
        }
        self.known(log)
    }

    /// The current sector is known.
    fn known(&mut self, log: &mut Log<'_>) -> bool {
        // A later opening that was cut may come to light at the next boot.
        log.durable &= log.current.is_some_and(|current| current.generation == log.generation);
        if log.current.is_some_and(|current| current.proven) {
            log.loaded = true;
            return true;
        }
        self.look = Look::OtherHeaders;
        self.next_best(log)
    }

    /// The sector does not count: the one of the next lower generation is looked for.
    fn next_best(&mut self, log: &mut Log<'_>) -> bool {
        self.most = self.best.generation.saturating_sub(1);
        self.best = Header::default();
        if matches!(self.look, Look::OtherHeaders | Look::OtherStates) {
            self.headers(Look::OtherHeaders, log.first());
        } else {
            (log.current, log.state, log.durable) = (None, None, false);
            self.headers(Look::Headers, log.first());
        }
        false
    }

    /// The header of `sector` is next.
    fn headers(&mut self, look: Look, sector: Sector) {
        self.records(look, sector.start, 0);
    }

    /// The place at `stride` of the sector at `start` is next.
    fn records(&mut self, look: Look, start: u32, stride: u16) {
        (self.look, self.start, self.stride) = (look, start, stride);
        self.reader = Reader::new();
    }
}
