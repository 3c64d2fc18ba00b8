//! The boot stage, in the first 32 KiB: counts attempts, exchanges the slots, starts the image in slot A.

#![no_std]
#![no_main]

use core::panic::PanicInfo;

use app::device::DEVICE;
use cortex_m::peripheral::SCB;
use cortex_m_rt::entry;
use lockgate::boot::{Boot, Launch, NoImage, Platform};
use stm32f4xx_hal::pac;
use stm32f4xx_hal::watchdog::IndependentWatchdog;

#[entry]
fn main() -> ! {
    // The clock stays the internal one of 16 MHz that the chip starts with: no wait states, caches off.
    let Some(chip) = pac::Peripherals::take() else { SCB::sys_reset() };
    let watchdog = IndependentWatchdog::new(chip.IWDG);
    Boot::new(&DEVICE, board::flash(chip.FLASH), Board(watchdog)).run()
}

struct Board(IndependentWatchdog);

impl Platform for Board {
    fn arm_watchdog(&mut self) {
        board::arm_watchdog(&mut self.0);
    }

    fn feed_watchdog(&mut self) {
        // Without effect while it does not run.
        self.0.feed();
    }

    fn jump(&mut self, launch: &Launch) -> ! {
        let table = 0x0800_0000 + launch.address;
        // SAFETY: `Boot` has hashed the image; its first words are its vector table, on a multiple of 512 (RM0090 lists 98 vectors).
        // Nothing of the boot stage is used any more, no interrupt was enabled.
        unsafe {
            (*SCB::PTR).vtor.write(table);
            cortex_m::asm::bootload(table as *const u32)
        }
    }

    fn recover(&mut self, _: NoImage) -> ! {
        // No slot holds an image that verifies: wait for a programmer.
        loop {
            self.0.feed();
        }
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    SCB::sys_reset()
}
