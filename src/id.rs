//! Names of things: vendors and classes ([`Uuid`]), image versions ([`Version`]).

use core::fmt;

/// A UUID, bytes in the order of its text (RFC 9562 section 4).
///
/// ```
/// use lockgate::Uuid;
/// const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
/// assert_eq!(VENDOR.0[..2], [0x6b, 0x1f]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// Reads the hyphenated text. For constants.
    ///
    /// # Panics
    ///
    /// If `text` is no UUID; in a `const` that does not compile.
    #[must_use]
    #[allow(clippy::panic)] // in a `const`: a compile error
    pub const fn new(text: &str) -> Self {
        match Self::parse(text) {
            Some(uuid) => uuid,
            None => panic!("not a UUID: 32 hexadecimal digits as 8-4-4-4-12"),
        }
    }

    /// Reads the hyphenated text; `None` if it is no UUID.
    #[must_use]
    #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // const: no iterators; every index is below 36
    pub const fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() != 36 {
            return None;
        }
        let mut bytes = [0; 16];
        let mut nibbles = 0;
        let mut i = 0;
        while i < 36 {
            if matches!(i, 8 | 13 | 18 | 23) {
                if text[i] != b'-' {
                    return None;
                }
            } else {
                let nibble = match text[i] {
                    digit @ b'0'..=b'9' => digit - b'0',
                    letter @ b'a'..=b'f' => letter - b'a' + 10,
                    letter @ b'A'..=b'F' => letter - b'A' + 10,
                    _ => return None,
                };
                bytes[nibbles / 2] = bytes[nibbles / 2] << 4 | nibble;
                nibbles += 1;
            }
            i += 1;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Uuid {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=[u8]:02x}", self.0);
    }
}

/// An image version, `major.minor.revision+build` as MCUboot has it; ordered in that order.
///
/// ```
/// use lockgate::Version;
/// let version = Version::parse("1.2.3+4").unwrap();
/// assert!(version < Version::new(1, 10, 0, 0));
/// assert_eq!(Version::new(1, 2, 3, 0).to_string(), "1.2.3");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Version {
    /// Major.
    pub major: u8,
    /// Minor.
    pub minor: u8,
    /// Revision.
    pub revision: u16,
    /// Build; 0 is not shown.
    pub build: u32,
}

impl Version {
    /// A version of its four parts.
    #[must_use]
    pub const fn new(major: u8, minor: u8, revision: u16, build: u32) -> Self {
        Self { major, minor, revision, build }
    }

    /// Reads `1.2.3` or `1.2.3+4`; `None` if it is neither or a part is too large.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (numbers, build) = match text.split_once('+') {
            Some((numbers, build)) => (numbers, number(build)?),
            None => (text, 0),
        };
        let mut parts = numbers.split('.');
        let version = Self {
            major: u8::try_from(number(parts.next()?)?).ok()?,
            minor: u8::try_from(number(parts.next()?)?).ok()?,
            revision: u16::try_from(number(parts.next()?)?).ok()?,
            build,
        };
        parts.next().is_none().then_some(version)
    }
}

/// Decimal digits only: `u32::from_str` would take a sign.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.revision)?;
        if self.build > 0 {
            write!(f, "+{}", self.build)?;
        }
        Ok(())
    }
}
