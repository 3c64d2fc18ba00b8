//! A flash in RAM that costs next to nothing: its own work is measured by the program `copy` and taken off. It checks
//! bounds and nothing else; `examples/cortex-m` has a strict one.

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
use lockgate::geometry::{Geometry, Run};

/// Bytes erased at once.
pub const SECTOR: u32 = 4096;
/// Bytes written at once.
pub const WORD: u32 = 4;
const SECTORS: u32 = 136;

/// The flash as lockgate knows it.
pub const GEOMETRY: Geometry = Geometry::new("544 KiB of RAM", &[Run { count: SECTORS, size: SECTOR }], WORD);

/// The memory that plays the flash. `table.py` takes it off the RAM that a program needs.
#[repr(C, align(4))]
pub struct Cells(pub [u8; (SECTORS * SECTOR) as usize]);

impl Cells {
    /// Of unknown content: no program brings bytes for them along.
    #[allow(clippy::new_without_default)] // a `static` cannot use it
    pub const fn new() -> Self {
        Self([0; (SECTORS * SECTOR) as usize])
    }

    /// Makes them blank, which is not part of what is measured.
    pub fn blank(&mut self) -> &mut [u8] {
        self.0.fill(0xFF);
        &mut self.0
    }
}

/// A flash in some of that memory.
pub struct RamFlash<'c>(pub &'c mut [u8]);

impl RamFlash<'_> {
    fn part(&mut self, from: u32, len: usize) -> Result<&mut [u8], NorFlashErrorKind> {
        let rest = self.0.get_mut(from as usize..).ok_or(NorFlashErrorKind::OutOfBounds)?;
        rest.get_mut(..len).ok_or(NorFlashErrorKind::OutOfBounds)
    }
}

impl ErrorType for RamFlash<'_> {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for RamFlash<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        bytes.copy_from_slice(self.part(offset, bytes.len())?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for RamFlash<'_> {
    const WRITE_SIZE: usize = WORD as usize;
    const ERASE_SIZE: usize = SECTOR as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        self.part(from, to.saturating_sub(from) as usize)?.fill(0xFF);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        self.part(offset, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }
}
