//! Text on UART 0, at the speed the ROM has set: 115200 baud with a 40 MHz crystal, 74880 with one of 26 MHz.
//!
//! Not by `core::fmt`, whose tables would lie in RAM; the texts are in flash (see [`text`](mod@crate::text)).

use crate::rom;
use crate::text;
use crate::text::Text;

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

impl Say for Text {
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

impl Say for lockgate::Version {
    fn say(&self) {
        u32::from(self.major).say();
        send(b'.');
        u32::from(self.minor).say();
        send(b'.');
        u32::from(self.revision).say();
    }
}

impl Say for lockgate::Slot {
    fn say(&self) {
        match self {
            Self::A => send(b'A'),
            Self::B => send(b'B'),
        }
    }
}

impl Say for lockgate::BootReason {
    fn say(&self) {
        match self {
            Self::Confirmed => text!("confirmed").say(),
            Self::Trial { attempt, limit } => {
                text!("on trial, attempt ").say();
                u32::from(*attempt).say();
                text!(" of ").say();
                u32::from(*limit).say();
            }
            Self::Reverted(_) => text!("reverted").say(),
            _ => text!("unknown").say(),
        }
    }
}

/// Says its arguments, literals and values, one after the other, and ends the line.
#[macro_export]
macro_rules! say {
    (@parts) => { $crate::console::send(b'\n') };
    (@parts $text:literal $(, $($rest:tt)*)?) => {{
        $crate::console::Say::say(&$crate::text!($text));
        $crate::say!(@parts $($($rest)*)?);
    }};
    (@parts $value:expr $(, $($rest:tt)*)?) => {{
        $crate::console::Say::say(&$value);
        $crate::say!(@parts $($($rest)*)?);
    }};
    ($($parts:tt)+) => { $crate::say!(@parts $($parts)+) };
}
