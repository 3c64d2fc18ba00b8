//! Text on the UART. Not by `core::fmt`, which is large.

use crate::uart::send;

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

impl Say for &str {
    fn say(&self) {
        (**self).say();
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
        crate::say!(@parts u32::from(self.major), ".", u32::from(self.minor), ".", u32::from(self.revision));
    }
}

impl Say for lockgate::BootReason {
    fn say(&self) {
        match self {
            Self::Confirmed => "confirmed".say(),
            Self::Trial { attempt, limit } => {
                crate::say!(@parts "on trial, attempt ", u32::from(*attempt), " of ", u32::from(*limit));
            }
            Self::Reverted(_) => "reverted".say(),
            _ => "unknown".say(),
        }
    }
}

/// Says its arguments, one after the other, and ends the line.
#[macro_export]
macro_rules! say {
    (@parts $($part:expr),+) => {{ $($crate::console::Say::say(&$part);)+ }};
    ($($part:expr),+ $(,)?) => {{
        $crate::say!(@parts $($part),+, "\n")
    }};
}
