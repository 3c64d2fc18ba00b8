//! Text on UART 0, at the speed the ROM has set: 115200 baud with a 40 MHz crystal, 74880 with one of 26 MHz.
//!
//! Not by `core::fmt`: its tables and texts would lie in RAM, since the chip cannot load bytes from flash.

use crate::rom;

/// Sends one byte; waits while the transmitter is full.
pub fn send(byte: u8) {
    // SAFETY: the ROM's function touches UART registers only.
    unsafe { rom::uart_tx_one_char(u32::from(byte)) };
}

/// A byte that was received, if there is one. The chip keeps 128.
#[must_use]
pub fn receive() -> Option<u8> {
    let mut byte = 0;
    // SAFETY: the ROM stores one byte, or none.
    (unsafe { rom::uart_rx_one_char(&raw mut byte) } == 0).then_some(byte)
}

/// Something that can be said.
pub trait Say {
    /// Says it.
    fn say(&self);
}

impl Say for str {
    fn say(&self) {
        self.bytes().for_each(send);
    }
}

impl Say for u32 {
    fn say(&self) {
        let (mut digits, mut rest) = ([0u8; 10], *self);
        let mut used = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
            used += 1;
            if rest == 0 {
                break;
            }
        }
        digits.iter().skip(digits.len() - used).for_each(|digit| send(*digit));
    }
}

impl<T: Say + ?Sized> Say for &T {
    fn say(&self) {
        (*self).say();
    }
}

impl Say for lockgate::Version {
    fn say(&self) {
        u32::from(self.major).say();
        ".".say();
        u32::from(self.minor).say();
        ".".say();
        u32::from(self.revision).say();
    }
}

impl Say for lockgate::Slot {
    fn say(&self) {
        match self {
            Self::A => "A".say(),
            Self::B => "B".say(),
        }
    }
}

impl Say for lockgate::BootReason {
    fn say(&self) {
        match self {
            Self::Confirmed => "confirmed".say(),
            Self::Trial { attempt, limit } => {
                "on trial, attempt ".say();
                u32::from(*attempt).say();
                " of ".say();
                u32::from(*limit).say();
            }
            Self::Reverted(_) => "reverted".say(),
            _ => "unknown".say(),
        }
    }
}

/// Says its arguments one after the other, and ends the line.
#[macro_export]
macro_rules! say {
    ($($what:expr),+ $(,)?) => {{
        use $crate::console::Say as _;
        $($what.say();)+
        "\n".say();
    }};
}
