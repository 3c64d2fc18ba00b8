//! Calls in any order, and a flash that is shared: none brings a revoked key back.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Waker};

use embassy_futures::block_on;
use embedded_io::Write;
use lockgate::pack::{Signer, SigningKey};
use lockgate::sim::Flash;
use lockgate::{asynch, Block, Device, Error, Keyring, Machine, Refusal, Sha2, Updater};

use crate::common::counted::{hashed, Counted};
use crate::common::driver::{complete, drive};
use crate::common::{noise, release, trust, CLASS, VENDOR};
use crate::kit::{send, sign_unchecked, Field, People, SELECT};

#[test]
fn a_restart_after_any_step_brings_no_revoked_key_back() {
    let field = Field::rotated(false);
    let (revoked, trusted) = (field.people.update(0, 5), field.people.update(1, 5));
    let old_set = field.people.signed(&field.people.set(1, &[2], &[0]), &[0]);
    for steps in 0..60 {
        // Before a step that is not acknowledged, and behind one that is.
        for asked in [false, true] {
            let started = |flash: &mut Flash, package: &[u8], expected: &dyn Fn(Option<Error>) -> bool| {
                let (mut block, mut ring) = (Block::<1024>::new(), Keyring::new());
                let mut machine = Machine::<Sha2>::new(&field.device, &mut block, 4).keyring(&mut ring);
                assert!(drive(&mut machine, flash, &[], steps).is_none());
                if asked {
                    machine.step().unwrap();
                }
                machine.restart();
                let outcome = drive(&mut machine, flash, package, usize::MAX);
                assert!(expected(outcome), "{steps} steps, one more asked for: {asked}; then {outcome:?}");
            };
            let refused = |outcome| matches!(outcome, Some(Error::Refused(Refusal::TooFewSignatures { .. })));
            started(&mut field.flash.clone(), revoked.bytes(), &refused);
            started(&mut field.flash.clone(), &[&old_set[..], revoked.bytes()].concat(), &refused);
            started(&mut field.flash.clone(), trusted.bytes(), &|outcome| outcome.is_none());
        }
    }
}

#[test]
fn a_future_dropped_at_any_await_brings_no_revoked_key_back() {
    let field = Field::rotated(false);
    let revoked = field.people.update(0, 5);
    for polls in 1..80 {
        let mut flash = field.flash.clone();
        let (mut block, mut ring) = (Block::<1024>::new(), Keyring::new());
        let mut updater = asynch::Updater::new(&field.device, &mut flash, &mut block).keyring(&mut ring);
        {
            let mut future = pin!(embedded_io_async::Write::flush(&mut updater));
            let mut context = Context::from_waker(Waker::noop());
            let _ = (0..polls).find(|_| future.as_mut().poll(&mut context).is_ready());
        }
        updater.restart();
        let outcome = block_on(embedded_io_async::Write::write_all(&mut updater, revoked.bytes()));
        assert!(matches!(outcome, Err(Error::Refused(Refusal::TooFewSignatures { .. }))), "{polls} polls: {outcome:?}");
    }
}

#[test]
fn a_flash_that_others_used_after_any_step_of_a_rotation_is_looked_at_again() {
    let field = Field::new(&SELECT, false);
    let set = field.people.signed(&field.people.set(1, &[1], &[1]), &[0, 1]);
    let package = [&set[..], release(&field.people.sign[1], 1, 1, &noise(900, 1)).bytes()].concat();
    for steps in 0..260 {
        let mut flash = field.flash.clone();
        let (mut block, mut ring) = (Block::<1024>::new(), Keyring::new());
        let mut machine = Machine::<Sha2>::new(&field.device, &mut block, 4).keyring(&mut ring);
        assert!(drive(&mut machine, &mut flash, &package, steps).is_none());
        machine.distrust();
        drop(complete(&mut machine, &mut flash, &package));
        assert_eq!(machine.key_set_version(), 1, "{steps} steps");
    }
}

#[test]
fn a_set_of_any_number_of_keys_is_read_again() {
    for sign in 1..=4 {
        for rotate in [&[0][..], &[0, 1]] {
            let mut field = Field::new(&SELECT, false);
            let others: Vec<usize> = (0..sign).collect();
            let set = field.people.signed(&field.people.set(1, &others, rotate), rotate);
            field.send(&[set], b"").unwrap_err();
            let (mut block, mut ring) = (Block::<1024>::new(), Keyring::new());
            let mut machine = Machine::<Sha2>::new(&field.device, &mut block, 4).keyring(&mut ring);
            assert!(drive(&mut machine, &mut field.flash, &[], usize::MAX).is_none());
            assert_eq!(machine.key_set_version(), 1);
        }
    }
}

