//! Writes records: fence, body, seal, each read back; opens a new sector when the current one is full
//! (`docs/records.md`, sections 1 and 3).

use super::grid::{Grid, CHECK_SIZE};
use super::log::{Current, Log, Request, Ticks};
use super::payload::{check, Header, Kind, MAX_BODY, STATE_SIZE};
use crate::digest::Sha256;
use crate::geometry::{Sector, MAX_WRITE_UNIT};

/// Every bit of a unit programmed, for either erased value.
const PROGRAMMED: [[u8; MAX_WRITE_UNIT as usize]; 2] =
    [[0x00; MAX_WRITE_UNIT as usize], [0xFF; MAX_WRITE_UNIT as usize]];
/// Places that a record may give up before a new sector is opened, and times that a sector is erased to be opened.
const TRIES: u8 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A unit of the current sector tells that an opening is begun, before anything is erased; it is read back.
    Note,
    VerifyNote,
    /// The sector is erased, to be opened.
    Erase,
    /// The next piece is programmed.
    Program,
    /// It is read back.
    Verify,
}

/// A piece that is programmed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// The fence of a stride of the record.
    Fence(u32),
    /// Places of the body.
    Body { place: u32, count: u32 },
    /// The seal or a tick.
    Mark { place: u32 },
}

/// Writing one record, or opening a sector with several.
#[derive(Debug)]
pub(crate) struct Write {
    /// What the caller asked for, from the first to the last, and what is being written.
    first_kind: Kind,
    last_kind: Kind,
    kind: Kind,
    stage: Stage,
    opening: bool,
    ticking: bool,
    start: u32,
    header: Header,
    first: u16,
    place: u16,
    /// Fences that are programmed.
    fences: u16,
    tries: u8,
}

impl Write {
    pub(crate) fn append<H: Sha256>(
        log: &mut Log<'_>,
        body: &mut [u8; MAX_BODY],
        first_kind: Kind,
        last_kind: Kind,
    ) -> Self {
        let mut write = Self {
            first_kind,
            last_kind,
            kind: first_kind,
            stage: Stage::Program,
            opening: false,
            ticking: false,
            start: 0,
            header: Header::default(),
            first: 0,
            place: 0,
            fences: 0,
            tries: TRIES,
        };
        write.begin::<H>(log, body);
        write
    }

    /// The next tick behind the state written last; none if there is no room, or another power cycle wrote it.
    pub(crate) fn tick(log: &Log<'_>) -> Option<Self> {
        let current = log.current?;
        let Ticks { first, place, end } = log.ticks;
        (log.fresh && place < end).then_some(Self {
            first_kind: Kind::State,
            last_kind: Kind::State,
            kind: Kind::State,
            stage: Stage::Program,
            opening: false,
            ticking: true,
            start: current.start,
            header: Header { generation: current.generation, ..Header::default() },
            first,
            place,
            fences: u16::MAX,
            tries: TRIES,
        })
    }

    /// Begins the record in the current sector, or opens another.
    fn begin<H: Sha256>(&mut self, log: &mut Log<'_>, body: &mut [u8; MAX_BODY]) {
        (self.ticking, self.kind) = (false, self.first_kind);
        let (Some(current), Some(sector)) = (log.current, log.current_sector()) else {
            self.tries = TRIES;
            return self.open(log, log.first());
        };
        let room = current.next.saturating_add(log.reserve(sector)) <= log.strides(sector);
        if room && current.generation == log.generation && self.tries > 0 {
            (self.start, self.header.generation) = (current.start, current.generation);
            return self.prepare::<H>(log, body, current.next);
        }
        // A full sector without a durable state is opened anew: never the one that its state would be lost to.
        let anew = !current.proven && current.other;
        self.tries = TRIES;
        self.open(log, if anew { sector } else { log.following(sector) });
    }

    /// Opens `sector`. What the state had is kept in RAM until it is there.
    fn open(&mut self, log: &mut Log<'_>, sector: Sector) {
        log.generation = log.generation.saturating_add(1);
        (self.opening, self.kind, self.start) = (true, Kind::Header, sector.start);
        self.header = Header { generation: log.generation, before: 0, note: 0 };
        self.stage = Stage::Erase;
        if let Some(current) = log.current.filter(|current| current.start != sector.start) {
            self.header.before = current.generation;
            self.note(log);
        }
    }

