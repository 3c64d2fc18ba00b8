//! Where power fails: nowhere, at random again and again, or at every operation of a life in turn.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockgate::sim::{Error, Flash, Landed, Outcome, Violation};

use super::life::{Broken, Cycle, End};
use super::model::Model;
use super::world::World;
use super::Rng;

/// What was tried.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub cuts: u64,
    pub boots: u64,
    pub lives: u64,
    /// Images that were confirmed, and that were taken back.
    pub confirmed: u64,
    pub reverted: u64,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.cuts += other.cuts;
        self.boots += other.boots;
        self.lives += other.lives;
        self.confirmed += other.confirmed;
        self.reverted += other.reverted;
    }
}

/// A simulated flash, and the model of the device that it is in.
pub trait Chip: NorFlash<Error = Error> {
    fn model(&self) -> &Rc<RefCell<Model>>;
    fn violations(&self) -> &[Violation];
    fn bytes(&self) -> &[u8];
    fn is_powered(&self) -> bool;
    fn erases_in(&self, range: Range<u32>) -> u64;
    fn steps(&self) -> u64;
    /// Whether an operation failed in this power cycle, other than by a cut.
    fn has_failed(&self) -> bool;
    /// Flips a bit.
    fn rot(&mut self, at: u32);
}

/// An operation that fails without a cut.
#[derive(Clone, Copy, Debug)]
struct Failure {
    /// Operations before it.
    after: u64,
    /// A bit stays as it was, and nobody is told.
    silent: bool,
}

/// A cut in the records: nowhere does more hang on so few operations.
#[derive(Clone, Copy, Debug)]
struct Aim {
    /// Operations on them before it, and which of the operation's [steps](Operation::steps) it is.
    after: u64,
    step: u64,
    outcome: Outcome,
}

/// Every class of outcome, and prefixes of other lengths.
pub fn outcomes() -> Vec<Outcome> {
    let more = [3, 200].map(|bytes| [Landed::Prefix(bytes).stable(), Landed::Prefix(bytes).metastable()]);
    Outcome::CLASSES.iter().copied().chain(more.into_iter().flatten()).collect()
}

/// A chip that may tell of every operation before it begins.
struct Rig<'r, const W: usize, const R: usize> {
    flash: Flash<W, R>,
    model: Rc<RefCell<Model>>,
    powered: bool,
    failure: Option<Failure>,
    failed: bool,
    /// Where the records are, and a cut that is planned there.
    records: Range<u32>,
    aim: Option<Aim>,
    /// Told of each operation: the steps it takes, and how to do it.
    watcher: Option<&'r mut Watcher<'r, W, R>>,
}

type Watcher<'r, const W: usize, const R: usize> = dyn FnMut(&Flash<W, R>, &Model, &Operation<'_>) + 'r;

/// An operation about to begin.
#[derive(Clone, Copy, Debug)]
enum Operation<'o> {
    Erase(u32, u32),
    Write(u32, &'o [u8]),
}

impl Operation<'_> {
    fn carry_out<const W: usize, const R: usize>(&self, flash: &mut Flash<W, R>) -> Result<(), Error> {
        match *self {
            Self::Erase(from, to) => flash.erase(from, to),
            Self::Write(at, bytes) => flash.write(at, bytes),
        }
    }

    /// Steps to cut at: the first, one in the middle and the last.
    fn steps<const W: usize, const R: usize>(&self, flash: &Flash<W, R>) -> Vec<u64> {
        let count = match *self {
            Self::Erase(from, to) => {
                let mut at = from;
                let mut count = 0;
                while let Some(sector) = flash.geometry().sector(at).filter(|_| at < to) {
                    (at, count) = (sector.end(), count + 1);
                }
                count
            }
            Self::Write(_, bytes) => bytes.len() as u64 / u64::from(flash.geometry().write_unit()),
        };
        let mut steps = vec![0, count / 2, count.saturating_sub(1)];
        steps.dedup();
        steps
    }
}

impl<'r, const W: usize, const R: usize> Rig<'r, W, R> {
    fn new(world: &World, flash: Flash<W, R>, model: &Rc<RefCell<Model>>) -> Self {
        let (model, records) = (model.clone(), world.case.layout.records_range());
        Self { flash, model, powered: true, failure: None, failed: false, records, aim: None, watcher: None }
    }

