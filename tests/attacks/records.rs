//! The attacker who writes the records: states and checkpoints forged by the letter of `docs/records.md`, checks and all.

use std::cell::Cell;

use lockgate::boot::{Boot, Launch, NoImage};
use lockgate::pack::{Package, SigningKey};
use lockgate::sim::{records, Flash, StrideUse};
use lockgate::wire::block_prefix;
use lockgate::{BootReason, Control, Device, Layout, Refusal, Slot, P256};

use crate::common::{ask, boot, device, noise, put, release, sha256, Board, SMALL_LAYOUT, SWAP_LAYOUT};
use crate::kit::offer;
use crate::local_flash::Fuses;

/// Of a geometry with units of 4 bytes.
const UNIT: usize = 4;
const STRIDE: usize = 64;
const CONFIRMED: u8 = 0;
const RECEIVING: u8 = 1;
const PENDING: u8 = 2;
const SWAPPING: u8 = 3;
const TRIAL: u8 = 4;

pub fn signed_boot(device: &Device<'_>, flash: &mut Flash) -> Result<Launch, NoImage> {
    Boot::with_signatures(device, flash, &mut Board::default(), P256).select()
}

/// Appends a record to the current sector of the log, as section 1 of the page says.
fn forge(layout: &Layout, flash: &mut Flash, payload: &[u8]) {
    let log = records(layout, flash);
    let sector = log.sectors.iter().find(|sector| sector.current).expect("there is a log");
    let first = sector.strides.iter().position(|stride| *stride == StrideUse::Free).expect("room for a record");
    let number = (first as u16).to_le_bytes();
    let check = sha256(&[b"LGR1", &sector.generation.unwrap().to_le_bytes()[..], &number, payload].concat());
    let mut body = [payload, &check.0[..4]].concat();
    body.resize(body.len().next_multiple_of(UNIT), 0);
    let programmed = [!layout.geometry().erased(); UNIT];
    let places: Vec<&[u8]> = body.chunks(UNIT).chain([&programmed[..]]).collect();
    for (stride, places) in places.chunks(STRIDE / UNIT - 1).enumerate() {
        let bytes = [&programmed[..], &places.concat()].concat();
        flash.poke(sector.start + ((first + stride) * STRIDE) as u32, &bytes);
    }
}

/// A state record (section 2).
struct State<'p> {
    start: u16,
    counters: [u32; 2],
    phase: u8,
    slot: u8,
    step: u16,
    /// Sectors to exchange.
    extent: u32,
    limit: u8,
    update: Option<&'p Package>,
}

impl State<'_> {
    /// What runs in slot A is confirmed.
    const BLANK: Self =
        Self { start: 3, counters: [0, 0], phase: CONFIRMED, slot: 0, step: 0, extent: 0, limit: 0, update: None };

    /// Appends it, and sees to it that it is believed.
    fn forge(&self, layout: &Layout, flash: &mut Flash) {
        self.append(layout, flash);
        let held = records(layout, flash).state.expect("the forged state is read");
        assert_eq!((held.start, held.security_counter), (self.start, self.counters[0]), "the forged state holds");
    }

    fn append(&self, layout: &Layout, flash: &mut Flash) {
        let (update, image) = match self.update {
            Some(package) => (package.manifest_digest().0, package.manifest().image_digest.0),
            None => ([0; 32], [0; 32]),
        };
        let [counter, next] = self.counters.map(u32::to_le_bytes);
        let payload = [
            &[2, 2][..],
            &self.start.to_le_bytes(),
            &counter,
            &next,
            &[self.phase, self.slot],
            &self.step.to_le_bytes(),
            &self.extent.to_le_bytes(),
            &[self.limit, 0],
            &update,
            &image[..16],
            &[0; 18],
        ]
        .concat();
        assert_eq!(payload.len(), 88);
        forge(layout, flash, &payload);
    }
}

/// An attacker's image in slot B, with a trailer whose hashes are right and whose signature is his own.
fn evil(flash: &mut Flash, layout: &Layout) -> Package {
    let image = noise(4000, 66);
    let package = release(&SigningKey::generate(), 9, 9, &image);
    put(flash, layout, Slot::B, &package, &image);
    package
}

