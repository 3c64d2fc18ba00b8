//! Promise: a power cut while the real embassy-boot is told leaves one image or the other running, whole.

mod common;
#[path = "foreign/real.rs"]
mod real;

use lockgate::foreign::{BootControl, EmbassyBoot, Error, ForeignState};
use lockgate::geometry::Geometry;
use lockgate::sim::{self, Flash, Outcome, Programming, Stability};
use real::*;

/// Cuts every step of `call` in every way, on ECC flash and on flash that takes two programmings. `after` looks at the
/// device, with power on again.
fn cut<R: Real, const W: usize>(
    before: &Flash<W>,
    call: impl Fn(&mut EmbassyBoot<&mut Flash<W>>) -> Result<(), Error<sim::Error>>,
    mut after: impl FnMut(Flash<W>, Outcome),
) {
    for programming in [Programming::WriteOnce, Programming::And { writes: 2 }] {
        let mut undisturbed = before.clone().programming(programming);
        call(&mut ours::<R, W>(&mut undisturbed)).unwrap();
        assert!(undisturbed.steps() > before.steps(), "there is something to cut");
        for step in before.steps()..undisturbed.steps() {
            for (&outcome, seed) in Outcome::CLASSES.iter().zip(step * 100..) {
                let mut flash = before.clone().programming(programming).seed(seed);
                flash.cut_at(step, outcome);
                assert_eq!(call(&mut ours::<R, W>(&mut flash)), Err(Error::Flash(sim::Error::PowerCut)));
                assert!(flash.cut_fired());
                flash.power_on();
                after(flash, outcome);
            }
        }
    }
}

/// The real bootloader after a cut. It gives up only over a torn word that reads as an error, or where the flash
/// refuses its write to the progress validity word.
#[track_caller]
fn boot_after_cut<R: Real, const W: usize>(flash: &mut Flash<W>, outcome: Outcome) -> Option<Said> {
    assert_eq!(flash.violations(), [], "so far");
    let said = boot::<R, W>(flash);
    let refused = flash.violations().iter().all(|violation| violation.address == STATE.start + W as u32);
    assert!(refused, "{:?} after {outcome:?}", flash.violations());
    let excused = outcome.stability == Stability::ReadError || !flash.violations().is_empty();
    assert!(said.is_some() || excused, "gave up after {outcome:?}");
    said
}

/// On trial, after a request and a swap.
fn on_trial<R: Real, const W: usize>(geometry: &'static Geometry) -> Flash<W> {
    let mut flash = device::<R, W>(geometry);
    ours::<R, W>(&mut flash).request_trial().unwrap();
    boot::<R, W>(&mut flash).unwrap();
    flash
}

#[test]
fn a_cut_request_is_made_or_not_and_can_be_repeated() {
    fn story<R: Real, const W: usize>(geometry: &'static Geometry) {
        let mut reverted = on_trial::<R, W>(geometry);
        boot::<R, W>(&mut reverted).unwrap();
        for before in [device::<R, W>(geometry), reverted] {
            cut::<R, W>(
                &before,
                |boot| boot.request_trial(),
                |mut flash, outcome| {
                    let mut repeated = flash.clone();
                    assert_ne!(ours::<R, W>(&mut repeated).state(), Ok(ForeignState::OnTrial), "{outcome:?}");
                    ours::<R, W>(&mut repeated).request_trial().unwrap();
                    assert_eq!(state::<R, W>(&mut repeated), ForeignState::Requested, "{outcome:?}");
                    assert_eq!((boot::<R, W>(&mut repeated), running(&repeated)), (Some(Said::Swap), 2));
                    assert_eq!(repeated.violations(), [], "each word once");

                    let said = boot_after_cut::<R, W>(&mut flash, outcome);
                    assert_eq!(running(&flash), if said == Some(Said::Swap) { 2 } else { 1 }, "{outcome:?}");
                },
            );
        }
    }
    each!(story);
}

