//! Promise: `foreign::Mcuboot` writes the very bytes that MCUboot and its imgtool write, and reads what they write.

mod common;
#[path = "foreign/slots.rs"]
mod slots;

use common::noise;
use embedded_storage::nor_flash::NorFlash;
use lockgate::foreign::mcuboot::{trailer_size, update_slot, MaxAlign, Slots, SwapMode};
use lockgate::foreign::{BootControl, Error, ForeignState, Mcuboot};
use lockgate::geometry::Geometry;
use lockgate::sim::Flash;
use lockgate::Layout;
use slots::*;

/// Runs a block for a word size that is only known at run time.
macro_rules! for_write_size {
    ($write:expr, $test:ident($($argument:expr),*)) => {
        match $write {
            1 => $test::<1>($($argument),*),
            4 => $test::<4>($($argument),*),
            8 => $test::<8>($($argument),*),
            16 => $test::<16>($($argument),*),
            32 => $test::<32>($($argument),*),
            other => panic!("no test for words of {other} bytes"),
        }
    };
}

#[test]
fn a_request_is_what_imgtool_pads_with_and_the_swap_type_that_mcuboot_adds() {
    fn check<const W: usize>(pad: &Trailer) {
        let mut flash = flash::<W>(pad.write, pad.erased).logged();
        ours(&mut flash, pad.align).request_trial().unwrap();
        let mut expected = pad.tail.clone();
        expected[256 - field(pad.align, SWAP_INFO) as usize] = 2;
        assert_eq!(tail(&flash, SECONDARY), expected);
        assert_eq!(flash.programmed_in(0..SECONDARY), u64::from(pad.write + pad.write.max(16)), "no blank word");
        assert_eq!(state(&mut flash, pad.align), ForeignState::Requested);
        let steps = flash.steps();
        ours(&mut flash, pad.align).request_trial().unwrap();
        assert_eq!((flash.steps(), flash.violations()), (steps, &[][..]), "asking again writes nothing");
    }
    let mut checked = 0;
    for pad in trailers().filter(|trailer| trailer.kind == "pad" || trailer.kind == "test") {
        for_write_size!(pad.write, check(&pad));
        checked += 1;
    }
    assert_eq!(checked, 20);
}

#[test]
fn a_confirmation_is_what_imgtool_confirms_with() {
    fn check<const W: usize>(confirmed: &Trailer) {
        let Trailer { write, align, erased, .. } = *confirmed;
        let pad = trailers().find(|t| (t.kind, t.write, t.align, t.erased) == ("pad", write, align, erased)).unwrap();
        let mut flash = flash::<W>(write, erased);
        flash.load(PRIMARY - 256, &pad.tail);
        ours(&mut flash, align).confirm().unwrap();
        assert_eq!(tail(&flash, PRIMARY), confirmed.tail);
        let steps = flash.steps();
        ours(&mut flash, align).confirm().unwrap();
        assert_eq!((flash.steps(), flash.violations()), (steps, &[][..]), "confirming again writes nothing");
    }
    for confirmed in trailers().filter(|trailer| trailer.kind == "confirm") {
        for_write_size!(confirmed.write, check(&confirmed));
    }
}

#[test]
fn what_imgtool_writes_is_read_and_a_permanent_mark_is_no_trial() {
    fn check<const W: usize>(trailer: &Trailer) {
        let mut flash = flash::<W>(trailer.write, trailer.erased);
        flash.load(PRIMARY - 256, &trailer.tail);
        assert_eq!(state(&mut flash, trailer.align), ForeignState::Confirmed, "a padded image that was flashed");
        flash.load(SECONDARY - 256, &trailer.tail);
        assert_eq!(state(&mut flash, trailer.align), ForeignState::Requested);
        let address = SECONDARY - field(trailer.align, IMAGE_OK);
        let expected = if trailer.kind == "confirm" { Err(Error::NotBlank { address }) } else { Ok(()) };
        assert_eq!(ours(&mut flash, trailer.align).request_trial(), expected);
    }
    for trailer in trailers() {
        for_write_size!(trailer.write, check(&trailer));
    }
    let other = trailers().find(|t| t.align == MaxAlign::Sixteen && t.erased == 0xFF).unwrap();
    let mut flash = flash::<4>(4, 0xFF);
    flash.load(SECONDARY - 256, &other.tail);
    assert_eq!(state(&mut flash, MaxAlign::ThirtyTwo), ForeignState::Confirmed, "the magic of another alignment");
}

