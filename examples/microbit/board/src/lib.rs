//! What an update needs of an nRF51822: flash by its controller, UART, watchdog, time.
//!
//! The boot stage and the application share it, and with it what the device is ([`DEVICE`]). Everything is polled, so that it
//! works with and without interrupts.

#![no_std]

pub mod clock;
pub mod console;
mod device;
pub mod flash;
mod register;
pub mod reset;
pub mod uart;
pub mod watchdog;

pub use device::{DEVICE, RAM, SLOT_A};
pub use flash::Flash;
