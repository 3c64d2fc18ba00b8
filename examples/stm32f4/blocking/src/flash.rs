//! The flash of stm32f4xx-hal, with what it leaves to its user:
//!
//! - **The data cache.** The HAL switches it on (`rcc/f4/mod.rs`, `dcen`) and does not reset it after an erase; RM0090 (section
//!   3.6.4, "Programming and caches") asks for that: an erase does not reach the caches, a write does. Without it an erased word may go on
//!   reading as before, and what is then read back is a mixture.
//! - **Error flags.** They stay until ones are written to them (RM0090, section 3.9, `FLASH_SR`), the HAL only reads them: one error
//!   would make every later operation fail until a reset.
//! - **Unlocking** what is unlocked. The HAL writes the keys whenever it makes an `UnlockedFlash`, and asserts that it worked; a key that does not belong
//!   locks the control register until a reset (section 3.6.1). Here it is unlocked for one operation at a time, so that the image a boot stage jumps to finds it locked.
//!
//! While flash is erased or written no code can be fetched from it (section 3.6): the core stands still, for up to 4 s. That
//! needs no code in RAM. What comes over the UART meanwhile is lost, which `lockgate::serial` is made for.

use app::Sectors;
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use stm32f4xx_hal::flash::{Error, FlashExt, UnlockedFlash};
use stm32f4xx_hal::pac;

/// The flash behind the layout's edges.
pub type BoardFlash = Sectors<HalFlash>;

/// SR: EOP, OPERR, WRPERR, PGAERR, PGPERR, PGSERR, cleared by writing 1.
const FLAGS: u32 = 0b1111_0011;

/// The HAL's flash, unlocked while an operation runs.
pub struct HalFlash(pac::FLASH);

impl HalFlash {
    /// The flash of these registers.
    pub fn new(registers: pac::FLASH) -> Self {
        Self(registers)
    }

    fn operate(&mut self, operation: impl FnOnce(&mut UnlockedFlash<'_>) -> Result<(), Error>) -> Result<(), Error> {
        // SAFETY: any combination of flags may be cleared.
        self.0.sr().write(|w| unsafe { w.bits(FLAGS) });
        operation(&mut self.0.unlocked())
    }

    /// DCRST takes effect only while the cache is off (section 3.9, `FLASH_ACR`).
    fn reset_caches(&mut self) {
        let acr = self.0.acr();
        let (data, instructions) = (acr.read().dcen().bit(), acr.read().icen().bit());
        acr.modify(|_, w| w.dcen().clear_bit().icen().clear_bit());
        acr.modify(|_, w| w.dcrst().set_bit().icrst().set_bit());
        acr.modify(|_, w| w.dcrst().clear_bit().icrst().clear_bit());
        acr.modify(|_, w| w.dcen().bit(data).icen().bit(instructions));
    }
}

impl ErrorType for HalFlash {
    type Error = Error;
}

impl ReadNorFlash for HalFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        // The HAL's `LockedFlash` does the same; it would take the registers away. `Sectors` has checked the bounds.
        let start = offset as usize;
        bytes.copy_from_slice(&FlashExt::read(&self.0)[start..start + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for HalFlash {
    const WRITE_SIZE: usize = UnlockedFlash::WRITE_SIZE;
    const ERASE_SIZE: usize = UnlockedFlash::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        let erased = self.operate(|flash| NorFlash::erase(flash, from, to));
        self.reset_caches();
        erased
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        self.operate(|flash| NorFlash::write(flash, offset, bytes))
    }
}
