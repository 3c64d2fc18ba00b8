//! The signed description of an update: whose it is, for what, how large, and the hash its blocks hang on.
//!
//! Elements and their rules are in `docs/format.md`, section 4. A [`Manifest`] exists only if every rule was
//! kept; a device parses one only after its signatures are verified.

use crate::digest::Digest;
use crate::id::{Uuid, Version};
use crate::refusal::{Malformed, Refusal};
use crate::wire::LINK_SIZE;

/// Bit 15 of an element type: who does not know the element must refuse.
pub const CRITICAL: u16 = 0x8000;
/// Bytes of an element in front of its value.
pub const ELEMENT_HEADER_SIZE: usize = 4;
/// The largest image size and payload length in bytes.
pub const MAX_SIZE: u32 = 0x7FFF_FFFF;

/// Element numbers of an update's manifest.
#[allow(missing_docs)] // each is a field of `Manifest`, or reserved
pub mod number {
    pub const VENDOR: u16 = 1;
    pub const CLASS: u16 = 2;
    pub const COMPONENT: u16 = 3;
    pub const VERSION: u16 = 4;
    pub const SECURITY_COUNTER: u16 = 5;
    pub const IMAGE_SIZE: u16 = 6;
    pub const IMAGE_DIGEST: u16 = 7;
    pub const BLOCK_SIZE: u16 = 8;
    pub const PAYLOAD_LENGTH: u16 = 9;
    pub const FIRST_BLOCK_HASH: u16 = 10;
    pub const ENCODING: u16 = 11;
    pub const BASE_IMAGE: u16 = 12;
    pub const LOAD_ADDRESS: u16 = 13;
    pub const ENCRYPTION: u16 = 14;
    pub const DEPENDENCIES: u16 = 15;
    pub const EXPIRY: u16 = 16;
    pub const TEXT: u16 = 17;
    pub const FIRST_PRIVATE: u16 = 0x7000;
}

/// How the payload becomes the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Encoding {
    /// The payload is the image.
    Raw,
    /// heatshrink-compressed.
    Heatshrink(Window),
    /// A detools sequential patch of the base image, itself compressed or not.
    Delta(Option<Window>),
}

/// Parameters of heatshrink: sizes as powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Window {
    /// The window has 2^window bytes: 8 to 11.
    pub window: u8,
    /// A match has up to 2^lookahead bytes: 3 to 10, less than `window`.
    pub lookahead: u8,
}

impl Window {
    /// Parameters within the format's limits; `None` if they are not.
    #[must_use]
    pub fn new(window: u8, lookahead: u8) -> Option<Self> {
        ((8..=11).contains(&window) && (3..=10).contains(&lookahead) && lookahead < window)
            .then_some(Self { window, lookahead })
    }
}

/// An image that a delta starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BaseImage {
    /// Its bytes.
    pub size: u32,
    /// Its SHA-256.
    pub digest: Digest,
}

/// The signed description of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Manifest {
    /// Whose device it is for (RFC 9124, vendor identifier).
    pub vendor: Uuid,
    /// Which kind of device (RFC 9124, class identifier).
    pub class: Uuid,
    /// Which part of the device; 0 if it has but one (RFC 9124, component identifier).
    pub component: u16,
    /// The image's version.
    pub version: Version,
    /// Devices refuse a counter below their own (RFC 9124, monotonic sequence number).
    pub security_counter: u32,
    /// Bytes of the image as it ends in the slot.
    pub image_size: u32,
    /// SHA-256 of the image as it ends in the slot.
    pub image_digest: Digest,
    /// Block size as a power of two, 8 to 16.
    pub block_exponent: u8,
    /// Payload bytes, links not counted.
    pub payload_length: u32,
    /// What the chain of blocks hangs on.
    pub first_block_hash: Digest,
    /// How the payload becomes the image.
    pub encoding: Encoding,
    /// What a delta starts from; present for deltas only.
    pub base_image: Option<BaseImage>,
    /// The address the image is linked to run at, if it can run at one only.
    pub load_address: Option<u32>,
}

