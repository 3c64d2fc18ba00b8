//! Why a package is refused.

use core::fmt;

use crate::decode::Fault;
use crate::id::{Uuid, Version};
use crate::records::ImageId;
use crate::trust::KeyId;

/// Why a package is refused. Nothing of it was written, unless the variant says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refusal {
    /// It does not begin as a package does.
    NotAPackage,
    /// It is of a format version that this crate does not know.
    FormatVersion {
        /// The version it names.
        found: u8,
    },
    /// An object of a type that has no place in a package.
    ObjectType {
        /// The type it names.
        found: u8,
    },
    /// More than 16 key sets stand in front of the update.
    TooManyKeySets,
    /// It breaks a rule of the format.
    Malformed(Malformed),
    /// A manifest element that must be understood, and is not.
    UnknownElement {
        /// Its number.
        number: u16,
    },
    /// A key set is more than one version above the trusted one: those between are missing in front of it.
    KeySetVersion {
        /// The key set's.
        package: u32,
        /// The trusted set's.
        device: u32,
    },
    /// A key of a key set is no point of the curve, or the [`Verify`](crate::Verify) cannot tell: it has no
    /// [`is_point`](crate::Verify::is_point) of its own.
    KeyPoint,
    /// A key of a key set has the id of another key that is trusted.
    KeyClash {
        /// The id.
        key: KeyId,
    },
    /// A key set is larger than its place, with the signatures that were checked.
    KeySetTooLarge {
        /// Bytes needed; there are 992.
        needed: usize,
    },
    /// The key set that the device took is not to be had: its place in the key store is damaged, or the updater was lent no
    /// [`Keyring`](crate::Keyring), or was built without key rotation. The set built in may hold keys that were revoked, so nothing is taken.
    KeyStore,
    /// A trusted key's signature does not verify.
    BadSignature {
        /// The key.
        key: KeyId,
    },
    /// Too few trusted keys have signed.
    TooFewSignatures {
        /// Signatures that verified.
        valid: u8,
        /// The threshold.
        needed: u8,
    },
    /// Manifest and signatures are larger than the block buffer.
    HeadTooLarge {
        /// Bytes needed.
        needed: usize,
        /// Bytes there are.
        have: usize,
    },
    /// Manifest and signatures are larger than a slot's trailer.
    TrailerTooLarge {
        /// Bytes needed; there are 1024.
        needed: usize,
    },
    /// It is for another vendor's devices.
    WrongVendor {
        /// The package's.
        package: Uuid,
        /// The device's.
        device: Uuid,
    },
    /// It is for another class of devices.
    WrongClass {
        /// The package's.
        package: Uuid,
        /// The device's.
        device: Uuid,
    },
    /// It is for another component.
    WrongComponent {
        /// The package's.
        package: u16,
        /// The device's.
        device: u16,
    },
    /// Its security counter is below the device's.
    SecurityCounter {
        /// The package's.
        package: u32,
        /// The device's.
        device: u32,
    },
    /// Its version is below the running one, at the same security counter.
    Downgrade {
        /// The package's.
        package: Version,
        /// The running image's.
        running: Version,
    },
    /// The image is running already.
    AlreadyRunning,
    /// The running image is on trial: confirm it first. Or another bootloader has been asked to try the image in the slot.
    Unconfirmed,
    /// This image failed its trials, or was reverted, on this device.
    FailedBefore,
    /// The image does not fit its slot.
    ImageTooLarge {
        /// Bytes of the image.
        image: u32,
        /// Bytes the slot can hold.
        capacity: u32,
    },
    /// Its blocks are larger than the block buffer.
    BlockTooLarge {
        /// Bytes of a block.
        block: u32,
        /// Bytes of the buffer.
        buffer: usize,
    },
    /// The device has no decoder for its encoding, or was lent no [`Workspace`](crate::machine::Workspace).
    Encoding,
    /// Its window is larger than the room that was lent for one.
    WindowTooLarge {
        /// Bytes of the window.
        window: usize,
        /// Bytes lent, without the piece that is decoded at once.
        workspace: usize,
    },
    /// It is a delta of another image than the one that runs.
    WrongBase {
        /// The package's.
        package: ImageId,
        /// The running image, if it is known.
        running: Option<ImageId>,
    },
    /// Its payload cannot be decoded: whoever signed it made it so. The slot is void.
    Payload(Fault),
    /// It is linked to run at another address than the slot's.
    LoadAddress {
        /// The package's.
        package: u32,
    },
    /// It names no load address, and this device's slots run at different ones.
    NoLoadAddress,
    /// The application's policy said no.
    Policy,
    /// A block is not the one that was signed. Blocks before it are in the slot; the stream goes on from
    /// `position()`.
    BlockHash {
        /// The block's number.
        index: u32,
    },
    /// Bytes follow the last block. They are not looked at; the image in front of them is in the slot, and `finish` gives
    /// its receipt to a caller who does not mind.
    Trailing,
    /// The slot holds the whole payload, but not the image that was signed for. The slot is void.
    ImageDigest,
}

