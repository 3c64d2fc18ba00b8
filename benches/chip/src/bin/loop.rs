//! A loop of 2,000,000 instructions: 50,000 ticks, if the rig counts as it should.
#![no_std]
#![no_main]

use core::arch::asm;

use cortex_m_rt::entry;
use lockgate_chip_bench::rig::measure;

#[entry]
fn main() -> ! {
    measure(|| {
        // SAFETY: counts a register down; touches no memory and no stack.
        unsafe {
            asm!(
                "2: subs {count}, {count}, #1",
                "bne 2b",
                count = inout(reg) 1_000_000_u32 => _,
                options(nomem, nostack),
            );
        }
        true
    })
}
