//! Time since the start, by the CPU's cycle counter. No wall clock: the chip has none.

use crate::rom;

/// Cycles of a millisecond at 80 MHz. A module with a 26 MHz crystal runs at 52 MHz until its PLL is set up for it, as the vendor's SDK
/// does, and the emulated machine counts 40 million a second: timeouts are that much longer then.
const PER_MS: u32 = 80_000;

/// The CPU's cycle counter; it wraps every 53 s at 80 MHz.
#[must_use]
pub fn cycles() -> u32 {
    // SAFETY: reads a special register.
    unsafe { rom::cycle_count() }
}

/// Milliseconds, counted each time it is asked: at least once in 53 s.
#[derive(Debug)]
pub struct Clock {
    last: u32,
    rest: u32,
    ms: u64,
}

impl Clock {
    /// A clock that begins at 0.
    #[must_use]
    pub fn new() -> Self {
        Self { last: cycles(), rest: 0, ms: 0 }
    }

    /// Milliseconds since it was made.
    pub fn ms(&mut self) -> u64 {
        let now = cycles();
        self.rest = self.rest.saturating_add(now.wrapping_sub(self.last));
        self.last = now;
        self.ms = self.ms.saturating_add(u64::from(self.rest / PER_MS));
        self.rest %= PER_MS;
        self.ms
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
