//! The serial line on which packages come (`docs/serial.md`), the same that the console is on.

use core::convert::Infallible;

use board::{clock, uart, watchdog};
use lockgate::serial::{Port, Receiver};

/// Bytes asked for at once. RAM is what is short here; `lockgate send` answers at once, so that small frames cost little time.
const FRAME: usize = 64;

/// A reader of packages.
pub(crate) type Line = Receiver<Uart, FRAME>;

/// The line. Asks until somebody answers.
pub(crate) fn open() -> Line {
    Receiver::new(Uart).wants(u16::MAX)
}

/// A moment for the sender to end.
pub(crate) fn pause() {
    let begun = clock::us();
    while clock::us().wrapping_sub(begun) < 1_000_000 {
        watchdog::feed();
    }
}

/// The UART, polled.
#[derive(Debug)]
pub(crate) struct Uart;

impl Port for Uart {
    type Error = Infallible;

    fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, Infallible> {
        let (begun, patience) = (clock::us(), timeout_ms.saturating_mul(1000));
        loop {
            watchdog::feed();
            let byte = uart::receive();
            if byte.is_some() || clock::us().wrapping_sub(begun) >= patience {
                return Ok(byte);
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        bytes.iter().for_each(|byte| uart::send(*byte));
        Ok(())
    }
}
