//! What is known of the record log, and what is done next to it. It does no I/O: [`Work`] says what is to be read,
//! erased and programmed, and is told how it went.

use super::grid::Grid;
use super::payload::{Checkpoint, Kind, COMPRESSED_SIZE, MAX_BODY, STATE_SIZE};
use super::read::Find;
use super::state::{Phase, State};
use super::write::Write;
use crate::digest::Sha256;
use crate::geometry::{Sector, MAX_WRITE_UNIT};
use crate::layout::{Layout, Strategy, LOG_PAGE};

/// The sector that records are appended to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Current {
    /// Its first address, and its strides for records.
    pub(crate) start: u32,
    pub(crate) strides: u16,
    /// 0: there is no such sector.
    pub(crate) generation: u32,
    /// The first stride behind all that is used.
    pub(crate) next: u16,
    /// The first free unit of the notes.
    pub(crate) note: u8,
    /// A state in it is durable.
    pub(crate) proven: bool,
    /// Another sector counts as well.
    pub(crate) other: bool,
}

impl Current {
    pub(crate) const NONE: Self =
        Self { start: 0, strides: 0, generation: 0, next: 0, note: 0, proven: false, other: false };

    pub(crate) const fn exists(&self) -> bool {
        self.generation > 0
    }
}

/// Room for ticks behind the state written last: offsets of the next tick's place, and of the record's end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ticks {
    pub(crate) next: u32,
    pub(crate) end: u32,
}

/// The record log, as it was read and written.
#[derive(Debug)]
pub(crate) struct Log<'d> {
    pub(crate) layout: &'d Layout,
    pub(crate) grid: Grid,
    /// Bytes that the driver reads at the least, whole units.
    pub(crate) least: u8,
    /// The driver can program a unit.
    writable: bool,
    pub(crate) loaded: bool,
    /// The state reads durable, or was written in this power cycle.
    pub(crate) durable: bool,
    /// Nothing that may come to light later takes its sector away: it is not the only state there, or there was none before.
    pub(crate) settled: bool,
    /// The state was written in this power cycle, as far as this value knows.
    pub(crate) fresh: bool,
    pub(crate) state: Option<State>,
    /// The state's checkpoint.
    pub(crate) checkpoint: Checkpoint,
    pub(crate) current: Current,
    /// The highest of any valid header.
    pub(crate) generation: u32,
    pub(crate) ticks: Ticks,
}

impl<'d> Log<'d> {
    /// The log of `layout`, not read yet; `read` and `write` are the driver's sizes.
    pub(crate) fn new(layout: &'d Layout, read: usize, write: usize) -> Self {
        let grid = Grid::new(layout.geometry());
        let read = (read as u32).clamp(grid.unit(), MAX_WRITE_UNIT);
        Self {
            layout,
            grid,
            least: read as u8,
            writable: write as u32 <= grid.unit(),
            loaded: false,
            durable: false,
            settled: true,
            fresh: false,
            state: None,
            checkpoint: Checkpoint::NONE,
            current: Current::NONE,
            generation: 0,
            ticks: Ticks::default(),
        }
    }

    /// Forgets what was read: a write failed, or somebody else had the flash.
    #[inline(never)]
    pub(crate) fn forget(&mut self) {
        (self.loaded, self.durable, self.settled, self.fresh) = (false, false, true, false);
        (self.state, self.checkpoint.offset, self.current) = (None, Checkpoint::NONE.offset, Current::NONE);
        (self.generation, self.ticks) = (0, Ticks::default());
    }

    /// Whether a checkpoint belongs to the state.
    pub(crate) fn holds(&self) -> bool {
        let receiving = self.state.as_ref().is_some_and(|state| state.phase == Phase::Receiving);
        receiving && self.checkpoint.offset != Checkpoint::NONE.offset
    }

    /// The checkpoint that belongs to the state.
    #[inline(always)] // of its 40 bytes most callers want four
    pub(crate) fn held(&self) -> Option<Checkpoint> {
        self.holds().then_some(self.checkpoint)
    }

