//! The watchdog: nRF51 Series Reference Manual 3.0, "Watchdog Timer".
//!
//! Once started it runs until the chip is reset, in sleep too; the boot stage starts it, the application feeds it. QEMU's
//! machine has none: what is written to it is lost.

use crate::register::Register;

const WDT: u32 = 0x4001_0000;
const START: Register = Register::new(WDT, 0x000);
const RUNSTATUS: Register = Register::new(WDT, 0x400);
const CRV: Register = Register::new(WDT, 0x504);
const RREN: Register = Register::new(WDT, 0x508);
const CONFIG: Register = Register::new(WDT, 0x50C);
const RR0: Register = Register::new(WDT, 0x600);

/// Longer than any signature check, which cannot feed it.
const SECONDS: u32 = 16;
/// Runs while the core sleeps, stands while a debugger has halted it.
const RUN_IN_SLEEP: u32 = 1;
const RELOAD: u32 = 0x6E52_4635;

/// Starts it; if it runs already, feeds it.
pub fn arm() {
    if RUNSTATUS.read() == 0 {
        CONFIG.write(RUN_IN_SLEEP);
        CRV.write(SECONDS * 32_768 - 1);
        RREN.write(1);
        START.write(1);
    }
    feed();
}

/// Feeds it.
pub fn feed() {
    RR0.write(RELOAD);
}
