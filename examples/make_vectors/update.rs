//! An update in the making: its elements wherever they are put, and who signs.

use super::bytes::{chain, element, entry, noise, object, section, sha256, Block, CRITICAL, ES256};
use super::keys::{Key, CLASS, UPDATE, VENDOR};

/// Where elements of the vendor's own begin; not critical, one of them fills bodies up to their least length.
pub(super) const PRIVATE: u16 = 0x7000;

#[derive(Clone)]
pub(super) struct Update {
    pub(super) elements: Vec<(u16, Vec<u8>)>,
    /// Bytes of the body behind the elements.
    pub(super) tail: Vec<u8>,
    pub(super) image: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

impl Update {
    /// The elements that every update has.
    pub(super) fn new(image: &[u8], block: usize) -> Self {
        Self::chained(image, block, |_| {})
    }

    /// With something done to each block before it is hashed.
    pub(super) fn chained(image: &[u8], block: usize, change: fn(&mut Block)) -> Self {
        let (payload, first) = chain(image, block, change);
        let size = (image.len() as u32).to_le_bytes();
        Self { elements: Vec::new(), tail: Vec::new(), image: image.into(), payload }
            .set(1, &VENDOR.0)
            .set(2, &CLASS.0)
            .set(4, &[1, 2, 3, 0, 0, 0, 0, 0])
            .set(5, &7u32.to_le_bytes())
            .set(6, &size)
            .set(7, &sha256(image))
            .set(8, &[block.trailing_zeros() as u8])
            .set(9, &size)
            .set(10, &first)
    }

    /// What most bad vectors start from: one small block.
    pub(super) fn victim() -> Self {
        Self::new(&noise(4), 256)
    }

    /// The element, in its place and critical.
    pub(super) fn set(&self, number: u16, value: &[u8]) -> Self {
        self.put(CRITICAL | number, value)
    }

    /// The element of this type, in its number's place, instead of one that may be there.
    pub(super) fn put(&self, kind: u16, value: &[u8]) -> Self {
        let mut update = self.without(kind & !CRITICAL);
        update.elements.push((kind, value.into()));
        update.elements.sort_by_key(|(kind, _)| kind & !CRITICAL);
        update
    }

    pub(super) fn without(&self, number: u16) -> Self {
        let mut update = self.clone();
        update.elements.retain(|(kind, _)| kind & !CRITICAL != number);
        update
    }

    /// The body filled up to `bytes`.
    pub(super) fn fill(&self, bytes: usize) -> Self {
        self.put(PRIVATE, &vec![0xAA; bytes - self.body().len() - 4])
    }

    pub(super) fn value(&self, number: u16) -> Option<&[u8]> {
        self.elements.iter().find(|(kind, _)| kind & !CRITICAL == number).map(|(_, value)| &value[..])
    }

    pub(super) fn body(&self) -> Vec<u8> {
        self.elements.iter().flat_map(|(kind, value)| element(*kind, value)).chain(self.tail.clone()).collect()
    }

    pub(super) fn signed(&self) -> Vec<u8> {
        object(2, &self.body())
    }

    /// The entry of a test key.
    pub(super) fn by(&self, name: char) -> Vec<u8> {
        self.entry(name, &Key::test(name).sign(UPDATE, &self.signed()))
    }

    pub(super) fn entry(&self, name: char, signature: &[u8]) -> Vec<u8> {
        entry(ES256, &Key::test(name).id(), signature)
    }

    /// The package, signed by these keys.
    pub(super) fn signed_by(&self, names: &str) -> Vec<u8> {
        self.with(&in_order(names.chars().map(|name| self.by(name))))
    }

    /// The package with these signature entries, in this order.
    pub(super) fn with(&self, entries: &[Vec<u8>]) -> Vec<u8> {
        [self.signed(), section(entries), self.payload.clone()].concat()
    }
}

/// The entries as a section has them.
pub(super) fn in_order(entries: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort_by_key(|entry| (entry[1], entry[0], entry[2..10].to_vec()));
    entries
}
