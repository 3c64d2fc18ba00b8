//! What attackers have at hand: heads with signature sections of their own, verifiers that count, links that lie.

use std::cell::Cell;

use embedded_io::{ErrorKind, ErrorType, Read};
use lockgate::pack::{Package, Signer, SigningKey};
use lockgate::sim::Flash;
use lockgate::wire::{EntryHeader, ES256, UPDATE_DOMAIN};
use lockgate::{Block, Device, Digest, Error, KeyId, PublicKey, Sha2, Updater, Verified, Verify, P256};

use crate::common::sha256;

pub type Outcome = Result<Verified, Error<lockgate::sim::Error>>;

/// Streams `bytes` to the device, and ends.
pub fn offer(device: &Device<'_>, flash: &mut Flash, bytes: &[u8]) -> Outcome {
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(device, flash, &mut block);
    embedded_io::Write::write_all(&mut updater, bytes)?;
    updater.finish()
}

/// Prelude and manifest.
pub fn signed(package: &Package) -> &[u8] {
    let head = package.head();
    let body = u16::from_le_bytes([head[12], head[13]]);
    &head[..16 + usize::from(body)]
}

/// What `ecdsa` signs of an update.
pub fn update_digest(signed: &[u8]) -> Digest {
    sha256(&[&UPDATE_DOMAIN[..], signed].concat())
}

/// An entry of a signature section.
pub fn entry(algorithm: u16, key: KeyId, signature: &[u8]) -> Vec<u8> {
    let header = EntryHeader { algorithm, key, length: signature.len() as u16 };
    [&header.encode()[..], signature].concat()
}

/// The entry by which `key` vouches for `digest`.
pub fn entry_by(key: &SigningKey, digest: &Digest) -> Vec<u8> {
    entry(ES256, key.public_key().id::<Sha2>(), &key.clone().sign(digest).unwrap())
}

/// The package with these entries in place of its own.
pub fn with_entries(package: &Package, entries: &[Vec<u8>]) -> Vec<u8> {
    let section = entries.concat();
    let payload = &package.bytes()[package.head().len()..];
    [signed(package), &(section.len() as u16).to_le_bytes(), &section, payload].concat()
}

/// Counts the checks that are asked of `P256`.
pub struct Counting<'c>(pub &'c Cell<u32>);

impl Verify for Counting<'_> {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        self.0.set(self.0.get() + 1);
        P256.verify(key, digest, signature)
    }
}

/// A transport whose caller set a budget: so many reads, each of a few bytes, then it fails.
pub struct Budget<R> {
    pub link: R,
    pub reads: u32,
    pub bytes: usize,
}

/// The budget is spent.
#[derive(Debug, PartialEq, Eq)]
pub struct Spent;

impl core::fmt::Display for Spent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the budget is spent")
    }
}

impl core::error::Error for Spent {}

impl embedded_io::Error for Spent {
    fn kind(&self) -> ErrorKind {
        ErrorKind::TimedOut
    }
}

impl<R> ErrorType for Budget<R> {
    type Error = Spent;
}

impl<R: Iterator<Item = u8>> Read for Budget<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Spent> {
        self.reads = self.reads.checked_sub(1).ok_or(Spent)?;
        let mut read = 0;
        for (place, byte) in buffer.iter_mut().take(self.bytes).zip(&mut self.link) {
            *place = byte;
            read += 1;
        }
        Ok(read)
    }
}
