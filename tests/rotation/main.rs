//! Promise (I1, I3, I5): keys change in the field by what enough of the old and of the new ones have signed, and by nothing else; what
//! was revoked stays revoked, and the way back stays open until the new image is confirmed.

mod boot_stage;
mod calls;
#[path = "../common/mod.rs"]
mod common;
mod kit;
mod power;
mod store;

use kit::{send, Field, People, SELECT, SWAP};
use lockgate::pack::{RoleKey, Signer, SigningKey};
use lockgate::{Block, BootReason, Control, Device, Error, PublicKey, Refusal, Slot, Updater, Uuid};

use crate::common::{noise, trust, CLASS, OTHER, VENDOR};

fn refused(outcome: kit::Outcome) -> Refusal {
    match outcome {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("refused was expected, not {other:?}"),
    }
}

#[test]
fn a_set_that_old_and_new_keys_signed_is_taken_and_the_update_behind_it_judged_by_it() {
    for layout in [&SELECT, &SWAP] {
        let mut field = Field::new(layout, false);
        let next = field.people.set(1, &[1], &[1]);
        let set = field.people.signed(&next, &[0, 1]);
        let update = field.people.update(1, 1);
        let launch = field.try_next(&[set], &update);
        assert!(matches!(launch.reason, BootReason::Trial { .. }));
        field.confirm();
        assert_eq!(field.boot().unwrap().reason, BootReason::Confirmed);
        assert_eq!((field.believes(0), field.believes(1)), (false, true));
        assert_eq!(field.flash.violations(), []);
    }
}

#[test]
fn both_thresholds_must_be_met_and_nothing_is_written_before() {
    let mut field = Field::new(&SELECT, false);
    let two = field.people.set(1, &[1], &[1, 2]);
    let update = field.people.update(1, 1);
    let steps = field.flash.steps();
    for (by, valid, needed) in [(&[1, 2][..], 0, 1), (&[0, 1], 1, 2), (&[0], 0, 2), (&[2], 0, 1)] {
        let set = field.people.signed(&two, by);
        let refusal = refused(field.send(&[set], update.bytes()));
        assert_eq!(refusal, Refusal::TooFewSignatures { valid, needed }, "signed by {by:?}");
    }
    assert_eq!(field.flash.steps(), steps);
    assert!(field.believes(0));
    let set = field.people.signed(&two, &[0, 1, 2]);
    field.takes(&[set], update.bytes());
}

#[test]
fn a_bad_signature_by_a_rotate_key_of_either_set_spoils_the_set() {
    let mut field = Field::new(&SELECT, false);
    let set = field.people.set(1, &[1], &[1]);
    let good = field.people.signed(&set, &[0, 1]);
    for entry in 0..2 {
        let mut bad = good.clone();
        let end = bad.len() - 76 * entry;
        bad[end - 1] ^= 1;
        let refusal = refused(field.send(&[bad], field.people.update(1, 1).bytes()));
        assert!(matches!(refusal, Refusal::BadSignature { .. }), "{refusal:?}");
    }
    assert!(field.believes(0));
}

#[test]
fn no_bit_of_a_set_can_be_changed_on_the_way() {
    let mut field = Field::new(&SELECT, false);
    let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
    let update = field.people.update(0, 1).bytes().to_vec();
    for bit in (0..set.len() * 8).step_by(3) {
        let mut bad = set.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let mut flash = field.flash.clone();
        // What is refused may be the set or, where it is passed over, nothing.
        let _ = send(&field.device, &mut flash, &[bad, update.clone()].concat());
        std::mem::swap(&mut field.flash, &mut flash);
        assert!(field.believes(0) && !field.believes(1), "bit {bit}");
        std::mem::swap(&mut field.flash, &mut flash);
    }
}

