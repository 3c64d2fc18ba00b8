//! A reader of DER (X.690) that never leaves its slice: tag, length, value, one after the other.
//!
//! DER has one encoding for each value; anything else is refused, so that nothing can be read in two ways.

use crate::certificate::Refusal;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;

/// One element.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    /// What it holds.
    pub(crate) value: &'a [u8],
    /// The same with tag and length in front.
    pub(crate) whole: &'a [u8],
}

/// What is left to read.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next element; `None` at the end.
    pub(crate) fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element, whatever it is.
    #[inline(never)]
    pub(crate) fn element(&mut self) -> Result<Element<'a>, Refusal> {
        let (tag, value, rest) = split(self.0).ok_or(Refusal::Malformed)?;
        let size = self.0.len().saturating_sub(rest.len());
        let whole = self.0.get(..size).ok_or(Refusal::Malformed)?;
        self.0 = rest;
        Ok(Element { tag, value, whole })
    }

    /// The value of the next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<&'a [u8], Refusal> {
        let element = self.element()?;
        if element.tag == tag {
            Ok(element.value)
        } else {
            Err(Refusal::Malformed)
        }
    }

    /// The inside of the next element, which must have this tag.
    pub(crate) fn enter(&mut self, tag: u8) -> Result<Self, Refusal> {
        self.expect(tag).map(Self)
    }

    /// The next element's value if it has this tag; nothing is read if it has not.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Refusal> {
        if self.tag() == Some(tag) {
            self.expect(tag).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Nothing must follow.
    pub(crate) fn end(&self) -> Result<(), Refusal> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Malformed)
        }
    }
}

/// The one element that `bytes` hold: its inside.
pub(crate) fn only(bytes: &[u8], tag: u8) -> Result<Reader<'_>, Refusal> {
    let mut outer = Reader::new(bytes);
    let inner = outer.enter(tag)?;
    outer.end()?;
    Ok(inner)
}

/// A BOOLEAN's value: DER writes true as 0xFF (X.690, section 11.1), and leaves out a false that is the default (11.5).
pub(crate) fn truth(value: Option<&[u8]>) -> Result<bool, Refusal> {
    match value {
        None => Ok(false),
        Some([0xFF]) => Ok(true),
        Some(_) => Err(Refusal::Malformed),
    }
}

/// Tag, value, rest. Lengths are definite, minimal (X.690, section 10.1) and below 65,536; tags are of one byte.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    if tag & 0x1F == 0x1F {
        return None;
    }
    let (length, rest) = match *rest {
        [length @ 0..=0x7F, ref rest @ ..] => (usize::from(length), rest),
        [0x81, length @ 0x80..=0xFF, ref rest @ ..] => (usize::from(length), rest),
        [0x82, high @ 1..=0xFF, low, ref rest @ ..] => (usize::from(u16::from_be_bytes([high, low])), rest),
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}
