//! Promise (I2, I5, I14): the boot stage starts a verified image, counts what it tries, goes back, and never fails on what it
//! finds in flash.

mod common;

use common::{
    ask, boot, leak, noise, provisioned, put, release, trust, Bench, Board, CLASS, OTHER, SMALL, SMALL_LAYOUT,
    SWAP_LAYOUT, VENDOR,
};
use lockgate::boot::{Boot, Check, CounterStore, NoImage};
use lockgate::pack::{SigningKey, Update};
use lockgate::sim::{Flash, Landed, Op, Outcome};
use lockgate::{Block, BootReason, Control, Layout, Reason, Slot, Updater, Uuid, Version, P256};

/// A device with version 1.0, counter 1, in slot A.
fn device(layout: &'static Layout) -> (Bench, Flash) {
    let bench = Bench::new(layout);
    let image = noise(5000, 1);
    let flash = provisioned(layout, Slot::A, &release(&bench.key, 0, 1, &image), &image);
    (bench, flash)
}

fn confirm(bench: &Bench, flash: &mut Flash) {
    Control::new(bench.device, flash).confirm().unwrap();
}

const TRIAL: fn(u8) -> BootReason = |attempt| BootReason::Trial { attempt, limit: 3 };

#[test]
fn a_new_image_has_three_attempts_and_the_old_one_comes_back() {
    for layout in [&SMALL_LAYOUT, &SWAP_LAYOUT] {
        let (bench, mut flash) = device(layout);
        assert_eq!(boot(bench.device, &mut flash).unwrap().reason, BootReason::Confirmed);
        let package = release(&bench.key, 1, 2, &noise(7000, 2));
        ask(&bench, &mut flash, &package);
        let runs = if layout.swap_range().is_empty() { Slot::B } else { Slot::A };
        for attempt in 1..=3 {
            let launch = boot(bench.device, &mut flash).unwrap();
            assert_eq!((launch.slot, launch.reason), (runs, TRIAL(attempt)));
        }
        for _ in 0..3 {
            let launch = boot(bench.device, &mut flash).unwrap();
            assert_eq!((launch.slot, launch.reason), (Slot::A, BootReason::Reverted(Reason::NotConfirmed)));
        }
        let start = layout.slot_range(Slot::A).start as usize;
        assert_eq!(flash.bytes()[start..start + 5000], noise(5000, 1), "the old image, byte for byte");
        assert_eq!(Control::new(bench.device, &mut flash).status().unwrap().security_counter, 1);
        let mut block = Block::<512>::new();
        let error = Updater::new(bench.device, &mut flash, &mut block).install(package.bytes(), |_| ()).unwrap_err();
        assert_eq!(error, lockgate::Refusal::FailedBefore.into());
    }
}

#[test]
fn a_new_image_has_as_many_attempts_as_the_device_says_and_one_at_the_least() {
    for (said, limit) in [(0, 1), (1, 1), (5, 5)] {
        let (bench, mut flash) = device(&SMALL_LAYOUT);
        let device = bench.device.attempts(said);
        boot(&device, &mut flash).unwrap();
        ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
        for attempt in 1..=limit {
            assert_eq!(boot(&device, &mut flash).unwrap().reason, BootReason::Trial { attempt, limit });
        }
        assert_eq!(boot(&device, &mut flash).unwrap().reason, BootReason::Reverted(Reason::NotConfirmed));
    }
}

#[test]
fn a_confirmed_image_stays_and_its_counter_is_the_devices() {
    for layout in [&SMALL_LAYOUT, &SWAP_LAYOUT] {
        let (bench, mut flash) = device(layout);
        boot(bench.device, &mut flash).unwrap();
        ask(&bench, &mut flash, &release(&bench.key, 1, 9, &noise(7000, 2)));
        boot(bench.device, &mut flash).unwrap();
        assert_eq!(Control::new(bench.device, &mut flash).status().unwrap().security_counter, 1, "not before confirm");
        confirm(&bench, &mut flash);
        for _ in 0..5 {
            assert_eq!(boot(bench.device, &mut flash).unwrap().reason, BootReason::Confirmed);
        }
        assert_eq!(Control::new(bench.device, &mut flash).status().unwrap().security_counter, 9);
        assert_eq!(flash.violations(), []);
    }
}

#[test]
fn an_idle_boot_reads_and_writes_nothing() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    // The first one writes the first record.
    boot(bench.device, &mut flash).unwrap();
    let steps = flash.steps();
    for _ in 0..10 {
        boot(bench.device, &mut flash).unwrap();
    }
    assert_eq!(flash.steps(), steps);
}

