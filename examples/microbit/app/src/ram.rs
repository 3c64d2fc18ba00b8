//! How much RAM was used: statics, and the stack at its deepest. `cortex-m-rt` (feature `paint-stack`) fills the stack with a
//! pattern before `main`.

use board::{say, RAM};
use cortex_m_rt::STACK_PAINT_VALUE;

extern "C" {
    // From the linker script of `cortex-m-rt`: the stack grows down from the first towards the second.
    static _stack_start: u32;
    static _stack_end: u32;
}

/// Says it.
pub(crate) fn say() {
    let top = &raw const _stack_start;
    let mut word = &raw const _stack_end;
    let statics = word.addr() as u32 - RAM.start;
    // SAFETY: both symbols are word-aligned addresses of RAM, and all words between them are the stack's.
    while word < top && unsafe { word.read_volatile() } == STACK_PAINT_VALUE {
        word = word.wrapping_add(1);
    }
    let stack = (top.addr() - word.addr()) as u32;
    say!("app: RAM used: ", statics, " bytes of statics, ", stack, " of stack");
}
