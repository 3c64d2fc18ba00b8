//! Options that commands on a flash in a file have in common, and the flash they name.

use std::path::PathBuf;

use crate::board::Board;
use crate::cut::{CutOutcome, Plan};
use crate::failure::Failure;
use crate::flash_file::FileFlash;

#[derive(clap::Args)]
pub(crate) struct FlashOptions {
    /// The flash, a file as large as the chip's; `install` makes it, erased, if there is none
    #[arg(long, value_name = "FILE")]
    pub(crate) flash: PathBuf,

    /// The device's chip and layout: a built-in board (see `lockgate map --list`) or a TOML file
    #[arg(long, value_name = "BOARD|FILE")]
    geometry: String,

    /// Cut power in flash step N: N steps are done before it. A step is one sector erased or one write unit programmed
    #[arg(long, value_name = "N", help_heading = "Power cut")]
    cut_after: Option<u64>,

    /// What the cut leaves of that step
    #[arg(long, value_name = "OUTCOME", requires = "cut_after", help_heading = "Power cut", default_value = "subset")]
    cut_outcome: CutOutcome,
}

/// What `--help` says of power cuts.
pub(crate) const CUT_HELP: &str = "\
Power cut: the flash file keeps what the cut leaves, and the exit code is 4.
It keeps bytes only: bits that would read differently after each power-on
(metastable), units that would read as errors, and that an erase did not
complete are not kept. The library's own tests have those (sim::Flash).";

impl FlashOptions {
    pub(crate) fn board(&self) -> Result<Board, Failure> {
        Board::named_or_file(&self.geometry)
    }

    /// The flash, which must be there.
    pub(crate) fn open(&self, board: &Board) -> Result<FileFlash, Failure> {
        Ok(self.cut(FileFlash::open(&self.flash, board)?))
    }

    /// The flash; a new one, erased, if there is no such file.
    pub(crate) fn open_or_make(&self, board: &Board) -> Result<FileFlash, Failure> {
        Ok(self.cut(FileFlash::open_or_make(&self.flash, board)?))
    }

    fn cut(&self, flash: FileFlash) -> FileFlash {
        match self.cut_after {
            Some(after) => flash.cut_as(Plan { after, outcome: self.cut_outcome }),
            None => flash,
        }
    }

    /// What is to be said if power was to be cut and was not: whoever asked for a cut wants to know.
    pub(crate) fn not_cut(&self, flash: &FileFlash) -> Option<String> {
        let after = self.cut_after?;
        let steps = flash.steps();
        flash.cut().is_none().then(|| format!("not reached: it took {steps} flash steps, --cut-after says {after}"))
    }

    /// How a command ends on a flash whose power was cut; `then` is what the same command does without the cut.
    pub(crate) fn check_power(&self, flash: &FileFlash, board: &Board, then: &str) -> Result<(), Failure> {
        match flash.cut() {
            Some(cut) => Err(cut.failure(&self.flash, board, then)),
            None => Ok(()),
        }
    }
}
