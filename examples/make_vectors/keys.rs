//! The test keys: private keys that everybody has, what they sign, and a key set that holds one.

use lockgate::pack::{public_key_pem, Signer, SigningKey};
use lockgate::{Digest, Uuid};

use super::bytes::{element, entry, object, section, sha256, CRITICAL, ES256};

pub(crate) const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
pub(crate) const CLASS: Uuid = Uuid::new("0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80");
pub(super) const UPDATE: &str = "lockgate update ES256 v1";
pub(super) const KEY_SET: &str = "lockgate key set ES256 v1";
/// n, the order of P-256.
pub(super) const ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, //
    0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

pub(crate) struct Key(SigningKey);

impl Key {
    pub(crate) fn test(name: char) -> Self {
        let pem = match name {
            'a' => include_str!("../../tests/vectors/test-key-a.pem"),
            'b' => include_str!("../../tests/vectors/test-key-b.pem"),
            'c' => include_str!("../../tests/vectors/test-key-c.pem"),
            'd' => include_str!("../../tests/vectors/test-key-d.pem"),
            'e' => include_str!("../../tests/vectors/test-key-e.pem"),
            'f' => include_str!("../../tests/vectors/test-key-f.pem"),
            'g' => include_str!("../../tests/vectors/test-key-g.pem"),
            'h' => include_str!("../../tests/vectors/test-key-h.pem"),
            'i' => include_str!("../../tests/vectors/test-key-i.pem"),
            other => panic!("there is no test key {other}"),
        };
        Self(SigningKey::from_pem(pem).expect("a private key"))
    }

    pub(super) fn public_pem(&self) -> String {
        public_key_pem(&self.0.public_key()).expect("a point of the curve")
    }

    pub(crate) fn into_signer(self) -> SigningKey {
        self.0
    }

    /// x || y.
    pub(crate) fn point(&self) -> [u8; 64] {
        self.0.public_key().0
    }

    pub(super) fn id(&self) -> [u8; 8] {
        sha256(&[&[4], &self.point()[..]].concat())[..8].try_into().expect("8 bytes")
    }

    /// r || s over domain, prelude and body.
    pub(super) fn sign(&self, domain: &str, signed: &[u8]) -> [u8; 64] {
        self.sign_digest(sha256(&[format!("{domain:\0<32}").as_bytes(), signed].concat()))
    }

    pub(super) fn sign_digest(&self, digest: [u8; 32]) -> [u8; 64] {
        self.0.clone().sign(&Digest(digest)).expect("a signature")
    }
}

/// What is signed, and the test key a's signature.
pub(super) fn sealed(domain: &str, signed: &[u8]) -> Vec<u8> {
    let key = Key::test('a');
    [signed, &section(&[entry(ES256, &key.id(), &key.sign(domain, signed))])].concat()
}

/// So many key sets that hold the test key a with both roles.
pub(super) fn key_sets(count: usize) -> Vec<u8> {
    let key = [&[3][..], &Key::test('a').0.public_key().0].concat();
    let set = |version: usize| {
        let version = (version as u32).to_le_bytes();
        let values = [&VENDOR.0[..], &CLASS.0, &version, &[1], &[1], &key];
        let body: Vec<u8> = (1..).zip(values).flat_map(|(number, value)| element(CRITICAL | number, value)).collect();
        sealed(KEY_SET, &object(1, &body))
    };
    (1..=count).flat_map(set).collect()
}

/// The signature with s and n - s, the smaller first.
pub(super) fn low_and_high(signature: &[u8; 64]) -> [[u8; 64]; 2] {
    let (mut other, mut borrow) = (*signature, 0);
    for i in (0..32).rev() {
        let difference = i16::from(ORDER[i]) - i16::from(signature[32 + i]) - borrow;
        borrow = i16::from(difference < 0);
        other[32 + i] = difference as u8;
    }
    [*signature.min(&other), *signature.max(&other)]
}
