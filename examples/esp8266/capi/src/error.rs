//! Errors as C has them: a number, and the two values that disagree.

use core::convert::Infallible;
use core::mem::size_of;

use lockgate::{Error, Fault, Malformed, Refusal};

use crate::flash::FlashError;
use crate::header::number;

/// `LOCKGATE_OK` or an error of `lockgate.h`.
pub(crate) type Code = u32;

pub(crate) const OK: Code = number("LOCKGATE_OK");
pub(crate) const ARGUMENT: Code = number("LOCKGATE_ARGUMENT");
pub(crate) const NOT_BEGUN: Code = number("LOCKGATE_NOT_BEGUN");
pub(crate) const KEYS: Code = number("LOCKGATE_KEYS");
pub(crate) const OTHER: Code = number("LOCKGATE_OTHER");

/// `lockgate_error_t`
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Report {
    pub(crate) code: Code,
    found: u32,
    expected: u32,
}

const _: () = assert!(size_of::<Report>() == number("LOCKGATE_ERROR_SIZE") as usize);

impl Report {
    /// A code alone.
    pub(crate) const fn of(code: Code) -> Self {
        Self::values(code, 0, 0)
    }

    const fn values(code: Code, found: u32, expected: u32) -> Self {
        Self { code, found, expected }
    }
}

/// The number of the header's name.
macro_rules! code {
    ($name:literal) => {
        const { number($name) }
    };
}

impl From<&Error<FlashError>> for Report {
    fn from(error: &Error<FlashError>) -> Self {
        match error {
            Error::Refused(refusal) => refused(refusal),
            Error::Truncated { position } => Self::values(code!("LOCKGATE_TRUNCATED"), *position, 0),
            Error::Interrupted => Self::of(code!("LOCKGATE_INTERRUPTED")),
            Error::Flash(FlashError::Chip(answer)) => Self::values(code!("LOCKGATE_FLASH"), *answer, 0),
            Error::Flash(FlashError::Request(_)) => Self::of(code!("LOCKGATE_FLASH")),
            Error::Mismatch { address } => Self::values(code!("LOCKGATE_MISMATCH"), *address, 0),
            Error::Records => Self::of(code!("LOCKGATE_RECORDS")),
            Error::Superseded => Self::of(code!("LOCKGATE_SUPERSEDED")),
            Error::NothingStaged => Self::of(code!("LOCKGATE_NOTHING_STAGED")),
            Error::NotOnTrial => Self::of(code!("LOCKGATE_NOT_ON_TRIAL")),
            Error::Misuse(_) => Self::of(code!("LOCKGATE_MISUSE")),
            _ => Self::of(OTHER),
        }
    }
}

fn refused(refusal: &Refusal) -> Report {
    let (of, values) = (Report::of, Report::values);
    match refusal {
        Refusal::NotAPackage => of(code!("LOCKGATE_NOT_A_PACKAGE")),
        Refusal::FormatVersion { found } => values(code!("LOCKGATE_FORMAT_VERSION"), u32::from(*found), 1),
        Refusal::ObjectType { found } => values(code!("LOCKGATE_OBJECT_TYPE"), u32::from(*found), 0),
        Refusal::TooManyKeySets => of(code!("LOCKGATE_TOO_MANY_KEY_SETS")),
        Refusal::Malformed(malformed) => values(code!("LOCKGATE_MALFORMED"), element(malformed), 0),
        Refusal::UnknownElement { number } => values(code!("LOCKGATE_UNKNOWN_ELEMENT"), u32::from(*number), 0),
        Refusal::BadSignature { .. } => of(code!("LOCKGATE_BAD_SIGNATURE")),
        Refusal::TooFewSignatures { valid, needed } => {
            values(code!("LOCKGATE_TOO_FEW_SIGNATURES"), u32::from(*valid), u32::from(*needed))
        }
        Refusal::HeadTooLarge { needed, have } => {
            values(code!("LOCKGATE_HEAD_TOO_LARGE"), *needed as u32, *have as u32)
        }
        Refusal::TrailerTooLarge { needed } => values(code!("LOCKGATE_TRAILER_TOO_LARGE"), *needed as u32, 1024),
        Refusal::WrongVendor { .. } => of(code!("LOCKGATE_WRONG_VENDOR")),
        Refusal::WrongClass { .. } => of(code!("LOCKGATE_WRONG_CLASS")),
        Refusal::WrongComponent { package, device } => {
            values(code!("LOCKGATE_WRONG_COMPONENT"), u32::from(*package), u32::from(*device))
        }
        Refusal::SecurityCounter { package, device } => values(code!("LOCKGATE_SECURITY_COUNTER"), *package, *device),
        Refusal::Downgrade { .. } => of(code!("LOCKGATE_DOWNGRADE")),
        Refusal::AlreadyRunning => of(code!("LOCKGATE_ALREADY_RUNNING")),
        Refusal::Unconfirmed => of(code!("LOCKGATE_UNCONFIRMED")),
        Refusal::FailedBefore => of(code!("LOCKGATE_FAILED_BEFORE")),
        Refusal::ImageTooLarge { image, capacity } => values(code!("LOCKGATE_IMAGE_TOO_LARGE"), *image, *capacity),
        Refusal::BlockTooLarge { block, buffer } => values(code!("LOCKGATE_BLOCK_TOO_LARGE"), *block, *buffer as u32),
        Refusal::Encoding => of(code!("LOCKGATE_ENCODING")),
        Refusal::WindowTooLarge { window, workspace } => {
            values(code!("LOCKGATE_WINDOW_TOO_LARGE"), *window as u32, *workspace as u32)
        }
        Refusal::WrongBase { .. } => of(code!("LOCKGATE_WRONG_BASE")),
        Refusal::Payload(fault) => values(code!("LOCKGATE_PAYLOAD"), rule(fault), 0),
        Refusal::LoadAddress { package } => values(code!("LOCKGATE_LOAD_ADDRESS"), *package, 0),
        Refusal::NoLoadAddress => of(code!("LOCKGATE_LOAD_ADDRESS")),
        Refusal::BlockHash { index } => values(code!("LOCKGATE_BLOCK_HASH"), *index, 0),
        Refusal::Trailing => of(code!("LOCKGATE_TRAILING")),
        Refusal::ImageDigest => of(code!("LOCKGATE_IMAGE_DIGEST")),
        _ => of(OTHER),
    }
}

/// The element that is at fault, or 0.
fn element(malformed: &Malformed) -> u32 {
    match malformed {
        Malformed::Element { number } | Malformed::Missing { number } => u32::from(*number),
        _ => 0,
    }
}

/// The rule that a payload breaks, as the header numbers them; 0 is one that came later.
fn rule(fault: &Fault) -> u32 {
    match fault {
        Fault::Truncated => 1,
        Fault::Trailing => 2,
        Fault::Padding => 3,
        Fault::TooLong => 4,
        Fault::PatchType => 5,
        Fault::ImageSize => 6,
        Fault::Parameters => 7,
        Fault::DataFormat => 8,
        Fault::Number => 9,
        Fault::Negative => 10,
        Fault::Base => 11,
        Fault::Workspace => 12,
        _ => 0,
    }
}

/// An error that no flash had a part in, among those of a flash.
pub(crate) fn widen(error: Error) -> Error<FlashError> {
    error.map(|never: Infallible| match never {}, |never| never)
}