#[test]
fn sign_keys_sign_no_sets_and_rotate_keys_no_updates() {
    let mut field = Field::new(&SELECT, false);
    let set = field.people.set(1, &[1], &[1]);
    let mut thief = field.people.sign[0].clone();
    let forged = set.sign(&mut [&mut thief, &mut field.people.rotate[1].clone()]).unwrap();
    let update = field.people.update(1, 1);
    assert_eq!(refused(field.send(&[forged], update.bytes())), Refusal::TooFewSignatures { valid: 0, needed: 1 });
    // Nor does a sign key of the new set agree to it.
    let (mut old, mut new) = (field.people.rotate[0].clone(), field.people.sign[1].clone());
    let forged = set.sign(&mut [&mut old, &mut new]).unwrap();
    assert_eq!(refused(field.send(&[forged], update.bytes())), Refusal::TooFewSignatures { valid: 0, needed: 1 });
    let image = noise(5000, 9);
    let by_rotate = common::release(&field.people.rotate[0], 1, 1, &image);
    assert_eq!(refused(field.send(&[], by_rotate.bytes())), Refusal::TooFewSignatures { valid: 0, needed: 1 });
}

#[test]
fn roles_hold_for_a_set_that_was_taken_as_for_the_one_built_in() {
    let mut field = Field::new(&SELECT, false);
    let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
    field.send(&[set], b"").unwrap_err();
    let too_few = Refusal::TooFewSignatures { valid: 0, needed: 1 };
    let by_rotate = common::release(&field.people.rotate[1], 1, 1, &noise(5000, 9));
    assert_eq!(refused(field.send(&[], by_rotate.bytes())), too_few);
    let next = field.people.set(2, &[2], &[2]);
    let by_sign = next.sign(&mut [&mut field.people.sign[1].clone(), &mut field.people.rotate[2].clone()]).unwrap();
    assert_eq!(refused(field.send(&[by_sign], b"")), too_few);
    assert!(field.believes(1));
}

#[test]
fn a_key_of_both_roles_signs_updates_and_sets() {
    let mut field = Field::new(&SELECT, false);
    let both = RoleKey { key: field.people.sign[1].public_key(), sign: true, rotate: true };
    let mut first = field.people.set(1, &[], &[]);
    (first.keys, first.rotate_threshold) = (vec![both], 1);
    let (mut old, mut key) = (field.people.rotate[0].clone(), field.people.sign[1].clone());
    let set = first.sign(&mut [&mut old, &mut key]).unwrap();
    field.takes(&[set], field.people.update(1, 1).bytes());
    let second = field.people.set(2, &[2], &[2]);
    let set = second.sign(&mut [&mut key, &mut field.people.rotate[2].clone()]).unwrap();
    field.takes(&[set], field.people.update(2, 2).bytes());
    assert_eq!((field.believes(1), field.believes(2)), (false, true));
}

#[test]
fn a_signature_made_for_an_update_is_none_for_a_set() {
    use lockgate::wire::UPDATE_DOMAIN;
    let mut field = Field::new(&SELECT, false);
    let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
    let body = 16 + usize::from(u16::from_le_bytes([set[12], set[13]]));
    let digest = common::sha256(&[&UPDATE_DOMAIN[..], &set[..body]].concat());
    let mut entries: Vec<_> = [0, 1].map(|one: usize| field.people.rotate[one].clone()).into();
    entries.sort_by_key(|key| key.public_key().id::<lockgate::Sha2>());
    let section: Vec<u8> = entries
        .iter_mut()
        .flat_map(|key| {
            let id = key.public_key().id::<lockgate::Sha2>();
            let header = lockgate::wire::EntryHeader { algorithm: 1, key: id, length: 64 };
            [&header.encode()[..], &key.sign(&digest).unwrap()].concat()
        })
        .collect();
    let forged = [&set[..body], &(section.len() as u16).to_le_bytes(), &section].concat();
    let refusal = refused(field.send(&[forged], field.people.update(1, 1).bytes()));
    assert!(matches!(refusal, Refusal::BadSignature { .. }));
}