#[test]
fn a_forged_checkpoint_is_found_by_the_final_hash_and_the_next_try_completes() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let image = noise(9000, 3);
    let package = release(&bench.key, 1, 2, &image);
    // "All but the last sector has arrived": what lies there is the attacker's.
    put(&mut flash, &SMALL_LAYOUT, Slot::B, &package, &noise(9000, 66));
    let offset = 8 * 1024;
    let block = offset / 512;
    let at = package.head().len() + block * 544;
    let bytes = &package.bytes()[at..(at + 544).min(package.bytes().len())];
    let hash = sha256(&[&block_prefix(block as u32, 512, false), bytes].concat());
    let [place, start] = [(offset as u32).to_le_bytes(), [9, 0, 0, 0]];
    let checkpoint = [&[3, 1][..], &start[..2], &place, &place, &hash.0].concat();
    forge(&SMALL_LAYOUT, &mut flash, &checkpoint);
    let receiving = State { start: 9, counters: [1, 2], phase: RECEIVING, update: Some(&package), ..State::BLANK };
    receiving.forge(&SMALL_LAYOUT, &mut flash);
    assert_eq!(records(&SMALL_LAYOUT, &mut flash).checkpoint.map(|held| held.offset), Some(offset as u32));

    let before = flash.counters().erases;
    let outcome = offer(bench.device, &mut flash, package.bytes());
    assert_eq!(outcome, Err(Refusal::ImageDigest.into()));
    let slot = SMALL_LAYOUT.slot_range(Slot::B).start;
    assert_eq!(flash.erases_in(slot..slot + offset as u32), 0, "it did go on at the forged checkpoint");
    assert!(flash.counters().erases > before);
    assert_eq!(boot(bench.device, &mut flash).unwrap().reason, BootReason::Confirmed);
    let receipt = offer(bench.device, &mut flash, package.bytes()).expect("the forged checkpoint is void");
    assert_eq!(receipt.image_digest(), sha256(&image));
}

#[test]
fn a_device_that_records_no_checkpoints_believes_no_forged_one() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let never = bench.device.checkpoint_interval(u32::MAX);
    let package = release(&bench.key, 1, 2, &noise(9000, 3));
    put(&mut flash, &SMALL_LAYOUT, Slot::B, &package, &noise(9000, 66));
    let place = 8192u32.to_le_bytes();
    forge(&SMALL_LAYOUT, &mut flash, &[&[3, 1, 9, 0][..], &place, &place, &[7; 32]].concat());
    let receiving = State { start: 9, counters: [1, 2], phase: RECEIVING, update: Some(&package), ..State::BLANK };
    receiving.forge(&SMALL_LAYOUT, &mut flash);
    assert!(offer(&never, &mut flash, package.bytes()).is_ok());
}

#[test]
fn forged_records_start_nothing_unsigned_where_the_boot_stage_checks_signatures() {
    for (phase, slot) in [(CONFIRMED, 1), (PENDING, 0), (TRIAL, 0), (RECEIVING, 1)] {
        let (bench, mut flash) = device(&SMALL_LAYOUT);
        let evil = evil(&mut flash, &SMALL_LAYOUT);
        let state = State { phase, slot, limit: 3, update: Some(&evil), ..State::BLANK };
        state.forge(&SMALL_LAYOUT, &mut flash);
        let launch = signed_boot(bench.device, &mut flash).expect("the signed image");
        assert_eq!(launch.slot, Slot::A, "phase {phase}");
    }
}

#[test]
fn forged_records_are_no_way_below_an_outside_counter() {
    let image =
        |flash: &Flash, launch: Launch, image: &[u8]| flash.bytes()[launch.address as usize..].starts_with(image);
    for layout in [&SMALL_LAYOUT, &SWAP_LAYOUT] {
        let swap = !layout.swap_range().is_empty();
        let (bench, flash) = device(layout);
        let (old, new) = (noise(5000, 3), noise(6000, 4));
        let (older, newer) = (release(&bench.key, 2, 4, &old), release(&bench.key, 3, 5, &new));
        for phase in [CONFIRMED, RECEIVING, PENDING, SWAPPING, TRIAL] {
            let mut flash = flash.clone();
            // With swap the image on trial is in slot A.
            let (first, second) = if swap && phase == TRIAL { (Slot::B, Slot::A) } else { (Slot::A, Slot::B) };
            put(&mut flash, layout, first, &newer, &new);
            put(&mut flash, layout, second, &older, &old);
            let slot = u8::from(!swap && [CONFIRMED, RECEIVING].contains(&phase));
            let state = State { phase, slot, extent: 6, limit: 255, update: Some(&older), ..State::BLANK };
            state.forge(layout, &mut flash);
            let fuses = Cell::new(5);
            for _ in 0..3 {
                let mut board = Board::default();
                let stage = Boot::with_signatures(bench.device, &mut flash, &mut board, P256).counter(Fuses(&fuses));
                let launch = { stage }.select();
                match launch {
                    Ok(launch) => assert!(image(&flash, launch, &new), "phase {phase}, swap {swap}: {launch:?}"),
                    // What would come back lies where no exchange has put it.
                    Err(why) => assert!(swap && phase == TRIAL, "phase {phase}, swap {swap}: {why}"),
                }
            }
        }
    }
}

