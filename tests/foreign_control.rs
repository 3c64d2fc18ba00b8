//! Promise (I5, I14): the records keep step with another bootloader, the real embassy-boot and a model of MCUboot, and no
//! security counter is raised for an image that does not run.

mod common;
#[path = "foreign/real.rs"]
mod real;
#[path = "foreign/shared.rs"]
mod shared;
#[path = "foreign/slots.rs"]
mod slots;

use common::{leak, noise, release, update, Bench, Board, CLASS, SMALL_LAYOUT, VENDOR};
use embedded_storage::nor_flash::NorFlash;
use lockgate::boot::{Boot, NoImage};
use lockgate::foreign::{self, ForeignState};
use lockgate::sim::{self, Flash, Outcome, Programming, Stability};
use lockgate::{BootReason, BootStatus, Control, Device, Error, Handover, Layout, Reason, Refusal, Slot, UpdateState};
use real::{V06Zero, V07};
use shared::*;

/// Runs a test with each bootloader.
macro_rules! each {
    ($test:ident) => {
        $test::<Small<V07>, 4>();
        $test::<Small<V07>, 8>();
        $test::<Small<V06Zero>, 4>();
        $test::<Large, 4>();
        $test::<Model, 8>();
    };
}

/// Runs a test with those that differ in what a cut leaves.
macro_rules! each_cut {
    ($test:ident) => {
        $test::<Small<V07>, 4>();
        $test::<Large, 4>();
        $test::<Model, 8>();
    };
}

const TRIAL: BootReason = BootReason::Trial { attempt: 1, limit: 1 };
const WENT_BACK: BootReason = BootReason::Reverted(Reason::Foreign);

#[track_caller]
fn assert_status(status: BootStatus, reason: BootReason, update: UpdateState, counter: u32) {
    assert_eq!((status.reason, status.update, status.security_counter), (reason, update, counter));
    assert_eq!((status.running, status.confirmed), (Slot::A, Slot::A), "images run in slot A");
}

#[track_caller]
fn assert_refused<L: Loader<W>, const W: usize>(rig: &Rig<L, W>, version: u8, refusal: Refusal) {
    let mut rig = rig.clone();
    let steps = rig.flash.steps();
    assert_eq!(rig.install(&rig.package(version)).unwrap_err(), refusal.into());
    assert_eq!(rig.flash.steps(), steps, "refused before anything is erased");
}

#[test]
fn an_update_is_installed_tried_and_confirmed_in_step_with_the_bootloader() {
    fn story<L: Loader<W>, const W: usize>() {
        let mut rig = Rig::<L, W>::new().hand_over(2);
        assert_status(rig.follow().unwrap(), BootReason::Confirmed, UpdateState::Pending, 1);
        assert_refused(&rig, 3, Refusal::Unconfirmed);

        assert!(rig.reset());
        assert_refused(&rig, 3, Refusal::Unconfirmed);
        for _ in 0..2 {
            assert_status(rig.follow().unwrap(), TRIAL, UpdateState::Trial, 1);
            assert_eq!(rig.runs(), 2);
        }
        assert_refused(&rig, 3, Refusal::Unconfirmed);

        rig.confirm().unwrap();
        let steps = rig.flash.steps();
        for _ in 0..3 {
            assert!(rig.reset());
            assert_status(rig.follow().unwrap(), BootReason::Confirmed, UpdateState::None, 20);
            rig.confirm().unwrap();
            assert_eq!(rig.runs(), 2);
        }
        assert_eq!(rig.flash.steps(), steps, "an idle start and another confirm write nothing");
        let old = release(&rig.bench.key, 9, 19, &noise(900, 9));
        assert_eq!(rig.install(&old).unwrap_err(), Refusal::SecurityCounter { package: 19, device: 20 }.into());

        let mut rig = rig.on_trial(3);
        rig.confirm().unwrap();
        assert_status(rig.follow().unwrap(), BootReason::Confirmed, UpdateState::None, 30);
        assert_eq!(rig.flash.violations(), []);
    }
    each!(story);
}