#[test]
fn a_pending_image_that_rots_is_not_started_and_the_reason_is_told() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    boot(bench.device, &mut flash).unwrap();
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
    flash.rot(SMALL_LAYOUT.slot_range(Slot::B).start + 6999, 3);
    let launch = boot(bench.device, &mut flash).unwrap();
    assert_eq!((launch.slot, launch.reason), (Slot::A, BootReason::Reverted(Reason::Invalid)));
}

#[test]
fn an_image_that_rots_on_trial_is_taken_back_at_once() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    boot(bench.device, &mut flash).unwrap();
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
    boot(bench.device, &mut flash).unwrap();
    flash.rot(SMALL_LAYOUT.slot_range(Slot::B).start + 100, 0);
    assert_eq!(boot(bench.device, &mut flash).unwrap().reason, BootReason::Reverted(Reason::Invalid));
}

#[test]
fn a_rejected_image_is_not_started_again_nor_confirmed() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    boot(bench.device, &mut flash).unwrap();
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
    boot(bench.device, &mut flash).unwrap();
    Control::new(bench.device, &mut flash).reject().unwrap();
    let error = Control::new(bench.device, &mut flash).confirm().unwrap_err();
    assert_eq!(error, lockgate::Error::NotOnTrial);
    assert_eq!(boot(bench.device, &mut flash).unwrap().reason, BootReason::Reverted(Reason::Rejected));
}

#[test]
fn confirm_applies_to_an_image_on_trial_only() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    boot(bench.device, &mut flash).unwrap();
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
    // The old application confirms itself once more, as it does after every start.
    confirm(&bench, &mut flash);
    let launch = boot(bench.device, &mut flash).unwrap();
    assert_eq!((launch.slot, launch.reason), (Slot::B, TRIAL(1)), "pending is not confirmed");
}

#[test]
fn without_records_the_verified_image_of_the_highest_counter_and_version_is_started() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let (old, new) = (noise(5000, 1), noise(6000, 2));
    for (a, b, expected) in [
        ((0, 1), (1, 1), Slot::B),
        ((1, 1), (0, 1), Slot::A),
        ((9, 1), (1, 2), Slot::B),
        ((1, 2), (9, 1), Slot::A),
        ((1, 1), (1, 1), Slot::A),
    ] {
        let (a, b) = (release(&bench.key, a.0, a.1, &old), release(&bench.key, b.0, b.1, &new));
        let mut flash: Flash = provisioned(&SMALL_LAYOUT, Slot::A, &a, &old);
        put(&mut flash, &SMALL_LAYOUT, Slot::B, &b, &new);
        let launch = boot(bench.device, &mut flash).unwrap();
        assert_eq!((launch.slot, launch.reason), (expected, BootReason::Confirmed));
        // What is not whole does not count.
        let mut flash: Flash = provisioned(&SMALL_LAYOUT, Slot::A, &a, &old);
        put(&mut flash, &SMALL_LAYOUT, Slot::B, &b, &new);
        flash.rot(SMALL_LAYOUT.slot_range(expected).start, 1);
        let launch = boot(bench.device, &mut flash).unwrap();
        assert_eq!((launch.slot, launch.reason), (expected.other(), BootReason::Confirmed));
    }
}

#[test]
fn without_records_and_fuses_no_counter_is_too_low() {
    for layout in [&SMALL_LAYOUT, &SWAP_LAYOUT] {
        let bench = Bench::new(layout);
        let image = noise(5000, 1);
        let mut flash: Flash = provisioned(layout, Slot::A, &release(&bench.key, 0, 0, &image), &image);
        assert_eq!(boot(bench.device, &mut flash).map(|launch| launch.slot), Ok(Slot::A));
    }
}

#[test]
fn a_signed_image_for_another_device_or_another_place_is_not_started() {
    let (in_a, in_b) = (0x1000, 0x2000);
    let image = noise(5000, 1);
    let of = |vendor: Uuid, class: Uuid| Update::new(vendor, class, Version::new(1, 0, 0, 0), 1);
    let mine = || of(VENDOR, CLASS);
    let invalid = Err(NoImage::Invalid);
    for (layout, slot, update, outcome) in [
        (&SMALL_LAYOUT, Slot::A, mine().load_address(in_a), Ok(Slot::A)),
        (&SMALL_LAYOUT, Slot::A, of(OTHER, CLASS).load_address(in_a), invalid),
        (&SMALL_LAYOUT, Slot::A, of(VENDOR, OTHER).load_address(in_a), invalid),
        (&SMALL_LAYOUT, Slot::A, mine().component(3).load_address(in_a), invalid),
        (&SMALL_LAYOUT, Slot::A, mine().load_address(in_b), invalid),
        (&SMALL_LAYOUT, Slot::B, mine().load_address(in_b), Ok(Slot::B)),
        (&SMALL_LAYOUT, Slot::B, mine().load_address(in_a), invalid),
        // It is copied to slot A before it runs.
        (&SWAP_LAYOUT, Slot::B, mine().load_address(in_a), Ok(Slot::A)),
        (&SWAP_LAYOUT, Slot::B, mine().load_address(in_b), invalid),
    ] {
        let bench = Bench::new(layout);
        let package = update.block_size(512).unwrap().build(&image, &mut [&mut bench.key.clone()]).unwrap();
        let mut flash: Flash = provisioned(layout, slot, &package, &image);
        let launch = boot(&bench.device.load_addresses(in_a, in_b), &mut flash);
        assert_eq!(launch.map(|launch| launch.slot), outcome, "in slot {slot}: {:?}", package.manifest());
    }
}

