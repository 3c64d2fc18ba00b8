//! Reasons in a few words, which stay in flash. The library's own texts name the values that disagree, and would take 3 KiB of RAM.

use board::{text, Text};
use lockgate::{Error, Refusal};

use crate::update::Failure;

/// Why there is no update.
pub(crate) fn failure(error: &Failure) -> Text {
    match error {
        Error::Transport(error) => error.why(),
        error => update(error),
    }
}

/// Why there is no update, the transport aside.
pub(crate) fn update<F, T>(error: &Error<F, T>) -> Text {
    match error {
        Error::Refused(refusal) => refused(refusal),
        Error::Truncated { .. } => text!("package ends early"),
        Error::Flash(_) => text!("flash failed"),
        Error::Mismatch { .. } => text!("flash does not hold what was written"),
        Error::Records => text!("records cannot be written"),
        Error::Superseded => text!("another update was started"),
        Error::NotOnTrial => text!("not on trial"),
        _ => text!("other"),
    }
}

fn refused(refusal: &Refusal) -> Text {
    match refusal {
        Refusal::NotAPackage => text!("not a package"),
        Refusal::BadSignature { .. } | Refusal::TooFewSignatures { .. } => text!("not signed by a trusted key"),
        Refusal::KeySetVersion { .. } => text!("key sets in between are missing"),
        Refusal::KeyStore => text!("the keys it trusts are lost"),
        Refusal::WrongVendor { .. } => text!("for another vendor"),
        Refusal::WrongClass { .. } => text!("for another class"),
        Refusal::SecurityCounter { .. } => text!("security counter too low"),
        Refusal::Downgrade { .. } => text!("older version"),
        Refusal::FailedBefore => text!("failed on this device before"),
        Refusal::Unconfirmed => text!("still on trial"),
        Refusal::ImageTooLarge { .. } => text!("image too large"),
        Refusal::BlockTooLarge { .. } => text!("blocks too large"),
        Refusal::WindowTooLarge { .. } => text!("compressed for more memory"),
        Refusal::WrongBase { .. } => text!("delta of another image than the one that runs"),
        Refusal::Payload(_) => text!("cannot be decoded"),
        Refusal::BlockHash { .. } => text!("block is not the one that was signed"),
        Refusal::ImageDigest => text!("image is not the one that was signed"),
        _ => text!("malformed or unknown"),
    }
}
