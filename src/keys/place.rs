//! A key set as a place of the key store holds it (`docs/keys.md`, section 1).

use super::body::Body;
use crate::device::Device;
use crate::digest::{digest, Digest, Sha256};
use crate::wire::{
    section_length, EntryHeader, ObjectType, Prelude, ENTRY_HEADER_SIZE, MAX_ENTRIES, PRELUDE_SIZE, SECTION_LENGTH_SIZE,
};

/// Bytes of the check behind a set.
pub(crate) const CHECK_SIZE: usize = 16;
/// Bytes of a set, signatures included, that a place has room for.
pub(crate) const MAX_STORED: usize = 992;

/// The check of a set.
pub(crate) fn check<H: Sha256>(set: &[u8]) -> [u8; CHECK_SIZE] {
    let Digest(bytes) = digest::<H>(&[b"LGK1", set]);
    bytes.first_chunk().copied().unwrap_or_default()
}

/// Bytes of the set that begins so, as far as these bytes tell; none if no set begins so.
pub(crate) fn size_of(bytes: &[u8]) -> Option<usize> {
    let Some((prelude, rest)) = bytes.split_at_checked(PRELUDE_SIZE) else { return Some(PRELUDE_SIZE) };
    let prelude = Prelude::parse(prelude).ok().filter(|prelude| prelude.object == ObjectType::KeySet)?;
    let front = PRELUDE_SIZE.saturating_add(prelude.body).saturating_add(SECTION_LENGTH_SIZE);
    let Some(length) = rest.get(prelude.body..).and_then(<[u8]>::first_chunk) else { return Some(front) };
    let size = front.saturating_add(section_length(*length).ok()?.into());
    (size <= MAX_STORED).then_some(size)
}

/// A set that a place holds whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored<'b> {
    pub(crate) body: Body<'b>,
    /// Prelude and body, and the signatures behind their length.
    pub(crate) signed: &'b [u8],
    pub(crate) section: &'b [u8],
}

impl<'b> Stored<'b> {
    /// What a place holds that begins with `bytes`, if it is a whole set for `device`.
    #[inline(never)]
    pub(crate) fn parse<H: Sha256>(bytes: &'b [u8], device: &Device<'_>) -> Option<Self> {
        let (set, rest) = bytes.split_at_checked(size_of(bytes)?)?;
        if rest.first_chunk() != Some(&check::<H>(set)) {
            return None;
        }
        let prelude = Prelude::parse(set.get(..PRELUDE_SIZE)?).ok()?;
        let (signed, rest) = set.split_at_checked(PRELUDE_SIZE.saturating_add(prelude.body))?;
        let section = rest.get(SECTION_LENGTH_SIZE..)?;
        let body = Body::parse::<H>(signed.get(PRELUDE_SIZE..)?).ok()?;
        let ours = body.vendor == device.vendor && body.class == device.class;
        (ours && is_section(section)).then_some(Self { body, signed, section })
    }
}

/// Whether these are entries by the format's rules.
fn is_section(mut rest: &[u8]) -> bool {
    let (mut previous, mut entries) = (None, 0u8);
    while let Some(bytes) = rest.first_chunk::<ENTRY_HEADER_SIZE>() {
        let Ok(header) = EntryHeader::parse(bytes, previous.as_ref(), rest.len()) else { return false };
        rest = rest.get(header.size()..).unwrap_or_default();
        (previous, entries) = (Some(header), entries.saturating_add(1));
    }
    rest.is_empty() && (1..=MAX_ENTRIES).contains(&entries)
}
