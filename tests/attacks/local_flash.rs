//! The attacker with a clip on an external flash chip: changes slots and trailers, between two boots or between two reads.

use std::cell::Cell;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockgate::boot::{Boot, Check, CounterStore, NoImage};
use lockgate::pack::SigningKey;
use lockgate::sim::{Error as Fault, Flash};
use lockgate::{BootReason, Control, Error, Slot, P256};

use crate::common::{ask, boot, device, noise, put, release, Board, SMALL_LAYOUT, SWAP_LAYOUT};
use crate::kit::offer;
use crate::records::signed_boot;

/// A chip behind an attacker's own circuit: from the read with this number on, it answers from another content.
struct Switched<'f> {
    genuine: &'f mut Flash,
    forged: &'f mut Flash,
    after: u32,
}

impl ErrorType for Switched<'_> {
    type Error = Fault;
}

impl ReadNorFlash for Switched<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        match self.after.checked_sub(1) {
            Some(left) => {
                self.after = left;
                self.genuine.read(at, bytes)
            }
            None => self.forged.read(at, bytes),
        }
    }

    fn capacity(&self) -> usize {
        self.genuine.capacity()
    }
}

impl NorFlash for Switched<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 1;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        self.genuine.erase(from, to)
    }

    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Fault> {
        self.genuine.write(at, bytes)
    }
}

pub struct Fuses<'c>(pub &'c Cell<u32>);

impl CounterStore for Fuses<'_> {
    fn read(&mut self) -> u32 {
        self.0.get()
    }

    fn raise(&mut self, counter: u32) {
        self.0.set(counter.max(self.0.get()));
    }
}

#[test]
fn an_image_that_was_changed_in_its_slot_is_not_started() {
    for layout in [&SMALL_LAYOUT, &SWAP_LAYOUT] {
        let (bench, mut flash) = device(layout);
        let slot = layout.slot_range(Slot::A);
        for at in [slot.start, slot.start + 2500, slot.start + 4999] {
            let mut flash = flash.clone();
            flash.rot(at, 5);
            assert_eq!(boot(bench.device, &mut flash), Err(NoImage::Invalid), "byte {at:#x}");
        }
        assert!(boot(bench.device, &mut flash).is_ok());
    }
}

#[test]
fn a_trailer_moved_to_another_image_vouches_for_nothing() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let genuine = release(&bench.key, 1, 2, &noise(5000, 2));
    // The signed trailer of one, the bytes of the other.
    put(&mut flash, &SMALL_LAYOUT, Slot::A, &genuine, &noise(5000, 66));
    assert_eq!(signed_boot(bench.device, &mut flash), Err(NoImage::Invalid));
    assert_eq!(boot(bench.device, &mut flash), Err(NoImage::Invalid), "its hash alone says so");
}

#[test]
fn an_image_of_the_attackers_own_is_not_started_by_a_boot_stage_that_checks_signatures() {
    for layout in [&SMALL_LAYOUT, &SWAP_LAYOUT] {
        let (bench, mut flash) = device(layout);
        let image = noise(5000, 66);
        let forged = release(&SigningKey::generate(), 9, 9, &image);
        for slot in [Slot::A, Slot::B] {
            put(&mut flash, layout, slot, &forged, &image);
        }
        assert_eq!(signed_boot(bench.device, &mut flash), Err(NoImage::Invalid));
        // Without its records, too.
        let log = layout.records_range();
        flash.poke(log.start, &vec![0xFF; log.len()]);
        assert_eq!(signed_boot(bench.device, &mut flash), Err(NoImage::Invalid));
    }
}

#[test]
fn a_boot_stage_that_checks_signatures_checks_at_every_boot_whatever_it_is_told() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    signed_boot(bench.device, &mut flash).unwrap();
    let image = noise(5000, 66);
    put(&mut flash, &SMALL_LAYOUT, Slot::A, &release(&SigningKey::generate(), 9, 9, &image), &image);
    let mut board = Board::default();
    let stage = Boot::with_signatures(bench.device, &mut flash, &mut board, P256).check(Check::Trial);
    assert_eq!({ stage }.select(), Err(NoImage::Invalid));
}