    /// Strides that must be free behind the last used one of a sector of `strides`: for the largest record, or a checkpoint and its
    /// state.
    pub(crate) fn reserve(&self, strides: u16) -> u16 {
        let pair = self.grid.strides(STATE_SIZE, 0).wrapping_add(self.grid.strides(COMPRESSED_SIZE, 0));
        match self.layout.strategy() {
            Strategy::Select | Strategy::Foreign => pair,
            Strategy::Swap => pair.max(self.exchange_extent(strides)),
        }
    }

    /// Strides of a state in an exchange: there is room for ticks.
    fn exchange_extent(&self, strides: u16) -> u16 {
        let most = (strides / 4).min(255).max(self.grid.strides(STATE_SIZE, 0));
        most.min(self.grid.strides(STATE_SIZE, 240))
    }

    /// Keeps a checkpoint that is not written, for as long as power lasts.
    #[inline(never)]
    pub(crate) fn hold(&mut self, checkpoint: Checkpoint) {
        self.checkpoint = checkpoint;
    }

    /// Strides for records: all but the last, which is for notes.
    pub(crate) fn strides(&self, sector: Sector) -> u16 {
        // A larger sector is used in part: no sum of a stride and a record's own overflows.
        self.grid.strides_in(sector.size).min(0x8000).wrapping_sub(1) as u16
    }

    /// Strides of a record of this kind in a sector of `strides`.
    pub(crate) fn extent(&self, kind: Kind, strides: u16) -> u16 {
        if kind == Kind::State && self.state.as_ref().is_some_and(|state| state.phase.exchanges()) {
            self.exchange_extent(strides)
        } else {
            self.grid.strides(kind.size(), 0)
        }
    }

    /// The first sector.
    pub(crate) fn first(&self) -> Sector {
        self.sector(self.layout.records_range().start)
    }

    /// The sector at `address`; where sectors are small, those that make a [page](LOG_PAGE) with it.
    pub(crate) fn sector(&self, address: u32) -> Sector {
        let sector = self.layout.sector(address);
        if sector.size == 0 || sector.size >= LOG_PAGE {
            return sector;
        }
        let start = self.layout.records_range().start;
        let offset = address.saturating_sub(start) & !LOG_PAGE.saturating_sub(1);
        Sector { start: start.saturating_add(offset), size: LOG_PAGE }
    }

    /// The sector behind `sector` in the ring.
    pub(crate) fn following(&self, sector: Sector) -> Sector {
        self.after(sector).unwrap_or(self.first())
    }

    /// The sector behind `sector`, if it is not the last.
    pub(crate) fn after(&self, sector: Sector) -> Option<Sector> {
        let inside = sector.size > 0 && sector.end() < self.layout.records_range().end;
        inside.then(|| self.sector(sector.end()))
    }
}

/// What is to be done to the flash.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request<'w> {
    /// Nothing: the work is done.
    Done,
    /// Nothing: no place of the log could be written.
    Failed,
    Erase(Sector),
    Write {
        at: u32,
        bytes: &'w [u8],
    },
    Read {
        at: u32,
        len: u32,
    },
}

/// Room for a stride, aligned as flash controllers like it.
#[repr(C, align(4))]
pub(crate) struct Stride([u8; 128]);

impl Stride {
    pub(crate) const fn new() -> Self {
        Self([0; 128])
    }

    /// `len` bytes, 128 at the most.
    pub(crate) fn room(&mut self, len: u32) -> &mut [u8] {
        let (room, _) = self.0.split_at_mut(128.min(len as usize));
        room
    }
}

/// A record's body, aligned as flash controllers like it.
#[derive(Debug)]
#[repr(C, align(4))]
pub(crate) struct Body(pub(crate) [u8; MAX_BODY]);

/// One thing being done to the log.
#[derive(Debug)]
pub(crate) struct Work {
    body: Body,
    job: Job,
}