#[test]
fn an_image_that_is_not_confirmed_goes_and_is_refused_and_the_counter_stays() {
    fn story<L: Loader<W>, const W: usize>() {
        // With and without the image having told the records that it runs.
        for began in [Rig::<L, W>::on_trial, Rig::<L, W>::started] {
            let mut rig = began(Rig::new(), 2);
            for _ in 0..3 {
                assert!(rig.reset());
                assert_status(rig.follow().unwrap(), WENT_BACK, UpdateState::None, 1);
                assert_eq!(rig.runs(), 1);
            }
            assert_refused(&rig, 2, Refusal::FailedBefore);
            let mut rig = rig.on_trial(3);
            assert_status(rig.follow().unwrap(), TRIAL, UpdateState::Trial, 1);
            rig.confirm().unwrap();
            assert_status(rig.follow().unwrap(), BootReason::Confirmed, UpdateState::None, 30);
            assert_eq!((rig.runs(), rig.flash.violations()), (3, &[][..]));
        }
    }
    each!(story);
}

#[test]
fn a_rejected_image_cannot_be_confirmed_any_more_and_the_bootloader_takes_it_back() {
    fn story<L: Loader<W>, const W: usize>() {
        let mut rig = Rig::<L, W>::new().on_trial(2);
        rig.reject();
        assert_eq!(rig.confirm(), Err(Error::NotOnTrial.into()));
        assert_eq!(rig.other(|other| other.state()), Ok(ForeignState::OnTrial), "it was not told");
        assert!(rig.reset());
        assert_status(rig.follow().unwrap(), BootReason::Reverted(Reason::Rejected), UpdateState::None, 1);
        assert_refused(&rig, 2, Refusal::FailedBefore);
    }
    each!(story);
}

#[test]
fn a_request_that_was_lost_is_made_again_from_what_lies_in_the_slot() {
    fn story<L: Loader<W>, const W: usize>() {
        // The bootloader may still speak of an earlier image that it took back.
        let mut before = Rig::<L, W>::new().reverted(4);
        before.follow().unwrap();
        for mut rig in [Rig::<L, W>::new(), before] {
            rig.other(|other| other.withdraw()).unwrap();
            let counter = rig.follow().unwrap().security_counter;
            let receipt = rig.install(&rig.package(2)).unwrap();
            L::fail(&mut rig.flash);
            let told = rig.try_next(receipt);
            assert!(matches!(told, Err(Handover::Bootloader(foreign::Error::Flash(_)))), "{told:?}");
            assert!(rig.reset());
            let status = rig.follow().unwrap();
            assert_eq!((status.update, status.security_counter), (UpdateState::Receiving, counter));
            let receipt = rig.staged().unwrap();
            rig.try_next(receipt).unwrap();
            assert!(rig.reset());
            assert_status(rig.follow().unwrap(), TRIAL, UpdateState::Trial, counter);
            rig.confirm().unwrap();
            assert_status(rig.follow().unwrap(), BootReason::Confirmed, UpdateState::None, 20);
        }
    }
    each!(story);
}

#[test]
fn a_bootloader_that_makes_nothing_of_a_request_is_asked_as_often_as_the_device_says() {
    fn story<L: Loader<W>, const W: usize>() {
        let mut rig = Rig::<L, W>::new();
        let mut receipt = Some(rig.install(&rig.package(2)).unwrap());
        rig.other(|other| other.withdraw()).unwrap();
        for left in [2, 1, 0] {
            rig.try_next(receipt.take().unwrap()).unwrap();
            rig.other(|other| other.withdraw()).unwrap(); // as if it had refused the image
            assert!(rig.reset());
            if left > 0 {
                assert_status(rig.follow().unwrap(), BootReason::Confirmed, UpdateState::Receiving, 1);
                receipt = Some(rig.staged().unwrap());
            }
        }
        assert_status(rig.follow().unwrap(), WENT_BACK, UpdateState::None, 1);
        assert_refused(&rig, 2, Refusal::FailedBefore);
    }
    each!(story);
}

