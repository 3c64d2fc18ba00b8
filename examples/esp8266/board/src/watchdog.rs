//! The hardware watchdog: two stages, each 2^n times 0.8 ms, then a reset.
//!
//! Registers: control 0x60000900 (bit 0 is on), lengths of the stages 0x60000904 and 0x60000908, feed 0x60000914 with 0x73. Sources: the
//! ROM's own `ets_wdt_enable` (0x40002FA0) and `ets_wdt_disable` (0x400030F0), disassembled; ESP8266 Non-OS SDK, `WDT_FEED` in `include/eagle_soc.h`.

use crate::rom;

const CONTROL: u32 = 0x6000_0900;
const STAGE_0: u32 = 0x6000_0904;
const STAGE_1: u32 = 0x6000_0908;
const FEED: u32 = 0x6000_0914;

/// 2^13 * 0.8 ms is 6.6 s: longer than any signature check at 80 MHz.
const FIRST: u32 = 13;
/// And 2^11 * 0.8 ms, 1.6 s, until it bites.
const SECOND: u32 = 11;

/// Starts it, as it is told above. It cannot be asked whether it runs: starting it again is harmless.
pub fn arm() {
    rom::write(CONTROL, rom::read(CONTROL) & !1);
    rom::write(STAGE_0, FIRST);
    rom::write(STAGE_1, SECOND);
    // Bits 5 to 3: the reset it makes is long enough for the whole chip.
    rom::write(CONTROL, (rom::read(CONTROL) & !0x3E) | 0x38);
    rom::write(CONTROL, rom::read(CONTROL) | 1);
    feed();
}

/// Feeds it.
pub fn feed() {
    rom::write(FEED, 0x73);
}
