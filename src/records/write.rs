//! Writes records: fence, body, seal, each read back; opens a new sector when the current one is full
//! (`docs/records.md`, sections 1 and 3).

use super::grid::{Grid, CHECK_SIZE};
use super::log::{Current, Log, Request, Ticks};
use super::payload::{check, Header, Kind, MAX_BODY, STATE_SIZE};
use crate::digest::Sha256;
use crate::geometry::{Sector, MAX_WRITE_UNIT};

/// A unit with every bit programmed, for either erased value.
const PROGRAMMED: [u8; 2 * MAX_WRITE_UNIT as usize] = {
    let mut bytes = [0x00; 2 * MAX_WRITE_UNIT as usize];
    let (_, ones) = bytes.split_at_mut(MAX_WRITE_UNIT as usize);
    ones.copy_from_slice(&[0xFF; MAX_WRITE_UNIT as usize]);
    bytes
};
/// Places that a record may give up before a new sector is opened, and times that a sector is erased to be opened.
const TRIES: u8 = 3;

/// What is next: an erase, or a piece that is programmed at once and read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A unit of the current sector tells that an opening is begun, before anything is erased.
    Note,
    /// The sector is erased, to be opened.
    Erase,
    /// The fence of a stride of the record.
    Fence,
    /// A stretch of the body.
    Body,
    Seal,
    /// One half-step more, behind a state that was sealed before.
    Tick,
}

/// Writing one record, or opening a sector with several.
#[derive(Debug)]
pub(crate) struct Write {
    /// What the caller asked for, from the first to the last, and what is being written.
    first_kind: Kind,
    last_kind: Kind,
    kind: Kind,
    opening: bool,
    stage: Stage,
    /// The piece is programmed, and to be read back.
    verify: bool,
    tries: u8,
    /// Bytes of the body, and those that are written.
    body: u8,
    written: u8,
    /// The record's first stride, its strides up to the seal's whose fence is not written yet, and all of them.
    first: u16,
    fences: u8,
    extent: u16,
    /// The first address of its sector, strides for records there, and the piece's offset; a note lies in the current
    /// sector.
    start: u32,
    strides: u16,
    at: u32,
    header: Header,
}

impl Write {
    /// The next tick behind the state written last; none if there is no room, or another power cycle wrote it.
    pub(crate) fn tick(log: &Log<'_>) -> Option<Self> {
        let Current { start, generation, .. } = log.current;
        let Ticks { next, end } = log.ticks;
        (log.fresh && next < end).then_some(Self {
            stage: Stage::Tick,
            start,
            at: next,
            header: Header { generation, before: 0, note: 0 },
            ..Self::new(Kind::State, Kind::State)
        })
    }

    /// To write records of these kinds; not [begun](Self::begin).
    pub(crate) const fn new(first_kind: Kind, last_kind: Kind) -> Self {
        Self {
            first_kind,
            last_kind,
            kind: first_kind,
            opening: false,
            stage: Stage::Fence,
            verify: false,
            tries: TRIES,
            body: 0,
            written: 0,
            first: 0,
            fences: 0,
            extent: 0,
            start: 0,
            strides: 0,
            at: 0,
            header: Header { generation: 0, before: 0, note: 0 },
        }
    }

    /// Begins the record in the current sector, or opens another.
    pub(crate) fn begin<H: Sha256>(&mut self, log: &mut Log<'_>, body: &mut [u8; MAX_BODY]) {
        let current = log.current;
        let room = current.next.saturating_add(log.reserve(current.strides)) <= current.strides;
        if room && current.exists() && current.generation == log.generation && self.tries > 0 {
            (self.start, self.strides) = (current.start, current.strides);
            (self.header.generation, self.kind) = (current.generation, self.first_kind);
            return self.prepare::<H>(log, body, current.next);
        }
        self.tries = TRIES;
        // A full sector without a durable state is opened anew: never the one that its state would be lost to.
        let anew = !current.proven && current.other;
        let next = match log.sector(current.start) {
            _ if !current.exists() => log.first(),
            sector if anew => sector,
            sector => log.following(sector),
        };
        self.open(log, next);
    }

