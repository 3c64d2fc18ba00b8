//! Promise: whatever goes wrong is said in one line of its own, and says what can be done about it.

use std::collections::HashSet;
use std::fmt::Display;

use embedded_io::Error as _;
use lockgate::boot::NoImage;
use lockgate::foreign;
use lockgate::serial::{self, Outcome};
use lockgate::{Error, ErrorKind, Fault, ImageId, KeyId, Malformed, Reason, Refusal, Slot, Uuid, Version};

const ID: KeyId = KeyId([7; 8]);
const ONE: Uuid = Uuid([1; 16]);
const OTHER: Uuid = Uuid([2; 16]);
const OLD: Version = Version::new(1, 0, 0, 0);
const NEW: Version = Version::new(1, 1, 0, 0);

const REFUSALS: [Refusal; 33] = [
    Refusal::NotAPackage,
    Refusal::FormatVersion { found: 2 },
    Refusal::ObjectType { found: 9 },
    Refusal::TooManyKeySets,
    Refusal::UnknownElement { number: 0x7001 },
    Refusal::KeySetVersion { package: 3, device: 1 },
    Refusal::KeyPoint,
    Refusal::KeyClash { key: ID },
    Refusal::KeySetTooLarge { needed: 1000 },
    Refusal::KeyStore,
    Refusal::BadSignature { key: ID },
    Refusal::TooFewSignatures { valid: 1, needed: 2 },
    Refusal::HeadTooLarge { needed: 900, have: 512 },
    Refusal::TrailerTooLarge { needed: 1100 },
    Refusal::WrongVendor { package: ONE, device: OTHER },
    Refusal::WrongClass { package: ONE, device: OTHER },
    Refusal::WrongComponent { package: 1, device: 0 },
    Refusal::SecurityCounter { package: 1, device: 2 },
    Refusal::Downgrade { package: OLD, running: NEW },
    Refusal::AlreadyRunning,
    Refusal::Unconfirmed,
    Refusal::FailedBefore,
    Refusal::ImageTooLarge { image: 70_000, capacity: 65_536 },
    Refusal::BlockTooLarge { block: 4096, buffer: 1024 },
    Refusal::Encoding,
    Refusal::WindowTooLarge { window: 2048, workspace: 256 },
    Refusal::WrongBase { package: ImageId([1; 16]), running: Some(ImageId([2; 16])) },
    Refusal::WrongBase { package: ImageId([1; 16]), running: None },
    Refusal::LoadAddress { package: 0x0800_0000 },
    Refusal::NoLoadAddress,
    Refusal::Policy,
    Refusal::BlockHash { index: 3 },
    Refusal::Trailing,
];

const MALFORMED: [Malformed; 11] = [
    Malformed::Truncated,
    Malformed::Reserved,
    Malformed::BodyLength,
    Malformed::SectionLength,
    Malformed::EntryLength,
    Malformed::EntryOrder,
    Malformed::TooManyEntries,
    Malformed::ElementLength,
    Malformed::ElementOrder,
    Malformed::Element { number: 6 },
    Malformed::Missing { number: 6 },
];

const FAULTS: [Fault; 12] = [
    Fault::Truncated,
    Fault::Trailing,
    Fault::Padding,
    Fault::TooLong,
    Fault::PatchType,
    Fault::ImageSize,
    Fault::Parameters,
    Fault::DataFormat,
    Fault::Number,
    Fault::Negative,
    Fault::Base,
    Fault::Workspace,
];

type Any = Error<&'static str, &'static str>;