    /// The cut that is aimed at this operation is planned.
    fn aim(&mut self, operation: Operation<'_>) {
        let (Operation::Erase(at, _) | Operation::Write(at, _)) = operation;
        if let Some(Aim { after, step, outcome }) = self.aim.as_mut().filter(|_| self.records.contains(&at)) {
            if let Some(less) = after.checked_sub(1) {
                *after = less;
                return;
            }
            let steps = operation.steps(&self.flash);
            self.flash.cut_at(self.flash.steps() + steps[*step as usize % steps.len()], *outcome);
            self.aim = None;
        }
    }

    fn operate(&mut self, operation: Operation<'_>) -> Result<(), Error> {
        if self.powered {
            if let Some(watcher) = &mut self.watcher {
                watcher(&self.flash, &self.model.borrow(), &operation);
            }
            self.aim(operation);
        }
        let due = self.failure.as_mut().is_some_and(|failure| {
            let due = failure.after == 0;
            failure.after = failure.after.saturating_sub(1);
            due
        });
        let failure = if due { self.failure.take() } else { None };
        match (failure, operation) {
            (Some(_), Operation::Erase(from, _)) => self.flash.fail_erase(from),
            (Some(Failure { silent: false, .. }), Operation::Write(at, _)) => self.flash.fail_write(at),
            _ => {}
        }
        let outcome = operation.carry_out(&mut self.flash);
        if let (Some(Failure { silent: true, .. }), Operation::Write(at, bytes), Ok(())) =
            (failure, operation, &outcome)
        {
            self.lose_a_bit(at, bytes);
            self.failed = true;
        }
        self.failed |= matches!(outcome, Err(Error::WriteFailed { .. } | Error::EraseFailed { .. }));
        self.powered &= !matches!(outcome, Err(Error::PowerCut));
        outcome
    }

    /// The first bit that was programmed is not.
    fn lose_a_bit(&mut self, at: u32, bytes: &[u8]) {
        let erased = self.flash.geometry().erased();
        if let Some((at, byte)) = (at..).zip(bytes).find(|(_, byte)| **byte != erased) {
            let bit = 1 << (byte ^ erased).trailing_zeros();
            self.flash.poke(at, &[byte ^ bit]);
        }
    }
}

impl<const W: usize, const R: usize> Chip for Rig<'_, W, R> {
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

impl<const W: usize, const R: usize> ErrorType for Rig<'_, W, R> {
    type Error = Error;
}

impl<const W: usize, const R: usize> ReadNorFlash for Rig<'_, W, R> {
    const READ_SIZE: usize = R;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        self.flash.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        ReadNorFlash::capacity(&self.flash)
    }
}

impl<const W: usize, const R: usize> NorFlash for Rig<'_, W, R> {
    const WRITE_SIZE: usize = W;
    const ERASE_SIZE: usize = 1;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        self.operate(Operation::Erase(from, to))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        self.operate(Operation::Write(offset, bytes))
    }
}

/// A device from its factory: an image and its trailer in slot A, no records, noise elsewhere.
pub fn factory<const W: usize, const R: usize>(world: &World, seed: u64) -> (Flash<W, R>, Model) {
    let layout = world.case.layout;
    let mut flash = Flash::<W, R>::sized(layout.geometry()).seed(seed).used();
    let slot = layout.slot_range(lockgate::Slot::A);
    let blank = vec![layout.geometry().erased(); slot.len()];
    flash.load(slot.start, &blank);
    flash.load(slot.start, &world.images[0].bytes);
    flash.load(slot.end - 1024, world.images[0].package(0).head());
    (flash, Model::new(world.images.len()))
}

/// The power cycles that a life takes at the most, and those that each cut may add.
const CYCLES: u64 = 40;
const CYCLES_A_CUT: u64 = 4;