    /// Opens `sector`. What the state had is kept in RAM until it is there.
    fn open(&mut self, log: &mut Log<'_>, sector: Sector) {
        log.generation = log.generation.saturating_add(1);
        (self.opening, self.kind) = (true, Kind::Header);
        (self.start, self.strides) = (sector.start, log.strides(sector));
        self.header = Header { generation: log.generation, before: 0, note: 0 };
        (self.stage, self.verify) = (Stage::Erase, false);
        if log.current.exists() && log.current.start != sector.start {
            self.header.before = log.current.generation;
            self.note(log);
        }
    }

    /// The next free unit of the current sector's last stride is to hold the note; if there is none, nothing can follow the
    /// last.
    fn note(&mut self, log: &Log<'_>) {
        let Current { strides, note, .. } = log.current;
        let last = log.grid.places() as u16;
        let free = u16::from(note) <= last;
        self.header.note = if free { note.into() } else { last };
        self.stage = if free { Stage::Note } else { Stage::Erase };
        let unit = u32::from(note).wrapping_mul(log.grid.unit());
        self.at = log.grid.offset(strides).wrapping_add(unit);
    }

    /// Encodes the record for the place that begins at stride `first`.
    fn prepare<H: Sha256>(&mut self, log: &Log<'_>, body: &mut [u8; MAX_BODY], first: u16) {
        let (grid, size) = (log.grid, self.kind.size());
        (self.stage, self.verify, self.first, self.at) = (Stage::Fence, false, first, grid.offset(first));
        (self.body, self.written, self.fences) = (grid.body(size) as u8, 0, grid.strides(size, 0) as u8);
        self.extent = log.extent(self.kind, self.strides);
        body.fill(0);
        match (self.kind, &log.state) {
            (Kind::State, Some(state)) => state.encode(self.extent, body),
            (Kind::Checkpoint | Kind::Compressed, Some(state)) => log.checkpoint.encode(state.start, self.extent, body),
            (Kind::Header, _) => self.header.encode(grid.unit(), body),
            // No state is written before there is one.
            (_, None) => {}
        }
        let check = check::<H>(self.header.generation, first, body, size);
        if let Some(room) = body.get_mut(size..).and_then(|room| room.first_chunk_mut()) {
            *room = check;
        }
    }

