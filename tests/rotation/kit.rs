//! A device that rotates its keys, and those who sign for it.

#![allow(unreachable_pub)]

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use lockgate::boot::{Boot, Launch, NoImage};
use lockgate::pack::{Keys, Package, RoleKey, Signer, SigningKey};
use lockgate::sim::Flash;
use lockgate::wire::{EntryHeader, ES256, KEY_SET_DOMAIN};
use lockgate::{
    Block, Control, Device, Digest, Error, Keyring, Layout, PublicKey, Refusal, Sha2, Slot, Updater, Verified, Verify,
    P256,
};

use crate::common::{self, noise, provisioned, release, trust, Board, CLASS, SMALL, VENDOR};

/// Slots of 27 KiB, a key store of three sectors.
pub const SELECT: Layout =
    Layout::new(&SMALL).records(0..2048).keys(2048..5120).slots(5120..32 * 1024, 32 * 1024..59 * 1024).check();
/// Slots of 18 KiB and a spare sector.
pub const SWAP: Layout = Layout::new(&SMALL)
    .records(0..2048)
    .slots(2048..20 * 1024, 20 * 1024..38 * 1024)
    .swap(38 * 1024..39 * 1024)
    .keys(60 * 1024..63 * 1024)
    .check();

pub type Outcome = Result<Verified, Error<lockgate::sim::Error>>;

/// Four pairs of hands for each role: whoever is in a set is named by a number.
#[derive(Clone)]
pub struct People {
    pub sign: Vec<SigningKey>,
    pub rotate: Vec<SigningKey>,
    /// An update by each sign key.
    probes: Vec<Vec<u8>>,
}

impl People {
    pub fn new() -> Self {
        let keys = || (0..4).map(|_| SigningKey::generate()).collect::<Vec<_>>();
        let (sign, rotate) = (keys(), keys());
        let probes = sign.iter().map(|key| release(key, 200, 200, &noise(600, 200)).bytes().to_vec()).collect();
        Self { sign, rotate, probes }
    }

    /// The set of this version: these people, all of whose rotate keys must sign, and one of whose sign keys must.
    pub fn set(&self, version: u32, sign: &[usize], rotate: &[usize]) -> Keys {
        let role = |key: &SigningKey, sign| RoleKey { key: key.public_key(), sign, rotate: !sign };
        let keys = sign.iter().map(|&one| role(&self.sign[one], true));
        let keys = keys.chain(rotate.iter().map(|&one| role(&self.rotate[one], false))).collect();
        Keys { vendor: VENDOR, class: CLASS, version, sign_threshold: 1, rotate_threshold: rotate.len() as u8, keys }
    }

    /// The set, signed by these rotate keys.
    pub fn signed(&self, set: &Keys, by: &[usize]) -> Vec<u8> {
        let mut keys: Vec<SigningKey> = by.iter().map(|&one| self.rotate[one].clone()).collect();
        let mut signers: Vec<&mut dyn Signer> = keys.iter_mut().map(|key| key as &mut dyn Signer).collect();
        set.sign(&mut signers).unwrap()
    }

    /// An update that one of them signed.
    pub fn update(&self, by: usize, minor: u8) -> Package {
        release(&self.sign[by], minor, minor.into(), &noise(5000 + 700 * usize::from(minor), minor.into()))
    }
}

/// A device built with sign key 0 and rotate key 0, version 1.0 in slot A, which has booted once.
pub struct Field {
    pub people: People,
    pub device: Device<'static>,
    pub flash: Flash,
    pub signatures: bool,
}

impl Field {
    pub fn new(layout: &'static Layout, signatures: bool) -> Self {
        let people = People::new();
        let device = Device::new(layout, VENDOR, CLASS, trust(1, &[&people.sign[0]]));
        // Tests look on by starting it, which must not be an image's last attempt.
        let device = device.rotate_keys(trust(1, &[&people.rotate[0]])).attempts(50);
        Self::of(people, device, signatures)
    }

    /// One that took set 1 (sign key 1, rotate key 1) and confirmed an update by it.
    pub fn rotated(signatures: bool) -> Self {
        let mut field = Self::new(&SELECT, signatures);
        let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
        let update = field.people.update(1, 1);
        field.try_next(&[set], &update);
        field.confirm();
        field.boot().unwrap();
        field
    }

    pub fn of(people: People, device: Device<'static>, signatures: bool) -> Self {
        let (package, image) = (people.update(0, 0), noise(5000, 0));
        let flash = provisioned(device.layout(), Slot::A, &package, &image);
        let mut field = Self { people, device, flash, signatures };
        field.boot().unwrap();
        field
    }

    pub fn boot(&mut self) -> Result<Launch, NoImage> {
        if !self.signatures {
            return common::boot(&self.device, &mut self.flash);
        }
        Boot::with_signatures(&self.device, &mut self.flash, &mut Board::default(), Once).select()
    }

