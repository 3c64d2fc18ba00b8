//! What boot stage and applications find in QEMU's `mps2-an386` instead of an STM32F405: a flash with its sectors, a UART,
//! a clock, a console.

#![no_std]

mod flash;
mod uart;

use app::{Event, Station};
use cortex_m::peripheral::{syst::SystClkSource, SCB, SYST};
use cortex_m_semihosting::hprintln;

pub use flash::{load, FlashError, MachineFlash, BASE};
pub use uart::Uart;

/// Arm Application Note AN386, clocks: the core runs at 25 MHz.
pub const CLOCK: u32 = 25_000_000;

/// Where the number of the build is: `run.sh` writes others into copies of an image.
static BUILD: [u8; 8] = *b"build 01";

/// The number of the image that runs.
#[must_use]
pub fn build() -> [u8; 2] {
    // SAFETY: a static of this image; volatile, since the number in the file is not the compiler's.
    let [.., tens, ones] = unsafe { (&raw const BUILD).read_volatile() };
    [tens, ones]
}

/// Counts milliseconds by polling the core's timer, at least every half second.
pub struct Clock {
    last: u32,
    cycles: u32,
}

impl Clock {
    /// Starts the timer.
    #[must_use]
    pub fn new(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(0x00FF_FFFF);
        timer.clear_current();
        timer.enable_counter();
        Self { last: 0, cycles: 0 }
    }

    /// Whole milliseconds since the last call, or since the clock was made.
    pub fn passed(&mut self) -> u32 {
        let now = SYST::get_current();
        // It counts down, 24 bits.
        self.cycles += self.last.wrapping_sub(now) & 0x00FF_FFFF;
        self.last = now;
        let ms = self.cycles / (CLOCK / 1000);
        self.cycles %= CLOCK / 1000;
        ms
    }
}

/// The emulated board.
pub struct Board;

impl Station for Board {
    fn say(&mut self, event: &Event<'_>) {
        let [tens, ones] = build();
        hprintln!("app: build {}{}: {event}", char::from(tens), char::from(ones));
    }

    fn feed(&mut self) {}

    /// Build 66 finds out that it does not work, 77 never gets so far.
    fn works(&mut self) -> bool {
        match &build() {
            b"66" => false,
            b"77" => SCB::sys_reset(),
            _ => true,
        }
    }
}

/// Starts the image whose vector table is there.
///
/// # Safety
///
/// It must be an image, and nothing of this one may be in use.
pub unsafe fn start(table: u32) -> ! {
    // SAFETY: the caller's word.
    unsafe {
        (*SCB::PTR).vtor.write(table);
        cortex_m::asm::bootload(table as *const u32)
    }
}

/// Ends the emulator with a message.
pub fn stop(why: impl core::fmt::Display) -> ! {
    hprintln!("machine: {why}");
    loop {
        cortex_m_semihosting::debug::exit(cortex_m_semihosting::debug::EXIT_FAILURE);
    }
}
