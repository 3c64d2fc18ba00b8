//! What an update needs of an STM32F405 or F407, by stm32f4xx-hal: flash, UART, watchdog.

#![no_std]

mod flash;
mod uart;

pub use flash::{BoardFlash, HalFlash};
pub use uart::Uart;

use app::{layout::LAYOUT, Sectors};
use stm32f4xx_hal::pac;
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::watchdog::IndependentWatchdog;

/// The flash behind the layout's edges.
pub fn flash(registers: pac::FLASH) -> BoardFlash {
    Sectors::new(HalFlash::new(registers), LAYOUT.geometry())
}

/// Starts the watchdog, which nothing but a reset can stop. It is clocked by the LSI, 17 to 47 kHz instead of 32 (DS8626,
/// "Internal clock source characteristics"): 20 s are 13 s at the least. Erasing a sector of 128 KiB with 8-bit parallelism takes up to 4 s (flash memory programming).
pub fn arm_watchdog(watchdog: &mut IndependentWatchdog) {
    watchdog.start(20.secs());
}