    /// The bytes of the piece: of the body as much as lies in one stride, else a unit with every bit programmed.
    fn piece<'b>(&self, grid: Grid, body: &'b [u8; MAX_BODY]) -> &'b [u8] {
        let (bytes, from, len): (&[u8], u8, u32) = if self.stage == Stage::Body {
            let room = grid.stride().wrapping_sub(grid.within(self.at)).min(MAX_WRITE_UNIT);
            (body, self.written, room.min(self.body.wrapping_sub(self.written).into()))
        } else {
            (&PROGRAMMED, if grid.programmed() == 0 { 0 } else { MAX_WRITE_UNIT as u8 }, grid.unit())
        };
        bytes.get(from.into()..).and_then(|bytes| bytes.get(..len as usize)).unwrap_or_default()
    }

    pub(crate) fn request<'b>(&self, log: &Log<'_>, body: &'b [u8; MAX_BODY]) -> Request<'b> {
        let start = if self.stage == Stage::Note { log.current.start } else { self.start };
        let at = start.wrapping_add(self.at);
        if self.stage == Stage::Erase {
            Request::Erase(log.sector(self.start))
        } else if self.verify {
            Request::Read { at: at.wrapping_sub(log.grid.within(self.at)), len: log.grid.stride() }
        } else {
            Request::Write { at, bytes: self.piece(log.grid, body) }
        }
    }

    /// An erase or a write succeeded or failed. Gives whether all is done, or nothing can be.
    pub(crate) fn done<H: Sha256>(
        &mut self,
        log: &mut Log<'_>,
        body: &mut [u8; MAX_BODY],
        succeeded: bool,
    ) -> Option<bool> {
        if !succeeded {
            return self.give_up::<H>(log, body);
        }
        if self.stage == Stage::Erase {
            self.prepare::<H>(log, body, 0);
        } else {
            self.verify = true;
        }
        None
    }

    /// A stride was read back, or reads as an error.
    pub(crate) fn read<H: Sha256>(
        &mut self,
        log: &mut Log<'_>,
        body: &mut [u8; MAX_BODY],
        read: Option<&[u8]>,
    ) -> Option<bool> {
        let grid = log.grid;
        let bytes = self.piece(grid, body);
        let len = bytes.len();
        let read = read.and_then(|read| read.get(grid.within(self.at) as usize..));
        if !read.is_some_and(|read| read.starts_with(bytes)) {
            return self.give_up::<H>(log, body);
        }
        self.verify = false;
        match self.stage {
            Stage::Note => {
                log.current.note = log.current.note.wrapping_add(1);
                self.stage = Stage::Erase;
            }
            Stage::Fence => {
                self.at = self.at.wrapping_add(grid.stride());
                self.fences = self.fences.wrapping_sub(1);
                if self.fences == 0 {
                    (self.stage, self.at) = (Stage::Body, grid.place(grid.offset(self.first)));
                }
            }
            Stage::Body => {
                self.written = self.written.wrapping_add(len as u8);
                self.at = grid.place(self.at.wrapping_add(len as u32));
                if self.written >= self.body {
                    self.stage = Stage::Seal;
                }
            }
            Stage::Erase => {}
            Stage::Seal => return self.sealed::<H>(log, body),
            Stage::Tick => {
                log.ticks.next = grid.place(self.at.wrapping_add(grid.unit()));
                return Some(true);
            }
        }
        None
    }

    /// The record is durable: the next one's turn, or all are written.
    fn sealed<H: Sha256>(&mut self, log: &mut Log<'_>, body: &mut [u8; MAX_BODY]) -> Option<bool> {
        let behind = self.first.wrapping_add(self.extent);
        if self.kind == Kind::State {
            let next = log.grid.place(self.at.wrapping_add(log.grid.unit()));
            log.ticks = Ticks { next, end: log.grid.offset(behind) };
            (log.durable, log.fresh) = (true, true);
        }
        let kind = match self.kind {
            Kind::Header if log.holds() => log.checkpoint.kind(),
            Kind::Checkpoint | Kind::Compressed if !self.opening && self.last_kind != Kind::State => self.kind,
            _ => Kind::State,
        };
        if kind != self.kind {
            self.kind = kind;
            self.prepare::<H>(log, body, behind);
            return None;
        }
        let other = log.current.exists() && (log.current.start != self.start || log.current.other);
        // A sector that was opened now has no note yet.
        let note = if self.opening { 0 } else { log.current.note };
        let (start, strides, generation) = (self.start, self.strides, self.header.generation);
        log.current = Current { start, strides, generation, next: behind, note, proven: true, other };
        Some(true)
    }

    /// This place will not do: the next one, a new sector, or none is left.
    fn give_up<H: Sha256>(&mut self, log: &mut Log<'_>, body: &mut [u8; MAX_BODY]) -> Option<bool> {
        self.verify = false;
        if self.stage == Stage::Note {
            log.current.note = log.current.note.wrapping_add(1);
            self.note(log);
            return None;
        }
        self.tries = self.tries.saturating_sub(1);
        if !self.opening {
            // All of the record's strides: what landed of it may still be read as a record with room for ticks.
            // A tick that failed may still be read as one: it counts, and the state is written again.
            if self.stage != Stage::Tick {
                log.current.next = self.first.wrapping_add(self.extent);
            }
            self.begin::<H>(log, body);
            return None;
        }
        let mut next = log.sector(self.start);
        // Without a current sector nothing can tell of another erase: this one is left as it is.
        if self.tries == 0 || !log.current.exists() {
            next = log.following(next);
            // Never the sector that holds the state, nor the one it would be lost to; the others in turn.
            let current = log.current.start;
            let home = if log.current.exists() { current } else { log.first().start };
            if next.start == home || (log.current.exists() && self.start == current) {
                return Some(false);
            }
            self.tries = TRIES;
        }
        // Another note, too: what landed of this opening may come to light again, should the next erase be cut.
        self.open(log, next);
        None
    }
}

const _: () = assert!(STATE_SIZE + CHECK_SIZE <= MAX_BODY);