#[test]
fn a_request_that_was_taken_for_lost_and_comes_to_life_is_a_trial_all_the_same() {
    fn story<L: Loader<W>, const W: usize>() {
        let mut rig = Rig::<L, W>::new().hand_over(2);
        rig.other(|other| other.withdraw()).unwrap();
        assert_status(rig.follow().unwrap(), BootReason::Confirmed, UpdateState::Receiving, 1);
        rig.other(|other| other.request_trial()).unwrap();
        assert!(rig.reset());
        assert_status(rig.follow().unwrap(), TRIAL, UpdateState::Trial, 1);
        assert_refused(&rig, 3, Refusal::Unconfirmed);
    }
    each!(story);
}

#[test]
fn an_image_that_the_bootloader_keeps_is_confirmed_only_if_it_is_the_update_and_can_be_read() {
    fn story<L: Loader<W>, const W: usize>() {
        let mut kept = Rig::<L, W>::new().on_trial(2);
        kept.other(|other| other.confirm()).unwrap(); // and power fails
        let start = L::LAYOUT.slot_range(Slot::A).start;
        for spoilt in [None, Some(0), Some(7001)] {
            let mut rig = kept.clone();
            if let Some(at) = spoilt {
                rig.flash.fail_read(start + at);
            }
            let status = rig.follow().unwrap();
            if spoilt.is_none() {
                assert_status(status, BootReason::Confirmed, UpdateState::None, 20);
            } else {
                assert_status(status, WENT_BACK, UpdateState::None, 1);
            }
        }
        // A revert that the bootloader does not tell.
        let mut rig = Rig::<L, W>::new().on_trial(2);
        assert!(rig.reset());
        L::forget(&mut rig.flash);
        assert_eq!(rig.other(|other| other.state()), Ok(ForeignState::Confirmed));
        assert_status(rig.follow().unwrap(), WENT_BACK, UpdateState::None, 1);
        assert_refused(&rig, 2, Refusal::FailedBefore);
    }
    each!(story);
}

#[test]
fn an_image_that_the_real_bootloader_keeps_while_it_says_that_it_went_back_is_confirmed() {
    let mut rig = Rig::<Small<V07>, 4>::new().on_trial(2);
    rig.flash = rig.flash.programming(Programming::And { writes: 2 }); // the bootloader writes that word again
    rig.flash.load(real::STATE.start + 4, &[0; 4]); // a confirm that was cut behind its first step
    assert!(rig.reset());
    assert_eq!((rig.other(|other| other.state()), rig.runs()), (Ok(ForeignState::Reverted), 2));
    assert_status(rig.follow().unwrap(), BootReason::Confirmed, UpdateState::None, 20);
    assert_eq!(rig.other(|other| other.state()), Ok(ForeignState::Confirmed), "it is told anew");
}

#[test]
fn an_image_kept_by_a_torn_mark_is_confirmed_without_its_counter() {
    let mut rig = Rig::<Model, 8>::new().on_trial(2);
    rig.flash.load(slots::PRIMARY - 24, &[0x7F]);
    assert!(rig.reset());
    assert_eq!((rig.other(|other| other.state()), rig.runs()), (Ok(ForeignState::Confirmed), 2));
    assert_status(rig.follow().unwrap(), BootReason::Confirmed, UpdateState::None, 1);
    rig.on_trial(3);
}

const ONCE: &[Programming] = &[Programming::WriteOnce];
/// Where embassy-boot gets past a cut confirmation.
const OR_TWICE: &[Programming] = &[Programming::WriteOnce, Programming::And { writes: 2 }];