#[test]
fn an_unreadable_unit_behind_the_trailers_own_bytes_keeps_no_image_from_its_start() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(5000, 1);
    // Ends in the middle of what is read at once.
    let update = Update::new(VENDOR, CLASS, Version::new(1, 0, 0, 0), 1).element(0x7000, &[7; 100]).unwrap();
    let package = update.block_size(512).unwrap().build(&image, &mut [&mut bench.key.clone()]).unwrap();
    let good: Flash = provisioned(&SMALL_LAYOUT, Slot::A, &package, &image);
    let trailer = SMALL_LAYOUT.slot_range(Slot::A).end - 1024;
    for at in (package.head().len().next_multiple_of(32) as u32..1024).step_by(32) {
        let mut flash = good.clone();
        flash.fail_read(trailer + at);
        assert!(boot(bench.device, &mut flash.clone()).is_ok(), "byte {at} of the trailer");
        let mut board = Board::default();
        let signed = Boot::with_signatures(bench.device, &mut flash, &mut board, P256).select();
        assert!(signed.is_ok(), "byte {at} of the trailer, with signatures");
    }
}

#[test]
fn without_records_and_an_image_in_slot_a_a_swap_brings_it_there() {
    let bench = Bench::new(&SWAP_LAYOUT);
    let image = noise(5000, 1);
    let mut flash: Flash = provisioned(&SWAP_LAYOUT, Slot::B, &release(&bench.key, 0, 1, &image), &image);
    let launch = boot(bench.device, &mut flash).unwrap();
    assert_eq!((launch.slot, launch.reason), (Slot::A, TRIAL(1)));
    let start = SWAP_LAYOUT.slot_range(Slot::A).start as usize;
    assert_eq!(flash.bytes()[start..start + 5000], image);
}

#[test]
fn a_confirmed_image_that_rots_gives_way_to_the_other_one_unless_that_is_below_the_counter() {
    for (counter, outcome) in [(1, Err(NoImage::Invalid)), (2, Ok(Slot::A))] {
        let bench = Bench::new(&SMALL_LAYOUT);
        let image = noise(5000, 1);
        let mut flash: Flash = provisioned(&SMALL_LAYOUT, Slot::A, &release(&bench.key, 0, counter, &image), &image);
        boot(bench.device, &mut flash).unwrap();
        ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
        boot(bench.device, &mut flash).unwrap();
        confirm(&bench, &mut flash);
        flash.rot(SMALL_LAYOUT.slot_range(Slot::B).start + 5, 2);
        assert_eq!(boot(bench.device, &mut flash).map(|launch| launch.slot), outcome);
        if outcome.is_ok() {
            let status = Control::new(bench.device, &mut flash).status().unwrap();
            assert_eq!((status.reason, status.security_counter), (BootReason::Reverted(Reason::Fallback), 2));
        }
    }
}

#[test]
fn a_boot_stage_that_checks_signatures_starts_nothing_that_the_keys_did_not_sign() {
    let (bench, flash) = device(&SMALL_LAYOUT);
    let signed = |device, flash: &Flash| {
        let mut board = Board::default();
        Boot::with_signatures(device, flash.clone(), &mut board, P256).select().map(|launch| launch.slot)
    };
    assert_eq!(signed(bench.device, &flash), Ok(Slot::A));
    // Another vendor's key, and an attacker's image with a trailer to match.
    let stranger = SigningKey::generate();
    let image = noise(5000, 3);
    let forged: Flash = provisioned(&SMALL_LAYOUT, Slot::A, &release(&stranger, 5, 5, &image), &image);
    assert_eq!(signed(bench.device, &forged), Err(NoImage::Invalid));
    assert!(boot(bench.device, &mut forged.clone()).is_ok(), "a boot stage that trusts its flash does not mind");
    // A signature that is not good, and a threshold that is not met.
    let mut damaged = flash.clone();
    damaged.rot(SMALL_LAYOUT.slot_range(Slot::A).end - 1024 + 200, 0);
    assert_eq!(signed(bench.device, &damaged), Err(NoImage::Invalid));
    let two = bench_of_two(&bench.key);
    assert_eq!(signed(two.device, &flash), Err(NoImage::Invalid));
}

