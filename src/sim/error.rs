//! What the simulated flash answers when it will not, or cannot.

use core::fmt;

use embedded_storage::nor_flash::{NorFlashError, NorFlashErrorKind};

use super::Violation;

/// Why an operation on the simulated flash failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// `address` (a start or an end) is not on an edge of `size` bytes: the read size, the write unit or the
    /// sector there.
    Unaligned {
        /// The start or end that is off.
        address: u32,
        /// The bytes it should be a multiple of.
        size: u32,
    },
    /// The operation ends beyond the flash, or before it begins.
    OutOfBounds {
        /// Where it begins.
        address: u32,
        /// Where it ends.
        end: u64,
        /// Bytes of the flash.
        capacity: u32,
    },
    /// The unit at `address` reads as an error.
    Unreadable {
        /// The unit's first address.
        address: u32,
    },
    /// The unit at `address` was not programmed wholly (an injected fault).
    WriteFailed {
        /// The unit's first address.
        address: u32,
    },
    /// The sector at `address` was not erased wholly (an injected fault).
    EraseFailed {
        /// The sector's first address.
        address: u32,
    },
    /// Power is off, since a planned cut or [`Flash::power_off`](super::Flash::power_off).
    PowerCut,
    /// A planned stall: the operation was torn, power is on. The async twin never returns this; its future
    /// stays pending.
    Stalled,
    /// The caller broke the flash contract.
    Violation(Violation),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unaligned { address, size } => write!(f, "address {address:#x} is not on an edge of {size} bytes"),
            Self::OutOfBounds { address, end, capacity } => {
                write!(f, "{address:#x}..{end:#x} is not within the {capacity:#x} bytes of the flash")
            }
            Self::Unreadable { address } => write!(f, "the unit at {address:#x} reads as an error"),
            Self::WriteFailed { address } => write!(f, "the unit at {address:#x} was not programmed wholly"),
            Self::EraseFailed { address } => write!(f, "the sector at {address:#x} was not erased wholly"),
            Self::PowerCut => f.write_str("power is off"),
            Self::Stalled => f.write_str("the operation stalled midway"),
            Self::Violation(violation) => violation.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

impl NorFlashError for Error {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Unaligned { .. } => NorFlashErrorKind::NotAligned,
            Self::OutOfBounds { .. } => NorFlashErrorKind::OutOfBounds,
            _ => NorFlashErrorKind::Other,
        }
    }
}
