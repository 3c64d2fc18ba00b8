//! The flash, by its controller (NVMC): nRF51 Series Reference Manual 3.0, chapter 6.
//!
//! The processor halts while a page is erased (about 22 ms) or a word is written (about 46 us) if it runs from flash, as it does here: it needs no code in
//! RAM, and hears nothing in the meantime (nRF51822 Product Specification, flash; lockgate's serial line is made for that).

use embedded_storage::nor_flash::{
    check_erase, check_read, check_write, ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash,
};
use lockgate::geometry;

use crate::device::{DEVICE, SLOT_A};
use crate::register::Register;
use crate::watchdog;

const NVMC: u32 = 0x4001_E000;
const READY: Register = Register::new(NVMC, 0x400);
const CONFIG: Register = Register::new(NVMC, 0x504);
const ERASEPAGE: Register = Register::new(NVMC, 0x508);

/// CONFIG: reading only, writing, erasing.
const READ_ONLY: u32 = 0;
const WRITE: u32 = 1;
const ERASE: u32 = 2;

const CAPACITY: u32 = geometry::NRF51822.capacity();
const PAGE: u32 = 1024;
const WORD: usize = 4;

/// The flash without the boot stage, which is neither read nor written through it.
#[derive(Debug)]
pub struct Flash(());

impl Flash {
    /// The flash.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl Default for Flash {
    fn default() -> Self {
        Self::new()
    }
}

/// Not the boot stage: an update that writes over it would be the last.
fn allowed(offset: u32) -> Result<(), NorFlashErrorKind> {
    // `boot_range` ends where the records begin, and both lie in front of slot A.
    let from = DEVICE.layout().boot_range().end;
    const { assert!(SLOT_A.start > 0) }
    if offset < from {
        return Err(NorFlashErrorKind::OutOfBounds);
    }
    Ok(())
}

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        allowed(offset)?;
        let from = core::ptr::with_exposed_provenance::<u8>(offset as usize);
        // SAFETY: flash, within its bounds, and not the null page; `bytes` is RAM. Volatile reads are not needed: what changes
        // flash are `erase` and `program`, which the compiler sees nothing of.
        unsafe { core::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    fn capacity(&self) -> usize {
        CAPACITY as usize
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        allowed(from)?;
        for page in (from..to).step_by(PAGE as usize) {
            watchdog::feed();
            // SAFETY: a page of records, slots or the spare area.
            unsafe { nvmc_erase(page) };
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        allowed(offset)?;
        // SAFETY: whole words of records, slots or the spare area.
        unsafe { nvmc_program(offset, bytes.as_ptr(), bytes.len()) };
        Ok(())
    }
}

/// Erases the page at `page`. A function of its own under this name: there the tests cut power.
///
/// # Safety
///
/// Nothing that Rust has a reference to may be in the page.
#[no_mangle]
#[inline(never)]
unsafe extern "C" fn nvmc_erase(page: u32) {
    CONFIG.write(ERASE);
    READY.wait();
    ERASEPAGE.write(page);
    READY.wait();
    CONFIG.write(READ_ONLY);
}

/// Programs `count` bytes, whole words, in ascending order. A function of its own, as above.
///
/// # Safety
///
/// `to` lies on a word of flash that Rust has no reference to, `from` to `from + count` is readable.
#[no_mangle]
#[inline(never)]
unsafe extern "C" fn nvmc_program(to: u32, from: *const u8, count: usize) {
    CONFIG.write(WRITE);
    READY.wait();
    for at in (0..count).step_by(WORD) {
        // SAFETY: the caller's promise. The source need not be aligned.
        let word = unsafe { from.add(at).cast::<u32>().read_unaligned() };
        let to = core::ptr::with_exposed_provenance_mut::<u32>(to as usize + at);
        // SAFETY: likewise; the controller was told that words are written.
        unsafe { to.write_volatile(word) };
        READY.wait();
    }
    CONFIG.write(READ_ONLY);
}
