//! Promise: a power cut while MCUboot is told leaves what was, or what is asked for.

mod common;
#[path = "foreign/slots.rs"]
mod slots;

use embedded_storage::nor_flash::ReadNorFlash;
use lockgate::foreign::mcuboot::MaxAlign;
use lockgate::foreign::{BootControl, Error, ForeignState, Mcuboot};
use lockgate::sim::{self, Flash, Outcome, Programming};
use slots::*;

/// Cuts every step of `call` in every way, on ECC flash and on flash that takes two programmings.
fn cut(
    before: &Flash<8>,
    call: impl Fn(&mut Mcuboot<&mut Flash<8>>) -> Result<(), Error<sim::Error>>,
    mut after: impl FnMut(Flash<8>, Outcome),
) {
    for programming in [Programming::WriteOnce, Programming::And { writes: 2 }] {
        let mut undisturbed = before.clone().programming(programming);
        call(&mut ours(&mut undisturbed, MaxAlign::Eight)).unwrap();
        for step in before.steps()..undisturbed.steps() {
            for (&outcome, seed) in Outcome::CLASSES.iter().zip(step * 100..) {
                let mut flash = before.clone().programming(programming).seed(seed);
                flash.cut_at(step, outcome);
                let result = call(&mut ours(&mut flash, MaxAlign::Eight));
                assert_eq!(result, Err(Error::Flash(sim::Error::PowerCut)));
                assert!(flash.cut_fired());
                flash.power_on();
                after(flash, outcome);
            }
        }
    }
}

#[test]
fn a_cut_request_is_made_or_not_and_repeating_it_works_or_says_what_to_withdraw() {
    let align = MaxAlign::Eight;
    let mut torn = 0;
    cut(
        &flash(8, 0xFF),
        |boot| boot.request_trial(),
        |mut flash, outcome| {
            let seen = state(&mut flash, align);
            assert!(matches!(seen, ForeignState::Confirmed | ForeignState::Requested), "{outcome:?}");
            match ours(&mut flash, align).request_trial() {
                Ok(()) => {}
                Err(Error::NotBlank { .. }) => {
                    torn += 1;
                    ours(&mut flash, align).withdraw().unwrap();
                    assert_eq!(state(&mut flash, align), ForeignState::Confirmed);
                    ours(&mut flash, align).request_trial().unwrap();
                }
                other => panic!("{other:?} after {outcome:?}"),
            }
            assert_eq!((state(&mut flash, align), flash.violations()), (ForeignState::Requested, &[][..]));
        },
    );
    assert!(torn > 0);
}

#[test]
fn a_cut_withdrawal_leaves_the_request_or_not_and_can_be_repeated() {
    let align = MaxAlign::Eight;
    let mut before = flash(8, 0xFF);
    ours(&mut before, align).request_trial().unwrap();
    cut(
        &before,
        |boot| boot.withdraw(),
        |mut flash, outcome| {
            assert_ne!(state(&mut flash, align), ForeignState::OnTrial, "{outcome:?}");
            ours(&mut flash, align).withdraw().unwrap();
            assert_eq!(state(&mut flash, align), ForeignState::Confirmed);
            ours(&mut flash, align).request_trial().unwrap();
            assert_eq!((state(&mut flash, align), flash.violations()), (ForeignState::Requested, &[][..]));
        },
    );
}

#[test]
fn a_cut_confirm_keeps_the_image_or_leaves_it_on_trial() {
    let align = MaxAlign::Eight;
    let mut before = flash(8, 0xFF);
    swapped(&mut before, align, 2, false);
    cut(
        &before,
        |boot| boot.confirm(),
        |mut flash, outcome| {
            let seen = state(&mut flash, align);
            assert!(matches!(seen, ForeignState::Confirmed | ForeignState::OnTrial), "{outcome:?}");
            let kept = ForeignState::Confirmed;
            match ours(&mut flash, align).confirm() {
                Ok(()) => assert_eq!(state(&mut flash, align), kept, "{outcome:?}"),
                Err(Error::NotBlank { address }) => {
                    let unreadable = ReadNorFlash::read(&mut flash, address, &mut [0; 8]);
                    assert!(unreadable.is_err() || seen == kept, "{outcome:?}: a torn flag keeps the image");
                }
                other => panic!("{other:?} after {outcome:?}"),
            }
            assert_eq!(flash.violations(), []);
        },
    );
}
