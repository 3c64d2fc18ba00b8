//! Power cuts on purpose: in which flash step, what the cut leaves, and how it is told.

use std::fmt;
use std::path::Path;

use lockgate::sim::{Landed, Outcome};
use lockgate::wire;
use serde_json::{json, Value};

use crate::board::{Board, Region};
use crate::failure::Failure;

/// What a cut leaves of the step it falls into. The simulator's other classes (bits that read differently after each
/// power-on, units that read as errors) are no bytes: a file cannot keep them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum CutOutcome {
    /// No bit changed
    Nothing,
    /// The first byte of the unit is programmed, or of the sector erased
    Prefix,
    /// Any of the bits, by chance (the same ones every time)
    #[default]
    Subset,
    /// All of it took place, but nobody saw it complete
    All,
}

impl CutOutcome {
    fn landed(self) -> Outcome {
        match self {
            Self::Nothing => Landed::Nothing,
            Self::Prefix => Landed::Prefix(1),
            Self::Subset => Landed::Subset,
            Self::All => Landed::All,
        }
        .stable()
    }
}

/// A cut that is planned.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plan {
    /// Steps that are done before.
    pub(crate) after: u64,
    pub(crate) outcome: CutOutcome,
}

impl Plan {
    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome.landed()
    }
}

/// A cut that took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The step, counted from 0 since the flash was opened.
    pub(crate) step: u64,
    /// The unit that was programmed, or the sector that was erased.
    pub(crate) address: u32,
    pub(crate) during: During,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum During {
    Erase,
    Write,
}

impl During {
    const fn name(self) -> &'static str {
        match self {
            Self::Erase => "erase",
            Self::Write => "write",
        }
    }
}

impl fmt::Display for During {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Cut {
    /// What lies there: `the records`, `slot B`, `slot B's trailer`.
    fn place(&self, board: &Board) -> String {
        let found = board.regions().into_iter().find(|(_, range)| range.contains(&self.address));
        match found {
            Some((Region::Records, _)) => "the records".into(),
            Some((Region::Slot(slot), range)) => {
                let trailer = range.end.saturating_sub(wire::TRAILER_SIZE);
                // An erase is of the image and the trailer, where they share a sector.
                match self.address >= trailer && self.during == During::Write {
                    true => format!("slot {slot}'s trailer"),
                    false => format!("slot {slot}"),
                }
            }
            Some((region, _)) => format!("the {} region", region.name()),
            None => "no region".into(),
        }
    }

    /// `in flash step 12, in a write to slot B at 0x00210000`
    pub(crate) fn describe(&self, board: &Board) -> String {
        let Self { step, address, during } = self;
        let (article, to) = match during {
            During::Erase => ("an", "of"),
            During::Write => ("a", "to"),
        };
        format!("in flash step {step}, in {article} {during} {to} {} at {address:#010x}", self.place(board))
    }

    pub(crate) fn json(&self, board: &Board) -> Value {
        json!({
            "event": "power_cut",
            "step": self.step,
            "address": self.address,
            "during": self.during.name(),
            "place": self.place(board),
        })
    }

    /// How a command ends that was cut; `then` is what the same command does without the cut.
    pub(crate) fn failure(&self, path: &Path, board: &Board, then: &str) -> Failure {
        let what = self.describe(board);
        Failure::PowerCut(format!("{}: {what}; run the same command without --cut-after: {then}", path.display()))
    }
}
