//! A key set in the making, and what goes with it.

use super::super::bytes::{element, entry, object, section, CRITICAL, ES256};
use super::super::keys::{Key, CLASS, KEY_SET, VENDOR};
use super::super::update::{in_order, Update, PRIVATE};

const SIGN_THRESHOLD: u16 = 4;
const ROTATE_THRESHOLD: u16 = 5;
pub(super) const KEYS: u16 = 6;

/// A key set in the making.
#[derive(Clone)]
pub(super) struct Set {
    pub(super) elements: Vec<(u16, Vec<u8>)>,
    pub(super) tail: Vec<u8>,
}

impl Set {
    pub(super) fn new(version: u32, keys: &str) -> Self {
        let listed = in_key_order(keys).iter().flat_map(|(letter, roles)| key(*letter, *roles)).collect::<Vec<_>>();
        let version = version.to_le_bytes();
        let values: [&[u8]; 6] = [&VENDOR.0, &CLASS.0, &version, &[1], &[1], &listed];
        let elements = (1..).zip(values).map(|(number, value)| (CRITICAL | number, value.into())).collect();
        Self { elements, tail: Vec::new() }
    }

    /// The element of this type, in its number's place.
    pub(super) fn put(&self, kind: u16, value: &[u8]) -> Self {
        let mut set = self.without(kind & !CRITICAL);
        set.elements.push((kind, value.into()));
        set.elements.sort_by_key(|(kind, _)| kind & !CRITICAL);
        set
    }

    pub(super) fn set(&self, number: u16, value: &[u8]) -> Self {
        self.put(CRITICAL | number, value)
    }

    /// The element behind all others.
    pub(super) fn append(&self, kind: u16, value: &[u8]) -> Self {
        let mut set = self.clone();
        set.elements.push((kind, value.into()));
        set
    }

    pub(super) fn without(&self, number: u16) -> Self {
        let mut set = self.clone();
        set.elements.retain(|(kind, _)| kind & !CRITICAL != number);
        set
    }

    pub(super) fn thresholds(&self, sign: u8, rotate: u8) -> Self {
        self.set(SIGN_THRESHOLD, &[sign]).set(ROTATE_THRESHOLD, &[rotate])
    }

    /// The body filled up to `bytes`.
    pub(super) fn fill(&self, bytes: usize) -> Self {
        self.put(PRIVATE, &vec![0xAA; bytes - self.body().len() - 4])
    }

    /// Its own bytes filled so that it has `bytes` with so many signatures.
    pub(super) fn sized(&self, bytes: usize, signatures: usize) -> Self {
        self.fill(bytes - 16 - 2 - 76 * signatures)
    }

    pub(super) fn body(&self) -> Vec<u8> {
        self.elements.iter().flat_map(|(kind, value)| element(*kind, value)).chain(self.tail.clone()).collect()
    }

    pub(super) fn signed(&self) -> Vec<u8> {
        object(1, &self.body())
    }

    pub(super) fn by(&self, letter: char) -> Vec<u8> {
        self.entry(letter, KEY_SET, 0)
    }

    /// An entry whose signature does not verify.
    pub(super) fn bad(&self, letter: char) -> Vec<u8> {
        self.entry(letter, KEY_SET, 1)
    }

    pub(super) fn entry(&self, letter: char, domain: &str, flip: u8) -> Vec<u8> {
        let key = Key::test(letter);
        let mut signature = key.sign(domain, &self.signed());
        signature[40] ^= flip;
        entry(ES256, &key.id(), &signature)
    }

    pub(super) fn signed_by(&self, letters: &str) -> Vec<u8> {
        self.with(letters.chars().map(|letter| self.by(letter)).collect())
    }

    /// With these entries, in the order that a section has.
    pub(super) fn with(&self, entries: Vec<Vec<u8>>) -> Vec<u8> {
        self.with_section(&section(&in_order(entries)))
    }

    pub(super) fn with_section(&self, section: &[u8]) -> Vec<u8> {
        [&self.signed(), section].concat()
    }
}

pub(super) fn key(letter: char, roles: u8) -> Vec<u8> {
    [&[roles][..], &Key::test(letter).point()].concat()
}

pub(super) fn letters(keys: &str) -> Vec<(char, u8)> {
    keys.split(' ').map(|key| (key.as_bytes()[0].into(), key.as_bytes()[1] - b'0')).collect()
}

pub(super) fn in_key_order(keys: &str) -> Vec<(char, u8)> {
    let mut keys = letters(keys);
    keys.sort_by_key(|(letter, _)| Key::test(*letter).id());
    keys
}

pub(super) fn update(by: &str) -> Vec<u8> {
    Update::victim().signed_by(by)
}

/// The set that most cases begin with, and the one that follows it.
pub(super) fn one() -> Set {
    Set::new(1, "c1 d2")
}

pub(super) fn two() -> Set {
    Set::new(2, "e1 f2")
}