/// A device that asks for two signatures.
fn bench_of_two(key: &SigningKey) -> Bench {
    let other = SigningKey::generate();
    let mut bench = Bench::with_key(&SMALL_LAYOUT, key.clone());
    let device = lockgate::Device::new(&SMALL_LAYOUT, common::VENDOR, common::CLASS, trust(2, &[key, &other]));
    bench.device = leak(device);
    bench
}

/// Fuses that stand at a number, and count how often they were burnt.
#[derive(Default)]
struct Fuses {
    counter: u32,
    burnt: u32,
}

impl CounterStore for &mut Fuses {
    fn read(&mut self) -> u32 {
        self.counter
    }

    fn raise(&mut self, counter: u32) {
        if counter > self.counter {
            (self.counter, self.burnt) = (counter, self.burnt + 1);
        }
    }
}

#[test]
fn a_counter_in_fuses_is_raised_once_at_the_boot_after_confirm_and_outlives_the_records() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let mut fuses = Fuses::default();
    let select = |flash: &mut Flash, fuses: &mut Fuses| {
        let mut board = Board::default();
        Boot::new(bench.device, flash, &mut board).counter(fuses).select()
    };
    select(&mut flash, &mut fuses).unwrap();
    ask(&bench, &mut flash, &release(&bench.key, 1, 7, &noise(7000, 2)));
    select(&mut flash, &mut fuses).unwrap();
    assert_eq!((fuses.counter, fuses.burnt), (1, 1), "not on trial");
    confirm(&bench, &mut flash);
    for _ in 0..3 {
        select(&mut flash, &mut fuses).unwrap();
    }
    assert_eq!((fuses.counter, fuses.burnt), (7, 2));
    // The records are lost and the old image is all there is: it stays out.
    let old = noise(5000, 1);
    let mut flash: Flash = provisioned(&SMALL_LAYOUT, Slot::A, &release(&bench.key, 0, 1, &old), &old);
    assert_eq!(select(&mut flash, &mut fuses), Err(NoImage::Invalid));
}

#[test]
fn a_confirmed_image_can_be_started_without_hashing_it() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    boot(bench.device, &mut flash).unwrap();
    let reads = |check, flash: &mut Flash| {
        let before = flash.counters().read_bytes;
        let mut board = Board::default();
        Boot::new(bench.device, &mut *flash, &mut board).check(check).select().unwrap();
        flash.counters().read_bytes - before
    };
    let (every, trial) = (reads(Check::EveryBoot, &mut flash), reads(Check::Trial, &mut flash));
    assert!(every >= trial + 5000, "{every} and {trial} bytes read");
}

#[test]
fn no_flash_content_and_no_read_error_makes_the_boot_stage_or_the_updater_fail() {
    for layout in [&SMALL_LAYOUT, &SWAP_LAYOUT] {
        let (bench, good) = device(layout);
        let package = release(&bench.key, 1, 2, &noise(7000, 2));
        for seed in 0..150 {
            // Noise with a piece of a good device in it, and unreadable units everywhere.
            let mut flash = if seed % 3 == 0 { Flash::new(&SMALL).seed(seed).used() } else { good.clone() };
            for (at, byte) in noise(400, seed).chunks(4).zip(noise(100, seed + 1000)) {
                let address = u32::from_le_bytes([at[0], at[1], at[2], 0]) % SMALL.capacity();
                if byte % 2 == 0 {
                    flash.fail_read(address & !3);
                } else {
                    flash.rot(address, byte >> 5);
                }
            }
            let _ = boot(bench.device, &mut flash);
            let mut block = Block::<512>::new();
            let mut updater = Updater::new(bench.device, &mut flash, &mut block);
            let _receipt = updater.install(package.bytes(), |_| ()).expect("an update repairs what can be repaired");
        }
    }
}

#[test]
fn an_unreadable_unit_of_the_old_image_does_not_keep_a_swap_from_going_on() {
    let (bench, mut flash) = device(&SWAP_LAYOUT);
    boot(bench.device, &mut flash).unwrap();
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
    flash.fail_read(SWAP_LAYOUT.slot_range(Slot::A).start + 1000);
    assert_eq!(boot(bench.device, &mut flash).unwrap().reason, TRIAL(1));
}

