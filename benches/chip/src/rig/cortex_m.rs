//! Cortex-M: `SysTick`, and semihosting. A tick of 25 MHz (AN386, clocks) is 40 instructions.

use core::arch::asm;

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::SYST;
pub(super) use cortex_m_rt::STACK_PAINT_VALUE as PAINT;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use cortex_m_semihosting::syscall1;

/// It has 24 bits.
const RELOAD: u32 = 0x00FF_FFFF;

pub(super) fn start() {
    let Some(core) = cortex_m::Peripherals::take() else { exit(false) };
    let mut timer = core.SYST;
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(RELOAD);
    timer.clear_current();
    timer.enable_counter();
}

pub(super) fn ticks() -> u32 {
    SYST::get_current()
}

/// None if it wrapped, after 671 M instructions. It counts down.
pub(super) fn since(before: u32) -> Option<u32> {
    let after = ticks();
    // SAFETY: a read without any effect but that the flag is cleared.
    let wrapped = unsafe { (*SYST::PTR).csr.read() } & 1 << 16 != 0;
    (!wrapped).then_some(before.wrapping_sub(after) & RELOAD)
}

/// Writes a line that ends with a zero.
pub(super) fn say(line: &[u8; 16]) {
    // SAFETY: SYS_WRITE0 reads the bytes at this address up to a zero.
    unsafe { syscall1!(WRITE0, line.as_ptr()) };
}

/// Ends the emulator.
pub fn exit(success: bool) -> ! {
    loop {
        debug::exit(if success { EXIT_SUCCESS } else { EXIT_FAILURE });
    }
}

/// A loop of two instructions, so many times.
pub fn spin(times: u32) {
    // SAFETY: counts a register down; touches no memory and no stack.
    unsafe {
        asm!("2: subs {count}, {count}, #1", "bne 2b", count = inout(reg) times => _, options(nomem, nostack));
    }
}
