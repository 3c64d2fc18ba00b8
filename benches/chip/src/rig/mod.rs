//! Counts: instructions by a timer of the core, stack by painting. Reports without `core::fmt`, which would hide in the size
//! of the empty program what a workload needs of it.

use core::hint::black_box;
use core::panic::PanicInfo;
use core::ptr::addr_of;

#[cfg(target_arch = "arm")]
#[path = "cortex_m.rs"]
mod cpu;
#[cfg(target_arch = "xtensa")]
#[path = "lx106.rs"]
mod cpu;

pub use cpu::{exit, spin};

/// Runs `work`, says what it cost, and whether all went well.
///
/// Under QEMU's `-icount shift=0` an instruction takes 1 ns, so that a timer counts them.
pub fn measure(work: impl FnOnce() -> bool) -> bool {
    cpu::start();
    black_box(());
    let before = cpu::ticks();
    let succeeded = black_box(work());
    let ticks = cpu::since(before);
    report(*b"ticks=00000000\n\0", ticks.unwrap_or(0));
    report(*b"stack=00000000\n\0", peak_stack());
    succeeded && ticks.is_some()
}

/// Writes `line` with `value`, hexadecimal, in place of its zeros.
fn report(mut line: [u8; 16], value: u32) {
    let mut rest = value;
    for digit in line.iter_mut().skip(6).take(8).rev() {
        let nibble = (rest & 15) as u8;
        *digit = nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
        rest >>= 4;
    }
    cpu::say(&line);
}

extern "C" {
    // From the linker script: the stack grows down from the first towards the second.
    static _stack_start: u32;
    static _stack_end: u32;
}

/// Bytes of stack used so far, at the deepest. The start-up code painted it before `main`.
fn peak_stack() -> u32 {
    let top = addr_of!(_stack_start);
    let mut word = addr_of!(_stack_end);
    // SAFETY: both symbols are word-aligned addresses of RAM, and all words between them are the stack's.
    while word < top && unsafe { word.read_volatile() } == cpu::PAINT {
        word = word.wrapping_add(1);
    }
    (top as u32).wrapping_sub(word as u32)
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(false)
}
