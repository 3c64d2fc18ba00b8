//! The model of the proof (`examples/power_cut`), played with cuts, failures and choices that the fuzzer makes: after each of them
//! a whole image that the vendor made and the application asked for is started, with the right counter (I1, I2, I3, I5).

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockgate::sim::{Error, Flash, Outcome, Violation};
use lockgate::Slot;

use crate::rig::cuts::{factory, outcomes, Chip, Tally};
use crate::rig::life::{Broken, Cycle, End};
use crate::rig::model::Model;
use crate::rig::world::{Behaviour, Port, World, CASES};
use crate::rig::Rng;
use crate::script::Script;

use Behaviour::{Good, Hangs, Rejects};

/// Lives that a vendor has for its devices.
const STORIES: [&[Behaviour]; 4] =
    [&[Good, Hangs, Good], &[Rejects, Good], &[Good, Good, Good, Good], &[Hangs, Rejects, Good]];
/// Small ones of every kind of unit and of both strategies: a life takes milliseconds.
const NAMES: [&str; 6] = ["tiny", "tiny-swap", "nrf51", "nrf51-swap", "stm32l0", "stm32l4-swap"];
/// Power cycles that a life takes at the most, and those that each disturbance may add.
const CYCLES: usize = 40;
const CYCLES_A_CUT: usize = 4;

thread_local! {
    static WORLDS: RefCell<HashMap<(usize, usize), Rc<World>>> = RefCell::default();
}

fn world(name: usize, story: usize) -> Rc<World> {
    let make = || {
        let case = CASES.iter().find(|case| case.name == NAMES[name]).expect("a known geometry");
        Rc::new(World::new(case, STORIES[story]))
    };
    WORLDS.with_borrow_mut(|worlds| worlds.entry((name, story)).or_insert_with(make).clone())
}

/// A life, disturbed.
pub fn power_cut(data: &[u8]) {
    let mut script = Script(data);
    let (name, story, seed) = (script.byte() % NAMES.len(), script.byte() % STORIES.len(), script.byte());
    let world = world(name, story);
    let life = match world.case.port {
        Port::W1R1 => live::<1, 1>,
        Port::W4R1 => live::<4, 1>,
        Port::W4R4 => live::<4, 4>,
        Port::W8R8 => live::<8, 8>,
        Port::W32R1 => live::<32, 1>,
    };
    if let Err(Broken(what)) = life(&world, seed as u64, &mut script) {
        panic!("{} {:?}: {what}", NAMES[name], STORIES[story]);
    }
}

fn live<const W: usize, const R: usize>(world: &World, seed: u64, script: &mut Script<'_>) -> Result<(), Broken> {
    let (mut flash, model) = factory::<W, R>(world, seed);
    if !world.is_swap() {
        // Slots are written by updates alone: every byte of them must be some image's, or a trailer's (I1).
        for slot in [Slot::A, Slot::B].map(|slot| world.case.layout.slot_range(slot)) {
            for image in &world.images {
                flash.oracle(slot.start..slot.end - 1024, &image.bytes[..]);
                flash.oracle(slot.end - 1024..slot.end, image.package(0).head());
            }
        }
    }
    let model = Rc::new(RefCell::new(model));
    let mut rng = Rng::new(seed);
    let (mut cycles, mut tally, outcomes) = (0, Tally::default(), outcomes());
    let hostile = seed & 1 == 1;
    let mut disturber = Disturber { script, next: None, outcomes: &outcomes, disturbances: 0 };
    loop {
        let mut chip = Disturbed { flash, model: model.clone(), powered: true, failed: false, by: &mut disturber };
        let end = Cycle { world, chip: &mut chip, rng: &mut rng, hostile }.run()?;
        flash = chip.flash;
        let quiet = disturber.script.is_empty();
        match end {
            End::Cut => model.borrow_mut().cut(),
            End::Idle if quiet => return world.ended(&model.borrow(), false, &mut tally),
            _ => {}
        }
        flash.power_on();
        cycles += 1;
        if cycles > CYCLES + CYCLES_A_CUT * disturber.disturbances {
            return if quiet { Err(Broken(format!("the story does not end: {:?}", model.borrow()))) } else { Ok(()) };
        }
    }
}

/// Reads from the script how many operations go well, and what happens to the next one.
struct Disturber<'s, 'd> {
    script: &'s mut Script<'d>,
    next: Option<usize>,
    outcomes: &'s [Outcome],
    disturbances: usize,
}

#[derive(Clone, Copy)]
enum Disturbance {
    Cut(usize, Outcome),
    Fails,
    LosesABit,
}

