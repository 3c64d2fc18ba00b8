//! The key store: what it holds is believed whole or not at all, and a device that lost its keys takes nothing.

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockgate::boot::NoImage;
use lockgate::pack::Keys;
use lockgate::sim::{records, Flash};
use lockgate::{Block, BootReason, Error, Refusal, Slot, Updater};

use crate::common::{noise, put, sha256, CLASS, OTHER, VENDOR};
use crate::kit::{Field, SELECT};

#[test]
fn a_damaged_set_ends_updates_rather_than_bring_revoked_keys_back() {
    let field = Field::rotated(false);
    let place = SELECT.keys_range().start;
    // Prelude, body, signatures, check.
    for at in [0, 9, 20, 90, 200, 300] {
        let mut field = Field { flash: field.flash.clone(), people: field.people.clone(), ..field };
        field.flash.rot(place + at, 3);
        assert_eq!(field.send(&[], b"anything").unwrap_err(), Error::Refused(Refusal::KeyStore), "byte {at}");
        field.boot().expect("it still starts");
    }
}

#[test]
fn an_application_without_room_for_keys_takes_nothing_once_a_set_was_taken() {
    let mut field = Field::rotated(false);
    let update = field.people.update(0, 2);
    let mut block = Block::<1024>::new();
    let mut updater = Updater::new(&field.device, &mut field.flash, &mut block);
    let error = embedded_io::Write::write_all(&mut updater, update.bytes()).unwrap_err();
    assert_eq!(error, Error::Refused(Refusal::KeyStore));
}

#[test]
fn a_block_buffer_that_is_too_small_for_a_set_refuses_it_and_takes_updates() {
    let mut field = Field::new(&SELECT, false);
    let set = field.people.signed(&field.people.set(1, &[0, 1, 2], &[0, 1, 2]), &[0, 1, 2]);
    let update = field.people.update(0, 1);
    let mut ring = lockgate::Keyring::new();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&field.device, &mut field.flash, &mut block).keyring(&mut ring);
    let error = embedded_io::Write::write_all(&mut updater, &[set, update.bytes().to_vec()].concat()).unwrap_err();
    assert!(matches!(error, Error::Refused(Refusal::HeadTooLarge { .. })), "{error:?}");
    drop(updater.install(update.bytes(), |_| ()).unwrap());
}

#[test]
fn a_set_that_does_not_fit_its_place_is_refused_before_anything_is_erased() {
    use lockgate::pack::{RoleKey, Signer, SigningKey};
    let mut field = Field::new(&SELECT, false);
    let mut keys: Vec<SigningKey> = (0..7).map(|_| SigningKey::generate()).collect();
    let mut set = field.people.set(1, &[], &[0]);
    set.keys.extend(keys.iter().map(|key| RoleKey { key: key.public_key(), sign: true, rotate: true }));
    keys.push(field.people.rotate[0].clone());
    let mut signers: Vec<&mut dyn Signer> = keys.iter_mut().map(|key| key as &mut dyn Signer).collect();
    let large = crate::kit::sign_unchecked(&set, &mut signers);
    let steps = field.flash.steps();
    let mut ring = lockgate::Keyring::new();
    let mut block = Block::<2048>::new();
    let mut updater = Updater::new(&field.device, &mut field.flash, &mut block).keyring(&mut ring);
    let error = embedded_io::Write::write_all(&mut updater, &large).unwrap_err();
    assert_eq!(error, Error::Refused(Refusal::KeySetTooLarge { needed: 16 + 582 + 2 + 8 * 76 }));
    assert_eq!(field.flash.steps(), steps);
}

#[test]
fn without_a_log_the_latest_set_is_found_again() {
    for signatures in [false, true] {
        let mut field = Field::rotated(signatures);
        let set = field.people.signed(&field.people.set(2, &[2], &[1]), &[1]);
        field.send(&[set], b"").unwrap_err();
        let records = SELECT.records_range();
        field.flash.load(records.start, &vec![0xFF; records.len()]);
        field.boot().expect("the image that counts under the set before");
        assert_eq!((field.believes(0), field.believes(1), field.believes(2)), (false, false, true));
    }
}

