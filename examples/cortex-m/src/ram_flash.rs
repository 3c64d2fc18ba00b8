//! A NOR flash in RAM that is as strict as a real one: a word is programmed once after each erase, never
//! twice, and an erase takes a whole sector. The emulated board has no flash controller; on a chip the
//! `NorFlash` of its HAL stands here.

use embedded_storage::nor_flash::{
    check_erase, check_read, check_write, ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use lockgate::geometry::{Geometry, Run};

const SECTOR: usize = 4096;
const WORD: usize = 4;
const SIZE: usize = 256 * 1024;

/// The flash as lockgate knows it.
pub const GEOMETRY: Geometry =
    Geometry::new("256 KiB of RAM", &[Run { count: (SIZE / SECTOR) as u32, size: SECTOR as u32 }], WORD as u32);

/// 256 KiB in sectors of 4 KiB, written in words of 4 bytes.
pub struct RamFlash {
    cells: [u8; SIZE],
    /// One bit for each word: erased, and not programmed since. What a word reads says nothing about that:
    /// 0xFFFFFFFF may have been programmed.
    erased: [u32; SIZE / WORD / 32],
    /// Per sector: erases, and bytes programmed.
    erases: [u32; SIZE / SECTOR],
    written: [u32; SIZE / SECTOR],
}

impl RamFlash {
    /// A flash of unknown content: nothing can be written before an erase.
    pub const fn new() -> Self {
        Self {
            cells: [0; SIZE],
            erased: [0; SIZE / WORD / 32],
            erases: [0; SIZE / SECTOR],
            written: [0; SIZE / SECTOR],
        }
    }

    /// Sectors erased so far, from this address on.
    pub fn sectors_erased(&self, from: u32) -> u32 {
        self.erases.iter().skip(from as usize / SECTOR).sum()
    }

    /// Bytes programmed so far, from this address on.
    pub fn bytes_written(&self, from: u32) -> u32 {
        self.written.iter().skip(from as usize / SECTOR).sum()
    }
}

/// What this flash refuses.
#[derive(Clone, Copy, Debug)]
pub enum FlashError {
    /// Out of bounds, or not on the edges of words or sectors.
    Range(NorFlashErrorKind),
    /// The word at this address was programmed since its last erase.
    NotErased {
        #[expect(dead_code, reason = "read by Debug, which is how lockgate shows a flash error")]
        address: usize,
    },
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Range(kind) => *kind,
            Self::NotErased { .. } => NorFlashErrorKind::Other,
        }
    }
}

impl ErrorType for RamFlash {
    type Error = FlashError;
}

impl ReadNorFlash for RamFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        check_read(self, offset, bytes.len()).map_err(FlashError::Range)?;
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
        let (from, to) = (from as usize, to as usize);
        self.cells[from..to].fill(0xFF);
        self.erased[from / WORD / 32..to / WORD / 32].fill(u32::MAX);
        self.erases[from / SECTOR..to / SECTOR].iter_mut().for_each(|erases| *erases += 1);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len()).map_err(FlashError::Range)?;
        for (address, word) in (offset as usize..).step_by(WORD).zip(bytes.chunks_exact(WORD)) {
            let (index, bit) = (address / WORD / 32, 1 << (address / WORD % 32));
            if self.erased[index] & bit == 0 {
                return Err(FlashError::NotErased { address });
            }
            self.erased[index] &= !bit;
            self.cells[address..address + WORD].copy_from_slice(word);
            self.written[address / SECTOR] += WORD as u32;
        }
        Ok(())
    }
}
