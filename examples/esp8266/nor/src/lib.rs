//! A `NorFlash` over flash functions as the ESP8266 has them, in its ROM and in the vendor's SDK: they take whole words, from and to
//! buffers on word boundaries, and erase a sector by its number.

#![no_std]
#![forbid(unsafe_code)]

use embedded_storage::nor_flash::{
    check_erase, check_read, check_write, ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// Bytes of the flash: 4 MiB.
pub const CAPACITY: u32 = 4 << 20;
/// Bytes that are erased together.
pub const SECTOR: u32 = 4096;
/// Bytes that are copied at once where a buffer does not lie on a word.
const BOUNCE: usize = 64;

/// The flash functions. What they give is their own error code.
pub trait Chip {
    /// Fills `words`, which lie on a word boundary and are whole words, as `address` is.
    ///
    /// # Errors
    ///
    /// The chip's code.
    fn read(&mut self, address: u32, words: &mut [u8]) -> Result<(), u32>;

    /// Programs `words`, likewise.
    ///
    /// # Errors
    ///
    /// The chip's code.
    fn write(&mut self, address: u32, words: &[u8]) -> Result<(), u32>;

    /// Erases the sector of this number, which is within the flash.
    ///
    /// # Errors
    ///
    /// The chip's code.
    fn erase(&mut self, sector: u32) -> Result<(), u32>;
}

/// The flash.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nor<C>(pub C);

impl<C: Default> Nor<C> {
    /// The flash.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// Why a flash operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NorError {
    /// An address that is not aligned, or beyond the end.
    Request(NorFlashErrorKind),
    /// The chip's code.
    Chip(u32),
}

impl NorFlashError for NorError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Request(kind) => *kind,
            Self::Chip(_) => NorFlashErrorKind::Other,
        }
    }
}

/// A piece of a buffer, on a word boundary.
#[repr(align(4))]
struct Words([u8; BOUNCE]);

fn is_aligned(bytes: &[u8]) -> bool {
    bytes.as_ptr().addr().is_multiple_of(4)
}

impl<C> ErrorType for Nor<C> {
    type Error = NorError;
}

impl<C: Chip> ReadNorFlash for Nor<C> {
    const READ_SIZE: usize = 4;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorError> {
        check_read(self, offset, bytes.len()).map_err(NorError::Request)?;
        if is_aligned(bytes) {
            return self.0.read(offset, bytes).map_err(NorError::Chip);
        }
        for (piece, at) in bytes.chunks_mut(BOUNCE).zip((offset..).step_by(BOUNCE)) {
            let mut words = Words([0; BOUNCE]);
            let (words, _) = words.0.split_at_mut(piece.len());
            self.0.read(at, words).map_err(NorError::Chip)?;
            piece.copy_from_slice(words);
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        CAPACITY as usize
    }
}

impl<C: Chip> NorFlash for Nor<C> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorError> {
        check_erase(self, from, to).map_err(NorError::Request)?;
        (from / SECTOR..to / SECTOR).try_for_each(|sector| self.0.erase(sector)).map_err(NorError::Chip)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorError> {
        check_write(self, offset, bytes.len()).map_err(NorError::Request)?;
        if is_aligned(bytes) {
            return self.0.write(offset, bytes).map_err(NorError::Chip);
        }
        for (piece, at) in bytes.chunks(BOUNCE).zip((offset..).step_by(BOUNCE)) {
            let mut words = Words([0; BOUNCE]);
            let (words, _) = words.0.split_at_mut(piece.len());
            words.copy_from_slice(piece);
            self.0.write(at, words).map_err(NorError::Chip)?;
        }
        Ok(())
    }
}
