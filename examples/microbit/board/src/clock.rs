//! Time since the start, by TIMER0: nRF51 Series Reference Manual 3.0, "Timer/Counter". (The nRF51's core has no `SysTick`.)

use crate::register::Register;

const TIMER0: u32 = 0x4000_8000;
const START: Register = Register::new(TIMER0, 0x000);
const CAPTURE0: Register = Register::new(TIMER0, 0x040);
const MODE: Register = Register::new(TIMER0, 0x504);
const BITMODE: Register = Register::new(TIMER0, 0x508);
const PRESCALER: Register = Register::new(TIMER0, 0x510);
const CC0: Register = Register::new(TIMER0, 0x540);

/// 32 bits; 16 MHz divided by 2^4.
const BITS_32: u32 = 3;
const MICROSECONDS: u32 = 4;

/// Starts it.
pub fn start() {
    MODE.write(0);
    BITMODE.write(BITS_32);
    PRESCALER.write(MICROSECONDS);
    START.write(1);
}

/// Microseconds; they wrap after 71 minutes.
#[must_use]
pub fn us() -> u32 {
    CAPTURE0.write(1);
    CC0.read()
}

/// An interrupt after a time, by TIMER1, which has 16 bits.
#[derive(Debug)]
pub struct Alarm;

const TIMER1: u32 = 0x4000_9000;
const ALARM_START: Register = Register::new(TIMER1, 0x000);
const ALARM_STOP: Register = Register::new(TIMER1, 0x004);
const ALARM_CLEAR: Register = Register::new(TIMER1, 0x00C);
const ALARM_COMPARE0: Register = Register::new(TIMER1, 0x140);
const ALARM_INTENSET: Register = Register::new(TIMER1, 0x304);
const ALARM_PRESCALER: Register = Register::new(TIMER1, 0x510);
const ALARM_CC0: Register = Register::new(TIMER1, 0x540);

/// Interrupt Set-Enable Register (Armv6-M Architecture Reference Manual, B3.4.3).
const ISER: Register = Register::core(0x100);

impl Alarm {
    /// Its number.
    pub const INTERRUPT: i16 = 9;

    /// The interrupt comes in so many microseconds.
    pub fn set(us: u16) {
        ALARM_PRESCALER.write(MICROSECONDS);
        ALARM_CLEAR.write(1);
        ALARM_CC0.write(u32::from(us));
        ALARM_COMPARE0.write(0);
        ALARM_INTENSET.write(1 << 16);
        ISER.write(1 << Self::INTERRUPT);
        ALARM_START.write(1);
    }

    /// It has come, and comes no more.
    pub fn clear() {
        ALARM_STOP.write(1);
        ALARM_COMPARE0.write(0);
    }
}
