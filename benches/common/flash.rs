//! A flash in RAM that costs next to nothing: its own work is measured by [`copy`] and taken off. It checks bounds and
//! nothing else; `examples/cortex-m` has a strict one.

use core::hint::black_box;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// Bytes erased at once.
pub const SECTOR: u32 = 4096;
/// Bytes written at once.
pub const WORD: u32 = 4;
/// Bytes read back at once, as in lockgate's drivers.
const CHUNK: usize = 256;

/// A flash in this memory.
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

/// What that flash costs by itself: the image is erased, written block by block and read back as an update does it, and
/// not looked at.
#[allow(dead_code)] // of use to one of the benches
pub fn copy(flash: &mut RamFlash<'_>, image: &[u8], mut at: u32, block: usize) -> Result<(), NorFlashErrorKind> {
    #[repr(C, align(4))]
    struct Chunk([u8; CHUNK]);
    let mut chunk = Chunk([0; CHUNK]);

    for block in black_box(image).chunks(block) {
        if at.is_multiple_of(SECTOR) {
            flash.erase(at, at + SECTOR)?;
        }
        flash.write(at, block)?;
        for _ in 0..block.len() / CHUNK {
            flash.read(at, &mut chunk.0)?;
            black_box(&chunk);
            at += CHUNK as u32;
        }
    }
    Ok(())
}
