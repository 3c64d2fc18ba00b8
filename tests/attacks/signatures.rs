//! Signature sections that anyone may write: malformed, endless, of other algorithms, many of them.

use std::cell::Cell;

use lockgate::pack::{Package, Signer, SigningKey};
use lockgate::sim::Flash;
use lockgate::wire::ES256;
use lockgate::{Block, Error, KeyId, Malformed, Refusal, Running, Sha2, Updater};

use crate::common::{noise, release, Bench, SMALL_LAYOUT};
use crate::kit::{entry, entry_by, offer, signed, update_digest, with_entries, Counting, Outcome};
use crate::known_answers::ORDER;

fn victim() -> (Bench, Package) {
    let bench = Bench::new(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(900, 1));
    (bench, package)
}

/// The outcome for a package with these entries. Nothing must be erased for one that is refused.
fn outcome(bench: &Bench, package: &Package, entries: &[Vec<u8>]) -> Outcome {
    let mut flash: Flash = Flash::new(SMALL_LAYOUT.geometry());
    let outcome = offer(bench.device, &mut flash, &with_entries(package, entries));
    assert!(outcome.is_ok() || flash.counters().erases == 0, "refused after an erase");
    outcome
}

fn id(bench: &Bench) -> KeyId {
    bench.key.public_key().id::<Sha2>()
}

/// n - s.
fn negated(s: &[u8]) -> [u8; 32] {
    let (mut difference, mut borrow) = (ORDER, false);
    for (digit, byte) in difference.iter_mut().zip(s).rev() {
        let (less, under) = digit.overflowing_sub(*byte);
        let (less, again) = less.overflowing_sub(u8::from(borrow));
        (*digit, borrow) = (less, under || again);
    }
    difference
}

#[test]
fn a_signature_turned_over_is_the_same_update_and_gains_nothing() {
    let (bench, package) = victim();
    let mine = package.head()[package.head().len() - 64..].to_vec();
    let turned = [&mine[..32], &negated(&mine[32..])].concat();
    assert_ne!(mine, turned);
    let receipt = outcome(&bench, &package, &[entry(ES256, id(&bench), &turned)]).unwrap();
    assert_eq!(receipt.manifest_digest(), package.manifest_digest(), "identity does not hang on the signature");
    // It does not count as a second one.
    let both = [entry(ES256, id(&bench), &mine), entry(ES256, id(&bench), &turned)];
    assert_eq!(outcome(&bench, &package, &both), Err(Refusal::from(Malformed::EntryOrder).into()));
}

#[test]
fn r_and_s_out_of_range_are_refused() {
    let (bench, package) = victim();
    let mine = package.head()[package.head().len() - 64..].to_vec();
    let (r, s) = mine.split_at(32);
    let (zero, ones, mut above) = ([0; 32], [0xFF; 32], ORDER);
    above[31] += 1;
    let refused = Err(Refusal::BadSignature { key: id(&bench) }.into());
    for [r, s] in [[r, &zero], [&zero, s], [&zero, &zero], [r, &ORDER], [&ORDER, s], [r, &above], [&ones, &ones]] {
        assert_eq!(outcome(&bench, &package, &[entry(ES256, id(&bench), &[r, s].concat())]), refused);
    }
}

#[test]
fn a_malformed_section_is_refused_before_any_signature_arithmetic() {
    let (bench, package) = victim();
    let digest = update_digest(signed(&package));
    let good = entry_by(&bench.key, &digest);
    let stranger = entry(ES256, KeyId([0xFF; 8]), &[7; 64]);
    let long = entry(ES256, KeyId([0xFE; 8]), &[7; 65]);
    let none = entry(2, KeyId([9; 8]), &[]);
    let many: Vec<_> = (0..33).map(|i| entry(2, KeyId([i; 8]), &[1])).collect();
    for entries in [&[][..], &[long], &[none], &[stranger.clone(), stranger.clone()], &many] {
        let checks = Cell::new(0);
        let mut flash: Flash = Flash::new(SMALL_LAYOUT.geometry());
        let mut block = Block::<512>::new();
        let mut updater: Updater<'_, _, _> =
            Updater::with_verifier(bench.device, &mut flash, &mut block, Counting(&checks));
        let bytes = with_entries(&package, entries);
        let error = embedded_io::Write::write_all(&mut updater, &bytes).unwrap_err();
        assert!(matches!(error, Error::Refused(Refusal::Malformed(_))), "{error:?}");
        assert_eq!((checks.get(), flash.counters().erases), (0, 0));
    }
    // Cut off in the middle of an entry, by the section's own length.
    let mut short = with_entries(&package, &[good]);
    let at = signed(&package).len();
    short[at..at + 2].copy_from_slice(&75u16.to_le_bytes());
    let mut flash: Flash = Flash::new(SMALL_LAYOUT.geometry());
    assert_eq!(offer(bench.device, &mut flash, &short), Err(Refusal::from(Malformed::EntryLength).into()));
    assert_eq!(flash.counters().erases, 0);
}

#[test]
fn arithmetic_is_spent_on_trusted_keys_alone_and_once_for_each() {
    let (bench, package) = victim();
    let digest = update_digest(signed(&package));
    let mut entries: Vec<_> = (0..31).map(|i| entry(ES256, KeyId([i; 8]), &[0x55; 64])).collect();
    entries.push(entry_by(&bench.key, &digest));
    entries.sort();
    entries.sort_by_key(|entry| entry[2..10].to_vec());
    let checks = Cell::new(0);
    let mut flash: Flash = Flash::new(SMALL_LAYOUT.geometry());
    let mut block = Block::<512>::new();
    let mut updater: Updater<'_, _, _> =
        Updater::with_verifier(bench.device, &mut flash, &mut block, Counting(&checks)).running(Running::factory());
    let receipt = updater.install(&with_entries(&package, &entries)[..], |_| ());
    assert!(receipt.is_ok(), "{receipt:?}");
    assert_eq!(checks.get(), 1, "31 entries of strangers cost no arithmetic");
}

#[test]
fn a_large_signature_of_an_unknown_algorithm_streams_by_without_a_buffer() {
    let (bench, package) = victim();
    let good = entry_by(&bench.key, &update_digest(signed(&package)));
    let entries = [good, entry(0x8000, KeyId([1; 8]), &vec![0xA5; 32_000])];
    let receipt = outcome(&bench, &package, &entries).unwrap();
    assert_eq!(receipt.manifest_digest(), package.manifest_digest());
    // Alone it vouches for nothing.
    let too_few = Refusal::TooFewSignatures { valid: 0, needed: 1 };
    assert_eq!(outcome(&bench, &package, &entries[1..]), Err(too_few.into()));
}

#[test]
fn whoever_takes_a_signature_away_or_spoils_it_has_the_update_refused_and_no_more() {
    let (bench, package) = victim();
    let stranger = SigningKey::generate();
    let digest = update_digest(signed(&package));
    let too_few = Refusal::TooFewSignatures { valid: 0, needed: 1 };
    assert_eq!(outcome(&bench, &package, &[entry_by(&stranger, &digest)]), Err(too_few.into()));
    let mut flash: Flash = Flash::new(SMALL_LAYOUT.geometry());
    let spoilt = with_entries(&package, &[entry(ES256, id(&bench), &[0x55; 64])]);
    assert!(offer(bench.device, &mut flash, &spoilt).is_err());
    assert!(offer(bench.device, &mut flash, package.bytes()).is_ok(), "the untouched one goes through after it");
}
