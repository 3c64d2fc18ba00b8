//! The application on stm32f4xx-hal: takes packages from `lockgate send` over USART2, messages by defmt over RTT.

#![no_std]
#![no_main]

use core::panic::PanicInfo;

use app::device::DEVICE;
use app::{Event, Station, BLOCK};
use board::Uart;
use cortex_m::peripheral::SCB;
use cortex_m_rt::entry;
use defmt_rtt as _;
use lockgate::{Block, P256};
use stm32f4xx_hal::pac;
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::rcc::Config;

#[entry]
fn main() -> ! {
    // Too large for the stack. `entry` makes it `&'static mut`.
    static mut BLOCK_BUFFER: Block<BLOCK> = Block::new();

    let (Some(chip), Some(core)) = (pac::Peripherals::take(), cortex_m::Peripherals::take()) else { SCB::sys_reset() };
    // The internal oscillator: no board needs a crystal for this.
    let mut rcc = chip.RCC.freeze(Config::hsi().sysclk(64.MHz()));
    let gpioa = chip.GPIOA.split(&mut rcc);
    let pins = (gpioa.pa2, gpioa.pa3);
    let Some(uart) = Uart::new(chip.USART2, pins, &mut rcc, core.DCB, core.DWT, chip.IWDG) else { SCB::sys_reset() };
    let mut flash = board::flash(chip.FLASH);
    app::blocking::run(&DEVICE, &mut flash, uart, &mut Board, BLOCK_BUFFER, P256);
    SCB::sys_reset()
}

struct Board;

impl Station for Board {
    fn say(&mut self, event: &Event<'_>) {
        defmt::info!("app: {}", defmt::Display2Format(event));
    }

    fn feed(&mut self) {
        // The line feeds it, which is waited for between any two blocks.
    }

    fn works(&mut self) -> bool {
        // A product asks its sensors and its server here.
        true
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    SCB::sys_reset()
}
