//! What was done to the flash: totals, and on request every operation, to compare two runs.

use std::vec::Vec;

/// A write or an erase that the flash began.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// The sectors of an address range were erased.
    Erase {
        /// First address.
        from: u32,
        /// Address after the last.
        to: u32,
    },
    /// Bytes were programmed.
    Write {
        /// First address.
        at: u32,
        /// Number of bytes.
        len: u32,
        /// FNV-1a of the bytes: enough to tell two runs apart.
        digest: u64,
    },
}

/// Totals since the flash was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Reads begun.
    pub reads: u64,
    /// Bytes asked for by them.
    pub read_bytes: u64,
    /// Writes begun.
    pub writes: u64,
    /// Bytes whose programming began.
    pub programmed_bytes: u64,
    /// Sectors whose erase began.
    pub erases: u64,
    /// Operations refused: unaligned or out of bounds.
    pub refused: u64,
    /// Steps begun: units programmed and sectors erased. [`Flash::cut_at`](super::Flash::cut_at) counts in
    /// these.
    pub steps: u64,
}

/// The optional list of operations.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    pub(super) on: bool,
    pub(super) ops: Vec<Op>,
}

impl Log {
    pub(super) fn erase(&mut self, from: u32, to: u32) {
        if self.on {
            self.ops.push(Op::Erase { from, to });
        }
    }

    pub(super) fn write(&mut self, at: u32, data: &[u8]) {
        if self.on {
            let digest = data.iter().fold(0xCBF2_9CE4_8422_2325, |hash: u64, &byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
            });
            self.ops.push(Op::Write { at, len: u32::try_from(data.len()).unwrap_or(u32::MAX), digest });
        }
    }
}
