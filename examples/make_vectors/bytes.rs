//! Bytes: digests, numbers, and the parts that packages are made of.

use lockgate::{Sha2, Sha256};

pub(super) const CRITICAL: u16 = 0x8000;
pub(super) const ES256: u16 = 1;

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha2::new();
    hash.update(bytes);
    hash.finish().0
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A number of up to 4 bytes, little-endian.
pub(super) fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Bytes that look like nothing in particular.
pub(super) fn noise(len: usize) -> Vec<u8> {
    (0..len.div_ceil(32)).flat_map(|i| sha256(format!("lockgate noise {i}").as_bytes())).take(len).collect()
}

/// Prelude and body.
pub(super) fn object(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16).to_le_bytes();
    [b"\x89LGU\r\n\x1A\n", &[1, kind, 0, 0][..], &length, &[0, 0], body].concat()
}

pub(super) fn element(kind: u16, value: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(value.len() as u16).to_le_bytes(), value].concat()
}

/// Element 12's value for a base image of so many bytes. Nobody looks at the image.
pub(super) fn base_image(size: u32) -> Vec<u8> {
    [&size.to_le_bytes()[..], &sha256(&noise(500))].concat()
}

pub(super) fn entry(algorithm: u16, id: &[u8; 8], signature: &[u8]) -> Vec<u8> {
    [&algorithm.to_le_bytes()[..], id, &(signature.len() as u16).to_le_bytes(), signature].concat()
}

/// A signature section of these entries, in this order.
pub(super) fn section(entries: &[Vec<u8>]) -> Vec<u8> {
    let entries = entries.concat();
    [&(entries.len() as u16).to_le_bytes()[..], &entries].concat()
}

/// A block, and what its hash says of it.
pub(super) struct Block {
    pub(super) mark: [u8; 4],
    pub(super) index: u32,
    pub(super) length: u32,
    /// Whether it is the last, and three reserved bytes.
    pub(super) last: [u8; 4],
    pub(super) link: Vec<u8>,
    /// Data and link.
    pub(super) hashed: Vec<u8>,
}

impl Block {
    /// As the page has it; `link` is the hash of the next block.
    pub(super) fn new(index: u32, data: &[u8], link: &[u8]) -> Self {
        let (last, hashed) = ([u8::from(link.is_empty()), 0, 0, 0], [data, link].concat());
        Self { mark: *b"LGB1", index, length: data.len() as u32, last, link: link.into(), hashed }
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        let numbers = [self.mark, self.index.to_le_bytes(), self.length.to_le_bytes(), self.last].concat();
        sha256(&[numbers, self.hashed.clone()].concat())
    }
}

/// The payload with its links, and the hash of block 0. `change` is done to each block before it is hashed.
pub(super) fn chain(payload: &[u8], block: usize, change: fn(&mut Block)) -> (Vec<u8>, Vec<u8>) {
    let (mut parts, mut next) = (Vec::new(), Vec::new());
    for (index, data) in payload.chunks(block).enumerate().rev() {
        let mut block = Block::new(index as u32, data, &next);
        change(&mut block);
        next = block.hash().into();
        parts.push([data, &block.link].concat());
    }
    parts.reverse();
    (parts.concat(), next)
}
