//! How deep the stack has been. `cortex-m-rt` (feature `paint-stack`) fills it with a pattern before `main`.

use core::ptr::addr_of;

use cortex_m_rt::STACK_PAINT_VALUE;

extern "C" {
    // From the linker script of `cortex-m-rt`: the stack grows down from the first towards the second.
    static _stack_start: u32;
    static _stack_end: u32;
}

/// Bytes of stack used so far, at the deepest.
pub fn peak() -> usize {
    let top = addr_of!(_stack_start);
    let mut word = addr_of!(_stack_end);
    // SAFETY: both symbols are word-aligned addresses of RAM, and all words between them are the stack's.
    while word < top && unsafe { word.read_volatile() } == STACK_PAINT_VALUE {
        word = word.wrapping_add(1);
    }
    top as usize - word as usize
}
