//! Promise (I1): whatever is done to a package on its way, it is refused, and not one byte that was not
//! signed reaches the slot.

mod common;

use common::{install, noise, sha256, Bench, SMALL_LAYOUT};
use lockgate::pack::{Package, SigningKey};
use lockgate::sim::Flash;
use lockgate::wire::{block_prefix, UPDATE_DOMAIN};
use lockgate::{Error, Refusal};

const BLOCK: usize = 256;

struct Victim {
    bench: Bench,
    image: Vec<u8>,
    package: Package,
    flash: Flash,
}

impl Victim {
    fn new() -> Self {
        let bench = Bench::new(&SMALL_LAYOUT);
        let image = noise(900, 1);
        let package = bench.pack(&image, BLOCK as u32);
        let flash = bench.flash(&package, &image);
        Self { bench, image, package, flash }
    }

    /// The package's bytes up to the first block.
    fn head(&self) -> usize {
        self.package.head().len()
    }

    /// Streams `bytes`: they must be refused, and the oracle must have seen authentic bytes only.
    #[track_caller]
    fn assert_refused(&self, bytes: &[u8]) -> Error<lockgate::sim::Error> {
        let mut flash = self.flash.clone();
        let error = install::<4, 1, 512>(&self.bench, &mut flash, bytes).expect_err("a tampered package was accepted");
        assert_eq!(flash.violations(), [], "after {error}");
        let erases = flash.counters().erases;
        let head_is_authentic = bytes.len() >= self.head() && bytes[..self.head()] == *self.package.head();
        assert!(head_is_authentic || erases == 0, "{erases} sectors erased for an unauthentic head");
        error
    }
}

#[test]
fn every_bit_flip_is_refused() {
    let victim = Victim::new();
    for bit in 0..victim.package.bytes().len() * 8 {
        let mut bytes = victim.package.bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let error = victim.assert_refused(&bytes);
        if bit / 8 >= victim.head() {
            let index = ((bit / 8 - victim.head()) / (BLOCK + 32)) as u32;
            assert_eq!(error, Error::Refused(Refusal::BlockHash { index }), "bit {bit}");
        }
    }
}

#[test]
fn every_truncation_is_noticed() {
    let victim = Victim::new();
    for end in 0..victim.package.bytes().len() {
        let error = victim.assert_refused(&victim.package.bytes()[..end]);
        assert_eq!(error, Error::Truncated { position: end as u32 });
    }
}

#[test]
fn every_extension_is_refused() {
    let victim = Victim::new();
    for extra in [&[0][..], &[0xFF], &[0; 32], victim.package.bytes()] {
        let bytes = [victim.package.bytes(), extra].concat();
        assert_eq!(victim.assert_refused(&bytes), Error::Refused(Refusal::Trailing));
    }
}

#[test]
fn every_swap_of_two_blocks_is_refused() {
    let victim = Victim::new();
    let (head, bytes) = (victim.head(), victim.package.bytes());
    let block = |i: usize| head + i * (BLOCK + 32);
    for i in 0..3 {
        for j in 0..3 {
            if i != j {
                let mut swapped = bytes.to_vec();
                swapped[block(i)..block(i + 1)].copy_from_slice(&bytes[block(j)..block(j + 1)]);
                swapped[block(j)..block(j + 1)].copy_from_slice(&bytes[block(i)..block(i + 1)]);
                let index = i.min(j) as u32;
                assert_eq!(victim.assert_refused(&swapped), Error::Refused(Refusal::BlockHash { index }));
            }
        }
    }
}

#[test]
fn dropping_repeating_or_inserting_a_block_is_refused() {
    let victim = Victim::new();
    let (head, bytes) = (victim.head(), victim.package.bytes());
    let block = |i: usize| head + i * (BLOCK + 32);
    for i in 0..3 {
        victim.assert_refused(&[&bytes[..block(i)], &bytes[block(i + 1)..]].concat());
        victim.assert_refused(&[&bytes[..block(i + 1)], &bytes[block(i)..]].concat());
        victim.assert_refused(&[&bytes[..block(i)], &[0x55; BLOCK + 32], &bytes[block(i)..]].concat());
    }
}

#[test]
fn every_splice_of_two_genuine_packages_is_refused() {
    let victim = Victim::new();
    // Same key, same device, same size, same first block: only the signature tells them apart.
    let mut other = victim.image.clone();
    other[300] ^= 1;
    let other = victim.bench.pack(&other, BLOCK as u32);
    let (a, b) = (victim.package.bytes(), other.bytes());
    for at in 1..a.len() {
        if a[at..] == b[at..] || a[..at] == b[..at] {
            continue;
        }
        let spliced = [&a[..at], &b[at..]].concat();
        victim.assert_refused(&spliced);
    }
}

#[test]
fn a_block_relinked_to_a_forged_one_is_refused() {
    // The attacker computes right hashes for his block, but the link to it is signed.
    let victim = Victim::new();
    let head = victim.head();
    let mut bytes = victim.package.bytes().to_vec();
    let second = head + BLOCK + 32;
    bytes[second] ^= 1;
    let forged = sha256(&[&block_prefix(1, BLOCK as u32, false), &bytes[second..second + BLOCK + 32]].concat());
    bytes[head + BLOCK..second].copy_from_slice(&forged.0);
    assert_eq!(victim.assert_refused(&bytes), Error::Refused(Refusal::BlockHash { index: 0 }));
}

#[test]
fn a_signature_by_another_key_under_the_trusted_id_is_refused() {
    let victim = Victim::new();
    let head = victim.head();
    let signed = head - 2 - 76;
    let mut thief = SigningKey::generate();
    let digest = sha256(&[&UPDATE_DOMAIN[..], &victim.package.bytes()[..signed]].concat());
    let mut bytes = victim.package.bytes().to_vec();
    bytes[head - 64..head].copy_from_slice(&lockgate::pack::Signer::sign(&mut thief, &digest).unwrap());
    assert!(matches!(victim.assert_refused(&bytes), Error::Refused(Refusal::BadSignature { .. })));
}

#[test]
fn a_key_sets_signature_does_not_pass_for_an_updates() {
    let victim = Victim::new();
    let head = victim.head();
    let digest = sha256(&[&lockgate::wire::KEY_SET_DOMAIN[..], &victim.package.bytes()[..head - 78]].concat());
    let mut bytes = victim.package.bytes().to_vec();
    let signature = lockgate::pack::Signer::sign(&mut victim.bench.key.clone(), &digest).unwrap();
    bytes[head - 64..head].copy_from_slice(&signature);
    assert!(matches!(victim.assert_refused(&bytes), Error::Refused(Refusal::BadSignature { .. })));
}