#[test]
fn versions_follow_one_another_and_old_or_foreign_sets_are_passed_over() {
    let mut field = Field::new(&SELECT, false);
    let people = &field.people;
    let first = people.signed(&people.set(1, &[1], &[0]), &[0]);
    let second = people.signed(&people.set(2, &[2], &[0]), &[0]);
    let foreign = |vendor, class| {
        let mut set = people.set(7, &[0], &[2]);
        (set.vendor, set.class) = (vendor, class);
        people.signed(&set, &[2])
    };
    let others = [foreign(OTHER, CLASS), foreign(VENDOR, OTHER)];
    let (by_one, by_two) = (people.update(1, 1), people.update(2, 2));
    assert_eq!(
        refused(field.send(std::slice::from_ref(&second), by_two.bytes())),
        Refusal::KeySetVersion { package: 2, device: 0 }
    );
    // A device that slept for years takes one after the other; one that did not passes over what it has.
    let all = [others[0].clone(), first.clone(), others[1].clone(), second.clone()];
    field.takes(&all, by_two.bytes());
    assert_eq!((field.believes(0), field.believes(1), field.believes(2)), (false, false, true));
    field.takes(&all, by_two.bytes());
    assert_eq!(refused(field.send(&[first], by_one.bytes())), Refusal::TooFewSignatures { valid: 0, needed: 1 });
    assert!(field.believes(2));
}

#[test]
fn a_set_stays_taken_however_the_update_behind_it_fails() {
    for layout in [&SELECT, &SWAP] {
        let mut field = Field::new(layout, false);
        let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
        // Signed by a key that is revoked in the same package.
        let update = field.people.update(0, 1);
        assert_eq!(refused(field.send(&[set], update.bytes())), Refusal::TooFewSignatures { valid: 0, needed: 1 });
        assert_eq!((field.believes(0), field.believes(1)), (false, true));
        // Truncated, never confirmed, given up.
        let update = field.people.update(1, 1);
        field.send(&[], &update.bytes()[..3000]).unwrap_err();
        assert!(!field.believes(0));
        field.try_next(&[], &update);
        Control::new(&field.device, &mut field.flash).reject().unwrap();
        assert!(matches!(field.boot().unwrap().reason, BootReason::Reverted(_)));
        assert_eq!((field.believes(0), field.believes(1)), (false, true));
        assert_eq!(field.flash.violations(), []);
    }
}

#[test]
fn a_set_stops_an_update_that_a_revoked_key_signed_and_that_waits_for_its_trial() {
    for layout in [&SELECT, &SWAP] {
        let mut field = Field::new(layout, false);
        let stolen = field.people.update(0, 1);
        let receipt = field.send(&[], stolen.bytes()).unwrap();
        Control::new(&field.device, &mut field.flash).try_next(receipt).unwrap();
        let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
        field.send(&[set], b"").unwrap_err();
        assert_eq!(field.boot().unwrap().reason, BootReason::Confirmed, "not tried");
        let mut block = Block::<1024>::new();
        let mut ring = lockgate::Keyring::new();
        let mut updater = Updater::new(&field.device, &mut field.flash, &mut block).keyring(&mut ring);
        let staged = updater.staged();
        assert_eq!(refused(staged), Refusal::TooFewSignatures { valid: 0, needed: 1 });
    }
}

#[test]
fn a_receipt_given_under_the_old_set_is_void() {
    let mut field = Field::new(&SELECT, false);
    let update = field.people.update(0, 20);
    let receipt = field.send(&[], update.bytes()).unwrap();
    let set = field.people.signed(&field.people.set(1, &[0, 1], &[1]), &[0, 1]);
    field.send(&[set], b"").unwrap_err();
    assert_eq!(Control::new(&field.device, &mut field.flash).try_next(receipt).unwrap_err(), Error::Superseded);
    // Its key still signs: accepted anew, it goes on where it was.
    let erased = field.flash.erases_in(SELECT.slot_range(Slot::B));
    let receipt = field.send(&[], update.bytes()).unwrap();
    assert!(field.flash.erases_in(SELECT.slot_range(Slot::B)) - erased < 8, "19 sectors, most of them written once");
    Control::new(&field.device, &mut field.flash).try_next(receipt).unwrap();
}

