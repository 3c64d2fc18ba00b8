//! What records say, byte for byte (`docs/records.md`, section 2).

use super::grid::CHECK_SIZE;
use crate::digest::{digest, Digest, Sha256};

/// Bytes of a body: the longest payload and its check, in whole units of any size.
pub(crate) const MAX_BODY: usize = 96;
/// Bytes of a header's payload.
pub(crate) const HEADER_SIZE: usize = 20;
/// Bytes of a state's payload.
pub(crate) const STATE_SIZE: usize = 88;
/// Bytes of a checkpoint's payload.
pub(crate) const CHECKPOINT_SIZE: usize = 44;
/// Bytes of the payload of a compressed image's checkpoint.
pub(crate) const COMPRESSED_SIZE: usize = 52;

const VERSION: u8 = 1;
const MAGIC: [u8; 4] = *b"LGRL";
const SEED: [u8; 4] = *b"LGR1";

/// What a record is; the value is its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Header = 1,
    State,
    Checkpoint,
    /// A checkpoint of a compressed image.
    Compressed,
}

impl Kind {
    /// The kind of the record whose body this is.
    pub(crate) const fn of([number, ..]: &[u8; MAX_BODY]) -> Option<Self> {
        match *number {
            1 => Some(Self::Header),
            2 => Some(Self::State),
            3 => Some(Self::Checkpoint),
            4 => Some(Self::Compressed),
            _ => None,
        }
    }

    pub(crate) const fn size(self) -> usize {
        match self {
            Self::Header => HEADER_SIZE,
            Self::State => STATE_SIZE,
            Self::Checkpoint => CHECKPOINT_SIZE,
            Self::Compressed => COMPRESSED_SIZE,
        }
    }
}

/// The check of a record that begins at `stride` of a sector of `generation`, with a payload of `size` bytes.
#[inline(never)]
pub(crate) fn check<H: Sha256>(generation: u32, stride: u16, body: &[u8; MAX_BODY], size: usize) -> [u8; CHECK_SIZE] {
    let mut seed = [0; 10];
    Room(&mut seed).put(SEED).put(generation.to_le_bytes()).put(stride.to_le_bytes());
    let Digest([c0, c1, c2, c3, ..]) = digest::<H>(&[&seed, body.get(..size).unwrap_or_default()]);
    [c0, c1, c2, c3]
}

/// What the first record of a sector says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    /// 1 or more.
    pub(crate) generation: u32,
    /// Generation of the sector that was current before, 0 if there was none; and the unit of its last stride that
    /// holds the note of this opening.
    pub(crate) before: u32,
    pub(crate) note: u16,
}

impl Header {
    /// The payload, for units of `unit` bytes.
    pub(crate) fn encode(&self, unit: u32, body: &mut [u8; MAX_BODY]) {
        Room(body)
            .put([Kind::Header as u8, 1, VERSION, unit as u8])
            .put(self.generation.to_le_bytes())
            .put(MAGIC)
            .put(self.before.to_le_bytes())
            .put(self.note.to_le_bytes());
    }

    pub(crate) fn decode(body: &[u8; MAX_BODY], unit: u32) -> Option<Self> {
        let mut fields = Fields(body);
        let [kind, _, version, units] = fields.take();
        let fits = [*kind, *version, *units] == [Kind::Header as u8, VERSION, unit as u8];
        let generation = u32::from_le_bytes(*fields.take());
        let fits = fits && *fields.take() == MAGIC;
        let before = u32::from_le_bytes(*fields.take());
        let note = u16::from_le_bytes(*fields.take());
        let fits = fits && *fields.take() == [0; 2];
        (fits && (1..u32::MAX).contains(&generation)).then_some(Self { generation, before, note })
    }
}

/// Where an interrupted install goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// Offset in the slot: a sector's first byte.
    pub(crate) offset: u32,
    /// Payload bytes, links not counted, from which it goes on.
    pub(crate) payload: u32,
    /// The hash of the block that holds that payload byte.
    pub(crate) hash: Digest,
    /// Of a compressed image: the token in hand (`docs/payload.md`, section 4).
    pub(crate) token: Option<Token>,
}

/// What of a token is taken, and what it still gives.
pub(crate) type Token = [u32; 2];

impl Checkpoint {
    /// Nothing is written yet: the manifest has the hash of block 0.
    pub(crate) const START: Self = Self { offset: 0, payload: 0, hash: Digest([0; 32]), token: None };
    /// Stands for none, in four bytes less than an `Option`: no slot has that offset.
    pub(crate) const NONE: Self = Self { offset: u32::MAX, ..Self::START };

    /// What record it is in.
    pub(crate) fn kind(&self) -> Kind {
        if self.token.is_some() {
            Kind::Compressed
        } else {
            Kind::Checkpoint
        }
    }

    /// The payload, in a record of `strides`, for the state of this start.
    pub(crate) fn encode(&self, start: u16, strides: u16, body: &mut [u8; MAX_BODY]) {
        let [bits, reference] = self.token.unwrap_or_default();
        Room(body)
            .put([self.kind() as u8, strides as u8])
            .put(start.to_le_bytes())
            .put(self.offset.to_le_bytes())
            .put(self.payload.to_le_bytes())
            .put(self.hash.0)
            .put(bits.to_le_bytes())
            .put(reference.to_le_bytes());
    }

    /// The checkpoint, and the start it belongs to.
    pub(crate) fn decode(body: &[u8; MAX_BODY]) -> (u16, Self) {
        let mut fields = Fields(body);
        let [kind, _] = *fields.take();
        let start = u16::from_le_bytes(*fields.take());
        let offset = u32::from_le_bytes(*fields.take());
        let payload = u32::from_le_bytes(*fields.take());
        let hash = Digest(*fields.take());
        let token = [u32::from_le_bytes(*fields.take()), u32::from_le_bytes(*fields.take())];
        (start, Self { offset, payload, hash, token: (kind == Kind::Compressed as u8).then_some(token) })
    }
}

/// Little fields, one after the other; zeros where there are none. The compiler knows every length.
pub(super) struct Fields<'b>(pub(super) &'b [u8]);

impl<'b> Fields<'b> {
    #[inline(always)]
    pub(super) fn take<const N: usize>(&mut self) -> &'b [u8; N] {
        let (field, rest) = self.0.split_first_chunk().unwrap_or((&[0; N], &[]));
        self.0 = rest;
        field
    }
}

/// Room for little fields, one after the other.
pub(super) struct Room<'b>(pub(super) &'b mut [u8]);

impl Room<'_> {
    #[inline(always)]
    pub(super) fn put<const N: usize>(self, field: [u8; N]) -> Self {
        match self.0.split_first_chunk_mut() {
            Some((room, rest)) => {
                *room = field;
                Self(rest)
            }
            None => Self(&mut []),
        }
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn encoded(encode: impl FnOnce(&mut [u8; MAX_BODY])) -> [u8; MAX_BODY] {
        let mut body = [0; MAX_BODY];
        encode(&mut body);
        body
    }

    #[test]
    fn a_header_is_for_its_unit_and_version_only() {
        let header = Header { generation: 5, before: 4, note: 30 };
        let good = encoded(|body| header.encode(8, body));
        assert_eq!(Header::decode(&good, 8), Some(header));
        assert_eq!(Header::decode(&good, 4), None);
        assert_eq!(Header::decode(&encoded(|body| Header::default().encode(8, body)), 8), None);
        for at in [0, 2, 8, 11, 18, 19] {
            let mut bad = good;
            bad[at] ^= 1;
            assert_eq!(Header::decode(&bad, 8), None, "byte {at}");
        }
    }
}