/// Cuts every step of `call` in every way. `after` gets the device with power on again.
fn cut<L: Loader<W>, const W: usize>(
    before: &Rig<L, W>,
    programmings: &[Programming],
    call: impl Fn(&mut Rig<L, W>) -> Told<()>,
    mut after: impl FnMut(Rig<L, W>, Outcome),
) {
    for &programming in programmings {
        let mut rig = before.clone();
        rig.flash = rig.flash.programming(programming);
        let mut undisturbed = rig.clone();
        call(&mut undisturbed).unwrap();
        assert!(undisturbed.flash.steps() > before.flash.steps(), "there is something to cut");
        for step in before.flash.steps()..undisturbed.flash.steps() {
            for (&outcome, seed) in Outcome::CLASSES.iter().zip(step * 100..) {
                let mut rig = rig.clone();
                rig.flash = rig.flash.seed(seed);
                rig.flash.cut_at(step, outcome);
                call(&mut rig).unwrap_err();
                assert!(rig.flash.cut_fired());
                assert_eq!(rig.flash.violations(), [], "each word once");
                rig.flash.power_on();
                after(rig, outcome);
            }
        }
    }
}

/// What comes of it in some power cycles: the version that runs, and the status; none if the bootloader gives up.
fn settled<L: Loader<W>, const W: usize>(rig: &mut Rig<L, W>, outcome: Outcome) -> Option<(u8, BootStatus)> {
    let mut last = None;
    for _ in 0..4 {
        let clean = rig.flash.violations().is_empty();
        assert!(clean, "{:?} after {outcome:?}", rig.flash.violations());
        let booted = rig.reset();
        let status = Control::new(rig.bench.device, &mut rig.flash).status().unwrap();
        assert!(status.security_counter == 1 || rig.runs() == 2, "{outcome:?}: {status:?}, {} runs", rig.runs());
        if !booted {
            let refused = rig.flash.violations().iter().all(|violation| L::WORDS.contains(&violation.address));
            let excused = outcome.stability == Stability::ReadError || !rig.flash.violations().is_empty();
            assert!(refused && excused, "gave up after {outcome:?}");
            return None;
        }
        last = Some((rig.runs(), rig.follow().unwrap()));
        rig.flash.power_on();
    }
    last
}

/// The one right end or the other.
#[track_caller]
fn assert_right_end<L: Loader<W>, const W: usize>(mut rig: Rig<L, W>, outcome: Outcome) -> u8 {
    let Some((runs, status)) = settled(&mut rig, outcome) else { return 0 };
    match (runs, status.update) {
        (2, _) => {
            // A mark that MCUboot minds, and that cannot be made whole, vouches for nothing.
            let torn = rig.other(|other| other.confirm()).is_err();
            let expected = if torn && status.security_counter == 1 { 1 } else { 20 };
            assert_status(status, BootReason::Confirmed, UpdateState::None, expected);
        }
        (_, UpdateState::Receiving) => {
            assert_eq!((runs, status.security_counter), (1, 1));
            let receipt = rig.staged().unwrap();
            rig.try_next(receipt).unwrap();
            assert!(rig.reset());
            assert_status(rig.follow().unwrap(), TRIAL, UpdateState::Trial, 1);
            rig.confirm().unwrap();
            assert_status(rig.follow().unwrap(), BootReason::Confirmed, UpdateState::None, 20);
            assert_eq!(rig.flash.violations(), []);
        }
        (_, update) => {
            assert_eq!((runs, status.security_counter, update), (1, 1, UpdateState::None));
            assert_refused(&rig, 2, Refusal::FailedBefore);
        }
    }
    runs
}

#[test]
fn a_cut_handover_is_made_or_not_and_can_be_made_again() {
    fn story<L: Loader<W>, const W: usize>() {
        let mut before = Rig::<L, W>::new().reverted(4);
        before.follow().unwrap();
        for mut before in [Rig::<L, W>::new(), before] {
            before.other(|other| other.withdraw()).unwrap();
            let _receipt = before.install(&before.package(2)).unwrap();
            cut(
                &before,
                ONCE,
                |rig| {
                    let receipt = rig.staged().unwrap();
                    rig.try_next(receipt)
                },
                |rig, outcome| {
                    assert_right_end(rig, outcome);
                },
            );
        }
    }
    each_cut!(story);
}

