//! The async application, over the emulated flash and UART.

#![no_std]
#![no_main]

use core::panic::PanicInfo;

use app::device::DEVICE;
use app::layout::LAYOUT;
use app::{Sectors, BLOCK};
use cortex_m::peripheral::SCB;
use cortex_m_rt::entry;
use lockgate::{Block, P256};
use machine::{Board, MachineFlash, Uart};

#[entry]
fn main() -> ! {
    // Too large for the stack. `entry` makes it `&'static mut`.
    static mut BLOCK_BUFFER: Block<BLOCK> = Block::new();

    let (Some(core), Ok(flash)) = (cortex_m::Peripherals::take(), MachineFlash::new()) else {
        machine::stop("flash.bin cannot be opened")
    };
    let mut flash = Sectors::new(flash, LAYOUT.geometry());
    let uart = Uart::new(core.SYST);
    embassy_futures::block_on(app::asynch::run(&DEVICE, &mut flash, uart, &mut Board, BLOCK_BUFFER, P256));
    SCB::sys_reset()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    machine::stop(info)
}
