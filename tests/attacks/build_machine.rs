//! The attacker on the build machine: has one signing key, all of them, or a key of another purpose.

use lockgate::pack::{Package, Signer, SigningKey};
use lockgate::sim::Flash;
use lockgate::wire::KEY_SET_DOMAIN;
use lockgate::{Control, Device, Error, KeySet, Refusal, Slot};

use crate::common::{
    ask, boot, device, leak, noise, provisioned, release, sha256, trust, update, CLASS, SMALL_LAYOUT, VENDOR,
};
use crate::kit::{entry_by, offer, signed, update_digest, with_entries, Outcome};

/// Two of three keys must have signed.
struct Vault {
    keys: [SigningKey; 3],
    device: &'static Device<'static>,
    flash: Flash,
}

impl Vault {
    fn new() -> Self {
        let keys = [(); 3].map(|()| SigningKey::generate());
        let device = leak(Device::new(&SMALL_LAYOUT, VENDOR, CLASS, trust(2, &[&keys[0], &keys[1], &keys[2]])));
        let image = noise(3000, 1);
        let flash = provisioned(&SMALL_LAYOUT, Slot::A, &release(&keys[0], 0, 1, &image), &image);
        Self { keys, device, flash }
    }

    fn package(&self, by: &[usize]) -> Package {
        let mut keys: Vec<SigningKey> = by.iter().map(|&key| self.keys[key].clone()).collect();
        let mut signers: Vec<&mut dyn Signer> = keys.iter_mut().map(|key| key as &mut dyn Signer).collect();
        update().block_size(512).unwrap().build(&noise(900, 4), &mut signers).unwrap()
    }

    fn offer(&self, bytes: &[u8]) -> Outcome {
        let mut flash = self.flash.clone();
        let outcome = offer(self.device, &mut flash, bytes);
        assert!(outcome.is_ok() || flash.counters().erases == 0, "refused after an erase");
        outcome
    }
}

const ONE_OF_TWO: Refusal = Refusal::TooFewSignatures { valid: 1, needed: 2 };

#[test]
fn one_stolen_key_of_a_threshold_of_two_signs_nothing() {
    let vault = Vault::new();
    for stolen in 0..3 {
        assert_eq!(vault.offer(vault.package(&[stolen]).bytes()), Err(ONE_OF_TWO.into()));
    }
    assert!(vault.offer(vault.package(&[0, 2]).bytes()).is_ok());
}

#[test]
fn one_stolen_key_does_not_count_twice() {
    let vault = Vault::new();
    let package = vault.package(&[0]);
    let one = entry_by(&vault.keys[0], &update_digest(signed(&package)));
    // Twice the same, and a second signature of the same key: the order of entries forbids both.
    let doubled = vault.offer(&with_entries(&package, &[one.clone(), one.clone()])).unwrap_err();
    assert!(matches!(doubled, lockgate::Error::Refused(Refusal::Malformed(_))), "{doubled}");
    // Nor can a device be built that holds one key twice.
    let key = vault.keys[0].public_key();
    assert!(KeySet::checked(2, &[key, key]).is_none());
    // Signatures that others made of another update do not make up for what is missing.
    let other = entry_by(&vault.keys[1], &update_digest(signed(&release(&vault.keys[1], 7, 7, &noise(900, 5)))));
    let mut entries = [one, other];
    entries.sort_by_key(|entry| entry[2..10].to_vec());
    let mixed = vault.offer(&with_entries(&package, &entries)).unwrap_err();
    assert!(matches!(mixed, lockgate::Error::Refused(Refusal::BadSignature { .. })), "{mixed}");
}

#[test]
fn no_device_can_be_built_that_asks_for_no_signature_or_for_more_than_it_has_keys() {
    let keys: Vec<_> = (0..9).map(|_| SigningKey::generate().public_key()).collect();
    let set = |threshold, keys: usize, all: &[_]| KeySet::checked(threshold, &all[..keys]).map(|set| set.threshold());
    assert_eq!(set(0, 0, &keys), None);
    assert_eq!(set(1, 0, &keys), None);
    assert_eq!((set(0, 1, &keys), set(0, 8, &keys)), (None, None));
    assert_eq!((set(1, 1, &keys), set(2, 1, &keys)), (Some(1), None));
    assert_eq!((set(3, 3, &keys), set(4, 3, &keys)), (Some(3), None));
    assert_eq!((set(8, 8, &keys), set(1, 9, &keys), set(9, 9, &keys)), (Some(8), None, None));
    // The same key in any two places.
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        let mut twice = keys[..3].to_vec();
        twice[b] = twice[a];
        assert!(KeySet::checked(1, &twice).is_none());
    }
    // Two that differ in their last byte alone are two.
    let mut near = [keys[0]; 2];
    near[1].0[63] ^= 1;
    assert!(KeySet::checked(2, &near).is_some());
}

#[test]
fn a_signature_made_for_another_purpose_is_none_for_an_update() {
    let vault = Vault::new();
    let package = vault.package(&[0, 1]);
    let body = signed(&package);
    // As a key set; without a domain; of the image alone.
    for digest in [sha256(&[&KEY_SET_DOMAIN[..], body].concat()), sha256(body), package.manifest().image_digest] {
        let mut entries = [entry_by(&vault.keys[0], &digest), entry_by(&vault.keys[1], &digest)];
        entries.sort_by_key(|entry| entry[2..10].to_vec());
        let error = vault.offer(&with_entries(&package, &entries)).unwrap_err();
        assert!(matches!(error, lockgate::Error::Refused(Refusal::BadSignature { .. })), "{error}");
    }
}

#[test]
fn not_defended_whoever_has_a_threshold_of_keys_signs_what_he_likes() {
    let vault = Vault::new();
    assert!(vault.offer(vault.package(&[1, 2]).bytes()).is_ok());
}

#[test]
fn not_defended_whoever_has_a_threshold_of_keys_uses_up_the_counter() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    ask(&bench, &mut flash, &release(&bench.key, 1, u32::MAX, &noise(3000, 1)));
    boot(bench.device, &mut flash).unwrap();
    Control::new(bench.device, &mut flash).confirm().unwrap();
    let honest = release(&bench.key, 9, 9, &noise(3000, 9));
    let outcome = offer(bench.device, &mut flash, honest.bytes());
    assert!(matches!(outcome, Err(Error::Refused(Refusal::SecurityCounter { device: u32::MAX, .. }))), "{outcome:?}");
}
