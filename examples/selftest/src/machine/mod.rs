//! What an emulated machine brings: a console, a counter of time, which under `-icount` counts instructions, and a stack.

use core::ptr::addr_of_mut;

#[cfg(target_arch = "arm")]
#[path = "cortex_m.rs"]
mod cpu;
#[cfg(target_arch = "riscv32")]
#[path = "riscv.rs"]
mod cpu;
#[cfg(target_arch = "mips")]
#[path = "mips.rs"]
mod cpu;
#[cfg(target_arch = "xtensa")]
#[path = "xtensa.rs"]
mod cpu;
#[cfg(not(target_arch = "xtensa"))]
mod host;
#[cfg(target_arch = "xtensa")]
use cpu as host;

pub use cpu::{spin, start, ticks};
pub use host::{exit, say};

extern "C" {
    // From the linker scripts: the stack grows down towards it.
    static mut _stack_end: u32;
}

const PAINT: u32 = 0xCCCC_CCCC;
/// Bytes below the frame that paints, which it may use itself.
const OWN: usize = 256;

/// Ticks since the last call.
pub fn since(last: &mut u32) -> u32 {
    let now = ticks();
    let passed = now.wrapping_sub(*last) & cpu::TICKS;
    *last = now;
    passed
}

/// Fills the stack that is not in use.
#[inline(never)]
pub fn paint() {
    let here = 0u32;
    let top = (&raw const here as usize - OWN) & !3;
    let mut word = addr_of_mut!(_stack_end);
    while (word as usize) < top {
        // SAFETY: between the stack's end and its frames in use there is nothing.
        unsafe { word.write_volatile(PAINT) };
        word = word.wrapping_add(1);
    }
}

/// Bytes of the stack that were used below `main`'s caller, at the deepest.
#[inline(never)]
pub fn peak() -> usize {
    let here = 0u32;
    let mut word = addr_of_mut!(_stack_end);
    // SAFETY: all words up to this frame are the stack's.
    while (word as usize) < &raw const here as usize && unsafe { word.read_volatile() } == PAINT {
        word = word.wrapping_add(1);
    }
    cpu::stack_top() - word as usize
}