/// Which rule of the format is broken (`docs/format.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Malformed {
    /// It ends too early. (Said by tools that have the whole package; a device waits for more, and says
    /// [`Error::Truncated`](crate::Error::Truncated) in the end.)
    Truncated,
    /// A reserved field of the prelude is not 0.
    Reserved,
    /// The body length is out of range.
    BodyLength,
    /// The length of the signature section is out of range.
    SectionLength,
    /// A signature entry's length is out of range or runs over the section.
    EntryLength,
    /// Signature entries are not in strictly ascending order.
    EntryOrder,
    /// There are more than 32 signature entries.
    TooManyEntries,
    /// An element runs over the end of the body.
    ElementLength,
    /// Element numbers are not strictly ascending from 1.
    ElementOrder,
    /// A known element has a wrong critical bit, length or value.
    Element {
        /// Its number.
        number: u16,
    },
    /// A mandatory element is missing.
    Missing {
        /// Its number.
        number: u16,
    },
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPackage => f.write_str("not a lockgate package: the magic bytes are missing"),
            Self::FormatVersion { found } => write!(f, "format version {found} is not supported (this is version 1)"),
            Self::ObjectType { found } => write!(f, "object type {found} has no place in a package"),
            Self::TooManyKeySets => f.write_str("more than 16 key sets in front of the update"),
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::UnknownElement { number } => {
                write!(f, "manifest element {number} is unknown to this device, and must not be overlooked")
            }
            Self::KeySetVersion { package, device } => {
                write!(f, "key set {package} cannot follow key set {device}: the ones between must come first")
            }
            Self::KeyPoint => {
                f.write_str("a key of the key set is no point of the curve, or `Verify::is_point` is missing")
            }
            Self::KeyClash { key } => write!(f, "two different keys have the id {key}"),
            Self::KeySetTooLarge { needed } => {
                write!(f, "the key set and its signatures need {needed} bytes, a place of the key store has 992")
            }
            Self::KeyStore => f.write_str("the trusted key set cannot be read from the key store, or no keyring is lent for it: no package is taken"),
            Self::BadSignature { key } => write!(f, "the signature under trusted key {key} does not verify"),
            Self::TooFewSignatures { valid, needed } => {
                write!(f, "valid signatures by trusted keys: {valid}, needed: {needed}")
            }
            Self::HeadTooLarge { needed, have } => {
                write!(f, "manifest and signatures need {needed} bytes, the block buffer has {have}")
            }
            Self::TrailerTooLarge { needed } => {
                write!(f, "manifest and signatures need {needed} bytes, a slot's trailer has 1024")
            }
            Self::WrongVendor { package, device } => write!(f, "vendor {package} is not this device's {device}"),
            Self::WrongClass { package, device } => write!(f, "class {package} is not this device's {device}"),
            Self::WrongComponent { package, device } => write!(f, "component {package} is not this device's {device}"),
            Self::SecurityCounter { package, device } => {
                write!(f, "security counter {package} is below the device's {device}")
            }
            Self::Downgrade { package, running } => write!(f, "version {package} is below the running {running}"),
            Self::Unconfirmed => f.write_str("the running image is on trial: confirm it before the next update"),
            Self::FailedBefore => f.write_str("this image failed on this device before"),
            Self::AlreadyRunning => f.write_str("the image is running already"),
            Self::ImageTooLarge { image, capacity } => write!(f, "image of {image} bytes, the slot holds {capacity}"),
            Self::BlockTooLarge { block, buffer } => {
                write!(f, "blocks of {block} bytes, the block buffer has {buffer}")
            }
            Self::WindowTooLarge { window, workspace } => {
                write!(f, "the payload's window has {window} bytes, the workspace room for {workspace}")
            }
            Self::WrongBase { package, running: Some(running) } => {
                write!(
                    f,
                    "a delta of image {package}, but {running} runs: fetch the whole image, or the delta for that one"
                )
            }
            Self::WrongBase { package, running: None } => {
                write!(f, "a delta of image {package}, and it is not known which one runs: fetch the whole image")
            }
            Self::Payload(fault) => fault.fmt(f),
            Self::Encoding => f.write_str("this device has no decoder for the payload's encoding, or lends it no workspace: fetch the image itself"),
            Self::LoadAddress { package } => {
                write!(f, "the image is linked to run at {package:#x}, which is not the slot's address")
            }
            Self::NoLoadAddress => {
                f.write_str("the manifest names no load address, and the slots run at different ones")
            }
            Self::Policy => f.write_str("the application's policy refused it"),
            Self::BlockHash { index } => write!(f, "block {index} is not the one that was signed"),
            Self::Trailing => f.write_str("bytes follow the last block"),
            Self::ImageDigest => f.write_str("the slot does not hold the image that was signed"),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the package ends too early"),
            Self::Reserved => f.write_str("prelude: a reserved field is not 0"),
            Self::BodyLength => f.write_str("prelude: the body length is out of range"),
            Self::SectionLength => f.write_str("signatures: the section's length is out of range"),
            Self::EntryLength => f.write_str("signatures: an entry's length is out of range"),
            Self::EntryOrder => f.write_str("signatures: entries are not in strictly ascending order"),
            Self::TooManyEntries => f.write_str("signatures: more than 32 entries"),
            Self::ElementLength => f.write_str("body: an element runs over the end"),
            Self::ElementOrder => f.write_str("body: element numbers are not strictly ascending"),
            Self::Element { number } => {
                write!(f, "body: element {number} has a wrong length, value or critical bit")
            }
            Self::Missing { number } => write!(f, "body: element {number} is missing"),
        }
    }
}

impl core::error::Error for Refusal {}
