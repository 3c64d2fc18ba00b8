//! The bytes of a package outside its manifest: prelude, signature entries, block prefix. See
//! `docs/format.md`, sections 2, 3, 5 and 7.
//!
//! Parsed here once, for the device and for host tools alike.

use crate::refusal::{Malformed, Refusal};
use crate::trust::KeyId;

/// First bytes of every object.
pub const MAGIC: [u8; 8] = [0x89, b'L', b'G', b'U', 0x0D, 0x0A, 0x1A, 0x0A];
/// The format version this crate reads and writes.
pub const FORMAT_VERSION: u8 = 1;
/// Bytes of a prelude.
pub const PRELUDE_SIZE: usize = 16;
/// Bytes of the smallest manifest: its mandatory elements.
pub const MIN_MANIFEST: usize = 153;
/// Bytes of the largest manifest.
pub const MAX_MANIFEST: usize = 512;
/// Bytes of the smallest key set body: its mandatory elements, one key.
pub const MIN_KEY_SET: usize = 127;
/// Bytes of the largest key set body.
pub const MAX_KEY_SET: usize = 1024;
/// Key sets that may stand in front of an update.
pub const MAX_KEY_SETS: u8 = 16;
/// Bytes of the smallest signature section, without its length: one entry of one byte.
pub const MIN_SIGNATURES: u16 = 13;
/// Bytes of the largest signature section, without its length.
pub const MAX_SIGNATURES: u16 = 32_768;
/// Entries of the largest signature section.
pub const MAX_ENTRIES: u8 = 32;
/// Bytes of the signature section's own length.
pub const SECTION_LENGTH_SIZE: usize = 2;
/// Bytes of a signature entry in front of its signature.
pub const ENTRY_HEADER_SIZE: usize = 12;
/// Algorithm number of ECDSA on P-256 with SHA-256.
pub const ES256: u16 = 1;
/// Bytes of an ES256 signature, r || s.
pub const ES256_SIZE: usize = 64;
/// Bytes of a link, the hash of the next block.
pub const LINK_SIZE: u32 = 32;
/// Bytes at the end of a slot that hold the trailer.
pub const TRAILER_SIZE: u32 = 1024;
/// Domain of the digest that signs an update with ES256.
pub const UPDATE_DOMAIN: [u8; 32] = padded(b"lockgate update ES256 v1");
/// Domain of the digest that signs a key set with ES256.
pub const KEY_SET_DOMAIN: [u8; 32] = padded(b"lockgate key set ES256 v1");

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectType {
    /// Keys to trust from now on.
    KeySet,
    /// A firmware update.
    Update,
}

/// The first 16 bytes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prelude {
    /// What the object is.
    pub object: ObjectType,
    /// Bytes of its body (the manifest of an update).
    pub body: usize,
}

impl Prelude {
    /// Reads a prelude.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] that `docs/format.md` section 3 asks for.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let Some((magic, &[version, object, r0, r1, b0, b1, r2, r3])) = bytes.split_first_chunk::<8>() else {
            return Err(Refusal::NotAPackage);
        };
        if magic != &MAGIC {
            return Err(Refusal::NotAPackage);
        }
        if version != FORMAT_VERSION {
            return Err(Refusal::FormatVersion { found: version });
        }
        let (object, sizes) = match object {
            1 => (ObjectType::KeySet, MIN_KEY_SET..=MAX_KEY_SET),
            2 => (ObjectType::Update, MIN_MANIFEST..=MAX_MANIFEST),
            found => return Err(Refusal::ObjectType { found }),
        };
        if [r0, r1, r2, r3] != [0; 4] {
            return Err(Malformed::Reserved.into());
        }
        let body = usize::from(u16::from_le_bytes([b0, b1]));
        if !sizes.contains(&body) {
            return Err(Malformed::BodyLength.into());
        }
        Ok(Self { object, body })
    }

    /// The prelude's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; PRELUDE_SIZE] {
        let [m0, m1, m2, m3, m4, m5, m6, m7] = MAGIC;
        let object = match self.object {
            ObjectType::KeySet => 1,
            ObjectType::Update => 2,
        };
        let [b0, b1, ..] = self.body.to_le_bytes();
        [m0, m1, m2, m3, m4, m5, m6, m7, FORMAT_VERSION, object, 0, 0, b0, b1, 0, 0]
    }
}

/// Reads the length of a signature section.
///
/// # Errors
///
/// [`Malformed::SectionLength`] if it is out of range.
pub fn section_length(bytes: [u8; SECTION_LENGTH_SIZE]) -> Result<u16, Refusal> {
    match u16::from_le_bytes(bytes) {
        length @ MIN_SIGNATURES..=MAX_SIGNATURES => Ok(length),
        _ => Err(Malformed::SectionLength.into()),
    }
}

/// The order in which a section's entries stand: by algorithm, then by key id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryHeader {
    /// Signature algorithm, [`ES256`] or one this version does not know.
    pub algorithm: u16,
    /// Whose signature it is.
    pub key: KeyId,
    /// Bytes of the signature.
    pub length: u16,
}

impl EntryHeader {
    /// Reads an entry's header. `previous` is the entry before it, `left` the bytes of the section from this
    /// entry on.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] that `docs/format.md` section 5 asks for.
    pub fn parse(bytes: &[u8; ENTRY_HEADER_SIZE], previous: Option<&Self>, left: usize) -> Result<Self, Refusal> {
        let &[a0, a1, k0, k1, k2, k3, k4, k5, k6, k7, l0, l1] = bytes;
        let header = Self {
            algorithm: u16::from_le_bytes([a0, a1]),
            key: KeyId([k0, k1, k2, k3, k4, k5, k6, k7]),
            length: u16::from_le_bytes([l0, l1]),
        };
        if header.length == 0 || header.size() > left {
            return Err(Malformed::EntryLength.into());
        }
        if header.algorithm == ES256 && usize::from(header.length) != ES256_SIZE {
            return Err(Malformed::EntryLength.into());
        }
        if previous.is_some_and(|previous| (previous.algorithm, previous.key) >= (header.algorithm, header.key)) {
            return Err(Malformed::EntryOrder.into());
        }
        Ok(header)
    }

    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; ENTRY_HEADER_SIZE] {
        let [a0, a1] = self.algorithm.to_le_bytes();
        let [k0, k1, k2, k3, k4, k5, k6, k7] = self.key.0;
        let [l0, l1] = self.length.to_le_bytes();
        [a0, a1, k0, k1, k2, k3, k4, k5, k6, k7, l0, l1]
    }

    /// Bytes of the whole entry.
    #[must_use]
    pub const fn size(&self) -> usize {
        (self.length as usize).saturating_add(ENTRY_HEADER_SIZE)
    }
}

/// Bytes that go into a block's hash in front of its data.
#[must_use]
pub fn block_prefix(index: u32, data: u32, last: bool) -> [u8; 16] {
    let [i0, i1, i2, i3] = index.to_le_bytes();
    let [d0, d1, d2, d3] = data.to_le_bytes();
    [b'L', b'G', b'B', b'1', i0, i1, i2, i3, d0, d1, d2, d3, u8::from(last), 0, 0, 0]
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // const: no iterators
const fn padded<const N: usize>(text: &[u8; N]) -> [u8; 32] {
    let mut domain = [0; 32];
    let mut i = 0;
    while i < N {
        domain[i] = text[i];
        i += 1;
    }
    domain
}