/// Bytes of a place.
fn place(field: &Field, number: u32) -> Vec<u8> {
    let start = (SELECT.keys_range().start + 1024 * (number - 1)) as usize;
    field.flash.bytes()[start..start + 1024].to_vec()
}

fn put_place(field: &mut Field, number: u32, bytes: &[u8]) {
    field.flash.load(SELECT.keys_range().start + 1024 * (number - 1), bytes);
}

fn lose_the_log(field: &mut Field) {
    let records = SELECT.records_range();
    field.flash.load(records.start, &vec![0xFF; records.len()]);
}

#[test]
fn without_a_log_the_highest_set_and_the_next_lower_one_count_each_in_its_lowest_place() {
    let mut field = Field::rotated(true);
    let oldest = place(&field, 1);
    let set = field.people.signed(&field.people.set(2, &[2], &[1]), &[1]);
    let update = field.people.update(2, 2);
    field.try_next(&[set], &update);
    field.confirm();
    field.boot().unwrap();
    let set = field.people.signed(&field.people.set(3, &[3], &[1]), &[1]);
    field.send(&[set], b"").unwrap_err();
    // Place 1 has set 3; place 2 has set 2, under which the confirmed image counts.
    let (newest, next) = (place(&field, 1), place(&field, 2));
    for third in [vec![0xFF; 1024], oldest, next, newest] {
        let mut field = Field { flash: field.flash.clone(), people: field.people.clone(), ..field };
        put_place(&mut field, 3, &third);
        lose_the_log(&mut field);
        assert_eq!(field.boot().unwrap().reason, BootReason::Confirmed);
        let state = records(&SELECT, &mut field.flash).state.unwrap();
        assert_eq!((state.keys, state.base), (1, 2));
    }
}

#[test]
fn an_application_without_a_log_goes_by_the_highest_set_in_its_lowest_place() {
    let mut field = Field::rotated(false);
    let set = field.people.signed(&field.people.set(2, &[2], &[1]), &[1]);
    field.send(&[set], b"").unwrap_err();
    lose_the_log(&mut field);
    assert_eq!((field.believes(0), field.believes(1), field.believes(2)), (false, false, true));
    // The same set in places 1 and 2: the next one goes to place 2.
    let (second, next) = (place(&field, 2), field.people.set(3, &[3], &[1]));
    put_place(&mut field, 1, &second);
    let set = field.people.signed(&next, &[1]);
    field.send(&[set], b"").unwrap_err();
    assert_eq!((place(&field, 1) == second, place(&field, 2) == second), (true, false));
    assert!(field.believes(3));
}

#[test]
fn a_place_holds_a_set_for_this_device_with_entries_by_the_rules_or_none() {
    let mut field = Field::rotated(false);
    let people = field.people.clone();
    let honest = people.set(1, &[1], &[1]);
    let good = people.signed(&honest, &[0, 1]);
    let signed = good.len() - 2 - 2 * 76;
    let of = |vendor, class| people.signed(&Keys { vendor, class, ..honest.clone() }, &[0, 1]);
    let section = |entries: &[u8]| [&good[..signed], &(entries.len() as u16).to_le_bytes(), entries].concat();
    let (first, second) = good[signed + 2..].split_at(76);
    let sets = [
        (good.clone(), true),
        (of(OTHER, CLASS), false),
        (of(VENDOR, OTHER), false),
        (section(&[]), false),
        (section(&[first, second, &[0]].concat()), false),
        (section(&[second, first].concat()), false),
        (section(&[first, first].concat()), false),
    ];
    for (index, (set, whole)) in sets.iter().enumerate() {
        let check = sha256(&[b"LGK1", &set[..]].concat());
        put_place(&mut field, 1, &[set, &check.0[..16], &[0xFF; 8]].concat());
        let error = field.send(&[], b"anything").unwrap_err();
        assert_eq!(error != Error::Refused(Refusal::KeyStore), *whole, "set {index}: {error:?}");
    }
}

