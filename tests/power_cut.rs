//! Promise (I2, I3, I5, I7, I14): power may fail in any flash operation, again and again, and whatever the cut leaves, the
//! device starts a whole image that its vendor made and its application asked for.
//!
//! The lives, the model and the cuts are those of the example `power_cut`, which runs for as long as one likes.

#[path = "../examples/power_cut/rig/mod.rs"]
mod rig;

use rig::cuts::{explore, factory, storm, Tally, With};
use rig::life::Broken;
use rig::world::{Behaviour, Case, Payloads, World, CASES};
use rig::Rng;

fn case(name: &str) -> &'static Case {
    CASES.iter().find(|case| case.name == name).expect("a known geometry")
}

/// Every operation of a life (a good update, then one that hangs) is cut in its first, its middle and its last step, with
/// every outcome. With `pairs` each is cut with one, and in each recovery every operation again.
#[track_caller]
fn every_cut<const W: usize, const R: usize>(name: &str, pairs: bool, least: u64) {
    let world = World::new(case(name), &[Behaviour::Good, Behaviour::Hangs]);
    let mut tally = Tally::default();
    let (depth, with) = if pairs { (2, With::One) } else { (1, With::Every) };
    let outcome = explore::<W, R>(&world, factory(&world, 1), depth, with, &mut Rng::new(1), &mut tally);
    if let Err(Broken(what)) = outcome {
        panic!("{name}: {what}");
    }
    println!("{name}: {tally:?}");
    assert!(tally.cuts >= least, "{} cuts: the life has become shorter than it was", tally.cuts);
}

#[test]
fn every_single_cut_is_survived_where_the_boot_stage_selects_a_slot() {
    every_cut::<4, 4>("nrf51", false, 4000);
    every_cut::<8, 8>("stm32l4", false, 3000);
    every_cut::<1, 1>("stm32l0", false, 3000);
    every_cut::<32, 1>("tiny", false, 2000);
    every_cut::<4, 4>("esp8266", false, 3000);
}

#[test]
fn every_single_cut_is_survived_where_the_boot_stage_exchanges_the_slots() {
    every_cut::<4, 4>("nrf51-swap", false, 9000);
    every_cut::<8, 8>("stm32l4-swap", false, 6000);
    every_cut::<32, 1>("tiny-swap", false, 5000);
}

#[test]
fn pairs_of_cuts_are_survived() {
    every_cut::<32, 1>("tiny", true, 4000);
    every_cut::<32, 1>("tiny-swap", true, 10_000);
}

/// The same, where packages are compressed, or deltas of what runs.
#[track_caller]
fn every_cut_of<const W: usize, const R: usize>(name: &str, payloads: Payloads, least: u64) {
    let world = World::with(case(name), &[Behaviour::Good, Behaviour::Hangs], payloads);
    let mut tally = Tally::default();
    let outcome = explore::<W, R>(&world, factory(&world, 1), 1, With::Every, &mut Rng::new(1), &mut tally);
    if let Err(Broken(what)) = outcome {
        panic!("{name}, {payloads:?}: {what}");
    }
    println!("{name}, {payloads:?}: {tally:?}");
    assert!(tally.cuts >= least, "{} cuts: the life has become shorter than it was", tally.cuts);
}

#[test]
fn every_single_cut_is_survived_while_a_payload_is_decoded() {
    for payloads in Payloads::ALL.into_iter().skip(1) {
        every_cut_of::<4, 4>("esp8266", payloads, 3000);
        every_cut_of::<8, 8>("stm32l4-swap", payloads, 6000);
        every_cut_of::<1, 1>("stm32l0", payloads, 2000);
        every_cut_of::<32, 1>("tiny", payloads, 1500);
    }
}

#[track_caller]
fn storms<const W: usize, const R: usize>(name: &str, lives: u64) {
    let story = [Behaviour::Good, Behaviour::Hangs, Behaviour::Good, Behaviour::Rejects, Behaviour::Good];
    let world = World::new(case(name), &story);
    let mut tally = Tally::default();
    for seed in 0..lives {
        if let Err(Broken(what)) = storm::<W, R>(&world, seed, 40, 400, &mut tally, |_| ()) {
            panic!("{name}, seed {seed}: {what}");
        }
    }
    assert_eq!(tally.lives, lives);
}

#[test]
fn storms_of_cuts_tampering_and_dropped_links_are_survived_on_every_geometry() {
    storms::<4, 4>("esp8266", 4);
    storms::<4, 4>("esp8266-swap", 4);
    storms::<8, 8>("stm32l4", 6);
    storms::<8, 8>("stm32l4-swap", 6);
    storms::<32, 1>("stm32h7", 1);
    storms::<32, 1>("stm32h7-swap", 1);
    storms::<4, 1>("stm32f4", 1);
    storms::<4, 1>("stm32f4-swap", 1);
    storms::<4, 4>("efm32", 4);
    storms::<4, 4>("efm32-swap", 4);
    storms::<4, 4>("nrf51", 6);
    storms::<4, 4>("nrf51-swap", 6);
    storms::<1, 1>("stm32l0", 6);
    storms::<32, 1>("tiny", 6);
    storms::<32, 1>("tiny-swap", 6);
}
