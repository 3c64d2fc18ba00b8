//! What the emulated machine starts with: fills the flash from its file and enters the boot stage, as the chip's reset does.

#![no_std]
#![no_main]

use core::panic::PanicInfo;

use cortex_m_rt::entry;

#[entry]
fn main() -> ! {
    if machine::load().is_err() {
        machine::stop("flash.bin is missing or too short");
    }
    // SAFETY: the boot stage is at the flash's beginning, and this is all the ROM does.
    unsafe { machine::start(machine::BASE) }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    machine::stop(info)
}