#[test]
fn a_device_without_key_store_or_rotate_keys_passes_sets_over() {
    let people = People::new();
    let plain = Device::new(&common::SMALL_LAYOUT, VENDOR, CLASS, trust(1, &[&people.sign[0]]));
    for device in
        [plain.rotate_keys(trust(1, &[&people.rotate[0]])), Device::new(&SELECT, VENDOR, CLASS, *plain.keys())]
    {
        let mut field = Field::of(people.clone(), device, false);
        let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
        assert!(field.send(std::slice::from_ref(&set), field.people.update(1, 1).bytes()).is_err());
        field.takes(&[set], field.people.update(0, 1).bytes());
    }
}

#[test]
fn a_key_that_is_no_point_of_the_curve_makes_no_set() {
    let mut field = Field::new(&SELECT, false);
    let mut set = field.people.set(1, &[1], &[1]);
    set.keys.push(RoleKey { key: PublicKey([7; 64]), sign: true, rotate: false });
    set.sign(&mut [&mut field.people.rotate[0].clone()]).expect_err("the tool refuses to make one");
    // As someone makes it whose tool does not: in the place of a key beside which its id stands in the same order.
    let id = |key: PublicKey| key.id::<lockgate::Sha2>();
    set.keys.truncate(2);
    let [sign, rotate] = [set.keys[0].key, set.keys[1].key];
    let order = id(sign) < id(rotate);
    let none = (0..=255).map(|fill| PublicKey([fill; 64])).find(|key| (id(*key) < id(rotate)) == order).unwrap();
    let bytes = field.people.signed(&set, &[0, 1]);
    let at = bytes.windows(64).position(|window| window == sign.0).unwrap();
    let forged = kit::resigned(&field.people, &bytes, at, &none.0, &[0, 1]);
    assert_eq!(refused(field.send(&[forged], field.people.update(1, 1).bytes())), Refusal::KeyPoint);
    assert!(field.believes(0));
}

#[test]
fn a_set_built_in_of_a_higher_version_counts_instead_of_a_stored_one() {
    let mut field = Field::new(&SELECT, false);
    let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
    field.takes(&[set], field.people.update(1, 1).bytes());
    assert!(!field.believes(2));
    let newer = Device::new(&SELECT, VENDOR, CLASS, trust(1, &[&field.people.sign[2]]));
    let stored = std::mem::replace(
        &mut field.device,
        newer.key_set_version(2).rotate_keys(trust(1, &[&field.people.rotate[2]])),
    );
    assert_eq!((field.believes(1), field.believes(2)), (false, true));
    field.device = stored.key_set_version(1);
    assert_eq!((field.believes(0), field.believes(1)), (true, false), "of equal versions the one built in");
}

#[test]
fn at_most_one_signature_check_for_each_rotate_key_is_spent_and_none_on_strangers() {
    use std::cell::Cell;
    let mut field = Field::new(&SELECT, false);
    let set = field.people.set(1, &[1], &[1]);
    let mut by: Vec<SigningKey> = (0..20).map(|_| SigningKey::generate()).collect();
    by.extend([field.people.rotate[0].clone(), field.people.rotate[1].clone()]);
    let mut signers: Vec<&mut dyn Signer> = by.iter_mut().map(|key| key as &mut dyn Signer).collect();
    let crowded = kit::sign_unchecked(&set, &mut signers);
    let update = field.people.update(1, 1);
    let checks = Cell::new(0);
    let mut block = Block::<1024>::new();
    let mut ring = lockgate::Keyring::new();
    let counting = kit::Counting(&checks);
    let mut updater: kit::CountingUpdater<'_, '_> =
        Updater::with_verifier(&field.device, &mut field.flash, &mut block, counting).keyring(&mut ring);
    embedded_io::Write::write_all(&mut updater, &[crowded.clone(), update.bytes().to_vec()].concat()).unwrap();
    assert_eq!(checks.get(), 3, "two rotate keys, one sign key");
    // Passed over: nothing but the update's own signature is looked at.
    checks.set(0);
    let counting = kit::Counting(&checks);
    let mut updater: kit::CountingUpdater<'_, '_> =
        Updater::with_verifier(&field.device, &mut field.flash, &mut block, counting).keyring(&mut ring);
    embedded_io::Write::write_all(&mut updater, &[crowded.repeat(16), update.bytes().to_vec()].concat()).unwrap();
    assert_eq!(checks.get(), 1);
}

