//! The judge: which rule was broken, where, by which operation.

use core::{fmt, ops::Range};
use std::vec::Vec;

/// A rule of the flash contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// A unit was programmed once more than the flash allows between two erases. Programming the erased value
    /// counts.
    Reprogrammed,
    /// A unit of a sector whose last erase did not complete (or which never was erased) was programmed,
    /// however it reads.
    NotErased,
    /// A unit that reads other than erased, torn or rotten, was programmed.
    NotBlank,
    /// A unit that reads as an error was programmed.
    Unreadable,
    /// A byte that no oracle of the range knows was programmed.
    Unauthentic,
}

/// One breach of the flash contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The unit's first address; of [`Rule::Unauthentic`], the byte's.
    pub address: u32,
    /// The operation, counted from 0 over all writes and erases.
    pub operation: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, address, operation } = self;
        let what = match rule {
            Rule::Reprogrammed => "is programmed already",
            Rule::NotErased => "is in a sector whose erase did not complete",
            Rule::NotBlank => "does not read erased",
            Rule::Unreadable => "reads as an error",
            Rule::Unauthentic => {
                return write!(f, "operation {operation} programs a byte at {address:#x} that was never authentic")
            }
        };
        write!(f, "operation {operation} programs the unit at {address:#x}, which {what}")
    }
}

/// What may ever be programmed in a range: the image, then padding.
#[derive(Clone, Debug)]
pub(super) struct Oracle {
    pub(super) range: Range<u32>,
    pub(super) image: Vec<u8>,
}

impl Oracle {
    /// Whether `byte` is authentic at `address`; `None` where this oracle knows nothing.
    fn judges(&self, address: u32, byte: u8, erased: u8) -> Option<bool> {
        if !self.range.contains(&address) {
            return None;
        }
        let offset = (address - self.range.start) as usize;
        Some(byte == self.image.get(offset).copied().unwrap_or(erased))
    }
}

/// The first byte of `data` that some oracle covers and none accepts.
pub(super) fn first_unauthentic(oracles: &[Oracle], at: u32, data: &[u8], erased: u8) -> Option<u32> {
    (at..).zip(data).find_map(|(address, &byte)| {
        let mut verdicts = oracles.iter().filter_map(|oracle| oracle.judges(address, byte, erased)).peekable();
        (verdicts.peek().is_some() && !verdicts.any(|authentic| authentic)).then_some(address)
    })
}
