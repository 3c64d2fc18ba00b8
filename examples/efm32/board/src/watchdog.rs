//! The watchdog, WDOG: Reference Manual, chapter WDOG. Clocked by ULFRCO, about 1 kHz, which runs in all modes of the chip.

/// CMU, HFCORECLKEN0: bit 4 is the interface of the low energy peripherals, WDOG among them.
const HFCORECLKEN0: u32 = 0x400C_8040;
const LE: u32 = 1 << 4;
const CTRL: u32 = 0x4008_8000;
const CMD: u32 = 0x4008_8004;
const SYNCBUSY: u32 = 0x4008_8008;
/// CTRL: bit 0 EN; PERSEL (11 to 8) 12 is 2^15 + 1 cycles, 33 s at 1 kHz; CLKSEL (13 to 12) 0 is ULFRCO.
const ON: u32 = 1 << 0;
const PERIOD: u32 = 12 << 8;
/// CMD.
const CLEAR: u32 = 1 << 0;
/// SYNCBUSY: bit 0 CTRL and bit 1 CMD are on their way to the slow clock.
const CMD_BUSY: u32 = 1 << 1;

fn get(register: u32) -> u32 {
    // SAFETY: one of the registers above; reading one touches no memory.
    unsafe { (register as *const u32).read_volatile() }
}

fn set(register: u32, value: u32) {
    // SAFETY: one of the registers above; none makes the chip touch memory.
    unsafe { (register as *mut u32).write_volatile(value) }
}

/// Starts it, unless it runs. A signature takes about 1 s at 14 MHz, a page's erase 20 ms: half a minute is plenty.
pub fn arm() {
    set(HFCORECLKEN0, get(HFCORECLKEN0) | LE);
    if get(CTRL) & ON == 0 {
        set(CTRL, PERIOD | ON);
    }
}

/// Feeds it, if it runs; does not wait for the slow clock.
pub fn feed() {
    // Without its clock the registers must not be touched.
    if get(HFCORECLKEN0) & LE != 0 && get(CTRL) & ON != 0 && get(SYNCBUSY) & (CMD_BUSY | 1) == 0 {
        set(CMD, CLEAR);
    }
}
