//! Counts: instructions by `SysTick`, stack by painting. Reports over semihosting, without `core::fmt`, which would hide in
//! the size of the empty program what a workload needs of it.

use core::hint::black_box;
use core::panic::PanicInfo;
use core::ptr::addr_of;

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::SYST;
use cortex_m_rt::STACK_PAINT_VALUE;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use cortex_m_semihosting::syscall1;

/// `SysTick` has 24 bits.
const RELOAD: u32 = 0x00FF_FFFF;

/// Runs `work`, says what it cost, and ends the emulator: with success if `work` says so.
///
/// Under QEMU's `-icount shift=0` an instruction takes 1 ns, so a tick of 25 MHz (AN386, clocks) is 40 instructions.
pub fn measure(work: impl FnOnce() -> bool) -> ! {
    let Some(core) = cortex_m::Peripherals::take() else { exit(false) };
    let mut timer = core.SYST;
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(RELOAD);
    timer.clear_current();
    timer.enable_counter();

    black_box(());
    let before = SYST::get_current();
    let succeeded = black_box(work());
    let after = SYST::get_current();

    // It counts down; a wrap would be 671 M instructions.
    let wrapped = timer.has_wrapped();
    report(*b"ticks=00000000\n\0", before.wrapping_sub(after) & RELOAD);
    report(*b"stack=00000000\n\0", peak_stack());
    exit(succeeded && !wrapped)
}

/// Writes `line` with `value`, hexadecimal, in place of its zeros.
fn report(mut line: [u8; 16], value: u32) {
    let mut rest = value;
    for digit in line.iter_mut().skip(6).take(8).rev() {
        let nibble = (rest & 15) as u8;
        *digit = nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
        rest >>= 4;
    }
    // SAFETY: SYS_WRITE0 reads the bytes at this address up to a zero, which the line ends with.
    unsafe { syscall1!(WRITE0, line.as_ptr()) };
}

extern "C" {
    // From the linker script of `cortex-m-rt`: the stack grows down from the first towards the second.
    static _stack_start: u32;
    static _stack_end: u32;
}

/// Bytes of stack used so far, at the deepest. `cortex-m-rt` painted it before `main`.
fn peak_stack() -> u32 {
    let top = addr_of!(_stack_start);
    let mut word = addr_of!(_stack_end);
    // SAFETY: both symbols are word-aligned addresses of RAM, and all words between them are the stack's.
    while word < top && unsafe { word.read_volatile() } == STACK_PAINT_VALUE {
        word = word.wrapping_add(1);
    }
    (top as u32).wrapping_sub(word as u32)
}

fn exit(success: bool) -> ! {
    loop {
        debug::exit(if success { EXIT_SUCCESS } else { EXIT_FAILURE });
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(false)
}
