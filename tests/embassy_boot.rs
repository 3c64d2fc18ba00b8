//! Promise: `foreign::EmbassyBoot` says to the real embassy-boot what the crate itself would say, and reads what it
//! answers.

mod common;
#[path = "foreign/real.rs"]
mod real;

use std::ops::Range;

use common::noise;
use embedded_storage::nor_flash::NorFlash;
use lockgate::foreign::embassy_boot::update_slot;
use lockgate::foreign::{BootControl, EmbassyBoot, Error, ForeignState};
use lockgate::geometry::{Geometry, Run};
use lockgate::sim::{self, Flash};
use lockgate::Layout;
use real::*;

#[test]
fn a_request_makes_the_real_bootloader_swap_and_a_confirm_keeps_the_image() {
    fn story<R: Real, const W: usize>(geometry: &'static Geometry) {
        let mut flash = device::<R, W>(geometry);
        assert_eq!((boot::<R, W>(&mut flash), running(&flash)), (Some(Said::Boot), 1));
        assert_eq!(state::<R, W>(&mut flash), ForeignState::Confirmed, "noise asks for nothing");

        ours::<R, W>(&mut flash).request_trial().unwrap();
        assert_eq!(state::<R, W>(&mut flash), ForeignState::Requested);
        assert_eq!((boot::<R, W>(&mut flash), running(&flash)), (Some(Said::Swap), 2));
        assert_eq!(state::<R, W>(&mut flash), ForeignState::OnTrial);

        ours::<R, W>(&mut flash).confirm().unwrap();
        for _ in 0..3 {
            assert_eq!(state::<R, W>(&mut flash), ForeignState::Confirmed);
            assert_eq!((boot::<R, W>(&mut flash), running(&flash)), (Some(Said::Boot), 2));
            let steps = flash.steps();
            ours::<R, W>(&mut flash).confirm().unwrap();
            assert_eq!(flash.steps(), steps, "a second confirm writes nothing");
        }
        assert_eq!(flash.violations(), []);
    }
    each!(story);
}

#[test]
fn without_a_confirm_the_real_bootloader_reverts_and_we_see_it() {
    fn story<R: Real, const W: usize>(geometry: &'static Geometry) {
        let mut flash = device::<R, W>(geometry);
        ours::<R, W>(&mut flash).request_trial().unwrap();
        boot::<R, W>(&mut flash).unwrap();
        assert_eq!((state::<R, W>(&mut flash), running(&flash)), (ForeignState::OnTrial, 2));
        boot::<R, W>(&mut flash).unwrap();
        for _ in 0..2 {
            assert_eq!((state::<R, W>(&mut flash), running(&flash)), (ForeignState::Reverted, 1));
            assert_eq!(boot::<R, W>(&mut flash), Some(Said::Revert));
        }
        // The image is whole in the DFU partition, so it can be tried again.
        ours::<R, W>(&mut flash).request_trial().unwrap();
        boot::<R, W>(&mut flash).unwrap();
        assert_eq!((state::<R, W>(&mut flash), running(&flash)), (ForeignState::OnTrial, 2));
        boot::<R, W>(&mut flash).unwrap();
        ours::<R, W>(&mut flash).confirm().unwrap();
        assert_eq!((state::<R, W>(&mut flash), running(&flash)), (ForeignState::Confirmed, 1));
        assert_eq!(flash.violations(), []);
    }
    each!(story);
}

#[test]
fn what_we_write_is_what_the_crate_writes_at_every_stage() {
    fn story<R: Real, const W: usize>(geometry: &'static Geometry) {
        let mut ours_all = device::<R, W>(geometry);
        ours_all.erase(STATE.start, STATE.end).unwrap();
        let mut theirs_all = ours_all.clone();
        let same = |a: &Flash<W>, b: &Flash<W>, stage| assert!(a.bytes() == b.bytes(), "{stage}");

        ours::<R, W>(&mut ours_all).request_trial().unwrap();
        R::mark_updated(&mut theirs_all);
        same(&ours_all, &theirs_all, "requested");
        boot::<R, W>(&mut ours_all).unwrap();
        boot::<R, W>(&mut theirs_all).unwrap();

        let (mut ours_kept, mut theirs_kept) = (ours_all.clone(), theirs_all.clone());
        ours::<R, W>(&mut ours_kept).confirm().unwrap();
        R::mark_booted(&mut theirs_kept);
        same(&ours_kept, &theirs_kept, "confirmed");

        boot::<R, W>(&mut ours_all).unwrap();
        boot::<R, W>(&mut theirs_all).unwrap();
        ours::<R, W>(&mut ours_all).confirm().unwrap();
        R::mark_booted(&mut theirs_all);
        same(&ours_all, &theirs_all, "confirmed after a revert");
    }
    each!(story);
}

