//! The boot stage: as the chip's, over the emulated flash.

#![no_std]
#![no_main]

use core::panic::PanicInfo;

use app::device::DEVICE;
use app::layout::LAYOUT;
use app::Sectors;
use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use lockgate::boot::{Boot, Launch, NoImage, Platform};
use machine::MachineFlash;

#[entry]
fn main() -> ! {
    match MachineFlash::new() {
        Ok(flash) => Boot::new(&DEVICE, Sectors::new(flash, LAYOUT.geometry()), Board).run(),
        Err(error) => machine::stop(format_args!("{error:?}")),
    }
}

struct Board;

impl Platform for Board {
    /// The emulated board has none.
    fn arm_watchdog(&mut self) {}

    fn jump(&mut self, launch: &Launch) -> ! {
        hprintln!("boot: slot {}, {:?}", launch.slot, launch.reason);
        // SAFETY: `Boot` has hashed the image, and nothing of the boot stage is used any more.
        unsafe { machine::start(machine::BASE + launch.address) }
    }

    fn recover(&mut self, why: NoImage) -> ! {
        machine::stop(why)
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    machine::stop(info)
}