#[test]
fn a_cut_while_the_records_follow_is_made_up_for_at_the_next_start() {
    fn story<L: Loader<W>, const W: usize>() {
        let mut kept = Rig::<L, W>::new().on_trial(2);
        kept.other(|other| other.confirm()).unwrap();
        let mut lost = Rig::<L, W>::new().hand_over(2);
        lost.other(|other| other.withdraw()).unwrap();
        let (told, untold) = (Rig::<L, W>::new().on_trial(2), Rig::<L, W>::new().started(2));
        for (before, expected) in [
            (untold.clone(), 1),
            (Rig::<L, W>::new().reverted(2), 1),
            (kept, 2),
            (lost, 1),
            (
                {
                    let mut rig = told;
                    assert!(rig.reset());
                    rig
                },
                1,
            ),
        ] {
            cut(
                &before,
                ONCE,
                |rig| rig.follow().map(|_| ()),
                |rig, outcome| {
                    let end = assert_right_end(rig, outcome);
                    assert!(end == expected || end == 0, "{end} runs after {outcome:?}");
                },
            );
        }
    }
    each_cut!(story);
}

#[test]
fn a_cut_confirmation_ends_with_the_new_image_and_its_counter_or_with_the_old_one_and_its_own() {
    fn story<L: Loader<W>, const W: usize>() {
        let mut ends = [0; 3];
        cut(
            &Rig::<L, W>::new().on_trial(2),
            OR_TWICE,
            |rig| rig.confirm(),
            |rig, outcome| {
                let mut repeated = rig.clone();
                let torn = repeated.other(|other| other.confirm()).is_err();
                let done = repeated.confirm();
                assert!(torn || done.is_ok(), "{done:?} after {outcome:?}");
                if !torn {
                    assert_status(repeated.follow().unwrap(), BootReason::Confirmed, UpdateState::None, 20);
                }
                ends[usize::from(assert_right_end(rig, outcome))] += 1;
            },
        );
        assert!(ends[1] > 0 && ends[2] > 0, "{ends:?}");
    }
    each_cut!(story);
}

#[test]
fn an_image_has_to_fit_where_it_arrives_and_where_it_runs() {
    const CHIP: lockgate::geometry::Geometry = common::SMALL;
    const A_SMALLER: Layout = Layout::new(&CHIP).records(0..2048).slots(2048..8192, 8192..32768).foreign().check();
    const B_SMALLER: Layout = Layout::new(&CHIP).records(0..2048).slots(8192..32768, 2048..8192).foreign().check();
    for (layout, capacity) in [(&A_SMALLER, 6144), (&B_SMALLER, 5120)] {
        let bench = Bench::new(layout);
        assert_eq!(layout.capacity(), capacity);
        let mut flash: Flash = Flash::new(&CHIP).used();
        let large = bench.pack(&noise(capacity as usize + 1, 1), 512);
        let refused = common::install::<4, 1, 512>(&bench, &mut flash, large.bytes()).unwrap_err();
        assert_eq!(refused, Refusal::ImageTooLarge { image: capacity + 1, capacity }.into());
        assert_eq!(flash.steps(), 0);
        let image = noise(capacity as usize, 1);
        let package = bench.pack(&image, 512);
        let receipt = common::install::<4, 1, 512>(&bench, &mut flash, package.bytes()).unwrap();
        assert_eq!((receipt.slot(), receipt.image_size()), (Slot::B, capacity));
    }
}

