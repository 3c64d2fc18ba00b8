//! A NOR flash in RAM, as strict as a real one, with a fuse that cuts the power.

use embedded_storage::nor_flash::{
    check_erase, check_read, check_write, ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use lockgate::geometry::{Geometry, Run};

const SECTOR: usize = 256;
const WORD: usize = 4;
const SECTORS: usize = 25;
const SIZE: usize = SECTORS * SECTOR;

/// The flash as lockgate knows it: small enough for a chip with 16 KiB of RAM.
pub const GEOMETRY: Geometry =
    Geometry::new("self-test", &[Run { count: SECTORS as u32, size: SECTOR as u32 }], WORD as u32);

/// 6,400 bytes in sectors of 256, written in words of 4.
pub struct RamFlash {
    cells: [u8; SIZE],
    /// One bit for each word: programmed since its last erase. What the word reads does not tell.
    programmed: [u32; SIZE / WORD / 32],
    /// Operations until the power fails.
    fuse: Option<u32>,
}

/// What this flash refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashError {
    /// Out of bounds, or not on the edges of words or sectors.
    Range(NorFlashErrorKind),
    /// A word was to be programmed a second time.
    Programmed,
    /// The power is off.
    Off,
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Range(kind) => *kind,
            Self::Programmed | Self::Off => NorFlashErrorKind::Other,
        }
    }
}

impl RamFlash {
    /// A flash that holds zeros: make it [`blank`](Self::blank) first.
    #[must_use]
    pub const fn new() -> Self {
        Self { cells: [0; SIZE], programmed: [0; SIZE / WORD / 32], fuse: None }
    }

    /// Blank again, as from the factory.
    pub fn blank(&mut self) {
        self.fuse = None;
        self.cells.fill(0xFF);
        self.programmed.fill(0);
    }

    /// Power fails in the middle of the `operations`th write or erase from now on; none: it is back.
    pub fn fuse(&mut self, operations: Option<u32>) {
        self.fuse = operations;
    }

    /// Whether the fuse has not blown.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.fuse != Some(0)
    }

    /// Whether these bytes lie at this address.
    #[must_use]
    pub fn holds(&self, address: u32, bytes: &[u8]) -> bool {
        self.cells.get(address as usize..).is_some_and(|cells| cells.starts_with(bytes))
    }

    /// How much of an operation on `len` bytes is done, and whether power is there at its end.
    fn power(&mut self, len: usize) -> Result<(usize, bool), FlashError> {
        match &mut self.fuse {
            None => Ok((len, true)),
            Some(0) => Err(FlashError::Off),
            Some(operations) => {
                *operations -= 1;
                let there = *operations > 0;
                Ok((if there { len } else { (len / 2).next_multiple_of(WORD).min(len) }, there))
            }
        }
    }

    /// Sets the mark of each of these words; whether one had it.
    fn mark(&mut self, words: core::ops::Range<usize>, programmed: bool) -> bool {
        let mut had = false;
        for word in words {
            let (index, bit) = (word / 32, 1 << (word % 32));
            had |= self.programmed[index] & bit != 0;
            self.programmed[index] = self.programmed[index] & !bit | if programmed { bit } else { 0 };
        }
        had
    }
}

impl Default for RamFlash {
    fn default() -> Self {
        Self::new()
    }
}

impl ErrorType for RamFlash {
    type Error = FlashError;
}

impl ReadNorFlash for RamFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        check_read(self, offset, bytes.len()).map_err(FlashError::Range)?;
        if !self.is_on() {
            return Err(FlashError::Off);
        }
        let start = offset as usize;
        bytes.copy_from_slice(&self.cells[start..start + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        SIZE
    }
}

impl NorFlash for RamFlash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check_erase(self, from, to).map_err(FlashError::Range)?;
        let from = from as usize;
        let (done, there) = self.power(to as usize - from)?;
        self.cells[from..from + done].fill(0xFF);
        self.mark(from / WORD..(from + done) / WORD, false);
        there.then_some(()).ok_or(FlashError::Off)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len()).map_err(FlashError::Range)?;
        let from = offset as usize;
        let (done, there) = self.power(bytes.len())?;
        if self.mark(from / WORD..(from + done) / WORD, true) {
            return Err(FlashError::Programmed);
        }
        self.cells[from..from + done].copy_from_slice(&bytes[..done]);
        there.then_some(()).ok_or(FlashError::Off)
    }
}
