//! Packages over UART 0, from `lockgate send` (`docs/serial.md`): the same line that the console is on.

use core::convert::Infallible;

use board::clock::Clock;
use board::{console, flash::FlashError, text, watchdog, Flash, Text};
use embedded_io::Seek;
use lockgate::serial::{self, Outcome, Port, Receiver};
use lockgate::Verified;

use crate::update::{Ended, Failure, Update};

/// Bytes asked for at once: answer and frame fit the chip's receive FIFO of 128, so that none is lost while the CPU does something else.
const FRAME: usize = 96;

/// What goes wrong on the line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LinkError(serial::Error<Infallible>);

impl LinkError {
    pub(crate) fn why(&self) -> Text {
        text!("nobody answers on the serial line")
    }

    /// Whether trying again can help.
    pub(crate) fn may_pass(&self) -> bool {
        false
    }
}

/// The serial line.
pub(crate) struct Link<'l> {
    receiver: &'l mut Receiver<Uart, FRAME>,
}

/// Runs the application with the line.
pub(crate) fn with(run: impl FnOnce(&mut Link<'_>)) {
    let mut receiver = Receiver::new(Uart(Clock::new())).wants(u16::MAX);
    run(&mut Link { receiver: &mut receiver });
}

impl Link<'_> {
    /// There is no server to reach, and nobody may be at the other end of the line: the self-test is that flash can be read. A product
    /// tests what it lives on.
    pub(crate) fn works(&mut self) -> Result<(), LinkError> {
        use embedded_storage::nor_flash::ReadNorFlash;
        let mut word = [0; 4];
        let read: Result<(), FlashError> = Flash::new().read(0, &mut word);
        read.map_err(|_| LinkError(serial::Error::Seek))
    }

    /// Asks for a package until somebody answers, and installs it.
    pub(crate) fn fetch(&mut self, updater: &mut Update<'_>) -> Result<Verified, Failure> {
        // `install_seekable` begins where the updater says.
        updater
            .install_seekable(&mut *self.receiver, |_| watchdog::feed())
            .map_err(|error| error.map(|flash| flash, LinkError))
    }

    /// Tells the sender how it ended.
    pub(crate) fn end(&mut self, ended: Ended, text: Text) {
        let outcome = match ended {
            Ended::Verified => Outcome::Verified,
            Ended::Refused => Outcome::Refused,
            Ended::Failed => Outcome::Failed,
        };
        _ = self.receiver.finish(outcome, text);
        _ = self.receiver.rewind();
    }

    /// Milliseconds since the start.
    pub(crate) fn now(&mut self) -> u64 {
        self.receiver.port().0.ms()
    }

    /// A moment for the sender to end: the next package may come at any time, so there is no interval here.
    pub(crate) fn pause(&mut self, ms: u64) {
        let begun = self.now();
        while self.now().saturating_sub(begun) < ms.min(1_000) {
            watchdog::feed();
        }
    }
}

/// UART 0, polled.
struct Uart(Clock);

impl Port for Uart {
    type Error = Infallible;

    fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, Infallible> {
        let begun = self.0.ms();
        loop {
            watchdog::feed();
            let byte = console::receive();
            if byte.is_some() || self.0.ms().saturating_sub(begun) >= u64::from(timeout_ms) {
                return Ok(byte);
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        bytes.iter().for_each(|byte| console::send(*byte));
        Ok(())
    }
}