#[test]
fn an_image_must_be_linked_for_slot_a() {
    let key = lockgate::pack::SigningKey::generate();
    let layout = <Small<V07> as Loader<4>>::LAYOUT;
    let device = Device::new(layout, VENDOR, CLASS, common::trust(1, &[&key])).load_addresses(0x1000, 0x3000);
    let bench = Bench { device: leak(device), ..Bench::with_key(layout, key) };
    let linked = |address| {
        let package = update().load_address(address).build(&noise(900, 1), &mut [&mut bench.key.clone()]).unwrap();
        let mut flash: Flash = Flash::new(layout.geometry());
        common::install::<4, 1, 1024>(&bench, &mut flash, package.bytes()).map(|receipt| receipt.slot())
    };
    assert_eq!(linked(0x1000), Ok(Slot::B));
    assert_eq!(linked(0x3000), Err(Refusal::LoadAddress { package: 0x3000 }.into()));
}

#[test]
fn each_bootloader_has_its_own_calls_and_the_others_change_nothing() {
    let mut rig = Rig::<Small<V07>, 4>::new().on_trial(2);
    let steps = rig.flash.steps();
    let mut control = Control::new(rig.bench.device, &mut rig.flash);
    assert!(matches!(control.confirm(), Err(Error::Misuse(_))));
    let mut board = Board::default();
    let started = Boot::new(rig.bench.device, &mut rig.flash, &mut board).select();
    assert_eq!(started, Err(NoImage::Foreign));
    assert_eq!(rig.flash.steps(), steps);

    let mut rig = Rig::<Small<V07>, 4>::new();
    let receipt = rig.install(&rig.package(2)).unwrap();
    let steps = rig.flash.steps();
    assert!(matches!(Control::new(rig.bench.device, &mut rig.flash).try_next(receipt), Err(Error::Misuse(_))));
    assert_eq!(rig.flash.steps(), steps);
    let mut blank: Flash = Flash::new(rig.bench.layout.geometry());
    let error = Control::new(rig.bench.device, &mut blank).initialize(Slot::B, 1).unwrap_err();
    assert!(matches!(error, Error::Misuse(_)));

    let select = Bench::new(&SMALL_LAYOUT);
    let mut flash: Flash = Flash::new(SMALL_LAYOUT.geometry());
    let mut others = flash.clone();
    let mut control = Control::new(select.device, &mut flash);
    let mut other = foreign::EmbassyBoot::new(&mut others, 60 * 1024..61 * 1024).unwrap();
    assert!(matches!(control.follow(&mut other), Err(Handover::Records(Error::Misuse(_)))));
    assert!(matches!(control.confirm_by(&mut other), Err(Handover::Records(Error::Misuse(_)))));
    assert_eq!(flash.steps() + others.steps(), 0);
}

#[test]
fn a_receipt_that_is_out_of_date_does_not_reach_the_bootloader() {
    let mut rig = Rig::<Small<V07>, 4>::new();
    let stale = rig.install(&rig.package(2)).unwrap();
    let _newer = rig.install(&rig.package(3)).unwrap();
    assert_eq!(rig.try_next(stale), Err(Error::Superseded.into()));
    assert_eq!(rig.other(|other| other.state()), Ok(ForeignState::Confirmed));
}

#[test]
fn without_records_there_is_nothing_to_follow_and_a_confirm_is_the_bootloaders_alone() {
    let mut rig = Rig::<Small<V07>, 4>::new();
    rig.flash.erase(0, 2048).unwrap();
    rig.flash.load(rig.bench.layout.slot_range(Slot::B).start, &new(2));
    rig.other(|other| other.request_trial()).unwrap();
    assert!(rig.reset());
    assert!(!rig.follow().unwrap().recorded);
    rig.confirm().unwrap();
    assert!(rig.reset());
    assert_eq!((rig.runs(), rig.other(|other| other.state())), (2, Ok(ForeignState::Confirmed)));
}

#[test]
fn errors_say_which_side_failed() {
    let mine: Handover<sim::Error, foreign::Error<sim::Error>> = Error::NotOnTrial.into();
    let others = Handover::<sim::Error, _>::Bootloader(foreign::Error::<sim::Error>::OnTrial);
    assert_eq!((mine.to_string(), others.to_string()), ("no image is on trial".into(), "bootloader: OnTrial".into()));
}
