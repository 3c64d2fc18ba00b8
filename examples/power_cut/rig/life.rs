//! What a device does between two resets: the boot stage, then the application of the image that it started.

use embedded_io::Write;
use lockgate::boot::{Boot, Launch, NoImage, Platform};
use lockgate::sim::Error as Fault;
use lockgate::{Block, BootReason, BootStatus, Control, Error, Refusal, Slot, UpdateState, Updater};

use super::cuts::Chip;
use super::model::Model;
use super::world::{Behaviour, Seen, World, ATTEMPTS};
use super::Rng;

/// How a power cycle ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Power failed.
    Cut,
    /// A reset: the application asked for it, or the watchdog.
    Reset,
    /// The confirmed image runs, and the vendor has nothing new.
    Idle,
}

/// A promise that was not kept; the text says which.
#[derive(Clone, Debug)]
pub struct Broken(pub String);

/// Power is off, the flash failed, or a promise was not kept.
pub enum Stop {
    Cut,
    Failed(String),
    Broken(String),
}

impl From<Error<Fault>> for Stop {
    fn from(error: Error<Fault>) -> Self {
        match error {
            Error::Flash(Fault::PowerCut) => Self::Cut,
            Error::Flash(Fault::WriteFailed { .. } | Fault::EraseFailed { .. })
            | Error::Mismatch { .. }
            | Error::Records => Self::Failed(error.to_string()),
            other => Self::Broken(format!("an error without a cause: {other} ({other:?})")),
        }
    }
}

macro_rules! broken {
    ($($text:tt)*) => { return Err($crate::rig::life::Stop::Broken(format!($($text)*))) };
}
pub(super) use broken;

/// Counts what the boot stage asks of its board.
#[derive(Default)]
struct Board {
    armed: u32,
}

impl Platform for &mut Board {
    fn arm_watchdog(&mut self) {
        self.armed += 1;
    }

    fn jump(&mut self, _: &Launch) -> ! {
        unreachable!("the rig starts images itself")
    }

    fn recover(&mut self, _: NoImage) -> ! {
        unreachable!("the rig sees errors itself")
    }
}

/// One power cycle of a device, from reset to the next one.
pub struct Cycle<'w, 'c, C: Chip> {
    pub world: &'w World,
    pub chip: &'c mut C,
    pub rng: &'c mut Rng,
    /// Links drop, packages are tampered with, other packages are offered, bits rot.
    pub hostile: bool,
}

impl<C: Chip> Cycle<'_, '_, C> {
    pub fn run(mut self) -> Result<End, Broken> {
        let end = match self.boot() {
            Ok(end) => end,
            Err(Stop::Cut) => End::Cut,
            // The flash failed: what was under way is done or not, as after a cut.
            Err(Stop::Failed(_)) if self.chip.has_failed() => {
                self.model(Model::cut);
                End::Reset
            }
            Err(Stop::Failed(what)) => return Err(Broken(format!("an error without a cause: {what}"))),
            Err(Stop::Broken(what)) => return Err(Broken(what)),
        };
        match self.chip.violations().first() {
            Some(violation) => Err(Broken(format!("flash contract: {violation}"))),
            None => Ok(end),
        }
    }

    pub(super) fn model<T>(&mut self, change: impl FnOnce(&mut Model) -> T) -> T {
        change(&mut self.chip.model().borrow_mut())
    }

    fn boot(&mut self) -> Result<End, Stop> {
        let mut board = Board::default();
        let mut boot = Boot::new(self.world.device, &mut *self.chip, &mut board);
        let selected = boot.select();
        if !self.chip.is_powered() {
            return Err(Stop::Cut);
        }
        let failed = self.chip.has_failed();
        let launch = match selected {
            Ok(launch) => launch,
            Err(why) if failed => return Err(Stop::Failed(why.to_string())),
            Err(why) => broken!("nothing can be started: {why}"),
        };
        let image = self.image_in(launch.slot)?;
        if failed {
            // What the boot stage could not record it may do again; it hangs this time, or takes itself for the one on trial.
            let mut control = Control::new(self.world.device, &mut *self.chip);
            let status = control.status()?;
            if status.update == UpdateState::Trial && status.running != launch.slot {
                match control.runs_in(launch.slot).confirm() {
                    Err(Error::NotOnTrial) => {}
                    other => broken!("{:?} runs, and confirms the other: {other:?}", launch),
                }
            }
            return Err(Stop::Failed("an operation of the boot stage".into()));
        }
        let trial = matches!(launch.reason, BootReason::Trial { .. });
        if trial != (board.armed == 1) || board.armed > 1 {
            broken!("watchdog armed {} times for {:?}", board.armed, launch.reason);
        }
        let status = Control::new(self.world.device, &mut *self.chip).status()?;
        if status.reason != launch.reason || status.running != launch.slot {
            broken!("the boot stage says {:?}, the records {:?}", launch, status);
        }
        self.model(|model| model.started(image, &status, ATTEMPTS)).map_err(Stop::Broken)?;
        if trial {
            self.on_trial(image, &status)
        } else {
            self.confirmed(image, &status)
        }
    }

