//! What the measured programs share: the rig that counts, the flash in RAM, and the update itself.
//!
//! Each program in `src/bin` does one thing, so that its size without that of the program `empty` is the size of that
//! thing.

#![no_std]

pub mod flash;
pub mod inputs;
pub mod rig;
pub mod update;