#[test]
fn what_the_crate_writes_we_read() {
    fn story<R: Real, const W: usize>(geometry: &'static Geometry) {
        let mut flash = device::<R, W>(geometry);
        flash.erase(STATE.start, STATE.end).unwrap();
        assert_eq!(state::<R, W>(&mut flash), ForeignState::Confirmed, "blank");
        R::mark_updated(&mut flash);
        assert_eq!(state::<R, W>(&mut flash), ForeignState::Requested);
        boot::<R, W>(&mut flash).unwrap();
        assert_eq!(state::<R, W>(&mut flash), ForeignState::OnTrial);
        R::mark_booted(&mut flash);
        assert_eq!(state::<R, W>(&mut flash), ForeignState::Confirmed);
        R::mark_dfu(&mut flash);
        let steps = flash.steps();
        ours::<R, W>(&mut flash).confirm().unwrap();
        assert_eq!((state::<R, W>(&mut flash), flash.steps()), (ForeignState::Confirmed, steps));
        assert_eq!(R::get_state(&mut flash), Said::DfuDetach, "a request for USB DFU stands");
    }
    each!(story);
}

#[test]
fn a_request_stands_until_it_is_withdrawn_and_is_refused_on_trial() {
    fn story<R: Real, const W: usize>(geometry: &'static Geometry) {
        let mut flash = device::<R, W>(geometry);
        let mut boot_control = ours::<R, W>(&mut flash);
        boot_control.request_trial().unwrap();
        boot_control.request_trial().unwrap();
        boot_control.confirm().unwrap();
        assert!(!boot_control.state().unwrap().may_install());
        boot_control.withdraw().unwrap();
        assert!(boot_control.state().unwrap().may_install());
        boot_control.withdraw().unwrap();
        assert_eq!((boot::<R, W>(&mut flash), running(&flash)), (Some(Said::Boot), 1));

        ours::<R, W>(&mut flash).request_trial().unwrap();
        boot::<R, W>(&mut flash).unwrap();
        let steps = flash.steps();
        assert_eq!(ours::<R, W>(&mut flash).request_trial(), Err(Error::OnTrial));
        assert_eq!(ours::<R, W>(&mut flash).withdraw(), Err(Error::OnTrial));
        assert_eq!(flash.steps(), steps);
        assert!(!state::<R, W>(&mut flash).may_install());
    }
    each!(story);
}

#[test]
fn a_word_that_cannot_be_read_is_not_set_and_the_next_call_heals_it() {
    let word = |index: u32| STATE.start + 4 * index;
    for index in 0..3 {
        let mut flash = device::<V07, 4>(&WORDS_OF_4);
        flash.fail_read(word(index));
        let mut boot_control = ours::<V07, 4>(&mut flash);
        assert_eq!(boot_control.state(), Ok(ForeignState::Confirmed));
        boot_control.request_trial().unwrap();
        assert_eq!((boot::<V07, 4>(&mut flash), running(&flash)), (Some(Said::Swap), 2));

        flash.fail_read(word(index));
        let expected = [ForeignState::Confirmed, ForeignState::OnTrial, ForeignState::Confirmed][index as usize];
        assert_eq!(ours::<V07, 4>(&mut flash).state(), Ok(expected));
        ours::<V07, 4>(&mut flash).confirm().unwrap();
        assert_eq!((boot::<V07, 4>(&mut flash), running(&flash)), (Some(Said::Boot), 2));
        assert_eq!(flash.violations(), []);
    }
}

