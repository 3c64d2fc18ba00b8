//! Judge a port: does this `NorFlash` do what its geometry says?

mod checks;
mod probe;

use core::{fmt, ops::Range};
use std::string::String;

use embedded_storage::nor_flash::NorFlash;

use crate::geometry::Geometry;
use probe::Probe;

/// What was judged when a port failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Check {
    /// The range to be judged in.
    Range,
    /// `capacity()`.
    Capacity,
    /// `WRITE_SIZE` and `READ_SIZE`.
    Sizes,
    /// An operation that is in order succeeds.
    Succeeds,
    /// What was written reads back, whole and in place.
    ReadBack,
    /// Reads at every offset and length give the same bytes.
    Reads,
    /// A write leaves the rest of its sector alone.
    WriteKeeps,
    /// An erase erases all that it is asked to.
    Erases,
    /// An erase erases no more than it is asked to.
    EraseExact,
    /// Buffers in RAM may begin at any address.
    Buffers,
    /// What is not aligned is refused.
    Alignment,
    /// What is out of bounds is refused.
    Bounds,
}

/// The first thing to mend in a port. Its [`Display`](fmt::Display) says what was seen and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What was judged.
    pub check: Check,
    /// What was seen and what to do, in a sentence or two.
    pub advice: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.advice)
    }
}

impl core::error::Error for Finding {}

/// What judging a port that passed took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Sectors judged.
    pub sectors: u32,
    /// Sectors erased, each time counted.
    pub erases: u64,
    /// Bytes written.
    pub written: u64,
    /// Bytes read.
    pub read: u64,
    /// Whether the port erased part of a sector on request, and exactly that part: its sectors are smaller
    /// than the geometry's. Harmless.
    pub finer_sectors: bool,
}

/// Judge `flash` against `geometry`, over scratch sectors whose contents are lost.
///
/// The range begins and ends on sector edges and holds two sectors or more; better three, and of different
/// sizes where the chip has them. None is erased more than about ten times; no unit is
/// programmed twice between erases. Outside the range nothing is erased, nor written but for one unit of the
/// erased value beyond the end of the flash, which must be refused.
///
/// # Errors
///
/// The first [`Finding`]. The contents of the range are then undefined.
///
/// # Examples
///
/// A port that rounds an erase down to its own larger sectors, and says nothing:
///
/// ```
/// use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
/// use lockgate::{geometry, sim::{self, Check, Error, Flash}};
///
/// struct Port(Flash);
///
/// impl ErrorType for Port {
///     type Error = Error;
/// }
/// impl ReadNorFlash for Port {
///     const READ_SIZE: usize = 1;
///     fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
///         self.0.read(offset, bytes)
///     }
///     fn capacity(&self) -> usize {
///         ReadNorFlash::capacity(&self.0)
///     }
/// }
/// impl NorFlash for Port {
///     const WRITE_SIZE: usize = 4;
///     const ERASE_SIZE: usize = 4096;
///     fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
///         self.0.erase(from / 4096 * 4096, to.next_multiple_of(4096))
///     }
///     fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
///         self.0.write(offset, bytes)
///     }
/// }
///
/// let chip = &geometry::NRF51822; // sectors of 1 KiB
/// let finding = sim::conformance(&mut Port(Flash::new(chip)), chip, 0x8000..0x9000).unwrap_err();
/// assert_eq!(finding.check, Check::EraseExact);
///
/// let report = sim::conformance(&mut Flash::new(chip), chip, 0x8000..0x9000)?;
/// assert_eq!(report.sectors, 4);
/// # Ok::<(), sim::Finding>(())
/// ```
pub fn conformance<F: NorFlash>(flash: &mut F, geometry: &Geometry, range: Range<u32>) -> Result<Report, Finding> {
    let mut probe = Probe::new(flash, geometry, range)?;
    checks::run(&mut probe)?;
    Ok(probe.report)
}
