//! LX106: the cycles it counts, and the simulator's calls. Rust has no assembly for it: `link/lx106.S` and the ESP8266
//! example have it. A tick of 40 MHz (QEMU's board) is 25 instructions.

/// As `before_main` of `link/lx106.S` has it.
pub(super) const PAINT: u32 = 0xCCCC_CCCC;

// QEMU: target/xtensa/xtensa-semi.c.
const EXIT: u32 = 1;
const WRITE: u32 = 4;
const STANDARD_OUTPUT: u32 = 1;

extern "C" {
    fn simcall(number: u32, a: u32, b: u32, c: u32) -> u32;
    fn cycle_count() -> u32;
    fn spin_loops(times: u32);
}

/// The counter runs already.
pub(super) fn start() {}

pub(super) fn ticks() -> u32 {
    // SAFETY: reads a counter.
    unsafe { cycle_count() }
}

/// It wraps after 107,374 M instructions, for which no run has the time.
#[allow(clippy::unnecessary_wraps)] // other counters are shorter
pub(super) fn since(before: u32) -> Option<u32> {
    Some(ticks().wrapping_sub(before))
}

/// Writes a line, but for the zero that ends it.
pub(super) fn say(line: &[u8; 16]) {
    // SAFETY: the emulator reads the bytes.
    unsafe { simcall(WRITE, STANDARD_OUTPUT, line.as_ptr() as u32, line.len() as u32 - 1) };
}

/// Ends the emulator.
pub fn exit(success: bool) -> ! {
    loop {
        // SAFETY: does not return.
        unsafe { simcall(EXIT, u32::from(!success), 0, 0) };
    }
}

/// A loop of two instructions, so many times.
pub fn spin(times: u32) {
    // SAFETY: counts a register down.
    unsafe { spin_loops(times) }
}
