//! A chip's flash in a file: every operation goes through the simulator, which knows a chip's rules, and then
//! into the file at once. Killing the tool leaves what a chip would have, and so does a power cut on purpose.

use std::cell::RefCell;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use lockgate::sim;

use crate::board::Board;
use crate::cut::{Cut, During, Plan};
use crate::failure::Failure;
use crate::files;

/// The simulator behind a port of byte-sized units: the geometry's write unit still holds.
pub(crate) type Chip = sim::Flash<1, 1>;

/// What was done to the flash since it was opened. Shared, so that it can be read while a device holds the
/// flash.
#[derive(Default)]
pub(crate) struct Journal {
    pub(crate) writes: Vec<Written>,
    /// First addresses of the sectors erased.
    pub(crate) erases: Vec<u32>,
}

/// A write that reached the flash; of one that was cut, the whole units.
pub(crate) struct Written {
    pub(crate) at: u32,
    pub(crate) bytes: Vec<u8>,
}

/// A flash whose cells are in a file, or nowhere (`file` is `None`).
pub(crate) struct FileFlash {
    chip: Chip,
    file: Option<File>,
    journal: Rc<RefCell<Journal>>,
    cut: Option<Cut>,
}

impl FileFlash {
    /// An erased flash in memory.
    pub(crate) fn in_memory(board: &Board) -> Self {
        Self { chip: Chip::sized(board.layout().geometry()), file: None, journal: Rc::default(), cut: None }
    }

    /// A flash in memory that holds `bytes`, which have the board's size.
    pub(crate) fn holding(board: &Board, bytes: &[u8]) -> Self {
        let mut flash = Self::in_memory(board);
        flash.chip.load(0, bytes);
        flash
    }

    /// The flash in this file; a new one, erased, if there is none.
    pub(crate) fn open_or_make(path: &Path, board: &Board) -> Result<Self, Failure> {
        if !path.exists() {
            files::write(path, Self::in_memory(board).bytes())?;
        }
        Self::open(path, board)
    }

    /// The flash in this file.
    pub(crate) fn open(path: &Path, board: &Board) -> Result<Self, Failure> {
        let mut flash = Self::in_memory(board);
        let cannot = |error| Failure::io(path, error);
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(cannot)?;
        flash.chip.load(0, &contents(&mut file, path, board)?);
        flash.file = Some(file);
        Ok(flash)
    }

    /// What the cells read.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.chip.bytes()
    }

    /// The same, but power is cut once, as planned.
    pub(crate) fn cut_as(mut self, plan: Plan) -> Self {
        // Another step, other bits; the same step, the same ones.
        self.chip = self.chip.seed(plan.after);
        self.chip.cut_at(self.chip.steps().saturating_add(plan.after), plan.outcome());
        self
    }

    /// Where power was cut, if it was. Nothing works on the flash since.
    pub(crate) fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// Units programmed and sectors erased since it was opened.
    pub(crate) fn steps(&self) -> u64 {
        self.chip.steps()
    }

    /// What was done since it was opened.
    pub(crate) fn journal(&self) -> Rc<RefCell<Journal>> {
        Rc::clone(&self.journal)
    }

    /// The simulator: totals, violations, oracle.
    pub(crate) fn chip(&mut self) -> &mut Chip {
        &mut self.chip
    }

    /// Whole steps since `before`, and whether another one was cut.
    fn steps_since(&self, before: u64, outcome: &Result<(), sim::Error>) -> (u64, bool) {
        let begun = self.chip.steps() - before;
        let torn = begun > 0 && matches!(outcome, Err(sim::Error::PowerCut));
        (begun - u64::from(torn), torn)
    }

    fn save(&mut self, range: Range<u32>) -> Result<(), Error> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let bytes = self.chip.bytes().get(range.start as usize..range.end as usize).unwrap_or_default();
        file.seek(SeekFrom::Start(range.start.into())).and_then(|_| file.write_all(bytes)).map_err(Error::File)
    }
}

/// What a flash file holds, if it is of the board's size.
pub(crate) fn read(path: &Path, board: &Board) -> Result<Vec<u8>, Failure> {
    let mut file = File::open(path).map_err(|error| Failure::io(path, error))?;
    contents(&mut file, path, board)
}

fn contents(file: &mut File, path: &Path, board: &Board) -> Result<Vec<u8>, Failure> {
    let cannot = |error| Failure::io(path, error);
    let (length, capacity) = (file.metadata().map_err(cannot)?.len(), board.capacity());
    if length != u64::from(capacity) {
        let why = format_args!("{length} bytes, but the flash of {} has {capacity}", board.name());
        return Err(Failure::usage(path.display(), why));
    }
    let mut bytes = Vec::with_capacity(capacity as usize);
    file.read_to_end(&mut bytes).map_err(cannot)?;
    Ok(bytes)
}

/// Why the flash, or its file, did not do as it was told.
#[derive(Debug)]
pub(crate) enum Error {
    Chip(sim::Error),
    File(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chip(error) => error.fmt(f),
            Self::File(error) => error.fmt(f),
        }
    }
}

impl NorFlashError for Error {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Chip(error) => error.kind(),
            Self::File(_) => NorFlashErrorKind::Other,
        }
    }
}

impl ErrorType for FileFlash {
    type Error = Error;
}

impl ReadNorFlash for FileFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        self.chip.read(offset, bytes).map_err(Error::Chip)
    }

    fn capacity(&self) -> usize {
        self.chip.capacity()
    }
}

impl NorFlash for FileFlash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = 1;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        let before = self.chip.steps();
        let outcome = self.chip.erase(from, to);
        let (whole, torn) = self.steps_since(before, &outcome);
        let mut at = from;
        for _ in 0..whole {
            self.journal.borrow_mut().erases.push(at);
            at = self.chip.geometry().sector(at).map_or(to, |sector| sector.end());
        }
        if torn {
            self.cut = Some(Cut { step: before + whole, address: at, during: During::Erase });
        }
        self.save(from..to)?;
        outcome.map_err(Error::Chip)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        let before = self.chip.steps();
        let outcome = self.chip.write(offset, bytes);
        let (whole, torn) = self.steps_since(before, &outcome);
        let length = whole as u32 * self.chip.geometry().write_unit();
        let written = bytes.get(..length as usize).unwrap_or(bytes);
        if !written.is_empty() {
            self.journal.borrow_mut().writes.push(Written { at: offset, bytes: written.into() });
        }
        if torn {
            self.cut = Some(Cut { step: before + whole, address: offset + length, during: During::Write });
        }
        self.save(offset..offset.saturating_add(bytes.len() as u32))?;
        outcome.map_err(Error::Chip)
    }
}