#[test]
fn the_state_is_the_one_that_mcuboot_will_act_on() {
    for align in [MaxAlign::Eight, MaxAlign::Sixteen, MaxAlign::ThirtyTwo] {
        let mut flash = flash::<4>(4, 0xFF);
        assert_eq!(state(&mut flash, align), ForeignState::Confirmed, "blank");
        ours(&mut flash, align).request_trial().unwrap();
        assert_eq!(state(&mut flash, align), ForeignState::Requested);

        ours(&mut flash, align).withdraw().unwrap(); // as MCUboot does in its swap
        swapped(&mut flash, align, 2, false);
        assert_eq!(state(&mut flash, align), ForeignState::OnTrial);
        let mut reverted = flash.clone();
        ours(&mut flash, align).confirm().unwrap();
        assert_eq!(state(&mut flash, align), ForeignState::Confirmed);
        ours(&mut flash, align).request_trial().unwrap();
        assert_eq!(state(&mut flash, align), ForeignState::Requested, "the next update");

        swapped(&mut reverted, align, 0x24, true);
        assert_eq!(state(&mut reverted, align), ForeignState::Reverted, "also of another image pair");
        reverted.load(PRIMARY - field(align, SWAP_INFO), &[3]);
        assert_eq!(state(&mut reverted, align), ForeignState::Confirmed, "a revert finished as a permanent swap");
    }
}

#[test]
fn a_request_and_a_confirmation_are_what_mcuboots_own_code_writes() {
    fn check<const W: usize>(written: &Trailer) {
        let mut flash = flash::<W>(written.write, written.erased);
        if written.kind == "pending" {
            ours(&mut flash, written.align).request_trial().unwrap();
            assert_eq!(tail(&flash, SECONDARY), written.tail);
        } else {
            flash.load(PRIMARY - 16, &written.tail[240..]);
            flash.load(PRIMARY - field(written.align, COPY_DONE), &[1]);
            ours(&mut flash, written.align).confirm().unwrap();
            assert_eq!(tail(&flash, PRIMARY), written.tail);
        }
    }
    let mut checked = 0;
    for written in lines(BOOTUTIL, &["pending", "kept"]) {
        for_write_size!(written.write, check(&written));
        checked += 1;
    }
    assert_eq!(checked, 20);
}

#[test]
fn the_state_is_the_swap_type_of_mcuboots_own_code_in_every_combination_of_fields() {
    let mut checked = 0;
    for line in BOOTUTIL.lines().filter(|line| line.starts_with("types")) {
        let [write, align, erased, types] = line.split(' ').skip(1).collect::<Vec<_>>().try_into().unwrap();
        let (align, erased) = (max_align(align.parse().unwrap()), erased.parse().unwrap());
        if write != "4" && write != "8" {
            continue; // the write size changes nothing of what is read
        }
        let good = trailers().find(|t| t.align == align && t.erased == erased).unwrap().tail[240..].to_vec();
        let mut bad = good.clone();
        bad[9] ^= 0x40;
        let (magics, flags) = ([vec![erased; 16], good, bad], [erased, 1, 0x7E]);
        for (n, swap_type) in types.bytes().enumerate() {
            let mut flash = flash::<4>(4, erased);
            flash.load(PRIMARY - 16, &magics[n / 81]);
            flash.load(SECONDARY - 16, &magics[n / 27 % 3]);
            flash.load(PRIMARY - field(align, IMAGE_OK), &[flags[n / 9 % 3]]);
            flash.load(SECONDARY - field(align, IMAGE_OK), &[flags[n / 3 % 3]]);
            flash.load(PRIMARY - field(align, COPY_DONE), &[flags[n % 3]]);
            let expected = match swap_type {
                b'1' => ForeignState::Confirmed,
                b'2' | b'3' => ForeignState::Requested,
                b'4' => ForeignState::OnTrial,
                other => panic!("swap type {other}"),
            };
            assert_eq!(state(&mut flash, align), expected, "combination {n} of {line}");
            checked += 1;
        }
    }
    assert_eq!(checked, 6 * 243);
}

#[test]
fn on_trial_nothing_but_a_confirm_is_taken() {
    let mut flash = flash::<4>(4, 0xFF);
    swapped(&mut flash, MaxAlign::Eight, 2, false);
    assert_eq!(ours(&mut flash, MaxAlign::Eight).request_trial(), Err(Error::OnTrial));
    assert_eq!(ours(&mut flash, MaxAlign::Eight).withdraw(), Err(Error::OnTrial));
    assert_eq!(flash.steps(), 0);
}

#[test]
fn the_image_number_goes_where_mcuboot_looks_for_it() {
    let mut flash = flash::<4>(4, 0xFF);
    ours(&mut flash, MaxAlign::Eight).image(3).request_trial().unwrap();
    assert_eq!(flash.bytes()[SECONDARY as usize - 40], 0x32);
}

#[test]
fn a_word_that_is_not_blank_is_named_and_never_programmed_over() {
    let align = MaxAlign::Sixteen;
    for (before_end, value) in [(field(align, IMAGE_OK), 1), (field(align, COPY_DONE), 1), (16, 0x10), (4, 0x7F)] {
        let mut flash = flash::<8>(8, 0xFF);
        flash.load(SECONDARY - before_end, &[value]);
        let address = (SECONDARY - before_end) & !7;
        assert_eq!(ours(&mut flash, align).request_trial(), Err(Error::NotBlank { address }));
        ours(&mut flash, align).withdraw().unwrap();
        ours(&mut flash, align).request_trial().unwrap();
        assert_eq!((state(&mut flash, align), flash.violations()), (ForeignState::Requested, &[][..]));
    }
    let mut flash = flash::<8>(8, 0xFF);
    swapped(&mut flash, align, 2, false);
    flash.load(PRIMARY - field(align, IMAGE_OK), &[0x7F]);
    let address = PRIMARY - field(align, IMAGE_OK);
    assert_eq!(ours(&mut flash, align).confirm(), Err(Error::NotBlank { address }));
    assert_eq!(state(&mut flash, align), ForeignState::Confirmed, "MCUboot reverts only while the word is blank");
}

