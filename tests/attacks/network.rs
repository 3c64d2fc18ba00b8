//! The attacker on the wire: reads, changes, withholds, repeats and invents whatever goes over the link.

use embedded_io::Write;
use lockgate::pack::SigningKey;
use lockgate::sim::Flash;
use lockgate::{Block, BootReason, Control, Error, KeyId, Refusal, Slot, Updater};

use crate::common::{boot, device, noise, release, SMALL_LAYOUT};
use crate::kit::{entry, entry_by, offer, signed, update_digest, with_entries, Budget, Spent};

/// Slot B as it is.
fn slot_b(flash: &Flash) -> Vec<u8> {
    let slot = SMALL_LAYOUT.slot_range(Slot::B);
    flash.bytes()[slot.start as usize..slot.end as usize].to_vec()
}

#[test]
fn an_arbitrary_image_is_never_written() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let before = (flash.bytes().to_vec(), flash.counters().erases);
    // The attacker has the device's identity, and every key but the right one.
    let error = offer(bench.device, &mut flash, release(&SigningKey::generate(), 9, 9, &noise(900, 6)).bytes());
    assert_eq!(error, Err(Refusal::TooFewSignatures { valid: 0, needed: 1 }.into()));
    assert_eq!((flash.bytes().to_vec(), flash.counters().erases), before, "flash is untouched, records included");
}

#[test]
fn a_flipped_bit_never_reaches_the_slot() {
    let (bench, flash) = device(&SMALL_LAYOUT);
    let image = noise(2000, 2);
    let package = release(&bench.key, 1, 2, &image);
    for at in (0..package.bytes().len()).step_by(7) {
        let mut flash = flash.clone();
        bench.watch(&mut flash, &package, &image);
        let mut bytes = package.bytes().to_vec();
        bytes[at] ^= 1 << (at % 8);
        assert!(offer(bench.device, &mut flash, &bytes).is_err(), "byte {at}");
        assert_eq!(flash.violations(), [], "byte {at}");
        assert_eq!(boot(bench.device, &mut flash).unwrap().reason, BootReason::Confirmed);
    }
}

#[test]
fn a_splice_of_two_genuine_packages_is_refused_at_the_seam() {
    let (bench, flash) = device(&SMALL_LAYOUT);
    let (old, new) = (noise(2000, 2), noise(2000, 3));
    let (old, new) = (release(&bench.key, 1, 2, &old), release(&bench.key, 2, 3, &new));
    let head = old.head().len();
    assert_eq!(new.head().len(), head);
    for index in 0..4u32 {
        // The new head, and the old blocks from this one on.
        let seam = head + index as usize * (512 + 32);
        let mixed = [&new.bytes()[..seam], &old.bytes()[seam..]].concat();
        let error = offer(bench.device, &mut flash.clone(), &mixed);
        assert_eq!(error, Err(Refusal::BlockHash { index }.into()));
    }
}

#[test]
fn a_truncated_package_gives_no_receipt_and_no_trial() {
    let (bench, flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(2000, 2));
    for end in (0..package.bytes().len()).step_by(23) {
        let mut flash = flash.clone();
        let error = offer(bench.device, &mut flash, &package.bytes()[..end]);
        assert_eq!(error, Err(Error::Truncated { position: end as u32 }));
        let launch = boot(bench.device, &mut flash).unwrap();
        assert_eq!((launch.slot, launch.reason), (Slot::A, BootReason::Confirmed));
    }
}

