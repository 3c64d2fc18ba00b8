//! Cortex-M0, M3, M4, M33. `cortex-m-rt` starts it.

use core::arch::asm;

// Armv6-M, Armv7-M and Armv8-M architecture reference manuals, system timer.
const CONTROL: *mut u32 = 0xE000_E010 as *mut u32;
const RELOAD: *mut u32 = 0xE000_E014 as *mut u32;
const VALUE: *mut u32 = 0xE000_E018 as *mut u32;
/// Processor's clock, enabled, no interrupt.
const ON: u32 = 0b101;

/// The bits that the counter has.
pub const TICKS: u32 = 0x00FF_FFFF;

extern "C" {
    // From the linker script of `cortex-m-rt`.
    static mut _stack_start: u32;
}

/// Starts the counter.
pub fn start() {
    // SAFETY: the timer's registers; nobody else uses it.
    unsafe {
        RELOAD.write_volatile(TICKS);
        VALUE.write_volatile(0);
        CONTROL.write_volatile(ON);
    }
}

/// The counter; it counts down.
pub fn ticks() -> u32 {
    // SAFETY: as in `start`.
    TICKS - unsafe { VALUE.read_volatile() }
}

/// Two instructions, so many times.
#[inline(never)]
pub fn spin(times: u32) {
    // SAFETY: counts a register down.
    unsafe { asm!("2:", "subs {0}, #1", "bne 2b", inout(reg) times => _) }
}

/// Where the stack begins.
pub fn stack_top() -> usize {
    core::ptr::addr_of_mut!(_stack_start) as usize
}