    /// The next free unit of the current sector's last stride is to hold the note; if there is none, nothing can follow the
    /// last.
    fn note(&mut self, log: &Log<'_>) {
        let Some(current) = log.current else { return };
        let last = log.grid.places() as u16;
        let free = u16::from(current.note) <= last;
        self.header.note = if free { current.note.into() } else { last };
        self.stage = if free { Stage::Note } else { Stage::Erase };
    }

    /// Encodes the record for the place that begins at stride `first`.
    fn prepare<H: Sha256>(&mut self, log: &Log<'_>, body: &mut [u8; MAX_BODY], first: u16) {
        (self.stage, self.first, self.place, self.fences) = (Stage::Program, first, 0, 0);
        let extent = log.extent(self.kind, log.sector(self.start));
        body.fill(0);
        match (self.kind, log.state) {
            (Kind::State, Some(state)) => copy(body, 0, &state.encode(extent)),
            (Kind::Checkpoint, Some(state)) => copy(body, 0, &log.checkpoint.encode(state.start, extent)),
            _ => copy(body, 0, &self.header.encode(log.grid.unit())),
        }
        let size = self.kind.size();
        let check = check::<H>(self.header.generation, first, body.get(..size).unwrap_or_default());
        copy(body, size, &check);
    }

    fn piece(&self, grid: Grid) -> Piece {
        let seal = grid.body(self.kind.size());
        let place = u32::from(self.place);
        let (_, offset) = grid.place(place);
        let (last, _) = grid.place(seal);
        if u32::from(self.fences) <= last {
            return Piece::Fence(self.fences.into());
        }
        if place >= seal {
            return Piece::Mark { place };
        }
        let room = grid.units(grid.stride().saturating_sub(offset).min(MAX_WRITE_UNIT));
        Piece::Body { place, count: room.min(seal.saturating_sub(place)) }
    }