#[test]
fn endless_data_behind_the_package_is_not_read() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(2000, 2));
    // An image of one byte behind an entry of one byte: shorter than any part of a head.
    let short = release(&bench.key, 1, 2, &noise(1, 2));
    let good = entry_by(&bench.key, &update_digest(signed(&short)));
    let short = with_entries(&short, &[good, entry(2, KeyId([1; 8]), &[7])]);
    for bytes in [package.bytes(), &short] {
        let link = bytes.iter().copied().chain(std::iter::repeat_n(0xEE, 1 << 20));
        let mut block = Block::<512>::new();
        let mut updater = Updater::new(bench.device, &mut flash, &mut block);
        let mut link = Budget { link, reads: 1000, bytes: usize::MAX };
        let _receipt = updater.install(&mut link, |_| ()).expect("it ends by itself");
        assert_eq!(link.link.count(), 1 << 20, "not a byte behind the last block was taken");
    }
    // Pushed at it, they are refused.
    let long = [package.bytes(), &[0xEE]].concat();
    assert_eq!(offer(bench.device, &mut flash, &long), Err(Refusal::Trailing.into()));
}

#[test]
fn a_link_that_drips_ends_by_the_callers_budget_and_costs_no_progress() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(2000, 2));
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    let mut connections = 0;
    let receipt = loop {
        connections += 1;
        assert!(connections < 10, "each connection brings it on");
        let at = updater.position();
        let link = package.bytes()[at as usize..].iter().copied();
        // One byte a read; the caller's patience ends after 900 of them.
        match updater.install(Budget { link, reads: 900, bytes: 1 }, |_| ()) {
            Ok(receipt) => break receipt,
            Err(error) => assert!(matches!(error, Error::Transport(Spent)), "{error}"),
        }
        assert!(updater.position() >= at);
    };
    assert_eq!(receipt.manifest_digest(), package.manifest_digest());
}

#[test]
fn whatever_was_sent_before_the_genuine_package_goes_through() {
    let (bench, flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(2000, 2));
    let forged = release(&SigningKey::generate(), 9, 9, &noise(900, 6));
    let mut tampered = package.bytes().to_vec();
    tampered[package.head().len() + 700] ^= 4;
    for poison in [&noise(3000, 9)[..], forged.bytes(), &tampered, &package.bytes()[..1500]] {
        let mut flash = flash.clone();
        let mut block = Block::<512>::new();
        let mut updater = Updater::new(bench.device, &mut flash, &mut block);
        let _ = updater.write_all(poison);
        updater.disconnected();
        let at = updater.position() as usize;
        updater.write_all(&package.bytes()[at..]).unwrap();
        let _receipt = updater.finish().unwrap();
    }
}

#[test]
fn a_replayed_release_is_refused_once_a_newer_one_is_confirmed() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let (older, newer) = (release(&bench.key, 1, 2, &noise(2000, 2)), release(&bench.key, 2, 3, &noise(2000, 3)));
    let receipt = offer(bench.device, &mut flash, newer.bytes()).unwrap();
    Control::new(bench.device, &mut flash).try_next(receipt).unwrap();
    boot(bench.device, &mut flash).unwrap();
    Control::new(bench.device, &mut flash).confirm().unwrap();
    let erases = flash.counters().erases;
    let refused = Refusal::SecurityCounter { package: 2, device: 3 };
    assert_eq!(offer(bench.device, &mut flash, older.bytes()), Err(refused.into()));
    assert_eq!(offer(bench.device, &mut flash, newer.bytes()), Err(Refusal::AlreadyRunning.into()));
    assert_eq!(flash.counters().erases, erases);
}

#[test]
fn not_defended_a_genuine_package_replayed_wears_the_other_slot() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let one = release(&bench.key, 1, 2, &noise(2000, 2));
    let two = release(&bench.key, 2, 2, &noise(2000, 3));
    for round in 1..=5 {
        // Both are newer than what runs: each voids the other, and begins with an erase.
        let _receipt = offer(bench.device, &mut flash, one.bytes()).unwrap();
        let _receipt = offer(bench.device, &mut flash, two.bytes()).unwrap();
        let first = SMALL_LAYOUT.slot_range(Slot::B).start;
        assert!(flash.erases_in(first..first + 1024) >= 2 * round);
    }
    assert_eq!(boot(bench.device, &mut flash).unwrap().slot, Slot::A, "what runs is not touched");
    assert_ne!(slot_b(&flash), vec![0xFF; 30 * 1024]);
}
