//! Reasons in a few words. The library's own texts name the values that disagree, and bring `core::fmt` with them.

use lockgate::serial;
use lockgate::{Error, Refusal};

/// Why there is no update.
pub(crate) fn failure<F, E>(error: &Error<F, serial::Error<E>>) -> &'static str {
    match error {
        Error::Transport(_) => "nobody answers on the serial line",
        error => update(error),
    }
}

/// Why there is no update, the transport aside.
pub(crate) fn update<F, T>(error: &Error<F, T>) -> &'static str {
    match error {
        Error::Refused(refusal) => refused(refusal),
        Error::Truncated { .. } => "package ends early",
        Error::Flash(_) => "flash failed",
        Error::Mismatch { .. } => "flash does not hold what was written",
        Error::Records => "records cannot be written",
        Error::Superseded => "another update was started",
        Error::NotOnTrial => "not on trial",
        _ => "other",
    }
}

fn refused(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::AlreadyRunning => "up to date",
        Refusal::NotAPackage => "not a package",
        Refusal::BadSignature { .. } | Refusal::TooFewSignatures { .. } => "not signed by a trusted key",
        Refusal::WrongVendor { .. } => "for another vendor",
        Refusal::WrongClass { .. } => "for another class",
        Refusal::SecurityCounter { .. } => "security counter too low",
        Refusal::Downgrade { .. } => "older version",
        Refusal::FailedBefore => "failed on this device before",
        Refusal::Unconfirmed => "still on trial",
        Refusal::ImageTooLarge { .. } => "image too large",
        Refusal::BlockTooLarge { .. } => "blocks too large",
        Refusal::WindowTooLarge { .. } => "compressed for more memory",
        Refusal::WrongBase { .. } => "delta of another image than the one that runs",
        Refusal::Payload(_) => "cannot be decoded",
        Refusal::BlockHash { .. } => "block is not the one that was signed",
        Refusal::ImageDigest => "image is not the one that was signed",
        _ => "malformed, or not for this device",
    }
}