#[test]
fn slots_that_cannot_be_are_refused() {
    let good = slots();
    let refused = |slots: Slots, align| {
        let flash = flash::<16>(16, 0xFF);
        assert!(matches!(Mcuboot::new(flash, slots.clone(), align), Err(Error::Layout)), "{slots:?}");
    };
    refused(good.clone(), MaxAlign::Eight); // words larger than the alignment
    refused(Slots { secondary: PRIMARY..SECONDARY + SECTOR, ..good.clone() }, MaxAlign::Sixteen);
    refused(Slots { secondary: PRIMARY - 16..SECONDARY, ..good.clone() }, MaxAlign::Sixteen);
    refused(Slots { primary: 64..PRIMARY - 16, ..good.clone() }, MaxAlign::ThirtyTwo);
    refused(Slots { primary: PRIMARY - 64..PRIMARY, ..good.clone() }, MaxAlign::Sixteen);
    refused(Slots { update: PRIMARY..SECONDARY - 48, ..good.clone() }, MaxAlign::Sixteen);
    refused(Slots { update: PRIMARY - 1..38 * SECTOR, ..good.clone() }, MaxAlign::Sixteen);
    refused(Slots { update: PRIMARY..PRIMARY, ..good }, MaxAlign::Sixteen);
}

#[test]
fn the_room_for_a_trailer_is_what_imgtool_reckons() {
    let mut checked = 0;
    for line in TRAILERS.lines().filter(|line| line.starts_with("size")) {
        let numbers: Vec<u32> = line.split(' ').skip(1).map(|n| n.parse().unwrap()).collect();
        let &[write, align, sectors, size] = &numbers[..] else { panic!("{line}") };
        assert_eq!(trailer_size(SwapMode::Scratch, max_align(align), write, sectors, 0), size, "{line}");
        checked += 1;
    }
    assert_eq!(checked, 6);
    // A third less progress and one field more; two keys of 16 bytes, each on its own alignment.
    assert_eq!(trailer_size(SwapMode::Offset, MaxAlign::Eight, 4, 128, 0), 1584 - 512 + 8);
    assert_eq!(trailer_size(SwapMode::Move, MaxAlign::ThirtyTwo, 8, 128, 16), 3232 + 64);
}

#[test]
fn the_slot_left_to_lockgate_is_whole_sectors_clear_of_the_trailer() {
    assert_eq!(update_slot(PRIMARY..SECONDARY, SwapMode::Scratch, 1584, SECTOR), PRIMARY..38 * SECTOR);
    assert_eq!(update_slot(PRIMARY..SECONDARY, SwapMode::Move, 1584, SECTOR), PRIMARY..37 * SECTOR);
    assert_eq!(update_slot(PRIMARY..SECONDARY, SwapMode::Offset, 1080, SECTOR), PRIMARY + SECTOR..38 * SECTOR);
    assert_eq!(update_slot(PRIMARY..SECONDARY, SwapMode::Scratch, 1024, SECTOR), PRIMARY..39 * SECTOR);
    assert!(update_slot(PRIMARY..SECONDARY, SwapMode::Move, 20 * SECTOR, SECTOR).is_empty());
}

const GEOMETRY: Geometry = Geometry::new("slots", SECTORS, 4);
const LAYOUT: Layout = Layout::new(&GEOMETRY)
    .records(0..2 * SECTOR)
    .slots(4 * SECTOR..PRIMARY, update_slot(PRIMARY..SECONDARY, SwapMode::Scratch, 1584, SECTOR))
    .check();

#[test]
fn lockgate_installs_beside_the_trailer_and_the_request_touches_nothing_of_the_image() {
    let bench = common::Bench::new(&LAYOUT);
    let image = noise(17 * 1024, 5);
    let package = bench.pack(&image, 512);
    let mut flash: Flash = bench.flash(&package, &image);
    let mut boot = Mcuboot::new(&mut flash, slots(), MaxAlign::Eight).unwrap();
    assert_eq!(boot.state(), Ok(ForeignState::Confirmed), "noise");
    boot.withdraw().unwrap();
    let receipt = common::install::<4, 1, 512>(&bench, &mut flash, package.bytes()).unwrap();
    Mcuboot::new(&mut flash, slots(), MaxAlign::Eight).unwrap().request_trial().unwrap();
    bench.assert_installed(&flash, &package, &image, &receipt);
    assert_eq!(state(&mut flash, MaxAlign::Eight), ForeignState::Requested);
    flash.erase(SECONDARY - SECTOR, SECONDARY).unwrap(); // MCUboot's swap begins so
    bench.assert_installed(&flash, &package, &image, &receipt);
}
