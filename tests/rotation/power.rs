//! Power may fail in any flash operation of a rotation: the device goes on, and a set that was once seen to be trusted stays so.

use lockgate::sim::{Error as FlashError, Flash, Outcome};
use lockgate::{Control, Error, ErrorKind, Layout};

use crate::kit::{send, Field, SELECT, SWAP};

/// What is done, whatever was done before: one step of the story at a time, until all of it is.
struct Story {
    packages: [Vec<u8>; 2],
}

impl Story {
    /// A rotation of all keys and an update; two more of the sign key, one after the other, and an update.
    fn of(field: &Field) -> Self {
        let people = &field.people;
        let first = people.signed(&people.set(1, &[1], &[1]), &[0, 1]);
        let second = people.signed(&people.set(2, &[2], &[1]), &[1]);
        let third = people.signed(&people.set(3, &[3], &[1]), &[1]);
        let package = |sets: &[&[u8]], by, minor| [sets.concat(), people.update(by, minor).bytes().to_vec()].concat();
        Self { packages: [package(&[&first], 1, 1), package(&[&first, &second, &third], 3, 2)] }
    }

    /// Installs and confirms what is still to come. Ends at a power cut.
    fn tell(&self, field: &mut Field) -> Result<(), FlashError> {
        for (counter, package) in (1..).zip(&self.packages) {
            for _ in 0..6 {
                boot(field)?;
                let mut control = Control::new(&field.device, &mut field.flash);
                control.confirm().or_else(cut)?;
                if control.status().or_else(|error| cut(error).map(|_| unreachable!()))?.security_counter >= counter {
                    break;
                }
                match send(&field.device, &mut field.flash, package) {
                    Ok(receipt) => {
                        Control::new(&field.device, &mut field.flash).try_next(receipt).or_else(cut)?;
                    }
                    Err(error) => cut(error)?,
                }
            }
            let status = Control::new(&field.device, &mut field.flash).status();
            let reached = status.map_err(|_| FlashError::PowerCut)?.security_counter;
            assert!(reached >= counter, "it goes through in the end");
        }
        Ok(())
    }
}

/// Errors but power cuts are made up for by trying again.
fn cut(error: Error<FlashError>) -> Result<(), FlashError> {
    match error {
        Error::Flash(FlashError::PowerCut) => Err(FlashError::PowerCut),
        error if error.kind() == ErrorKind::Bug => panic!("{error:?}"),
        _ => Ok(()),
    }
}

fn boot(field: &mut Field) -> Result<(), FlashError> {
    let started = field.boot();
    if !field.flash.is_powered() {
        return Err(FlashError::PowerCut);
    }
    started.expect("an image is started");
    Ok(())
}

/// The highest version that the device is seen to trust: each has a sign key of its own.
fn trusted(field: &Field) -> usize {
    let believed: Vec<usize> = (0..4).filter(|&by| field.believes(by)).collect();
    assert_eq!(believed.len(), 1, "it trusts one set, and always one: {believed:?}");
    believed[0]
}

/// Every `stride`th step is cut, each with `outcomes` of the outcomes there are, in turn.
#[track_caller]
fn cuts(layout: &'static Layout, signatures: bool, stride: usize, outcomes: usize) {
    let first = Field::new(layout, signatures);
    let story = Story::of(&first);
    let fresh = |flash: &Flash| Field { flash: flash.clone(), people: first.people.clone(), ..first };
    let mut whole = fresh(&first.flash);
    story.tell(&mut whole).expect("no cut");
    let (from, to) = (first.flash.steps(), whole.flash.steps());
    assert!(to - from > 40, "{} steps", to - from);
    let mut cuts = 0;
    let mut in_turn = Outcome::CLASSES.iter().cycle();
    for step in (from..to).step_by(stride) {
        for &outcome in in_turn.by_ref().take(outcomes) {
            let mut field = fresh(&first.flash);
            field.flash.cut_at(step, outcome);
            let told = story.tell(&mut field);
            assert!(field.flash.cut_fired() && told.is_err(), "step {step}");
            let mut seen = 0;
            for _ in 0..3 {
                field.flash.power_on();
                boot(&mut field).expect("power is on");
                let now = trusted(&field);
                assert!(now >= seen, "step {step}, {outcome:?}: set {now} after set {seen}");
                seen = now;
            }
            story.tell(&mut field).expect("power is on");
            field.flash.power_on();
            assert_eq!(trusted(&field), 3, "step {step}, {outcome:?}");
            assert_eq!(field.flash.violations(), [], "step {step}, {outcome:?}");
            cuts += 1;
        }
    }
    println!("{cuts} cuts");
}

#[test]
fn a_record_that_failed_and_may_hold_all_the_same_names_no_place_that_is_erased_then() {
    let first = Field::new(&SELECT, false);
    let set = first.people.signed(&first.people.set(1, &[1], &[1]), &[0, 1]);
    let fresh = |flash: &Flash| Field { flash: flash.clone(), people: first.people.clone(), ..first };
    let mut whole = fresh(&first.flash);
    whole.send(std::slice::from_ref(&set), b"").unwrap_err();
    let (from, to) = (first.flash.steps(), whole.flash.steps());
    for step in from..to {
        for &outcome in Outcome::CLASSES {
            for later in 0..40 {
                let mut field = fresh(&first.flash);
                field.flash.stall_at(step, outcome);
                field.send(std::slice::from_ref(&set), b"").unwrap_err();
                assert!(field.flash.cut_fired(), "stalled at {step}");
                field.flash.cut_at(field.flash.steps() + later, Outcome::HALF_ERASED);
                field.send(std::slice::from_ref(&set), b"").unwrap_err();
                let fired = field.flash.cut_fired();
                field.flash.cut_at(u64::MAX, outcome);
                let mut seen = 0;
                for _ in 0..2 {
                    field.flash.power_on();
                    boot(&mut field).expect("power is on");
                    let now = trusted(&field);
                    assert!(now >= seen, "stalled at {step}, {outcome:?}, cut {later} later");
                    seen = now;
                }
                if !fired {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_rotation_survives_cuts_here_and_there() {
    cuts(&SELECT, true, 97, Outcome::CLASSES.len());
}

#[test]
fn a_rotation_survives_a_cut_at_every_step_where_the_boot_stage_selects_a_slot() {
    cuts(&SELECT, false, 1, 3);
}

#[test]
fn a_rotation_survives_a_cut_at_every_step_where_the_boot_stage_checks_signatures() {
    cuts(&SELECT, true, 1, 1);
}

#[test]
fn a_rotation_survives_a_cut_at_every_step_where_the_boot_stage_exchanges_the_slots() {
    cuts(&SWAP, false, 1, 2);
}
