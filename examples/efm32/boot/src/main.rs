//! The boot stage, in the first 32 KiB: counts attempts, exchanges the slots, starts the image in slot A.

#![no_std]
#![no_main]

use core::panic::PanicInfo;

use board::{device::DEVICE, watchdog, Chip, Flash};
use cortex_m::peripheral::SCB;
use cortex_m_rt::entry;
use lockgate::boot::{Boot, Launch, NoImage, Platform};

#[entry]
fn main() -> ! {
    // SAFETY: the only one in this program.
    let flash = Flash::new(unsafe { Chip::new() });
    Boot::new(&DEVICE, flash, Board).run()
}

struct Board;

impl Platform for Board {
    fn arm_watchdog(&mut self) {
        watchdog::arm();
    }

    fn feed_watchdog(&mut self) {
        watchdog::feed();
    }

    fn jump(&mut self, launch: &Launch) -> ! {
        // SAFETY: `Boot` has hashed the image; its first words are its vector table, on a multiple of 2048. Flash is mapped at 0.
        // Nothing of the boot stage is used any more, and it enabled no interrupt.
        unsafe {
            (*SCB::PTR).vtor.write(launch.address);
            cortex_m::asm::bootload(launch.address as *const u32)
        }
    }

    fn recover(&mut self, _: NoImage) -> ! {
        // No slot holds an image that verifies: wait for a programmer.
        loop {
            watchdog::feed();
        }
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    SCB::sys_reset()
}