    /// Offset of the piece's stride in the sector, the piece's in it, and its bytes.
    fn bytes<'b>(&self, grid: Grid, body: &'b [u8; MAX_BODY]) -> (u32, u32, &'b [u8]) {
        let unit = grid.unit();
        let (stride, offset, bytes) = match self.piece(grid) {
            Piece::Body { place, count } => {
                let (stride, offset) = grid.place(place);
                let from = place.saturating_mul(unit) as usize;
                let to = from.saturating_add(count.saturating_mul(unit) as usize);
                (stride, offset, body.get(from..to).unwrap_or_default())
            }
            Piece::Mark { place } => {
                let (stride, offset) = grid.place(place);
                (stride, offset, programmed(grid))
            }
            Piece::Fence(stride) => (stride, 0, programmed(grid)),
        };
        (u32::from(self.first).saturating_add(stride).saturating_mul(grid.stride()), offset, bytes)
    }

    /// Address of the current sector's last stride, and the note's offset in it.
    fn note_place(&self, log: &Log<'_>) -> (u32, u32) {
        let sector = log.current_sector().unwrap_or(log.first());
        let stride = u32::from(log.strides(sector)).saturating_mul(log.grid.stride());
        (sector.start.saturating_add(stride), u32::from(self.header.note).saturating_mul(log.grid.unit()))
    }

    pub(crate) fn request<'b>(&self, log: &Log<'_>, body: &'b [u8; MAX_BODY]) -> Request<'b> {
        let (stride, offset, bytes) = self.bytes(log.grid, body);
        let at = self.start.saturating_add(stride);
        let (notes, within) = self.note_place(log);
        match self.stage {
            Stage::Note => Request::Write { at: notes.saturating_add(within), bytes: programmed(log.grid) },
            Stage::VerifyNote => Request::Read { at: notes, len: log.grid.stride() },
            Stage::Erase => Request::Erase(log.sector(self.start)),
            Stage::Program => Request::Write { at: at.saturating_add(offset), bytes },
            Stage::Verify => Request::Read { at, len: log.grid.stride() },
        }
    }

    /// An erase or a write succeeded or failed. Gives whether all is done, or nothing can be.
    pub(crate) fn done<H: Sha256>(
        &mut self,
        log: &mut Log<'_>,
        body: &mut [u8; MAX_BODY],
        succeeded: bool,
    ) -> Option<bool> {
        match self.stage {
            Stage::Note if succeeded => self.stage = Stage::VerifyNote,
            Stage::Note => self.noted(log, false),
            _ if !succeeded => return self.give_up::<H>(log, body),
            Stage::Erase => self.prepare::<H>(log, body, 0),
            Stage::Program => self.stage = Stage::Verify,
            Stage::Verify | Stage::VerifyNote => {}
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
        if self.stage == Stage::VerifyNote {
            let (_, within) = self.note_place(log);
            let read = read.and_then(|read| read.get(within as usize..));
            self.noted(log, read.is_some_and(|read| read.starts_with(programmed(log.grid))));
            return None;
        }
        let (_, offset, bytes) = self.bytes(log.grid, body);
        let right = read.is_some_and(|read| read.get(offset as usize..).is_some_and(|read| read.starts_with(bytes)));
        if !right {
            return self.give_up::<H>(log, body);
        }
        self.stage = Stage::Program;
        match self.piece(log.grid) {
            Piece::Fence(_) => self.fences = self.fences.saturating_add(1),
            Piece::Body { place, count } => self.place = place.saturating_add(count) as u16,
            Piece::Mark { .. } => return self.sealed::<H>(log, body),
        }
        None
    }

    /// The note is there and the erase may follow, or another place is tried.
    fn noted(&mut self, log: &mut Log<'_>, right: bool) {
        if let Some(current) = &mut log.current {
            current.note = current.note.saturating_add(1);
        }
        self.stage = Stage::Erase;
        if !right {
            self.note(log);
        }
    }

    /// The record is durable, or the tick is there.
    fn sealed<H: Sha256>(&mut self, log: &mut Log<'_>, body: &mut [u8; MAX_BODY]) -> Option<bool> {
        if self.ticking {
            log.ticks.place = self.place.saturating_add(1);
            return Some(true);
        }
        let extent = log.extent(self.kind, log.sector(self.start));
        let behind = self.first.saturating_add(extent);
        if self.kind == Kind::State {
            let end = extent.saturating_mul(log.grid.places() as u16);
            log.ticks = Ticks { first: self.first, place: self.place.saturating_add(1), end };
            (log.durable, log.fresh) = (true, true);
        }
        let next = match self.kind {
            Kind::Header if log.held().is_some() => Some(Kind::Checkpoint),
            Kind::Header => Some(Kind::State),
            Kind::Checkpoint if self.opening || self.last_kind == Kind::State => Some(Kind::State),
            Kind::Checkpoint | Kind::State => None,
        };
        if let Some(kind) = next {
            self.kind = kind;
            self.prepare::<H>(log, body, behind);
            return None;
        }
        let other = log.current.is_some_and(|current| current.start != self.start || current.other);
        let (start, generation) = (self.start, self.header.generation);
        // A sector that was opened now has no note yet.
        let note = log.current.filter(|_| !self.opening).map_or(0, |current| current.note);
        log.current = Some(Current { start, generation, next: behind, note, proven: true, other });
        Some(true)
    }

    /// This place will not do: the next one, a new sector, or none is left.
    fn give_up<H: Sha256>(&mut self, log: &mut Log<'_>, body: &mut [u8; MAX_BODY]) -> Option<bool> {
        if self.opening {
            let sector = log.sector(self.start);
            self.tries = self.tries.saturating_sub(1);
            let next = if self.tries > 0 { sector } else { log.following(sector) };
            // Never the sector that holds the state, nor the one it would be lost to; the others in turn.
            let current = log.current_sector().unwrap_or(log.first());
            if self.tries == 0 && (next == current || (sector == current && log.current.is_some())) {
                return Some(false);
            }
            if self.tries == 0 {
                self.tries = TRIES;
            }
            // Another note, too: what landed of this opening may come to light again, should the next erase be cut.
            self.open(log, next);
            return None;
        }
        // A tick that failed may still be read as one: it counts, and the state is written again.
        let next = if self.ticking {
            None
        } else {
            // All of the record's strides: what landed of it may still be read as a record with room for ticks.
            Some(self.first.saturating_add(log.extent(self.kind, log.sector(self.start))))
        };
        if let (Some(current), Some(next)) = (&mut log.current, next) {
            current.next = next;
        }
        self.tries = self.tries.saturating_sub(1);
        self.begin::<H>(log, body);
        None
    }
}

/// A unit with every bit programmed.
fn programmed(grid: Grid) -> &'static [u8] {
    let [zeros, ones] = &PROGRAMMED;
    let unit: &'static [u8] = if grid.programmed() == 0 { zeros } else { ones };
    unit.get(..grid.unit() as usize).unwrap_or_default()
}

fn copy(body: &mut [u8; MAX_BODY], from: usize, bytes: &[u8]) {
    if let Some(room) = body.get_mut(from..from.saturating_add(bytes.len())) {
        room.copy_from_slice(bytes);
    }
}

const _: () = assert!(STATE_SIZE + CHECK_SIZE <= MAX_BODY);
