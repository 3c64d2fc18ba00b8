//! What an update needs of an ESP8266: flash and UART by the functions of the mask ROM, watchdog, random numbers, time.
//!
//! The boot stage and the application share it, and with it what the device is ([`DEVICE`]). No interrupt is used.

#![no_std]

pub mod clock;
pub mod console;
mod device;
pub mod flash;
pub mod random;
pub mod reset;
mod rom;
pub mod text;
pub mod watchdog;

pub use device::{window, DEVICE, IMAGE_CAPACITY};
pub use flash::Flash;
pub use text::Text;
