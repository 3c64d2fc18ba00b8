//! What the examples for STM32F405 and F407 do, whatever HAL drives the chip: an application that does nothing but keep
//! itself up to date, blocking and async. The chips' binaries and the emulated ones run this very code.

#![no_std]
#![forbid(unsafe_code)]

pub mod asynch;
pub mod blocking;
#[cfg(feature = "device")]
pub mod device;
mod event;
pub mod layout;
mod sectors;

pub use event::{Event, Station};
pub use sectors::{Refused, Sectors};

/// Blocks of up to so many bytes: `lockgate pack --block-size`.
pub const BLOCK: usize = 1024;

/// Bytes that are asked for at once over the serial line.
pub const FRAME: usize = 256;
