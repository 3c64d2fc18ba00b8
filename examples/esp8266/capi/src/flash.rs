//! The SPI NOR flash, by the SDK's functions.

use core::ptr;

use embedded_storage::nor_flash::{
    check_erase, check_read, check_write, ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use crate::error::{self, Code};

const CAPACITY: u32 = 4 << 20;
const SECTOR: u32 = 4096;
/// Bytes that are copied at once where a buffer does not lie on a word.
const BOUNCE: usize = 64;

type Read = unsafe extern "C" fn(u32, *mut u32, u32) -> u32;
type Write = unsafe extern "C" fn(u32, *mut u32, u32) -> u32;
type Erase = unsafe extern "C" fn(u16) -> u32;

/// `lockgate_flash_t`
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct FlashC {
    read: Option<Read>,
    write: Option<Write>,
    erase_sector: Option<Erase>,
}

/// The watchdog's hook, if there is one.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Watchdog(Option<unsafe extern "C" fn()>);

impl Watchdog {
    pub(crate) fn feed(self) {
        if let Some(feed) = self.0 {
            // SAFETY: `lockgate.h` asks for a function that can be called at any time, and calls nothing of this library.
            unsafe { feed() };
        }
    }
}

/// The flash chip.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flash {
    read: Read,
    write: Write,
    erase_sector: Erase,
    watchdog: Watchdog,
}

/// Why a flash operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlashError {
    /// An address that is not aligned, or beyond the end.
    Request(NorFlashErrorKind),
    /// What the SDK's function gave.
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

fn outcome(code: u32) -> Result<(), FlashError> {
    match code {
        0 => Ok(()),
        code => Err(FlashError::Chip(code)),
    }
}

impl Flash {
    pub(crate) fn new(functions: FlashC, watchdog: Watchdog) -> Result<Self, Code> {
        let FlashC { read: Some(read), write: Some(write), erase_sector: Some(erase_sector) } = functions else {
            return Err(error::ARGUMENT);
        };
        Ok(Self { read, write, erase_sector, watchdog })
    }

    /// `to` and `size` are whole words, within the flash.
    fn load(&mut self, at: u32, to: *mut u8, size: usize) -> Result<(), FlashError> {
        self.watchdog.feed();
        // SAFETY: `lockgate.h` asks for functions that do as the SDK's: this one stores `size` bytes, which the callers below have borrowed.
        outcome(unsafe { (self.read)(at, to.cast(), size as u32) })
    }

    fn store(&mut self, at: u32, from: *const u8, size: usize) -> Result<(), FlashError> {
        self.watchdog.feed();
        // SAFETY: likewise; the SDK's function has no `const` for what it only reads.
        outcome(unsafe { (self.write)(at, from.cast_mut().cast(), size as u32) })
    }
}

impl ErrorType for Flash {
    type Error = FlashError;
}

impl ReadNorFlash for Flash {
    // The SDK reads whole words into words.
    const READ_SIZE: usize = 4;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        check_read(self, offset, bytes.len()).map_err(FlashError::Request)?;
        if bytes.as_ptr().addr().is_multiple_of(4) {
            return self.load(offset, bytes.as_mut_ptr(), bytes.len());
        }
        let mut at = offset;
        for piece in bytes.chunks_mut(BOUNCE) {
            let mut words = [0u32; BOUNCE / 4];
            self.load(at, words.as_mut_ptr().cast(), piece.len())?;
            for (bytes, word) in piece.chunks_mut(4).zip(words) {
                let word = word.to_le_bytes();
                bytes.iter_mut().zip(word).for_each(|(byte, value)| *byte = value);
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
        (from / SECTOR..to / SECTOR).try_for_each(|sector| {
            self.watchdog.feed();
            // SAFETY: `lockgate.h` asks for a function that does as the SDK's; the sector is within the flash, which has 1024.
            outcome(unsafe { (self.erase_sector)(sector as u16) })
        })
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len()).map_err(FlashError::Request)?;
        if bytes.as_ptr().addr().is_multiple_of(4) {
            return self.store(offset, bytes.as_ptr(), bytes.len());
        }
        let mut at = offset;
        for piece in bytes.chunks(BOUNCE) {
            let mut words = [0u32; BOUNCE / 4];
            for (word, bytes) in words.iter_mut().zip(piece.chunks_exact(4)) {
                *word = bytes.try_into().map_or(0, u32::from_le_bytes);
            }
            self.store(at, ptr::from_ref(&words).cast(), piece.len())?;
            at = at.saturating_add(piece.len() as u32);
        }
        Ok(())
    }
}
