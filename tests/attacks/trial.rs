//! The attacker at the plug: makes the device reset, hang and lose power when he likes, to win attempts or counters.

use embedded_storage::nor_flash::ReadNorFlash;
use lockgate::boot::Boot;
use lockgate::sim::{Error as Fault, Outcome};
use lockgate::{BootReason, Control, Error, Reason, Refusal, Slot, UpdateState};

use crate::common::{ask, boot, device, noise, release, Board, SMALL_LAYOUT, SWAP_LAYOUT};
use crate::kit::offer;

#[test]
fn cutting_power_wins_a_new_image_no_attempt_beyond_its_limit() {
    for layout in [&SMALL_LAYOUT, &SWAP_LAYOUT] {
        let (bench, mut flash) = device(layout);
        let image = noise(3000, 2);
        ask(&bench, &mut flash, &release(&bench.key, 1, 2, &image));
        let mut fired = 0;
        for seed in 0..60 {
            let mut flash = flash.clone().seed(seed);
            let (mut attempts, mut cuts) = (0, 0u64);
            loop {
                // In every other boot, a cut somewhere in the first operations of it.
                if cuts % 2 == 0 {
                    let outcome = Outcome::CLASSES[((seed * 7 + cuts) % Outcome::CLASSES.len() as u64) as usize];
                    flash.cut_at(flash.steps() + (seed * 31 + cuts * 17) % 40, outcome);
                }
                let mut board = Board::default();
                let launch = Boot::new(bench.device, &mut flash, &mut board).select();
                cuts += 1;
                let off = flash.read(0, &mut [0]) == Err(Fault::PowerCut);
                fired += u32::from(off);
                flash.power_off();
                flash.power_on();
                match launch {
                    // There was no power left to start anything with.
                    _ if off => assert!(cuts < 60, "seed {seed}: it never comes to an end"),
                    Ok(launch) if matches!(launch.reason, BootReason::Trial { .. }) => attempts += 1,
                    Ok(launch) if matches!(launch.reason, BootReason::Reverted(_)) => break,
                    _ => assert!(cuts < 60, "seed {seed}: it never comes to an end"),
                }
            }
            assert!(attempts <= 3, "seed {seed}: {attempts} attempts");
            let status = Control::new(bench.device, &mut flash).status().unwrap();
            assert_eq!((status.security_counter, status.confirmed), (1, Slot::A), "seed {seed}");
        }
        assert!(fired > 100, "{fired} cuts");
    }
}

#[test]
fn an_image_that_failed_its_trials_is_not_taken_again() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(3000, 2));
    ask(&bench, &mut flash, &package);
    while boot(bench.device, &mut flash).unwrap().slot == Slot::B {}
    assert_eq!(offer(bench.device, &mut flash, package.bytes()), Err(Refusal::FailedBefore.into()));
    // Nor under another manifest: it is the image that failed.
    let again = release(&bench.key, 2, 3, &noise(3000, 2));
    assert_eq!(offer(bench.device, &mut flash, again.bytes()), Err(Refusal::FailedBefore.into()));
}

#[test]
fn not_defended_resets_during_a_trial_have_a_genuine_image_refused_from_then_on() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(3000, 2));
    ask(&bench, &mut flash, &package);
    // Before it could show that it works, each time.
    for attempt in 1..=3 {
        assert_eq!(boot(bench.device, &mut flash).unwrap().reason, BootReason::Trial { attempt, limit: 3 });
    }
    assert_eq!(boot(bench.device, &mut flash).unwrap().reason, BootReason::Reverted(Reason::NotConfirmed));
    assert_eq!(offer(bench.device, &mut flash, package.bytes()), Err(Refusal::FailedBefore.into()));
    assert!(offer(&bench.device.allow_failed(), &mut flash, package.bytes()).is_ok(), "unless the application says so");
}

#[test]
fn no_update_starts_while_the_running_image_is_on_trial() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(3000, 2)));
    boot(bench.device, &mut flash).unwrap();
    let erases = flash.counters().erases;
    // It would go over the image to go back to.
    let next = release(&bench.key, 2, 3, &noise(3000, 3));
    assert_eq!(offer(bench.device, &mut flash, next.bytes()), Err(Refusal::Unconfirmed.into()));
    assert_eq!(flash.counters().erases, erases);
}

#[test]
fn the_counter_moves_on_confirm_and_at_no_other_moment() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let counter = |flash: &mut _| Control::new(bench.device, flash).status().unwrap().security_counter;
    ask(&bench, &mut flash, &release(&bench.key, 1, 9, &noise(3000, 2)));
    assert_eq!(counter(&mut flash), 1, "stored and asked for");
    boot(bench.device, &mut flash).unwrap();
    assert_eq!(counter(&mut flash), 1, "on trial");
    Control::new(bench.device, &mut flash).reject().unwrap();
    assert_eq!(Control::new(bench.device, &mut flash).confirm(), Err(Error::NotOnTrial));
    let launch = boot(bench.device, &mut flash).unwrap();
    assert_eq!((launch.reason, counter(&mut flash)), (BootReason::Reverted(Reason::Rejected), 1));
}

#[test]
fn a_confirmation_by_the_old_image_confirms_nothing() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    ask(&bench, &mut flash, &release(&bench.key, 1, 9, &noise(3000, 2)));
    // The old application calls it at every start; its boot was not the trial's.
    Control::new(bench.device, &mut flash).confirm().unwrap();
    let status = Control::new(bench.device, &mut flash).status().unwrap();
    assert_eq!((status.update, status.security_counter), (UpdateState::Pending, 1));
}
