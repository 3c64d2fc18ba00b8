//! Words of a flash: read without a panic, programmed at most once.

use core::ops::Range;

use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind};

use super::Error;

/// The largest word that is handled, in bytes.
pub(super) const MAX_WORD: usize = crate::geometry::MAX_WRITE_UNIT as usize;

/// A flash as words of its write size.
pub(super) struct Words<F> {
    pub(super) flash: F,
    /// What a byte reads after an erase.
    pub(super) erased: u8,
}

impl<F: NorFlash> Words<F> {
    /// Bytes of a word.
    pub(super) const SIZE: u32 = F::WRITE_SIZE as u32;

    pub(super) const fn new(flash: F) -> Self {
        const {
            assert!(
                F::WRITE_SIZE.is_power_of_two() && F::WRITE_SIZE <= MAX_WORD,
                "words of 1, 2, 4, 8, 16 or 32 bytes"
            );
            assert!(F::READ_SIZE.is_power_of_two() && F::READ_SIZE <= F::WRITE_SIZE, "a word must be readable alone");
        }
        Self { flash, erased: 0xFF }
    }

    /// Whether the range lies in the flash and on edges of words.
    pub(super) fn holds(&self, range: &Range<u32>) -> bool {
        range.start < range.end
            && usize::try_from(range.end).is_ok_and(|end| end <= self.flash.capacity())
            && range.start.is_multiple_of(Self::SIZE)
            && range.end.is_multiple_of(Self::SIZE)
    }

    /// Reads whole words. `false` if one of them reads as an error; what is in `bytes` then means nothing.
    pub(super) fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<bool, Error<F::Error>> {
        match self.flash.read(at, bytes) {
            Ok(()) => Ok(true),
            Err(error) => match error.kind() {
                NorFlashErrorKind::OutOfBounds | NorFlashErrorKind::NotAligned => Err(Error::Flash(error)),
                _ => Ok(false),
            },
        }
    }

    /// The word at `at`; `None` if it reads as an error.
    pub(super) fn word(&mut self, at: u32) -> Result<Option<Word>, Error<F::Error>> {
        let mut bytes = [self.erased; MAX_WORD];
        let readable = match bytes.get_mut(..F::WRITE_SIZE) {
            Some(word) => self.read(at, word)?,
            None => false,
        };
        Ok(readable.then_some(Word { bytes, len: F::WRITE_SIZE }))
    }

    /// Makes the flash read `bytes` at `at`, word by word in ascending order: a word that reads right stays as
    /// it is, a blank one is programmed and read back.
    pub(super) fn program(&mut self, at: u32, bytes: &[u8]) -> Result<(), Error<F::Error>> {
        let mut address = at;
        for wanted in bytes.chunks(F::WRITE_SIZE) {
            match self.word(address)? {
                Some(word) if word.as_ref() == wanted => {}
                Some(word) if word.is_all(self.erased) => {
                    self.flash.write(address, wanted).map_err(Error::Flash)?;
                    if self.word(address)?.is_none_or(|word| word.as_ref() != wanted) {
                        return Err(Error::Mismatch { address });
                    }
                }
                _ => return Err(Error::NotBlank { address }),
            }
            address = address.saturating_add(Self::SIZE);
        }
        Ok(())
    }

    pub(super) fn erase(&mut self, range: &Range<u32>) -> Result<(), Error<F::Error>> {
        self.flash.erase(range.start, range.end).map_err(Error::Flash)
    }
}

/// What a word reads.
pub(super) struct Word {
    bytes: [u8; MAX_WORD],
    len: usize,
}

impl Word {
    /// Whether every byte is `value`.
    pub(super) fn is_all(&self, value: u8) -> bool {
        self.as_ref().iter().all(|&byte| byte == value)
    }

    pub(super) fn first(&self) -> u8 {
        self.bytes[0]
    }
}

impl AsRef<[u8]> for Word {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