#[test]
fn whatever_a_place_holds_nothing_but_a_whole_set_for_this_device_counts() {
    let field = Field::rotated(false);
    let place = SELECT.keys_range().start;
    for seed in 0..200 {
        let mut flash: Flash = field.flash.clone();
        flash.load(place, &noise(1024, seed));
        let mut block = Block::<1024>::new();
        let mut ring = lockgate::Keyring::new();
        let mut updater = Updater::new(&field.device, &mut flash, &mut block).keyring(&mut ring);
        let error = embedded_io::Write::write_all(&mut updater, b"x").unwrap_err();
        assert_eq!(error, Error::Refused(Refusal::KeyStore));
    }
}

#[test]
fn no_place_is_erased_while_the_records_cannot_be_written() {
    let mut field = Field::new(&SELECT, false);
    let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
    for address in SELECT.records_range().step_by(4) {
        field.flash.fail_write(address);
    }
    let error = field.send(&[set], b"").unwrap_err();
    assert_eq!(error.kind(), lockgate::ErrorKind::Flash);
    assert_eq!(field.flash.erases_in(SELECT.keys_range()), 0);
}

#[test]
fn not_defended_whoever_has_a_threshold_of_rotate_keys_says_whom_to_trust() {
    let mut field = Field::new(&SELECT, false);
    let thiefs = field.people.set(1, &[3], &[3]);
    let set = field.people.signed(&thiefs, &[0, 3]);
    field.send(&[set], b"").unwrap_err();
    assert_eq!((field.believes(0), field.believes(3)), (false, true));
}

#[test]
fn not_defended_a_damaged_set_has_a_boot_stage_that_checks_signatures_go_by_the_keys_built_in() {
    let mut field = Field::rotated(true);
    put(&mut field.flash, &SELECT, Slot::A, &field.people.update(0, 3), &noise(5000 + 2100, 3));
    field.flash.rot(SELECT.keys_range().start + 90, 3);
    // What is confirmed counts under the damaged set alone; what starts is by a key that it revoked.
    assert_eq!(field.boot().unwrap().slot, Slot::A);
    field.flash.rot(SELECT.slot_range(Slot::A).start, 3);
    assert_eq!(field.boot(), Err(NoImage::Invalid));
}

#[test]
fn not_defended_records_put_back_bring_revoked_keys_back() {
    let mut field = Field::new(&SELECT, false);
    let range = SELECT.records_range();
    let before = field.flash.bytes()[range.start as usize..range.end as usize].to_vec();
    let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
    field.send(&[set], b"").unwrap_err();
    assert!(!field.believes(0));
    field.flash.load(range.start, &before);
    assert!(field.believes(0));
}

/// A flash that fails the first reads of the key store.
struct Flaky(Flash, u32);

impl ErrorType for Flaky {
    type Error = lockgate::sim::Error;
}

impl ReadNorFlash for Flaky {
    const READ_SIZE: usize = <Flash as ReadNorFlash>::READ_SIZE;

    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        if self.1 > 0 && SELECT.keys_range().contains(&at) {
            self.1 -= 1;
            return Err(lockgate::sim::Error::Unreadable { address: at });
        }
        self.0.read(at, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl NorFlash for Flaky {
    const WRITE_SIZE: usize = <Flash as NorFlash>::WRITE_SIZE;
    const ERASE_SIZE: usize = <Flash as NorFlash>::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.0.erase(from, to)
    }

    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0.write(at, bytes)
    }
}

#[test]
fn a_place_that_cannot_be_read_now_is_read_again_after_a_restart() {
    let field = Field::rotated(false);
    let update = field.people.update(1, 2);
    let (mut block, mut ring) = (Block::<1024>::new(), lockgate::Keyring::new());
    let mut updater = Updater::new(&field.device, Flaky(field.flash, 1), &mut block).keyring(&mut ring);
    let error = embedded_io::Write::write_all(&mut updater, update.bytes()).unwrap_err();
    assert_eq!(error, Error::Refused(Refusal::KeyStore));
    updater.restart();
    drop(updater.install(update.bytes(), |_| ()).unwrap());
}