    /// Sends a package: key sets, then an update.
    pub fn send(&mut self, sets: &[Vec<u8>], update: &[u8]) -> Outcome {
        let bytes = [sets.concat(), update.to_vec()].concat();
        send(&self.device, &mut self.flash, &bytes)
    }

    /// The package goes through.
    #[track_caller]
    pub fn takes(&mut self, sets: &[Vec<u8>], update: &[u8]) {
        drop(self.send(sets, update).unwrap());
    }

    /// A package's update is taken and tried.
    pub fn try_next(&mut self, sets: &[Vec<u8>], update: &Package) -> Launch {
        let verified = self.send(sets, update.bytes()).unwrap();
        Control::new(&self.device, &mut self.flash).try_next(verified).unwrap();
        self.boot().unwrap()
    }

    pub fn confirm(&mut self) {
        Control::new(&self.device, &mut self.flash).confirm().unwrap();
    }

    /// Whether an update by this sign key is authentic to the device.
    #[track_caller]
    pub fn believes(&self, by: usize) -> bool {
        let mut copy = self.flash.clone();
        match send(&self.device, &mut copy, &self.people.probes[by]) {
            Ok(_) | Err(Error::Refused(Refusal::Unconfirmed)) => true,
            Err(Error::Refused(Refusal::TooFewSignatures { .. })) => false,
            Err(other) => panic!("{other:?}"),
        }
    }
}

pub fn send(device: &Device<'_>, flash: &mut Flash, bytes: &[u8]) -> Outcome {
    let (mut block, mut ring) = (Block::<1024>::new(), Keyring::new());
    let mut updater: Updater<'_, _, _> = Updater::with_verifier(device, flash, &mut block, Once).keyring(&mut ring);
    embedded_io::Write::write_all(&mut updater, bytes)?;
    updater.finish()
}

/// Prelude and body of a set.
fn signed_part(set: &[u8]) -> &[u8] {
    &set[..16 + usize::from(u16::from_le_bytes([set[12], set[13]]))]
}

/// What is signed, with signatures by all of these, whatever a tool would say.
pub fn signed_by(signed: &[u8], signers: &mut [&mut dyn Signer]) -> Vec<u8> {
    let digest = common::sha256(&[&KEY_SET_DOMAIN[..], signed].concat());
    signers.sort_by_key(|signer| signer.public_key().id::<Sha2>());
    let entry = |signer: &mut &mut dyn Signer| {
        let header = EntryHeader { algorithm: ES256, key: signer.public_key().id::<Sha2>(), length: 64 };
        [&header.encode()[..], &signer.sign(&digest).unwrap()].concat()
    };
    let section = signers.iter_mut().map(entry).collect::<Vec<_>>().concat();
    [signed, &(section.len() as u16).to_le_bytes(), &section].concat()
}

/// The set with other bytes at `at`, which rotate keys `by` have signed all the same.
pub fn resigned(people: &People, set: &[u8], at: usize, bytes: &[u8], by: &[usize]) -> Vec<u8> {
    let mut signed = signed_part(set).to_vec();
    signed[at..at + bytes.len()].copy_from_slice(bytes);
    let mut keys: Vec<SigningKey> = by.iter().map(|&one| people.rotate[one].clone()).collect();
    signed_by(&signed, &mut keys.iter_mut().map(|key| key as &mut dyn Signer).collect::<Vec<_>>())
}

/// The set, signed by more than a device keeps.
pub fn sign_unchecked(set: &Keys, signers: &mut [&mut dyn Signer]) -> Vec<u8> {
    let one = set.sign(&mut signers[..1]).unwrap();
    signed_by(signed_part(&one), signers)
}

/// Key, digest, signature.
type Check = ([u8; 64], [u8; 32], [u8; 64]);

thread_local! {
    static SEEN: RefCell<HashMap<Check, bool>> = RefCell::default();
}

/// `P256`, which is asked once for each signature: lives are lived thousands of times.
pub struct Once;

impl Verify for Once {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        let job = (key.0, digest.0, *signature);
        SEEN.with_borrow_mut(|seen| *seen.entry(job).or_insert_with(|| P256.verify(key, digest, signature)))
    }

    fn is_point(&mut self, key: &PublicKey) -> bool {
        P256.is_point(key)
    }
}

pub type CountingUpdater<'a, 'c> = Updater<'a, &'a mut Flash, Counting<'c>>;

/// Counts the checks that are asked of `P256`.
pub struct Counting<'c>(pub &'c Cell<u32>);

impl Verify for Counting<'_> {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        self.0.set(self.0.get() + 1);
        P256.verify(key, digest, signature)
    }

    fn is_point(&mut self, key: &PublicKey) -> bool {
        P256.is_point(key)
    }
}