impl Manifest {
    /// Reads a manifest and checks every rule of the format. `knows` tells which of the vendor's own elements
    /// may be critical.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownElement`] or [`Refusal::Malformed`].
    pub fn parse(body: &[u8], knows: impl Fn(u16) -> bool) -> Result<Self, Refusal> {
        let (manifest, elements) = Self::known(body)?;
        for element in elements {
            let Element { number, critical, .. } = element?;
            // Reserved for what must not be overlooked, whatever its bit says.
            let reserved = (number::ENCRYPTION..=number::EXPIRY).contains(&number);
            let known = number >= number::FIRST_PRIVATE && knows(number);
            if reserved || (critical && !known) {
                return Err(Refusal::UnknownElement { number });
            }
        }
        Ok(manifest.consistent()?)
    }

    /// Reads the manifest of an image that is installed: unknown elements are passed over, since a boot stage may be older
    /// than the application that knew them.
    ///
    /// # Errors
    ///
    /// The rule that is broken.
    pub fn parse_stored(body: &[u8]) -> Result<Self, Malformed> {
        let (manifest, mut elements) = Self::known(body)?;
        elements.try_for_each(|element| element.map(drop))?;
        manifest.consistent()
    }

    /// The known elements, and those behind them. (The small error: a chip copies it at each of these steps.)
    fn known(body: &[u8]) -> Result<(Self, Elements<'_>), Malformed> {
        let mut elements = Elements::new(body);
        let mut values: [&[u8]; KNOWN.len()] = [&[]; KNOWN.len()];
        for ((known, room), number) in KNOWN.iter().zip(&mut values).zip(1..) {
            match elements.value(number)? {
                Some(value) if known.fits(value) => *room = value,
                None if !known.mandatory => {}
                None => return Err(Malformed::Missing { number }),
                Some(_) => return Err(Malformed::Element { number }),
            }
        }
        let [vendor, class, component, version, counter, size, digest, block, length, first, coding, base, load] =
            values;
        let manifest = Self {
            vendor: Uuid(array(vendor)),
            class: Uuid(array(class)),
            component: number(component) as u16,
            version: read_version(array(version)),
            security_counter: number(counter),
            image_size: number(size),
            image_digest: Digest(array(digest)),
            block_exponent: number(block) as u8,
            payload_length: number(length),
            first_block_hash: Digest(array(first)),
            encoding: encoding(coding).ok_or(Malformed::Element { number: number::ENCODING })?,
            base_image: base
                .split_first_chunk::<4>()
                .map(|(size, digest)| BaseImage { size: u32::from_le_bytes(*size), digest: Digest(array(digest)) }),
            load_address: (!load.is_empty()).then_some(number(load)),
        };
        Ok((manifest, elements))
    }

    /// Rules that span elements.
    fn consistent(self) -> Result<Self, Malformed> {
        if self.encoding == Encoding::Raw && self.payload_length != self.image_size {
            return Err(Malformed::Element { number: number::PAYLOAD_LENGTH });
        }
        if self.base_image.is_some() != matches!(self.encoding, Encoding::Delta(_)) {
            return Err(Malformed::Element { number: number::BASE_IMAGE });
        }
        Ok(self)
    }

    /// Data bytes of every block but the last.
    #[must_use]
    pub const fn block_size(&self) -> u32 {
        block_size(self.block_exponent)
    }

    /// Number of blocks.
    #[must_use]
    pub const fn blocks(&self) -> u32 {
        self.payload_length.div_ceil(self.block_size())
    }

    /// Bytes of the payload in the package, links counted.
    #[must_use]
    pub const fn payload_size(&self) -> u32 {
        self.payload_length.saturating_add(self.blocks().saturating_sub(1).saturating_mul(LINK_SIZE))
    }
}

/// Bytes of a block of this exponent.
pub(crate) const fn block_size(exponent: u8) -> u32 {
    // The exponent is 8 to 16 wherever it comes from; the mask keeps the shift in range.
    1 << (exponent & 31)
}

/// One element of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'b> {
    /// Its number, bits 0 to 14 of the type.
    pub number: u16,
    /// Whether who does not know it must refuse.
    pub critical: bool,
    /// Its value.
    pub value: &'b [u8],
}

/// The elements of a body, in order. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Elements<'b> {
    rest: &'b [u8],
    last: u16,
}