    /// Which image is whole in `slot`.
    fn image_in(&mut self, slot: Slot) -> Result<usize, Stop> {
        let range = self.world.case.layout.slot_range(slot);
        let bytes = &self.chip.bytes()[range.start as usize..range.end as usize];
        let found = self.world.images.iter().position(|image| bytes.starts_with(&image.bytes));
        found.ok_or_else(|| Stop::Broken(format!("slot {slot} is started, and holds no image as it was made")))
    }

    /// Now and then always, where there is an adversary.
    fn chance(&mut self) -> bool {
        self.hostile || self.rng.one_in(4)
    }

    fn judge_counter(&mut self, status: &BootStatus) -> Result<(), Stop> {
        let confirmed = self.model(|model| model.confirmed);
        if status.security_counter != confirmed as u32 + 1 {
            broken!("security counter {}, image {confirmed} is confirmed", status.security_counter);
        }
        Ok(())
    }

    fn on_trial(&mut self, image: usize, status: &BootStatus) -> Result<End, Stop> {
        self.judge_counter(status)?;
        if self.chance() {
            let next = self.world.images.len() - 1;
            self.refused(next, |refusal| matches!(refusal, Refusal::Unconfirmed))?;
        }
        match self.world.images[image].behaviour {
            Behaviour::Good => {
                self.model(|model| model.confirming = true);
                Control::new(self.world.device, &mut *self.chip).confirm()?;
                self.model(|model| model.keep(image));
                let status = Control::new(self.world.device, &mut *self.chip).status()?;
                self.confirmed(image, &status)
            }
            Behaviour::Hangs => {
                self.rots(status.running, image, 6);
                Ok(End::Reset)
            }
            Behaviour::Rejects => {
                self.model(|model| model.rejected = true);
                Control::new(self.world.device, &mut *self.chip).reject()?;
                match Control::new(self.world.device, &mut *self.chip).confirm() {
                    Err(Error::NotOnTrial) => Ok(End::Reset),
                    other => broken!("image {image} was rejected, and confirmed: {other:?}"),
                }
            }
        }
    }

    fn confirmed(&mut self, image: usize, status: &BootStatus) -> Result<End, Stop> {
        self.judge_counter(status)?;
        self.confirms_nothing()?;
        let Some(next) = self.model(|model| model.next()) else { return Ok(End::Idle) };
        if self.rng.one_in(4) {
            // The vendor cannot be reached: nothing is written until the next boot.
            return Ok(End::Reset);
        }
        if self.chance() && image > 0 {
            self.refused(0, |refusal| matches!(refusal, Refusal::SecurityCounter { .. }))?;
        }
        if let Some(failed) = self.model(|model| model.failed).filter(|_| self.chance()) {
            self.refused(failed, |refusal| matches!(refusal, Refusal::FailedBefore))?;
        }
        if self.hostile && next + 1 < self.world.images.len() && self.rng.one_in(6) {
            // A newer image is offered, and withdrawn before it is tried.
            self.update(next + 1, status.running, false)?;
            return Ok(End::Reset);
        }
        let Some(verified) = self.update(next, status.running, true)? else { return Ok(End::Reset) };
        self.model(|model| model.ask(next));
        Control::new(self.world.device, &mut *self.chip).try_next(verified)?;
        self.confirms_nothing()?;
        if self.hostile && self.rng.one_in(4) {
            // The same is sent once more while it waits to be tried.
            self.update(next, status.running, false)?;
        } else {
            self.rots(status.running.other(), next, 12);
        }
        Ok(End::Reset)
    }

    /// An application may confirm at every start: without a trial that changes nothing.
    fn confirms_nothing(&mut self) -> Result<(), Stop> {
        let steps = self.chip.steps();
        Control::new(self.world.device, &mut *self.chip).confirm()?;
        if self.chip.steps() != steps {
            broken!("confirmed without a trial");
        }
        Ok(())
    }

    /// One time in `chance`, a bit of `image` in `slot` flips.
    pub(super) fn rots(&mut self, slot: Slot, image: usize, chance: u64) {
        if self.hostile && self.rng.one_in(chance) {
            let start = self.world.case.layout.slot_range(slot).start;
            let at = self.rng.below(self.world.images[image].bytes.len() as u64) as u32;
            self.chip.rot(start + at);
            self.model(|model| model.rotten = true);
        }
    }

    /// Offers an image that the device must refuse before it erases anything.
    fn refused(&mut self, image: usize, expected: impl FnOnce(&Refusal) -> bool) -> Result<(), Stop> {
        let running = self.model(|model| model.confirmed);
        let package = self.world.images[image].package(running).bytes();
        let target = self.world.case.layout.slot_range(Slot::B);
        let erased = self.chip.erases_in(0..target.end);
        let mut block = Block::<16_384>::new();
        let mut updater: Updater<'_, _, Seen> =
            Updater::with_verifier(self.world.device, &mut *self.chip, &mut block, self.world.seen.clone());
        let outcome = updater.write_all(package).and_then(|()| updater.finish().map(drop));
        match outcome {
            Err(Error::Refused(refusal)) if expected(&refusal) => {}
            Err(Error::Flash(Fault::PowerCut)) => return Err(Stop::Cut),
            other => broken!("image {image} had to be refused: {other:?}"),
        }
        if self.chip.erases_in(0..target.end) != erased {
            broken!("image {image} was refused, but only after an erase");
        }
        Ok(())
    }
}