#[test]
fn without_records_the_highest_set_of_the_store_is_trusted() {
    let mut field = Field::rotated(false);
    let records = SELECT.records_range();
    field.flash.load(records.start, &vec![0xFF; records.len()]);
    assert_eq!((field.believes(0), field.believes(1)), (false, true));
}

#[test]
fn an_updater_that_shares_its_flash_goes_by_the_set_that_another_took() {
    let mut field = Field::new(&SELECT, false);
    let people = field.people.clone();
    let set = people.signed(&people.set(1, &[1], &[1]), &[0, 1]);
    let (before, other) = (people.update(0, 1), [&set[..], people.update(1, 2).bytes()].concat());
    let (mut block, mut ring) = (Block::<1024>::new(), Keyring::new());
    let mut updater = Updater::new(&field.device, &mut field.flash, &mut block).keyring(&mut ring);
    updater.write_all(&before.bytes()[..before.bytes().len() / 2]).unwrap();
    assert_eq!(updater.key_set_version(), 0);
    drop(send(&field.device, updater.flash(), &other).unwrap());
    let position = updater.position() as usize;
    assert!(matches!(updater.write_all(&before.bytes()[position..]), Err(Error::Superseded)));
    let outcome = updater.write_all(people.update(0, 3).bytes());
    assert!(matches!(outcome, Err(Error::Refused(Refusal::TooFewSignatures { .. }))), "{outcome:?}");
    updater.write_all(people.update(1, 3).bytes()).unwrap();
    drop(updater.finish().unwrap());
}

#[test]
fn a_keyring_that_is_lent_late_is_not_taken_for_the_trusted_set() {
    let mut field = Field::rotated(false);
    let (revoked, trusted) = (field.people.update(0, 5), field.people.update(1, 5));
    let (mut block, mut ring) = (Block::<1024>::new(), Keyring::new());
    let mut updater = Updater::new(&field.device, &mut field.flash, &mut block);
    updater.flush().unwrap();
    let mut updater = updater.keyring(&mut ring);
    let outcome = updater.write_all(revoked.bytes());
    assert!(matches!(outcome, Err(Error::Refused(Refusal::KeyStore))), "{outcome:?}");
    updater.restart();
    updater.write_all(trusted.bytes()).unwrap();
    drop(updater.finish().unwrap());
}

/// The most bytes that one call hashed until the package was refused, and why it was.
fn longest_call(device: &Device<'_>, flash: &mut Flash, bytes: &[u8]) -> (usize, Error) {
    let (mut block, mut ring) = (Block::<2048>::new(), Keyring::new());
    let mut machine = Machine::<Counted>::new(device, &mut block, 4).keyring(&mut ring);
    assert!(drive(&mut machine, flash, &[], usize::MAX).is_none());
    let (mut rest, mut longest) = (bytes, 0);
    loop {
        hashed();
        let fed = machine.feed(rest);
        longest = longest.max(hashed());
        match fed {
            Ok(taken) => rest = &rest[taken..],
            Err(error) => return (longest, error),
        }
    }
}

/// A set of eight keys that 32 strangers have signed.
fn by_strangers(people: &People) -> Vec<u8> {
    let mut set = people.set(1, &[0, 1, 2, 3], &[0, 1, 2, 3]);
    set.rotate_threshold = 1;
    let mut strangers: Vec<SigningKey> = (0..32).map(|_| SigningKey::generate()).collect();
    let mut signers: Vec<&mut dyn Signer> = strangers.iter_mut().map(|key| key as &mut dyn Signer).collect();
    sign_unchecked(&set, &mut signers)
}

#[test]
fn entries_of_a_set_are_looked_at_one_in_a_call() {
    let mut field = Field::new(&SELECT, false);
    let bytes = by_strangers(&field.people);
    let (longest, refusal) = longest_call(&field.device, &mut field.flash, &bytes);
    assert_eq!(refusal, Refusal::TooFewSignatures { valid: 0, needed: 1 }.into());
    // The body, the ids of its keys twice, and those of the trusted keys.
    assert!(longest <= 18 * 65 + 700, "{longest} bytes");
}

#[test]
fn no_call_hashes_more_than_4_kb_of_a_set_however_many_keys_are_trusted() {
    let people = People::new();
    let both: Vec<&SigningKey> = people.sign.iter().chain(&people.rotate).collect();
    let device = Device::new(&SELECT, VENDOR, CLASS, trust(1, &both)).rotate_keys(trust(1, &both)).rooted();
    let mut field = Field::of(people.clone(), device, false);
    let (longest, refusal) = longest_call(&field.device, &mut field.flash, &by_strangers(&people));
    assert_eq!(refusal, Refusal::TooFewSignatures { valid: 0, needed: 1 }.into());
    assert!((2048..4096).contains(&longest), "{longest} bytes");
}
