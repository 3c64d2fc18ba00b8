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
    #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // const: no iterators; every index is below the length
    pub const fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        let most = [u8::MAX as u64, u8::MAX as u64, u16::MAX as u64, u32::MAX as u64];
        let mut parts = [0; 4];
        let (mut part, mut digits, mut i) = (0, 0, 0);
        while i < text.len() {
            match (text[i], part) {
                (digit @ b'0'..=b'9', _) => {
                    parts[part] = parts[part] * 10 + (digit - b'0') as u64;
                    digits += 1;
                    if parts[part] > most[part] {
                        return None;
                    }
                }
                (b'.', 0 | 1) | (b'+', 2) if digits > 0 => (part, digits) = (part + 1, 0),
                _ => return None,
            }
            i += 1;
        }
        if part < 2 || digits == 0 {
            return None;
        }
        Some(Self::new(parts[0] as u8, parts[1] as u8, parts[2] as u16, parts[3] as u32))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_they_are_written_and_nothing_else_is() {
        for (text, version) in [
            ("0.0.0", (0, 0, 0, 0)),
            ("1.2.3", (1, 2, 3, 0)),
            ("255.255.65535+4294967295", (255, 255, 65535, u32::MAX)),
        ] {
            assert_eq!(Version::parse(text), Some(Version::new(version.0, version.1, version.2, version.3)), "{text}");
        }
        for text in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "1.2.3+",
            "1.2+3",
            "+1.2.3",
            "1..3",
            "256.0.0",
            "0.0.65536",
            "0.0.0+4294967296",
            "1.2.3 ",
            "v1.2.3",
            "1.2.3+4+5",
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_hyphenated_hexadecimal_is_a_uuid() {
        assert!(Uuid::parse("6B1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4").is_some());
        for text in [
            "",
            "6b1f3a5297c44c0e8d270a5be1f0c9d4",
            "6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9dg",
            "6b1f3a52+97c4-4c0e-8d27-0a5be1f0c9d4",
        ] {
            assert_eq!(Uuid::parse(text), None, "{text}");
        }
    }
}
