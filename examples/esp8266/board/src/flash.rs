//! The SPI NOR flash, by the ROM's functions.
//!
//! The cache cannot read flash while a command runs, so the ROM is called from instruction RAM with the cache off
//! (`rt/start.S`). An erase takes up to 400 ms, a page of 256 bytes up to 3 ms (Winbond W25Q32JV, section 9.6); the watchdog
//! is fed before each.

use embedded_storage::nor_flash::{
    check_erase, check_read, check_write, ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use crate::{rom, watchdog};

const CAPACITY: u32 = 4 << 20;
const SECTOR: u32 = 4096;
/// Bytes that are copied at once where a buffer does not lie on a word.
const BOUNCE: usize = 64;

/// The flash chip.
#[derive(Debug)]
pub struct Flash(());

/// What the ROM says when an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashError {
    /// An address that is not aligned, or beyond the end.
    Request(NorFlashErrorKind),
    /// The operation failed: the chip's answer.
    Chip(u32),
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Request(kind) => *kind,
            Self::Chip(_) => NorFlashErrorKind::Other,
        }
    }
}

impl Flash {
    /// The flash. Tells the ROM which chip there is: by itself it takes the size from the header at flash address 0, which tools patch.
    #[must_use]
    pub fn new() -> Self {
        // SAFETY: the ROM stores six words: 64 KiB blocks, 4 KiB sectors, 256-byte pages, as all chips of this size have.
        unsafe { rom::spi_configure(0, CAPACITY, 0x1_0000, SECTOR, 256, 0xFFFF) };
        Self(())
    }

    fn call(&mut self, function: rom::Function, a: u32, b: u32, c: u32) -> Result<(), FlashError> {
        watchdog::feed();
        // SAFETY: the arguments were checked by the callers: addresses and sizes are whole words within the flash, buffers
        // are aligned and live.
        match unsafe { rom::rom_call(function, a, b, c) } {
            0 => Ok(()),
            code => Err(FlashError::Chip(code)),
        }
    }
}

impl Default for Flash {
    fn default() -> Self {
        Self::new()
    }
}

impl ErrorType for Flash {
    type Error = FlashError;
}

impl ReadNorFlash for Flash {
    // The ROM stores whole words.
    const READ_SIZE: usize = 4;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        check_read(self, offset, bytes.len()).map_err(FlashError::Request)?;
        if bytes.as_ptr().addr() % 4 == 0 {
            return self.call(rom::spi_read, offset, bytes.as_mut_ptr().addr() as u32, bytes.len() as u32);
        }
        let mut at = offset;
        for piece in bytes.chunks_mut(BOUNCE) {
            let mut words = [0u32; BOUNCE / 4];
            self.call(rom::spi_read, at, words.as_mut_ptr().addr() as u32, piece.len() as u32)?;
            for (bytes, word) in piece.chunks_mut(4).zip(words) {
                bytes.copy_from_slice(&word.to_le_bytes());
            }
            at = at.saturating_add(piece.len() as u32);
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        CAPACITY as usize
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check_erase(self, from, to).map_err(FlashError::Request)?;
        (from / SECTOR..to / SECTOR).try_for_each(|sector| self.call(rom::spi_erase_sector, sector, 0, 0))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len()).map_err(FlashError::Request)?;
        if bytes.as_ptr().addr() % 4 == 0 {
            return self.call(rom::spi_write, offset, bytes.as_ptr().addr() as u32, bytes.len() as u32);
        }
        let mut at = offset;
        for piece in bytes.chunks(BOUNCE) {
            let mut words = [0u32; BOUNCE / 4];
            for (word, bytes) in words.iter_mut().zip(piece.chunks_exact(4)) {
                *word = bytes.try_into().map_or(0, u32::from_le_bytes);
            }
            self.call(rom::spi_write, at, words.as_ptr().addr() as u32, piece.len() as u32)?;
            at = at.saturating_add(piece.len() as u32);
        }
        Ok(())
    }
}