/// Lives to the end of the story; power fails at random, about once in `mean` steps, `cuts` times. `woken` is shown the
/// flash after each power-on.
pub fn storm<const W: usize, const R: usize>(
    world: &World,
    seed: u64,
    cuts: u64,
    mean: u64,
    tally: &mut Tally,
    mut woken: impl FnMut(&Flash<W, R>),
) -> Result<(), Broken> {
    let mut rng = Rng::new(seed);
    let (mut flash, model) = factory::<W, R>(world, seed);
    let model = Rc::new(RefCell::new(model));
    let outcomes = outcomes();
    let (mut left, mut planned) = (cuts, false);
    let mut aim = None;
    for _ in 0..CYCLES + cuts * CYCLES_A_CUT {
        if left > 0 && !planned {
            let outcome = outcomes[rng.below(outcomes.len() as u64) as usize];
            if rng.one_in(2) {
                aim = Some(Aim { after: rng.below(20), step: rng.below(3), outcome });
            } else {
                // Now and then right away, again and again: records are written at the very start.
                let within = if rng.one_in(2) { mean } else { 40 };
                flash.cut_at(flash.steps() + rng.below(within), outcome);
            }
            planned = true;
        }
        // Now and then an operation fails as well.
        let within = if rng.one_in(2) { 12 } else { mean / 8 };
        let failure = rng.one_in(4).then(|| Failure { after: rng.below(within), silent: rng.one_in(2) });
        let mut rig = Rig { failure, aim, ..Rig::new(world, flash, &model) };
        let end = Cycle { world, chip: &mut rig, rng: &mut rng, hostile: true }.run()?;
        (flash, aim) = (rig.flash, rig.aim);
        tally.boots += 1;
        if end == End::Cut {
            if !flash.cut_fired() {
                return Err(Broken("power failed, and no cut was planned".into()));
            }
            tally.cuts += 1;
            model.borrow_mut().cut();
            (left, planned) = (left - 1, false);
        } else if end == End::Idle && (left == 0 || rng.one_in(3)) {
            let model = model.borrow();
            return world.ended(&model, false, tally);
        }
        flash.power_on();
        if rng.one_in(4) {
            flash.power_off();
            flash.power_on();
        }
        woken(&flash);
    }
    Err(Broken(format!("the story does not end: {:?}", model.borrow())))
}

/// Which outcomes a cut is tried with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum With {
    Every,
    /// One of them, by chance.
    One,
}

/// Lives to the end of the story, from `flash` on, without a cut of its own; every operation is cut on copies, in its first,
/// its middle and its last step. The copies live on, their operations cut in turn (with one outcome each), to this `depth`.
pub fn explore<const W: usize, const R: usize>(
    world: &World,
    (mut flash, model): (Flash<W, R>, Model),
    depth: u32,
    with: With,
    rng: &mut Rng,
    tally: &mut Tally,
) -> Result<(), Broken> {
    let model = Rc::new(RefCell::new(model));
    let outcomes = outcomes();
    let mut broken = None;
    let (mut chance, mut inner) = (rng.clone(), rng.clone());
    rng.next();
    inner.next();
    for _ in 0..CYCLES {
        let mut watcher = |flash: &Flash<W, R>, model: &Model, operation: &Operation<'_>| {
            if broken.is_some() {
                return;
            }
            for step in operation.steps(flash) {
                let chosen = match with {
                    With::Every => &outcomes[..],
                    With::One => core::slice::from_ref(&outcomes[chance.below(outcomes.len() as u64) as usize]),
                };
                for &outcome in chosen {
                    let mut cut = flash.clone();
                    cut.cut_at(cut.steps() + step, outcome);
                    let result = operation.carry_out(&mut cut);
                    if result != Err(Error::PowerCut) || !cut.cut_fired() {
                        broken = Some(Broken(format!("a planned cut did not fire: {result:?}")));
                        return;
                    }
                    cut.power_on();
                    tally.cuts += 1;
                    let mut model = model.clone();
                    model.cut();
                    if let Err(Broken(what)) = explore(world, (cut, model), depth - 1, With::One, &mut inner, tally) {
                        broken =
                            Some(Broken(format!("{what}\n  after a cut at {operation:x?}, step {step}, {outcome:?}")));
                        return;
                    }
                }
            }
        };
        let watcher: Option<&mut Watcher<'_, W, R>> = if depth > 0 { Some(&mut watcher) } else { None };
        let mut rig = Rig { watcher, ..Rig::new(world, flash, &model) };
        let end = Cycle { world, chip: &mut rig, rng, hostile: false }.run();
        flash = rig.flash;
        if let Some(broken) = broken {
            return Err(broken);
        }
        tally.boots += 1;
        if end? == End::Idle {
            return world.ended(&model.borrow(), true, tally);
        }
        flash.power_on();
    }
    Err(Broken(format!("the story does not end: {:?}", model.borrow())))
}
