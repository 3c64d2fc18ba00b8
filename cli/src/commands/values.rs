//! Readers of the values that options have in common.

use lockgate::{Uuid, Version};

use crate::device::PRIVATE;

pub(crate) fn uuid(text: &str) -> Result<Uuid, String> {
    Uuid::parse(text).ok_or_else(|| "not a UUID: 32 hexadecimal digits as 8-4-4-4-12".into())
}

pub(crate) fn version(text: &str) -> Result<Version, String> {
    Version::parse(text).ok_or_else(|| "not a version such as 1.2.3 or 1.2.3+4".into())
}

/// A decimal number, or a hexadecimal one behind 0x; `_` may separate digits.
pub(crate) fn number(text: &str) -> Result<u32, String> {
    let digits = text.replace('_', "");
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (digits.as_str(), 10),
    };
    // `from_str_radix` would take a sign.
    (!digits.starts_with('+'))
        .then(|| u32::from_str_radix(digits, radix).ok())
        .flatten()
        .ok_or_else(|| "expected a number up to 4294967295, decimal or as 0x8000000".into())
}

/// The number of an element of the vendor's own.
pub(crate) fn private_element(text: &str) -> Result<u16, String> {
    let found = number(text).ok().and_then(|number| u16::try_from(number).ok());
    found.filter(|number| PRIVATE.contains(number)).ok_or_else(|| {
        format!("expected the number of a private element, {:#x} to {:#x}", PRIVATE.start(), PRIVATE.end())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_or_hexadecimal_and_have_no_sign() {
        assert_eq!(number("0"), Ok(0));
        assert_eq!(number("1024"), Ok(1024));
        assert_eq!(number("0x0800_0000"), Ok(0x0800_0000));
        assert_eq!(number("0XFFFFFFFF"), Ok(u32::MAX));
        for wrong in ["", "+1", "-1", "0x", "0x+1", "4294967296", "1k", "_"] {
            assert!(number(wrong).is_err(), "{wrong}");
        }
    }
}