#[test]
fn a_flash_that_fails_is_an_error_and_the_call_can_be_repeated() {
    let mut flash = device::<V07, 4>(&WORDS_OF_4);
    flash.fail_erase(STATE.start);
    let error = sim::Error::EraseFailed { address: STATE.start };
    assert_eq!(ours::<V07, 4>(&mut flash).request_trial(), Err(Error::Flash(error)));
    flash.fail_write(STATE.start);
    let error = sim::Error::WriteFailed { address: STATE.start };
    assert_eq!(ours::<V07, 4>(&mut flash).request_trial(), Err(Error::Flash(error)));
    flash.stick(STATE.start + 1, 0x02, 0x02);
    assert_eq!(ours::<V07, 4>(&mut flash).request_trial(), Err(Error::Mismatch { address: STATE.start }));
    assert_eq!(state::<V07, 4>(&mut flash), ForeignState::Confirmed);
    flash.stick(STATE.start + 1, 0, 0);
    ours::<V07, 4>(&mut flash).request_trial().unwrap();
    assert_eq!((boot::<V07, 4>(&mut flash), running(&flash)), (Some(Said::Swap), 2));
}

#[test]
fn a_state_partition_that_cannot_be_one_is_refused() {
    for range in [0..20, 1024..1024, 1022..2048, 1024..2046, 31 * PAGE..33 * PAGE, u32::MAX - 3..u32::MAX] {
        let flash: Flash = Flash::new(&WORDS_OF_4);
        assert!(matches!(EmbassyBoot::new(flash, range.clone()), Err(Error::Layout)), "{range:?}");
    }
}

/// Pages of 1 KiB: lockgate's slot is the whole DFU partition, one page larger than the active one.
const SMALL_PAGES: Layout = Layout::new(&WORDS_OF_4).records(0..2 * PAGE).slots(ACTIVE, DFU).check();
/// Pages of 4 KiB: the slot is as large as the active partition.
const LARGE: Geometry =
    Geometry::new("large pages", &[Run { count: 10, size: PAGE }, Run { count: 16, size: 4096 }], 4);
const LARGE_ACTIVE: Range<u32> = 0x2800..0x6800;
const LARGE_DFU: Range<u32> = 0x6800..0xB800;
const LARGE_PAGES: Layout = Layout::new(&LARGE)
    .records(0..2048)
    .slots(LARGE_ACTIVE, update_slot(LARGE_DFU, LARGE_ACTIVE.end - LARGE_ACTIVE.start, 4096))
    .check();

#[test]
fn lockgate_installs_straight_into_the_dfu_partition_and_the_real_bootloader_runs_the_image() {
    fn story<const SECTOR: usize>(layout: &'static Layout, active: Range<u32>, dfu: Range<u32>, largest: usize) {
        let bench = common::Bench::new(layout);
        let new = noise(largest, 5);
        let package = bench.pack(&new, 512);
        let mut flash: Flash = bench.flash(&package, &new);
        let old = noise(active.len(), 6);
        flash.load(active.start, &old);
        EmbassyBoot::new(&mut flash, STATE).unwrap().withdraw().unwrap();
        let receipt = common::install::<4, 1, 512>(&bench, &mut flash, package.bytes()).unwrap();
        bench.assert_installed(&flash, &package, &new, &receipt);
        flash.clear_oracles();
        // The part of the DFU partition that no install reached is what it was: noise.
        EmbassyBoot::new(&mut flash, STATE).unwrap().request_trial().unwrap();
        assert_eq!(V07::boot::<4, SECTOR>(&mut flash, active.clone(), dfu.clone()), Some(Said::Swap));
        assert_eq!(&flash.bytes()[active.start as usize..][..new.len()], &new[..], "the new image runs");
        assert_eq!(V07::boot::<4, SECTOR>(&mut flash, active.clone(), dfu.clone()), Some(Said::Swap));
        assert_eq!(&flash.bytes()[active.start as usize..][..old.len()], &old[..], "and the old one again");
        assert_eq!(flash.violations(), []);

        let too_large = bench.pack(&noise(largest + 1, 5), 512);
        let mut flash: Flash = Flash::new(layout.geometry()).used();
        common::install::<4, 1, 512>(&bench, &mut flash, too_large.bytes()).unwrap_err();
        assert_eq!(flash.steps(), 0, "an image that would be cut off is refused before the first erase");
    }
    assert_eq!(update_slot(DFU, ACTIVE.end - ACTIVE.start, PAGE), DFU);
    story::<1024>(&SMALL_PAGES, ACTIVE, DFU, 8 * 1024);
    story::<4096>(&LARGE_PAGES, LARGE_ACTIVE, LARGE_DFU, 4 * 4096 - 1024);
}