/// The others, and what can be done about each.
const OTHERS: [(Any, ErrorKind); 12] = [
    (Error::Refused(Refusal::ImageDigest), ErrorKind::Flash),
    (Error::Deferred, ErrorKind::Retry),
    (Error::Truncated { position: 77 }, ErrorKind::Retry),
    (Error::Flash("bus"), ErrorKind::Flash),
    (Error::Mismatch { address: 0x1000 }, ErrorKind::Flash),
    (Error::Interrupted, ErrorKind::Retry),
    (Error::Records, ErrorKind::Flash),
    (Error::Superseded, ErrorKind::Refused),
    (Error::NothingStaged, ErrorKind::Refused),
    (Error::NotOnTrial, ErrorKind::Refused),
    (Error::Transport("reset"), ErrorKind::Retry),
    (Error::Misuse("a mistake in the program"), ErrorKind::Bug),
];

#[test]
fn each_error_is_one_line_of_its_own() {
    let mut seen = HashSet::new();
    let mut says = |error: &dyn Display| {
        let text = error.to_string();
        assert!(!text.contains('\n') && !text.ends_with('.') && (8..200).contains(&text.len()), "{text:?}");
        assert!(seen.insert(text.clone()), "said twice: {text:?}");
    };
    let refusals = REFUSALS.into_iter().chain(MALFORMED.map(Refusal::from)).chain(FAULTS.map(Refusal::Payload));
    refusals.map(Any::from).for_each(|error| says(&error));
    OTHERS.iter().for_each(|(error, _)| says(error));
    [NoImage::Invalid, NoImage::Exchange, NoImage::Foreign].iter().for_each(|why| says(why));
    let reasons = [Reason::NotConfirmed, Reason::Invalid, Reason::Rejected, Reason::Fallback, Reason::Foreign];
    reasons.iter().for_each(|reason| says(reason));
    for error in [serial::Error::Port("frame"), serial::Error::NoAnswer { offset: 5 }, serial::Error::Seek] {
        says(&error);
    }
    for error in [
        foreign::Error::Flash("other bus"),
        foreign::Error::Layout,
        foreign::Error::OnTrial,
        foreign::Error::NotBlank { address: 16 },
        foreign::Error::Mismatch { address: 16 },
    ] {
        says(&error);
    }
}

#[test]
fn each_error_says_what_can_be_done_about_it() {
    for (error, kind) in OTHERS {
        assert_eq!(error.kind(), kind, "{error}");
        // Passed on, it is the same.
        assert_eq!(error.map(|flash| flash, |transport| transport), error);
    }
    for refusal in REFUSALS {
        let again = matches!(refusal, Refusal::BlockHash { .. });
        assert_eq!(Any::from(refusal).kind(), if again { ErrorKind::Retry } else { ErrorKind::Refused }, "{refusal}");
    }
}

#[test]
fn errors_have_the_kinds_of_embedded_io() {
    let kind = |error: &Any| embedded_io::Error::kind(error);
    assert_eq!(kind(&Error::Refused(Refusal::Policy)), embedded_io::ErrorKind::InvalidData);
    assert_eq!(kind(&Error::Misuse("")), embedded_io::ErrorKind::InvalidInput);
    assert_eq!(kind(&Error::Flash("")), embedded_io::ErrorKind::Other);
    let serial = [serial::Error::Port(""), serial::Error::NoAnswer { offset: 0 }, serial::Error::Seek];
    let expected =
        [embedded_io::ErrorKind::Other, embedded_io::ErrorKind::TimedOut, embedded_io::ErrorKind::InvalidInput];
    assert_eq!(serial.map(|error| error.kind()), expected);
}

#[test]
fn a_host_on_a_serial_line_is_told_whether_the_package_or_the_device_is_at_fault() {
    assert_eq!(Outcome::from(&Any::Refused(Refusal::Policy)), Outcome::Refused);
    for error in [Error::Refused(Refusal::ImageDigest), Error::Flash(""), Error::Records] {
        assert_eq!(Outcome::from(&Any::from(error)), Outcome::Failed);
    }
}

#[test]
fn names_are_short() {
    assert_eq!([Slot::A, Slot::B].map(|slot| slot.to_string()), ["A", "B"]);
    assert_eq!(format!("{:?}", ImageId([0xAB; 16])), "ab".repeat(16));
}