impl Disturber<'_, '_> {
    fn due(&mut self) -> Option<Disturbance> {
        let left = match self.next.take() {
            None if self.script.is_empty() => return None,
            None => self.script.byte(),
            Some(left) => left,
        };
        if left > 0 {
            self.next = Some(left - 1);
            return None;
        }
        self.disturbances += 1;
        let (kind, step) = (self.script.byte(), self.script.byte());
        Some(match kind {
            0..=223 => Disturbance::Cut(step, self.outcomes[kind % self.outcomes.len()]),
            224..=239 => Disturbance::Fails,
            _ => Disturbance::LosesABit,
        })
    }
}

/// A chip whose operations are disturbed.
struct Disturbed<'b, 's, 'd, const W: usize, const R: usize> {
    flash: Flash<W, R>,
    model: Rc<RefCell<Model>>,
    powered: bool,
    failed: bool,
    by: &'b mut Disturber<'s, 'd>,
}

impl<const W: usize, const R: usize> Disturbed<'_, '_, '_, W, R> {
    /// `steps` are those of the operation at `at`.
    fn operate(
        &mut self,
        at: u32,
        steps: usize,
        programmed: Option<&[u8]>,
        run: impl FnOnce(&mut Flash<W, R>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let disturbance = if self.powered && steps > 0 { self.by.due() } else { None };
        match disturbance {
            Some(Disturbance::Cut(step, outcome)) => {
                self.flash.cut_at(self.flash.steps() + (step % steps) as u64, outcome);
            }
            Some(Disturbance::Fails) if programmed.is_some() => self.flash.fail_write(at),
            Some(Disturbance::Fails) => self.flash.fail_erase(at),
            _ => {}
        }
        let outcome = run(&mut self.flash);
        if let Some(Disturbance::Cut(..)) = disturbance {
            assert!(
                self.flash.cut_fired() && outcome == Err(Error::PowerCut),
                "a planned cut did not fire: {outcome:?}"
            );
        }
        if let (Some(Disturbance::LosesABit), Some(bytes), Ok(())) = (disturbance, programmed, &outcome) {
            self.lose_a_bit(at, bytes);
            self.failed = true;
        }
        self.failed |= matches!(outcome, Err(Error::WriteFailed { .. } | Error::EraseFailed { .. }));
        self.powered &= outcome != Err(Error::PowerCut);
        outcome
    }

    /// The first bit that was programmed is not, and nobody is told.
    fn lose_a_bit(&mut self, at: u32, bytes: &[u8]) {
        let erased = self.flash.geometry().erased();
        if let Some((at, byte)) = (at..).zip(bytes).find(|(_, byte)| **byte != erased) {
            let bit = 1 << (byte ^ erased).trailing_zeros();
            self.flash.poke(at, &[byte ^ bit]);
        }
    }
}

impl<const W: usize, const R: usize> Chip for Disturbed<'_, '_, '_, W, R> {
    fn model(&self) -> &Rc<RefCell<Model>> {
        &self.model
    }

    fn violations(&self) -> &[Violation] {
        self.flash.violations()
    }

    fn bytes(&self) -> &[u8] {
        self.flash.bytes()
    }

    fn is_powered(&self) -> bool {
        self.powered
    }

    fn erases_in(&self, range: Range<u32>) -> u64 {
        self.flash.erases_in(range)
    }

    fn steps(&self) -> u64 {
        self.flash.steps()
    }

    fn has_failed(&self) -> bool {
        self.failed
    }

    fn rot(&mut self, at: u32) {
        self.flash.rot(at, at as u8);
    }
}

impl<const W: usize, const R: usize> ErrorType for Disturbed<'_, '_, '_, W, R> {
    type Error = Error;
}

impl<const W: usize, const R: usize> ReadNorFlash for Disturbed<'_, '_, '_, W, R> {
    const READ_SIZE: usize = R;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        self.flash.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        ReadNorFlash::capacity(&self.flash)
    }
}

impl<const W: usize, const R: usize> NorFlash for Disturbed<'_, '_, '_, W, R> {
    const WRITE_SIZE: usize = W;
    const ERASE_SIZE: usize = 1;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        let (mut at, mut steps) = (from, 0);
        while let Some(sector) = self.flash.geometry().sector(at).filter(|_| at < to) {
            (at, steps) = (sector.end(), steps + 1);
        }
        self.operate(from, steps, None, |flash| flash.erase(from, to))
    }

    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Error> {
        let steps = bytes.len() / self.flash.geometry().write_unit() as usize;
        self.operate(at, steps, Some(bytes), |flash| flash.write(at, bytes))
    }
}