#[test]
fn not_defended_forged_records_keep_a_device_from_starting() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let state = State { counters: [u32::MAX, 0], ..State::BLANK };
    state.forge(&SMALL_LAYOUT, &mut flash);
    assert_eq!(signed_boot(bench.device, &mut flash), Err(NoImage::Invalid));
}

#[test]
fn not_defended_forged_records_start_anything_with_a_right_hash_where_signatures_are_not_checked() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    evil(&mut flash, &SMALL_LAYOUT);
    let state = State { slot: 1, ..State::BLANK };
    state.forge(&SMALL_LAYOUT, &mut flash);
    assert_eq!(boot(bench.device, &mut flash).map(|launch| launch.slot), Ok(Slot::B));
}

#[test]
fn not_defended_forged_records_lower_a_counter_that_is_kept_nowhere_else() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let newer = release(&bench.key, 2, 5, &noise(4000, 3));
    ask(&bench, &mut flash, &newer);
    boot(bench.device, &mut flash).unwrap();
    Control::new(bench.device, &mut flash).confirm().unwrap();
    let older = release(&bench.key, 3, 2, &noise(4000, 4));
    let refused = Refusal::SecurityCounter { package: 2, device: 5 };
    assert_eq!(offer(bench.device, &mut flash, older.bytes()), Err(refused.into()));
    let state = State { start: 9, slot: 1, ..State::BLANK };
    state.forge(&SMALL_LAYOUT, &mut flash);
    assert!(offer(bench.device, &mut flash, older.bytes()).is_ok());
}

#[test]
fn not_defended_records_put_back_give_a_trial_attempts_without_end() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(4000, 3)));
    let log = SMALL_LAYOUT.records_range();
    let before = flash.bytes()[log.start as usize..log.end as usize].to_vec();
    for _ in 0..3 {
        for expected in 1..=3 {
            let launch = boot(bench.device, &mut flash).unwrap();
            assert!(matches!(launch.reason, BootReason::Trial { attempt, .. } if attempt == expected));
        }
        flash.load(log.start, &before);
    }
}

#[test]
fn no_forged_state_panics_or_starts_what_the_keys_did_not_sign() {
    for layout in [&SMALL_LAYOUT, &SWAP_LAYOUT] {
        let (bench, flash) = device(layout);
        let (first, second) = (noise(5000, 1), noise(7000, 2));
        let package = release(&bench.key, 1, 2, &second);
        let fields = noise(20 * 400, 5);
        for field in fields.chunks(20) {
            let mut flash = flash.clone();
            match field[19] % 3 {
                0 => drop(evil(&mut flash, layout)),
                1 => put(&mut flash, layout, Slot::B, &package, &second),
                _ => {}
            }
            let state = State {
                start: field[0].into(),
                counters: [u32::from(field[1] % 4), u32::from(field[2] % 4)],
                phase: field[3] % 6,
                slot: field[4] % 2,
                step: u16::from(field[5] % 40),
                extent: u32::from(field[8] % 8),
                limit: field[6] % 4,
                update: Some(&package).filter(|_| field[7] % 4 > 0),
            };
            state.append(layout, &mut flash);
            for _ in 0..4 {
                let Ok(launch) = signed_boot(bench.device, &mut flash) else { continue };
                let slot = &flash.bytes()[launch.address as usize..];
                assert!(slot.starts_with(&first) || slot.starts_with(&second), "{launch:?} after {field:?}");
            }
        }
    }
}
