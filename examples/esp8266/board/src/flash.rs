//! The SPI NOR flash, by the ROM's functions.
//!
//! The cache cannot read flash while a command runs, so the ROM is called from instruction RAM with the cache off
//! (`rt/start.S`). An erase takes up to 400 ms, a page of 256 bytes up to 3 ms (Winbond W25Q32JV, section 9.6); the watchdog
//! is fed before each.

use nor::{Chip, Nor, CAPACITY, SECTOR};

use crate::{rom, watchdog};

/// The flash.
pub type Flash = Nor<Rom>;
pub use nor::NorError as FlashError;

/// The ROM's flash functions.
#[derive(Debug)]
pub struct Rom(());

impl Default for Rom {
    /// Tells the ROM which chip there is: by itself it takes the size from the header at flash address 0, which tools patch.
    fn default() -> Self {
        // SAFETY: the ROM stores six words: 64 KiB blocks, 4 KiB sectors, 256-byte pages, as all chips of this size have.
        unsafe { rom::spi_configure(0, CAPACITY, 0x1_0000, SECTOR, 256, 0xFFFF) };
        Self(())
    }
}

impl Rom {
    fn call(&mut self, function: rom::Function, a: u32, b: usize, c: usize) -> Result<(), u32> {
        watchdog::feed();
        // SAFETY: `nor` gives whole words within the flash; buffers are aligned, borrowed by the callers below, and exposed.
        match unsafe { rom::rom_call(function, a, b as u32, c as u32) } {
            0 => Ok(()),
            code => Err(code),
        }
    }
}

impl Chip for Rom {
    fn read(&mut self, address: u32, words: &mut [u8]) -> Result<(), u32> {
        self.call(rom::spi_read, address, words.as_mut_ptr().expose_provenance(), words.len())
    }

    fn write(&mut self, address: u32, words: &[u8]) -> Result<(), u32> {
        self.call(rom::spi_write, address, words.as_ptr().expose_provenance(), words.len())
    }

    fn erase(&mut self, sector: u32) -> Result<(), u32> {
        self.call(rom::spi_erase_sector, sector, 0, 0)
    }
}