#[test]
fn sixteen_key_sets_are_looked_at_those_that_are_taken_among_them() {
    let field = Field::new(&SELECT, false);
    let people = &field.people;
    let first = people.signed(&people.set(1, &[1], &[0]), &[0]);
    let second = people.signed(&people.set(2, &[1], &[0]), &[0]);
    for taken in [vec![first.clone()], vec![first.clone(), second]] {
        for (old, fits) in [(16 - taken.len(), true), (17 - taken.len(), false)] {
            let mut flash = field.flash.clone();
            let package = [taken.concat(), first.repeat(old), people.update(1, 1).bytes().to_vec()].concat();
            match (send(&field.device, &mut flash, &package), fits) {
                (Ok(_), true) | (Err(Error::Refused(Refusal::TooManyKeySets)), false) => {}
                (outcome, _) => panic!("{} taken, {old} old: {outcome:?}", taken.len()),
            }
        }
    }
}

#[test]
fn a_set_for_another_vendor_costs_no_check_and_changes_nothing() {
    let mut field = Field::new(&SELECT, false);
    let mut set = field.people.set(1, &[1], &[1]);
    set.vendor = Uuid::new("11111111-2222-3333-4444-555555555555");
    let bytes = field.people.signed(&set, &[0, 1]);
    field.takes(&[bytes], field.people.update(0, 1).bytes());
    assert!(field.believes(0) && !field.believes(1));
}

/// A wrapper of somebody who never thought of key sets.
struct Plain;

impl lockgate::Verify for Plain {
    fn verify(&mut self, key: &PublicKey, digest: &lockgate::Digest, signature: &[u8; 64]) -> bool {
        lockgate::P256.verify(key, digest, signature)
    }
}

#[test]
fn a_verifier_that_cannot_tell_points_takes_no_set_and_says_why() {
    let mut field = Field::new(&SELECT, false);
    let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
    let (mut block, mut ring) = (Block::<1024>::new(), lockgate::Keyring::new());
    let updater: Updater<'_, _, _> = Updater::with_verifier(&field.device, &mut field.flash, &mut block, Plain);
    let error = embedded_io::Write::write_all(&mut updater.keyring(&mut ring), &set).unwrap_err();
    assert_eq!(error, Error::Refused(Refusal::KeyPoint));
    assert!(field.believes(0));
}

#[test]
fn a_boot_stage_that_checks_hashes_keeps_the_places_as_they_are() {
    let mut field = Field::new(&SELECT, false);
    let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
    field.send(&[set], b"").unwrap_err();
    let places = |flash: &mut lockgate::sim::Flash| {
        let state = lockgate::sim::records(&SELECT, flash).state.unwrap();
        (state.keys, state.base)
    };
    let before = places(&mut field.flash);
    common::put(&mut field.flash, &SELECT, Slot::B, &field.people.update(0, 3), &noise(5000 + 2100, 3));
    field.flash.rot(SELECT.slot_range(Slot::A).start, 1);
    assert_eq!(field.boot().unwrap().slot, Slot::B);
    assert_eq!(places(&mut field.flash), before);
}

#[test]
fn a_set_that_comes_during_a_trial_is_taken_after_the_confirmation() {
    let mut field = Field::new(&SELECT, false);
    let update = field.people.update(0, 1);
    field.try_next(&[], &update);
    let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
    assert_eq!(refused(field.send(std::slice::from_ref(&set), b"")), Refusal::Unconfirmed);
    field.confirm();
    field.send(&[set], b"").unwrap_err();
    assert_eq!((field.believes(0), field.believes(1)), (false, true));
}