impl<'b> Elements<'b> {
    /// The elements of `body`.
    #[must_use]
    pub const fn new(body: &'b [u8]) -> Self {
        Self { rest: body, last: 0 }
    }

    fn split(&self) -> Result<(Element<'b>, &'b [u8]), Malformed> {
        let (&[t0, t1, l0, l1], rest) = self.rest.split_first_chunk().ok_or(Malformed::ElementLength)?;
        let length = usize::from(u16::from_le_bytes([l0, l1]));
        let (value, rest) = rest.split_at_checked(length).ok_or(Malformed::ElementLength)?;
        let kind = u16::from_le_bytes([t0, t1]);
        let number = kind & !CRITICAL;
        if number <= self.last {
            return Err(Malformed::ElementOrder);
        }
        Ok((Element { number, critical: kind & CRITICAL != 0, value }, rest))
    }

    /// The value of element `number` if it comes next. Every known element is critical.
    pub(crate) fn value(&mut self, number: u16) -> Result<Option<&'b [u8]>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (element, rest) = self.split()?;
        if element.number != number {
            return Ok(None);
        }
        (self.rest, self.last) = (rest, number);
        if element.critical {
            Ok(Some(element.value))
        } else {
            Err(Malformed::Element { number })
        }
    }
}

impl<'b> Iterator for Elements<'b> {
    type Item = Result<Element<'b>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match self.split() {
            Ok((element, rest)) => {
                (self.rest, self.last) = (rest, element.number);
                Some(Ok(element))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

/// What the table of elements asks of a value (`docs/format.md`, section 4.1).
struct Known {
    mandatory: bool,
    /// Its bytes, from and to.
    bytes: (u8, u8),
    /// Its first four bytes as a number, or all if they are fewer, from and to.
    numbers: (u32, u32),
}

impl Known {
    const fn new(mandatory: bool, bytes: (u8, u8), numbers: (u32, u32)) -> Self {
        Self { mandatory, bytes, numbers }
    }

    fn fits(&self, value: &[u8]) -> bool {
        let ((shortest, longest), (least, most)) = (self.bytes, self.numbers);
        (usize::from(shortest)..=usize::from(longest)).contains(&value.len()) && (least..=most).contains(&number(value))
    }
}

const ANY: (u32, u32) = (0, u32::MAX);

/// By number, from 1.
const KNOWN: [Known; 13] = [
    Known::new(true, (16, 16), ANY),            // vendor
    Known::new(true, (16, 16), ANY),            // class
    Known::new(false, (2, 2), (1, 0xFFFF)),     // component
    Known::new(true, (8, 8), ANY),              // version
    Known::new(true, (4, 4), ANY),              // security counter
    Known::new(true, (4, 4), (1, MAX_SIZE)),    // image size
    Known::new(true, (32, 32), ANY),            // image digest
    Known::new(true, (1, 1), (8, 16)),          // block size
    Known::new(true, (4, 4), (1, MAX_SIZE)),    // payload length
    Known::new(true, (32, 32), ANY),            // first block hash
    Known::new(false, (2, 4), ANY),             // encoding
    Known::new(false, (36, 36), (1, MAX_SIZE)), // base image
    Known::new(false, (4, 4), ANY),             // load address
];

/// A value whose length is known; zeros if it is absent.
fn array<const N: usize>(value: &[u8]) -> [u8; N] {
    value.try_into().unwrap_or([0; N])
}

/// Little-endian, of the first four bytes.
fn number(value: &[u8]) -> u32 {
    value.iter().take(4).rev().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

fn read_version([major, minor, r0, r1, b0, b1, b2, b3]: [u8; 8]) -> Version {
    Version::new(major, minor, u16::from_le_bytes([r0, r1]), u32::from_le_bytes([b0, b1, b2, b3]))
}

fn encoding(value: &[u8]) -> Option<Encoding> {
    match *value {
        [] => Some(Encoding::Raw),
        [1, window, lookahead] => Some(Encoding::Heatshrink(Window::new(window, lookahead)?)),
        [2, 0] => Some(Encoding::Delta(None)),
        [2, 1, window, lookahead] => Some(Encoding::Delta(Some(Window::new(window, lookahead)?))),
        _ => None,
    }
}
