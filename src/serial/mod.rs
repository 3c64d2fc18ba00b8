//! Packages over a serial line (UART), to a chip that hears nothing while it erases flash.
//!
//! The device asks, the host answers: [`Receiver`] sends a `want` for some bytes of the package, and `lockgate send` on the
//! other end answers with a `data` that holds them. So nothing comes unasked, a byte that is lost or damaged costs one
//! frame, and an install goes on at its checkpoint by asking for other bytes. The bytes are on `docs/serial.md`. The line
//! may carry text for people as well.
//!
//! It guards against noise, and against nobody else: whose package it is, the [`Updater`](crate::Updater) finds out, as on
//! any transport.
//!
//! ```
//! use core::convert::Infallible;
//! use lockgate::serial::{Outcome, Port, Receiver};
//! # use embedded_storage::nor_flash::NorFlash;
//! # mod rom {
//! #     pub fn uart_rx_one_char() -> Option<u8> { None }
//! #     pub fn uart_tx_one_char(_: u8) {}
//! #     pub fn delay_us(_: u32) {}
//! # }
//!
//! /// A UART that can only be polled, with a FIFO that holds what comes in a millisecond.
//! struct Uart;
//!
//! impl Port for Uart {
//!     type Error = Infallible;
//!
//!     fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, Infallible> {
//!         for _ in 0..timeout_ms {
//!             if let Some(byte) = rom::uart_rx_one_char() {
//!                 return Ok(Some(byte));
//!             }
//!             rom::delay_us(1000);
//!         }
//!         Ok(rom::uart_rx_one_char())
//!     }
//!
//!     fn send(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
//!         bytes.iter().for_each(|&byte| rom::uart_tx_one_char(byte));
//!         Ok(())
//!     }
//! }
//!
//! # fn update<F: NorFlash>(device: &lockgate::Device<'_>, mut flash: F, block: &mut lockgate::Block<1024>) -> Option<()> {
//! let mut receiver = Receiver::<_, 256>::new(Uart);
//! let mut updater = lockgate::Updater::new(device, &mut flash, block);
//! let verified = match updater.install_seekable(&mut receiver, |_| ()) {
//!     Ok(verified) => verified,
//!     Err(error) => {
//!         _ = receiver.finish(Outcome::from(&error), &error);
//!         return None;
//!     }
//! };
//! let version = verified.version();
//! lockgate::Control::new(device, &mut flash).try_next(verified).ok()?;
//! _ = receiver.finish(Outcome::Verified, format_args!("version {version} is tried at the next reset"));
//! # Some(())
//! # }
//! ```

mod cobs;
mod frame;
mod inbox;
mod receiver;

use core::fmt;

pub use cobs::{Decoded, Decoder};
pub use frame::{Frame, NotAFrame, Outcome, Wire, MAX_DATA, MAX_FROM_DEVICE, MAX_TEXT};
pub use receiver::Receiver;

use crate::refusal::Refusal;

/// A serial line as a [`Receiver`] needs it.
///
/// Not `embedded_io::Read`: that has no timeout, and with its `ReadReady` a clock would be needed as well. A UART that can
/// only be polled, and a delay, make one of these in ten lines (see the [module](self)).
pub trait Port {
    /// What ends the use of the line. Noise does not: a byte with a framing or parity error may be given as it is or left
    /// out, and after an overrun the next one is given.
    type Error: fmt::Debug;

    /// The next byte, or `None` if none came within about so many milliseconds. With 0 it does not wait.
    ///
    /// Called for one byte after the other while an answer arrives, so that between two calls the UART need hold no more
    /// than comes while a byte is decoded (some hundred cycles).
    ///
    /// # Errors
    ///
    /// The line is of no use any more.
    fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, Self::Error>;

    /// Sends all of them. The host may answer as soon as the last one is out: until [`receive`](Self::receive) is called,
    /// the UART holds what comes.
    ///
    /// # Errors
    ///
    /// The line is of no use any more.
    fn send(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

impl<P: Port + ?Sized> Port for &mut P {
    type Error = P::Error;

    fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, Self::Error> {
        (**self).receive(timeout_ms)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        (**self).send(bytes)
    }
}

/// Why a [`Receiver`] gives no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error<E> {
    /// The port failed.
    Port(E),
    /// Nobody answered, as often as it was asked. A later read asks again.
    NoAnswer {
        /// For which byte of the package.
        offset: u32,
    },
    /// No such place in a package.
    Seek,
}

impl<E: fmt::Debug> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(error) => write!(f, "serial port: {error:?}"),
            Self::NoAnswer { offset } => write!(f, "nobody answered when asked for byte {offset} of the package"),
            Self::Seek => f.write_str("no such place in a package"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for Error<E> {}

impl<E: fmt::Debug> embedded_io::Error for Error<E> {
    fn kind(&self) -> embedded_io::ErrorKind {
        match self {
            Self::Port(_) => embedded_io::ErrorKind::Other,
            Self::NoAnswer { .. } => embedded_io::ErrorKind::TimedOut,
            Self::Seek => embedded_io::ErrorKind::InvalidInput,
        }
    }
}

/// What to tell the host of an install that failed.
impl<F, T> From<&crate::Error<F, T>> for Outcome {
    fn from(error: &crate::Error<F, T>) -> Self {
        match error {
            crate::Error::Refused(Refusal::ImageDigest) => Self::Failed,
            crate::Error::Refused(_) => Self::Refused,
            _ => Self::Failed,
        }
    }
}
