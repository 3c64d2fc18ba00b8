//! RISC-V rv32imc, in machine mode.

use core::arch::{asm, global_asm};

// A trap says so, and ends the program.
global_asm!(
    ".section .start, \"ax\"",
    ".global _start",
    "_start:",
    "la sp, _stack_start",
    "la t0, trap",
    "csrw mtvec, t0",
    "j main",
    ".align 2",
    "trap:",
    "j trap_taken",
);

/// The bits that the counter has.
pub const TICKS: u32 = u32::MAX;

extern "C" {
    static mut _stack_start: u32;
}

#[no_mangle]
extern "C" fn trap_taken() -> ! {
    panic!("trap")
}

/// The counter runs already.
pub fn start() {}

/// Instructions (RISC-V privileged specification, `mcycle`).
pub fn ticks() -> u32 {
    let value;
    // SAFETY: reads a counter.
    unsafe { asm!("csrr {0}, mcycle", out(reg) value) }
    value
}

/// Two instructions, so many times.
#[inline(never)]
pub fn spin(times: u32) {
    // SAFETY: counts a register down.
    unsafe { asm!("2:", "addi {0}, {0}, -1", "bnez {0}, 2b", inout(reg) times => _) }
}

/// Where the stack begins.
pub fn stack_top() -> usize {
    core::ptr::addr_of_mut!(_stack_start) as usize
}