#[test]
fn a_cut_confirm_keeps_the_image_or_leaves_it_on_trial_and_can_be_repeated() {
    fn story<R: Real, const W: usize>(geometry: &'static Geometry) {
        let mut kept_but_told_reverted = 0;
        cut::<R, W>(
            &on_trial::<R, W>(geometry),
            |boot| boot.confirm(),
            |mut flash, outcome| {
                let mut repeated = flash.clone();
                ours::<R, W>(&mut repeated).confirm().unwrap();
                assert_eq!(state::<R, W>(&mut repeated), ForeignState::Confirmed, "{outcome:?}");
                assert_eq!((boot::<R, W>(&mut repeated), running(&repeated)), (Some(Said::Boot), 2));
                assert_eq!(repeated.violations(), [], "each word once");

                if boot_after_cut::<R, W>(&mut flash, outcome).is_none() {
                    return assert_eq!(running(&flash), 2, "{outcome:?}");
                }
                match (state::<R, W>(&mut flash), running(&flash)) {
                    (ForeignState::Confirmed, 2) | (ForeignState::Reverted, 1) => {}
                    (ForeignState::Reverted, 2) => kept_but_told_reverted += 1,
                    other => panic!("{other:?} after {outcome:?}"),
                }
                ours::<R, W>(&mut flash).confirm().unwrap();
                assert_eq!(state::<R, W>(&mut flash), ForeignState::Confirmed);
            },
        );
        assert!(kept_but_told_reverted > 0, "the documentation says that this can happen");
    }
    each!(story);
}

#[test]
fn a_cut_withdrawal_leaves_the_request_or_not_and_can_be_repeated() {
    fn story<R: Real, const W: usize>(geometry: &'static Geometry) {
        let mut before = device::<R, W>(geometry);
        ours::<R, W>(&mut before).request_trial().unwrap();
        cut::<R, W>(
            &before,
            |boot| boot.withdraw(),
            |mut flash, outcome| {
                let mut repeated = flash.clone();
                ours::<R, W>(&mut repeated).withdraw().unwrap();
                assert!(state::<R, W>(&mut repeated).may_install(), "{outcome:?}");
                assert_eq!((boot::<R, W>(&mut repeated), running(&repeated)), (Some(Said::Boot), 1));
                assert_eq!(repeated.violations(), [], "each word once");

                match (boot_after_cut::<R, W>(&mut flash, outcome), running(&flash)) {
                    (Some(Said::Swap), 2) => {
                        assert_eq!(state::<R, W>(&mut flash), ForeignState::OnTrial, "the request was still there");
                    }
                    (Some(_), 1) => {
                        ours::<R, W>(&mut flash).withdraw().unwrap();
                        assert!(state::<R, W>(&mut flash).may_install(), "{outcome:?}");
                    }
                    (gave_up, running) => assert_eq!((gave_up, running), (None, 1), "{outcome:?}"),
                }
            },
        );
    }
    each!(story);
}

#[test]
fn a_cut_confirm_on_flash_that_refuses_a_second_programming_can_stop_the_real_bootloader() {
    fn story<R: Real, const W: usize>(geometry: &'static Geometry) {
        let mut stopped = 0;
        cut::<R, W>(
            &on_trial::<R, W>(geometry),
            |boot| boot.confirm(),
            |mut flash, outcome| {
                if outcome.stability == Stability::Stable && boot::<R, W>(&mut flash).is_none() {
                    stopped += 1;
                    assert_eq!(boot::<R, W>(&mut flash), None, "at every reset");
                    ours::<R, W>(&mut flash).confirm().unwrap(); // by whoever can still run
                    assert_eq!((boot::<R, W>(&mut flash), running(&flash)), (Some(Said::Boot), 2));
                }
            },
        );
        assert!(stopped > 0, "the documentation says that this can happen");
    }
    each!(story);
}
