//! Finds the sector that is current, and what its records say (`docs/records.md`, section 3).

use super::log::{Current, Log, Request};
use super::payload::{generation, Checkpoint, Kind, Phase, State, MAX_BODY};
use super::reader::{Found, Outcome, Reader};
use crate::digest::Sha256;
use crate::geometry::Sector;

/// Headers are looked at first; then sectors are read in order of their generations until one counts.
#[derive(Debug)]
pub(crate) struct Find {
    /// The sector that is read, and in it the stride.
    start: u32,
    stride: u16,
    reader: Reader,
    /// The generation of the sector whose records are read; 0 while headers are looked at.
    scanning: u32,
    /// Generations from here up are through.
    below: u32,
    /// The best header so far: its sector and its generation, 0 if there is none.
    best: (u32, u32),
    /// The current sector is known; whether another counts is not.
    probing: bool,
    /// The state is known; its last checkpoint is looked for.
    gathering: bool,
}

impl Find {
    pub(crate) fn new(log: &Log<'_>) -> Self {
        let sector = log.first();
        let reader = Reader::new(0, log.strides(sector));
        Self {
            start: sector.start,
            stride: 0,
            reader,
            scanning: 0,
            below: u32::MAX,
            best: (0, 0),
            probing: false,
            gathering: false,
        }
    }

    pub(crate) fn request(&self, log: &Log<'_>) -> Request<'_> {
        let (at, len) = self.reader.wanted(log.grid, log.least.into());
        Request::Read { at: self.start.saturating_add(at), len }
    }

    /// Gives whether all is known.
    pub(crate) fn read<H: Sha256>(
        &mut self,
        log: &mut Log<'_>,
        body: &mut [u8; MAX_BODY],
        bytes: Option<&[u8]>,
    ) -> bool {
        let seed = Some(self.scanning).filter(|&generation| generation > 0);
        let Some(outcome) = self.reader.take::<H>(log.grid, seed, body, log.least.into(), bytes) else { return false };
        match seed {
            None => self.header(log, body, outcome),
            Some(_) => self.record(log, body, outcome),
        }
    }

    /// A header is read: the next one's turn, or the best sector's.
    fn header(&mut self, log: &mut Log<'_>, body: &[u8; MAX_BODY], outcome: Outcome) -> bool {
        if outcome.record.is_some_and(|record| record.kind == Kind::Header) {
            if let Some(number) = generation(body, log.grid.unit()) {
                log.generation = log.generation.max(number);
                if number <= self.below && number > self.best.1 {
                    self.best = (self.start, number);
                }
            }
        }
        if let Some(sector) = log.after(log.sector(self.start)) {
            self.look(log, sector);
            return false;
        }
        let (start, number) = core::mem::take(&mut self.best);
        if number == 0 {
            log.loaded = true;
            return true;
        }
        (self.start, self.scanning, self.below, self.stride) = (start, number, number.saturating_sub(1), 1);
        self.reader = Reader::new(1, log.strides(log.sector(start)));
        if !self.probing {
            log.current = Some(Current { start, generation: number, next: 1, proven: false, other: false });
        }
        false
    }

    /// A place is read: the next one's turn, or the sector is through.
    fn record(&mut self, log: &mut Log<'_>, body: &[u8; MAX_BODY], outcome: Outcome) -> bool {
        let strides = log.strides(log.sector(self.start));
        let mut behind = self.stride.saturating_add(1);
        if outcome.used {
            self.used(log, behind);
        }
        if let Some(record) = outcome.record.filter(|record| self.keep(log, body, record)) {
            let end = self.stride.saturating_add(record.extent);
            self.used(log, end);
            behind = self.stride.saturating_add(record.written);
        }
        self.stride = behind;
        if self.stride < strides {
            self.reader = Reader::new(self.stride, strides);
            return false;
        }
        self.through(log)
    }

    /// Everything in front of `end` is used.
    fn used(&self, log: &mut Log<'_>, end: u16) {
        if let Some(current) = log.current.as_mut().filter(|_| !self.probing) {
            current.next = current.next.max(end);
        }
    }

    /// Whether the record is one; if so, what it says is kept.
    fn keep(&self, log: &mut Log<'_>, body: &[u8; MAX_BODY], record: &Found) -> bool {
        let state = State::decode(body).filter(|_| record.kind == Kind::State);
        let checkpoint = Checkpoint::decode(body).filter(|_| record.kind == Kind::Checkpoint);
        let valid = state.is_some() || checkpoint.is_some();
        if self.gathering {
            let start = log.state.map(|state| state.start);
            let own = checkpoint.filter(|(of, _)| Some(*of) == start);
            log.checkpoint = own.map(|(_, checkpoint)| checkpoint).or(log.checkpoint);
            return valid;
        }
        if let Some(current) = &mut log.current {
            if self.probing {
                current.other |= state.is_some();
                return valid;
            }
            current.proven |= state.is_some() && record.sealed;
        }
        if let Some(mut state) = state {
            if matches!(state.phase, Phase::Swapping | Phase::Reverting) {
                state.step = state.step.saturating_add(record.ticks);
            }
            (log.state, log.durable) = (Some(state), record.sealed);
        }
        valid
    }

    /// A sector is through: all is known, or the one of the next lower generation is looked for.
    fn through(&mut self, log: &mut Log<'_>) -> bool {
        let receiving = log.state.is_some_and(|state| state.phase == Phase::Receiving);
        if receiving && !self.gathering && !self.probing {
            self.gathering = true;
            self.stride = 1;
            self.reader = Reader::new(1, log.strides(log.sector(self.start)));
            return false;
        }
        self.gathering = false;
        if log.state.is_none() {
            // It does not count.
            log.current = None;
        } else if log.current.is_some_and(|current| current.proven || current.other) {
            log.loaded = true;
            return true;
        } else {
            self.probing = true;
        }
        self.scanning = 0;
        self.look(log, log.first());
        false
    }

    /// The header of `sector` is next.
    fn look(&mut self, log: &Log<'_>, sector: Sector) {
        (self.start, self.stride) = (sector.start, 0);
        self.reader = Reader::new(0, log.strides(sector));
    }
}
