//! Why the chip was reset, and how to reset it.
//!
//! RTC memory survives a reset and is not used: it holds anything after power-on, and nobody vouches for it.

use crate::{rom, watchdog};

/// Why the chip was reset (`rtc_get_reset_reason`, Non-OS SDK `rst_reason` without what the SDK adds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Power, or the chip's enable pin.
    PowerOn,
    /// The reset pin, or the end of deep sleep.
    External,
    /// [`reset`].
    Software,
    /// The hardware watchdog.
    Watchdog,
    /// Something else: the ROM's number.
    Other(u32),
}

/// Why the chip was reset.
#[must_use]
pub fn cause() -> Cause {
    // SAFETY: the ROM's function reads a register.
    match unsafe { rom::rtc_get_reset_reason() } {
        1 => Cause::PowerOn,
        2 => Cause::External,
        3 => Cause::Software,
        4 => Cause::Watchdog,
        other => Cause::Other(other),
    }
}

/// Resets the chip. Should the ROM's function return, the watchdog does it.
pub fn reset() -> ! {
    watchdog::arm();
    // SAFETY: nothing is to be kept.
    unsafe { rom::software_reset() };
    loop {
        core::hint::spin_loop();
    }
}
