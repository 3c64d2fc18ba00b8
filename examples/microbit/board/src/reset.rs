//! Resetting the chip.

use crate::register::Register;

/// Application Interrupt and Reset Control Register (Armv6-M Architecture Reference Manual, B3.2.6).
const AIRCR: Register = Register::core(0xD0C);
const SYSRESETREQ: u32 = 0x05FA_0004;

/// Resets the chip. RAM is kept, and a watchdog that runs goes on.
pub fn reset() -> ! {
    AIRCR.write(SYSRESETREQ);
    loop {
        core::hint::spin_loop();
    }
}