#[test]
fn a_swap_erases_each_sector_it_moves_once_and_leaves_the_others_alone() {
    let (bench, mut flash) = device(&SWAP_LAYOUT);
    boot(bench.device, &mut flash).unwrap();
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
    let before: Vec<u64> = (0..64).map(|sector| flash.erases_in(sector * 1024..sector * 1024 + 1024)).collect();
    boot(bench.device, &mut flash).unwrap();
    let erased = |sector: u32| flash.erases_in(sector * 1024..sector * 1024 + 1024) - before[sector as usize];
    // Seven sectors of image and the trailer's, in both slots and the spare one.
    let moved: Vec<u32> = (2..39).filter(|&sector| erased(sector) > 0).collect();
    assert_eq!(moved, [2, 3, 4, 5, 6, 7, 8, 19, 20, 21, 22, 23, 24, 25, 26, 38]);
    assert!(moved.iter().all(|&sector| erased(sector) == 1));
    assert_eq!(flash.violations(), []);
}

/// The steps, counted from the next one, in which the next boot programs a unit of the records; and how many it takes in
/// all.
fn steps_of_a_boot(bench: &Bench, flash: &Flash) -> (Vec<u64>, u64) {
    let mut flash = flash.clone().logged();
    let (first, mut step, mut records) = (flash.steps(), 0, Vec::new());
    boot(bench.device, &mut flash).unwrap();
    for op in flash.log() {
        match op {
            Op::Write { at, len, .. } if *at < 2048 => {
                records.extend(step..step + u64::from(len / 4));
                step += u64::from(len / 4);
            }
            Op::Write { len, .. } => step += u64::from(len / 4),
            Op::Erase { from, to } => step += u64::from((to - from) / 1024),
        }
    }
    assert_eq!(first + step, flash.steps());
    (records, step)
}

#[test]
fn a_half_step_of_the_exchange_that_one_boot_counted_is_counted_by_the_next() {
    let (bench, mut flash) = device(&SWAP_LAYOUT);
    boot(bench.device, &mut flash).unwrap();
    let image = noise(700, 2);
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &image));
    let (records, all) = steps_of_a_boot(&bench, &flash);
    let start = SWAP_LAYOUT.slot_range(Slot::A).start as usize;
    // One bit of what was being written reads by chance, in each boot anew.
    for (cut, seed) in records.iter().flat_map(|&cut| (0..4).map(move |seed| (cut, seed))) {
        let mut first = flash.clone().seed(seed);
        first.cut_at(first.steps() + cut, Landed::Nothing.marginal());
        let mut board = Board::default();
        let _ = Boot::new(bench.device, &mut first, &mut board).select();
        assert!(first.cut_fired());
        first.power_on();
        for again in (0..all).step_by(29) {
            let mut flash = first.clone();
            flash.cut_at(flash.steps() + again, Landed::All.stable());
            let mut board = Board::default();
            let _ = Boot::new(bench.device, &mut flash, &mut board).select();
            if !flash.cut_fired() {
                break;
            }
            flash.power_on();
            let launch = boot(bench.device, &mut flash).map(|launch| launch.reason);
            assert!(matches!(launch, Ok(BootReason::Trial { .. })), "cuts in {cut} and {again}: {launch:?}");
            assert_eq!(flash.bytes()[start..start + image.len()], image, "cuts in {cut} and {again}");
        }
    }
}

#[test]
fn a_confirmation_that_was_cut_holds_once_a_boot_has_believed_it() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    boot(bench.device, &mut flash).unwrap();
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(3000, 2)));
    boot(bench.device, &mut flash).unwrap();
    let mut whole = flash.clone();
    confirm(&bench, &mut whole);
    let mut believed = 0;
    for step in 0..whole.steps() - flash.steps() {
        for (seed, outcome) in (0..).zip(Outcome::CLASSES) {
            let mut flash = flash.clone().seed(seed);
            flash.cut_at(flash.steps() + step, *outcome);
            Control::new(bench.device, &mut flash).confirm().unwrap_err();
            flash.power_on();
            let first = boot(bench.device, &mut flash).unwrap();
            for _ in 0..4 {
                flash.power_off();
                flash.power_on();
                let launch = boot(bench.device, &mut flash).unwrap();
                let holds = first.reason != BootReason::Confirmed || launch == first;
                assert!(holds, "cut in {step}, {outcome:?}: {launch:?}");
            }
            believed += u32::from(first.reason == BootReason::Confirmed);
        }
    }
    assert!(believed > 0);
}