#[derive(Debug)]
enum Job {
    Done,
    Failed,
    Find(Find),
    Write(Write),
}

impl Work {
    fn new(job: Job) -> Self {
        Self { body: Body([0; MAX_BODY]), job }
    }

    /// Nothing to do.
    pub(crate) fn none() -> Self {
        Self::new(Job::Done)
    }

    /// Reads the log.
    pub(crate) fn load(log: &mut Log<'_>) -> Self {
        log.forget();
        Self::new(Job::Find(Find::new(log)))
    }

    /// Makes `state` the one that holds, durably.
    pub(crate) fn state<H: Sha256>(log: &mut Log<'_>, state: State) -> Self {
        log.state = Some(state);
        Self::append::<H>(log, Kind::State, Kind::State)
    }

    /// Makes `state`, of a new start, the one that holds, and `checkpoint` its, both at once.
    #[inline(never)]
    pub(crate) fn start<H: Sha256>(log: &mut Log<'_>, state: State, checkpoint: Checkpoint) -> Self {
        log.state = Some(state);
        log.hold(checkpoint);
        Self::append::<H>(log, checkpoint.kind(), Kind::State)
    }

    /// Makes `checkpoint` the one to go on from.
    pub(crate) fn checkpoint<H: Sha256>(log: &mut Log<'_>, checkpoint: Checkpoint) -> Self {
        log.hold(checkpoint);
        Self::append::<H>(log, checkpoint.kind(), checkpoint.kind())
    }

    fn append<H: Sha256>(log: &mut Log<'_>, first: Kind, last: Kind) -> Self {
        // Until it is done, what is in flash is in doubt: a future may be dropped.
        log.loaded = false;
        if !log.writable {
            log.forget();
            return Self::new(Job::Failed);
        }
        let mut work = Self::new(Job::Write(Write::new(first, last)));
        if let Job::Write(write) = &mut work.job {
            write.begin::<H>(log, &mut work.body.0);
        }
        work
    }

    /// One half-step more is done.
    pub(crate) fn tick<H: Sha256>(log: &mut Log<'_>) -> Self {
        let Some(mut state) = log.state else { return Self::none() };
        state.step = state.step.saturating_add(1);
        match Write::tick(log) {
            Some(write) => {
                (log.loaded, log.state) = (false, Some(state));
                Self::new(Job::Write(write))
            }
            None => Self::state::<H>(log, state),
        }
    }

    /// What is to be done; says the same until it is told how it went.
    pub(crate) fn request(&self, log: &Log<'_>) -> Request<'_> {
        match &self.job {
            Job::Done => Request::Done,
            Job::Failed => Request::Failed,
            Job::Find(find) => find.request(log),
            Job::Write(write) => write.request(log, &self.body.0),
        }
    }

    /// An erase or a write succeeded or failed.
    pub(crate) fn done<H: Sha256>(&mut self, log: &mut Log<'_>, succeeded: bool) {
        if let Job::Write(write) = &mut self.job {
            let end = write.done::<H>(log, &mut self.body.0, succeeded);
            self.end(log, end);
        }
    }

    /// Bytes were read, or none because of a read error.
    pub(crate) fn read<H: Sha256>(&mut self, log: &mut Log<'_>, bytes: Option<&[u8]>) {
        let end = match &mut self.job {
            Job::Find(find) => find.read::<H>(log, &mut self.body.0, bytes).then_some(true),
            Job::Write(write) => write.read::<H>(log, &mut self.body.0, bytes),
            Job::Done | Job::Failed => None,
        };
        self.end(log, end);
    }

    fn end(&mut self, log: &mut Log<'_>, end: Option<bool>) {
        match end {
            Some(true) => {
                log.loaded = true;
                self.job = Job::Done;
            }
            Some(false) => {
                log.forget();
                self.job = Job::Failed;
            }
            None => {}
        }
    }
}
