//! What a new image proves before it is kept: here, that time goes on and interrupts reach it. A product tries what it is for: its sensor, its
//! radio, its server.

use core::sync::atomic::{AtomicBool, Ordering};

use board::clock::{self, Alarm};

/// Longer than the alarm, which is set to a millisecond.
const PATIENCE_US: u32 = 100_000;

static RUNG: AtomicBool = AtomicBool::new(false);

pub(crate) fn run() -> Result<(), &'static str> {
    Alarm::set(1000);
    let begun = clock::us();
    while !RUNG.load(Ordering::Relaxed) {
        if clock::us().wrapping_sub(begun) > PATIENCE_US {
            return Err("no interrupt came");
        }
    }
    Ok(())
}

/// Whether an interrupt was expected.
pub(crate) fn interrupt(number: i16) -> bool {
    let expected = number == Alarm::INTERRUPT;
    if expected {
        Alarm::clear();
        RUNG.store(true, Ordering::Relaxed);
    }
    expected
}
