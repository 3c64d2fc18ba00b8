//! What an update needs of an EFM32 Wonder Gecko (EFM32WG): flash, UART, watchdog, and who the device is.
//!
//! "Reference Manual" is Silicon Labs' *EFM32WG Reference Manual*. The chapters are named from it; addresses, bits and steps were
//! checked against the vendor's device headers (`efm32wg_msc.h`, `efm32wg_cmu.h`, `efm32wg_usart.h`, `efm32wg_wdog.h`, `efm32wg990f256.h`) and
//! against the steps that its `em_msc.c` takes.

#![no_std]

#[cfg(feature = "device")]
pub mod device;
pub mod layout;
mod msc;
mod registers;
mod uart;
pub mod watchdog;

pub use msc::{Flash, FlashError};
pub use registers::{Chip, Msc, Register};
pub use uart::Uart;

/// The chip's flash.
pub type ChipFlash = Flash<Chip>;
