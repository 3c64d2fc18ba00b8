//! MIPS32 release 2, little-endian, in kernel mode: the instruction set of the PIC32.

use core::arch::{asm, global_asm};

global_asm!(
    ".section .start, \"ax\"",
    ".global _start",
    ".set noreorder",
    "_start:",
    "lui $sp, %hi(_stack_start)",
    "addiu $sp, $sp, %lo(_stack_start)",
    // An o32 caller leaves room for four arguments.
    "addiu $sp, $sp, -16",
    "j main",
    "nop",
    ".set reorder",
);

/// The bits that the counter has.
pub const TICKS: u32 = u32::MAX;

extern "C" {
    static mut _stack_start: u32;
}

/// The counter runs already.
pub fn start() {}

/// The coprocessor's counter (MIPS32 privileged resource architecture, Count: CP0 register 9).
pub fn ticks() -> u32 {
    let value;
    // SAFETY: reads a counter.
    unsafe { asm!("mfc0 $8, $9", out("$8") value) }
    value
}

/// Two instructions, so many times.
#[inline(never)]
pub fn spin(times: u32) {
    // SAFETY: counts a register down, in the branch's delay slot.
    unsafe {
        asm!(".set noreorder", "addiu $8, $8, -1", "2:", "bnez $8, 2b", "addiu $8, $8, -1", ".set reorder", inout("$8") times => _);
    }
}

/// Where the stack begins.
pub fn stack_top() -> usize {
    core::ptr::addr_of_mut!(_stack_start) as usize
}
