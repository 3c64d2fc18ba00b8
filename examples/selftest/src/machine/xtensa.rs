//! The ESP8266's LX106. Rust has no assembly for it: `../../link/lx106.S` and the ESP8266 example's start-up code have it.

use core::fmt::{Arguments, Write};

// The simulator's calls (QEMU: target/xtensa/xtensa-semi.c).
const EXIT: u32 = 1;
const WRITE: u32 = 4;
const STANDARD_OUTPUT: u32 = 1;

/// The bits that the counter has.
pub const TICKS: u32 = u32::MAX;

extern "C" {
    static mut _stack_top: u32;
    fn simcall(number: u32, a: u32, b: u32, c: u32) -> u32;
    fn cycle_count() -> u32;
    fn spin_loops(times: u32);
}

/// What the start-up code calls.
#[no_mangle]
extern "C" fn main() -> ! {
    crate::main()
}

/// The counter runs already.
pub fn start() {}

/// The cycles that the core counts.
pub fn ticks() -> u32 {
    // SAFETY: reads a counter.
    unsafe { cycle_count() }
}

/// Two instructions, so many times.
pub fn spin(times: u32) {
    // SAFETY: counts a register down.
    unsafe { spin_loops(times) }
}

/// Where the stack begins.
pub fn stack_top() -> usize {
    core::ptr::addr_of_mut!(_stack_top) as usize
}

struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        // SAFETY: the emulator reads the text.
        unsafe { simcall(WRITE, STANDARD_OUTPUT, text.as_ptr() as u32, text.len() as u32) };
        Ok(())
    }
}

/// Writes to the emulator's output.
pub fn say(text: Arguments<'_>) {
    // The console takes everything.
    let _ = Console.write_fmt(text);
}

/// Ends the emulator.
pub fn exit(success: bool) -> ! {
    loop {
        // SAFETY: does not return.
        unsafe { simcall(EXIT, u32::from(!success), 0, 0) };
    }
}
