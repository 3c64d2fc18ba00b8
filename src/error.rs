//! What can go wrong, and whether trying again can help.

use core::convert::Infallible;
use core::fmt;

use crate::refusal::Refusal;

/// What stops an update. `F` is the flash's error, `T` the transport's; both are passed on whole.
///
/// After any error `position()` says which byte of the package must come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error<F = Infallible, T = Infallible> {
    /// The package is refused.
    Refused(Refusal),
    /// The application's policy said: not now. Nothing was erased.
    Deferred,
    /// The package is not complete. What is authenticated is kept.
    Truncated {
        /// Where it ended. Go on from `position()`.
        position: u32,
    },
    /// A flash operation failed. If it was a write, its sector will be erased again.
    Flash(F),
    /// The flash does not hold what was written to it. Its sector will be erased again.
    Mismatch {
        /// Address of the chunk that differs.
        address: u32,
    },
    /// A write was begun and never reported finished (its future was dropped). Its sector will be erased
    /// again.
    Interrupted,
    /// The record log cannot be written: no place in any of its sectors holds what was programmed.
    Records,
    /// A newer update was started since this receipt was given.
    Superseded,
    /// No verified image waits in the slot.
    NothingStaged,
    /// No image is on trial.
    NotOnTrial,
    /// The transport failed.
    Transport(T),
    /// The caller's mistake; the text says which.
    Misuse(&'static str),
}

/// What a caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ErrorKind {
    /// Go on from `position()`, now or later: the same package can still succeed.
    Retry,
    /// This package, as it arrived, will not do on this device. Where the refusal comes before the signatures are through
    /// it may have been damaged on its way: fetch it anew, a limited number of times. Or what was asked for does not fit the
    /// records: the receipt is superseded, nothing is staged, nothing is on trial.
    Refused,
    /// The flash fails: a retry erases the sector again, and may meet the same fault. Where bytes that were written before
    /// cannot be read, `restart` has them written again.
    Flash,
    /// A mistake in the program.
    Bug,
}

impl<F, T> Error<F, T> {
    /// What a caller can do about it.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(Refusal::BlockHash { .. })
            | Self::Deferred
            | Self::Truncated { .. }
            | Self::Interrupted
            | Self::Transport(_) => ErrorKind::Retry,
            Self::Refused(Refusal::ImageDigest) => ErrorKind::Flash,
            Self::Refused(_) => ErrorKind::Refused,
            Self::Superseded | Self::NothingStaged | Self::NotOnTrial => ErrorKind::Refused,
            Self::Flash(_) | Self::Mismatch { .. } | Self::Records => ErrorKind::Flash,
            Self::Misuse(_) => ErrorKind::Bug,
        }
    }
}

/// What stops the machine, which knows neither flash nor transport.
pub(crate) type Stop = Error<Infallible, Infallible>;

impl<F, T> Error<F, T> {
    /// The same error, its flash and transport errors changed.
    pub fn map<G, U>(self, flash: impl FnOnce(F) -> G, transport: impl FnOnce(T) -> U) -> Error<G, U> {
        match self {
            Self::Refused(refusal) => Error::Refused(refusal),
            Self::Deferred => Error::Deferred,
            Self::Truncated { position } => Error::Truncated { position },
            Self::Flash(error) => Error::Flash(flash(error)),
            Self::Mismatch { address } => Error::Mismatch { address },
            Self::Interrupted => Error::Interrupted,
            Self::Records => Error::Records,
            Self::Superseded => Error::Superseded,
            Self::NothingStaged => Error::NothingStaged,
            Self::NotOnTrial => Error::NotOnTrial,
            Self::Transport(error) => Error::Transport(transport(error)),
            Self::Misuse(what) => Error::Misuse(what),
        }
    }
}

impl<F> Error<F> {
    /// The same error where a transport is read as well: `updater.write_all(bytes).map_err(Error::reading)?`.
    pub fn reading<T>(self) -> Error<F, T> {
        self.map(|flash| flash, |never| match never {})
    }
}

impl Stop {
    /// The same error among those of a driver.
    pub(crate) fn widen<F, T>(self) -> Error<F, T> {
        self.map(|never| match never {}, |never| match never {})
    }
}

impl<F, T> From<Refusal> for Error<F, T> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<F: fmt::Debug, T: fmt::Debug> fmt::Display for Error<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Deferred => f.write_str("the application's policy deferred it"),
            Self::Truncated { position } => write!(f, "the package ends at byte {position}, before it is complete"),
            Self::Flash(error) => write!(f, "flash: {error:?}"),
            Self::Mismatch { address } => write!(f, "flash at {address:#x} does not hold what was written"),
            Self::Interrupted => f.write_str("a write was interrupted: go on from position()"),
            Self::Records => f.write_str("the record log cannot be written: none of its sectors takes a record"),
            Self::Superseded => f.write_str("a newer update was started since this receipt was given"),
            Self::NothingStaged => f.write_str("no verified image waits in the slot"),
            Self::NotOnTrial => f.write_str("no image is on trial"),
            Self::Transport(error) => write!(f, "transport: {error:?}"),
            Self::Misuse(what) => f.write_str(what),
        }
    }
}

impl<F: fmt::Debug, T: fmt::Debug> core::error::Error for Error<F, T> {}

impl<F: fmt::Debug, T: fmt::Debug> embedded_io::Error for Error<F, T> {
    fn kind(&self) -> embedded_io::ErrorKind {
        match self {
            Self::Refused(_) => embedded_io::ErrorKind::InvalidData,
            Self::Misuse(_) => embedded_io::ErrorKind::InvalidInput,
            _ => embedded_io::ErrorKind::Other,
        }
    }
}