#[test]
fn a_signed_trailer_is_judged_and_used_from_one_reading() {
    // Genuine while it is judged, forged from the n-th read on: whatever n, what is started was hashed against the digest
    // that was signed.
    for layout in [&SMALL_LAYOUT, &SWAP_LAYOUT] {
        let (bench, mut genuine) = device(layout);
        let image = noise(5000, 66);
        let evil = release(&SigningKey::generate(), 9, 9, &image);
        let mut forged = genuine.clone();
        put(&mut forged, layout, Slot::A, &evil, &image);
        let reads = genuine.counters().reads;
        signed_boot(bench.device, &mut genuine).unwrap();
        let reads = (genuine.counters().reads - reads) as u32;
        for after in 0..reads {
            let switched = Switched { genuine: &mut genuine, forged: &mut forged, after };
            let outcome = Boot::with_signatures(bench.device, switched, &mut Board::default(), P256).select();
            assert_eq!(outcome.map(|launch| launch.slot), Err(NoImage::Invalid), "switched at read {after} of {reads}");
        }
    }
}

#[test]
fn not_defended_an_image_changed_after_its_check_runs() {
    let (bench, mut genuine) = device(&SMALL_LAYOUT);
    let mut forged = genuine.clone();
    put(&mut forged, &SMALL_LAYOUT, Slot::A, &release(&bench.key, 0, 1, &[0x66; 5000]), &[0x66; 5000]);
    let reads = genuine.counters().reads;
    signed_boot(bench.device, &mut genuine).unwrap();
    let after = (genuine.counters().reads - reads) as u32;
    let mut board = Board::default();
    let switched = Switched { genuine: &mut genuine, forged: &mut forged, after };
    let mut boot = Boot::with_signatures(bench.device, switched, &mut board, P256);
    let launch = boot.select().expect("genuine to the last read of the check");
    // What the core then fetches, where it executes from that chip.
    let mut fetched = [0; 16];
    boot.release().read(launch.address, &mut fetched).unwrap();
    assert_eq!(fetched, [0x66; 16]);
}

#[test]
fn a_slot_changed_behind_a_receipt_is_not_started() {
    for layout in [&SMALL_LAYOUT, &SWAP_LAYOUT] {
        let (bench, mut flash) = device(layout);
        ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(5000, 2)));
        flash.rot(layout.slot_range(Slot::B).start + 4000, 1);
        let launch = boot(bench.device, &mut flash).unwrap();
        assert_eq!((launch.slot, launch.reason), (Slot::A, BootReason::Reverted(lockgate::Reason::Invalid)));
    }
}

#[test]
fn a_signed_older_image_put_back_is_not_started_below_the_counter() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let old = flash.clone();
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(5000, 2)));
    signed_boot(bench.device, &mut flash).unwrap();
    Control::new(bench.device, &mut flash).confirm().unwrap();
    // The new one is spoilt, so that the old one is all there is. Its records stay.
    flash.rot(SMALL_LAYOUT.slot_range(Slot::B).start, 0);
    assert_eq!(signed_boot(bench.device, &mut flash), Err(NoImage::Invalid));
    // The whole chip as it was before: records prove nothing, fuses do.
    let fuses = Cell::new(2);
    let mut again = old.clone();
    let mut board = Board::default();
    let boot = Boot::with_signatures(bench.device, &mut again, &mut board, P256).counter(Fuses(&fuses)).select();
    assert_eq!(boot, Err(NoImage::Invalid));
}

#[test]
fn not_defended_the_whole_chip_put_back_goes_back_in_time_without_fuses() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let mut old = flash.clone();
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(5000, 2)));
    signed_boot(bench.device, &mut flash).unwrap();
    Control::new(bench.device, &mut flash).confirm().unwrap();
    assert_eq!(signed_boot(bench.device, &mut old).map(|launch| launch.slot), Ok(Slot::A));
}

#[test]
fn a_chip_that_loses_what_was_written_is_found_by_reading_back() {
    let (bench, flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(2000, 2));
    let slot = SMALL_LAYOUT.slot_range(Slot::B);
    for at in [slot.start, slot.start + 700, slot.end - 1024 + 30] {
        let mut flash = flash.clone();
        // It goes on reading blank.
        flash.stick(at, 0xFF, 0xFF);
        let error = offer(bench.device, &mut flash, package.bytes()).unwrap_err();
        assert!(matches!(error, Error::Mismatch { .. }), "at once, not by the hash of the whole: {error:?}");
    }
}
