//! A flash with the F405's sectors, in RAM where code can run, and in a file that outlives a power cut.
//!
//! The first MiB of code RAM behind the ROM plays it: images run from there. At each reset the ROM reads it from the file
//! (`load`), every operation goes to both. It is stricter than the chip: a word is programmed once after each erase, and an erase takes whole sectors. It has no timing, no caches and no registers:
//! the HALs' drivers are not tried here.

use app::layout::LAYOUT;
use cortex_m_semihosting::syscall;
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use embedded_storage_async::nor_flash as asynch;

/// Where it is.
pub const BASE: u32 = 0x0010_0000;
const SIZE: u32 = LAYOUT.geometry().capacity();
const FILE: &[u8] = b"flash.bin\0";

/// The flash.
pub struct MachineFlash {
    file: usize,
}

/// What this flash refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashError {
    /// Out of bounds, or not on the edges of words or sectors.
    Range,
    /// The word at this address is not blank.
    NotErased(u32),
    /// The file cannot be written.
    File,
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

/// Fills the RAM from the file.
///
/// # Errors
///
/// The file is not there, or too short.
pub fn load() -> Result<(), FlashError> {
    let file = open()?;
    // SAFETY: SYS_READ gives the number of bytes that were not read. It writes to RAM that is no variable's.
    let missing = unsafe { syscall!(READ, file, BASE, SIZE) };
    // SAFETY: SYS_CLOSE.
    unsafe { syscall!(CLOSE, file) };
    if missing == 0 {
        Ok(())
    } else {
        Err(FlashError::File)
    }
}

fn open() -> Result<usize, FlashError> {
    // SAFETY: SYS_OPEN with mode 3, "r+b"; the length is without the terminating zero.
    match unsafe { syscall!(OPEN, FILE.as_ptr(), 3, FILE.len() - 1) } {
        usize::MAX => Err(FlashError::File),
        file => Ok(file),
    }
}

impl MachineFlash {
    /// Opens the file.
    ///
    /// # Errors
    ///
    /// It is not there.
    pub fn new() -> Result<Self, FlashError> {
        Ok(Self { file: open()? })
    }

    /// Bytes of the flash as they are now.
    fn store(&mut self, offset: u32, bytes: u32) -> Result<(), FlashError> {
        // SAFETY: SYS_SEEK gives 0, SYS_WRITE the number of bytes that were not written; they are within the RAM that plays flash.
        let done =
            unsafe { syscall!(SEEK, self.file, offset) == 0 && syscall!(WRITE, self.file, BASE + offset, bytes) == 0 };
        if done {
            Ok(())
        } else {
            Err(FlashError::File)
        }
    }
}

fn within(offset: u32, bytes: usize, unit: usize) -> Result<(), FlashError> {
    let ends = u32::try_from(bytes).ok().and_then(|bytes| offset.checked_add(bytes)).is_some_and(|end| end <= SIZE);
    if ends && (offset as usize).is_multiple_of(unit) && bytes.is_multiple_of(unit) {
        Ok(())
    } else {
        Err(FlashError::Range)
    }
}

impl ErrorType for MachineFlash {
    type Error = FlashError;
}

impl ReadNorFlash for MachineFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        within(offset, bytes.len(), 1)?;
        for (byte, address) in bytes.iter_mut().zip(BASE + offset..) {
            // SAFETY: within the RAM that plays flash; volatile, since no variable of Rust's is there.
            *byte = unsafe { (address as *const u8).read_volatile() };
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        SIZE as usize
    }
}

impl NorFlash for MachineFlash {
    const WRITE_SIZE: usize = 4;
    /// As both HALs say it, of chips whose smallest sector has 16 KiB.
    const ERASE_SIZE: usize = 128 * 1024;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        let geometry = LAYOUT.geometry();
        if from > to || to > SIZE || !geometry.is_edge(from) || !geometry.is_edge(to) {
            return Err(FlashError::Range);
        }
        for address in (BASE + from..BASE + to).step_by(4) {
            // SAFETY: as in `read`.
            unsafe { (address as *mut u32).write_volatile(u32::MAX) };
        }
        self.store(from, to - from)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        within(offset, bytes.len(), Self::WRITE_SIZE)?;
        for (address, word) in (BASE + offset..).step_by(4).zip(bytes.chunks_exact(4)) {
            let cell = address as *mut u32;
            let word = word.try_into().map_or(u32::MAX, u32::from_le_bytes);
            // SAFETY: as in `read`; the offset is on a word.
            unsafe {
                if cell.read_volatile() != u32::MAX {
                    return Err(FlashError::NotErased(address - BASE));
                }
                cell.write_volatile(word);
            }
        }
        self.store(offset, bytes.len() as u32)
    }
}

impl asynch::ReadNorFlash for MachineFlash {
    const READ_SIZE: usize = <Self as ReadNorFlash>::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        ReadNorFlash::read(self, offset, bytes)
    }

    fn capacity(&self) -> usize {
        SIZE as usize
    }
}

impl asynch::NorFlash for MachineFlash {
    const WRITE_SIZE: usize = <Self as NorFlash>::WRITE_SIZE;
    const ERASE_SIZE: usize = <Self as NorFlash>::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        // As on a chip, there is something to wait for.
        embassy_futures::yield_now().await;
        NorFlash::erase(self, from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        embassy_futures::yield_now().await;
        NorFlash::write(self, offset, bytes)
    }
}
