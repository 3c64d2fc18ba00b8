//! What a device does between two resets: the boot stage, then the application of the image that it started.

use embedded_io::Write;
use lockgate::boot::{Boot, Launch, NoImage, Platform};
use lockgate::sim::Error as Fault;
use lockgate::{Block, BootReason, Control, Error, Refusal, Slot, UpdateState, Updater, Verified};

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

/// Power is off, or a promise was not kept.
enum Stop {
    Cut,
    Broken(String),
}

impl From<Error<Fault>> for Stop {
    fn from(error: Error<Fault>) -> Self {
        match error {
            Error::Flash(Fault::PowerCut) => Self::Cut,
            other => Self::Broken(format!("an error without a cause: {other} ({other:?})")),
        }
    }
}

macro_rules! broken {
    ($($text:tt)*) => { return Err(Stop::Broken(format!($($text)*))) };
}

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
    /// Links drop, packages are tampered with, other packages are offered.
    pub hostile: bool,
}

impl<C: Chip> Cycle<'_, '_, C> {
    pub fn run(mut self) -> Result<End, Broken> {
        let end = match self.boot() {
            Ok(end) => end,
            Err(Stop::Cut) => End::Cut,
            Err(Stop::Broken(what)) => return Err(Broken(what)),
        };
        match self.chip.violations().first() {
            Some(violation) => Err(Broken(format!("flash contract: {violation}"))),
            None => Ok(end),
        }
    }

    fn model<T>(&mut self, change: impl FnOnce(&mut Model) -> T) -> T {
        change(&mut self.chip.model().borrow_mut())
    }

    fn boot(&mut self) -> Result<End, Stop> {
        let mut board = Board::default();
        let mut boot = Boot::new(self.world.device, &mut *self.chip, &mut board);
        let selected = boot.select();
        if !self.chip.is_powered() {
            return Err(Stop::Cut);
        }
        let launch = match selected {
            Ok(launch) => launch,
            Err(why) => broken!("nothing can be started: {why}"),
        };
        let image = self.image_in(launch.slot)?;
        let trial = matches!(launch.reason, BootReason::Trial { .. });
        if trial != (board.armed == 1) || board.armed > 1 {
            broken!("watchdog armed {} times for {:?}", board.armed, launch.reason);
        }
        self.model(|model| model.started(image, launch.reason, ATTEMPTS)).map_err(Stop::Broken)?;
        self.application(image, &launch)
    }

    /// Which image is whole in `slot`.
    fn image_in(&mut self, slot: Slot) -> Result<usize, Stop> {
        let range = self.world.case.layout.slot_range(slot);
        let bytes = &self.chip.bytes()[range.start as usize..range.end as usize];
        let found = self.world.images.iter().position(|image| bytes.starts_with(&image.bytes));
        found.ok_or_else(|| Stop::Broken(format!("slot {slot} is started, and holds no image as it was made")))
    }

    fn application(&mut self, image: usize, launch: &Launch) -> Result<End, Stop> {
        let status = Control::new(self.world.device, &mut *self.chip).status()?;
        if status.reason != launch.reason || status.running != launch.slot {
            broken!("the boot stage says {:?}, the records {:?}", launch, status);
        }
        let confirmed = self.model(|model| model.confirmed);
        if status.security_counter != confirmed as u32 + 1 {
            broken!("security counter {}, image {confirmed} is confirmed", status.security_counter);
        }
        if let BootReason::Trial { .. } = launch.reason {
            if self.hostile || self.rng.one_in(4) {
                let next = self.world.images.len() - 1;
                self.refused(next, |refusal| matches!(refusal, Refusal::Unconfirmed))?;
            }
            match self.world.images[image].behaviour {
                Behaviour::Good => {
                    self.model(|model| model.confirming = true);
                    Control::new(self.world.device, &mut *self.chip).confirm()?;
                    self.model(|model| model.keep(image));
                }
                Behaviour::Hangs => return Ok(End::Reset),
                Behaviour::Rejects => {
                    self.model(|model| model.rejected = true);
                    Control::new(self.world.device, &mut *self.chip).reject()?;
                    return Ok(End::Reset);
                }
            }
        }
        let Some(next) = self.model(|model| model.next()) else { return self.idle() };
        if self.hostile && image > 0 && self.rng.one_in(3) {
            self.refused(0, |refusal| matches!(refusal, Refusal::SecurityCounter { .. }))?;
        }
        let Some(verified) = self.update(next)? else { return Ok(End::Reset) };
        self.model(|model| model.ask(next));
        Control::new(self.world.device, &mut *self.chip).try_next(verified)?;
        Ok(End::Reset)
    }

    /// A confirmed device with nothing to do writes nothing from its second boot on.
    fn idle(&mut self) -> Result<End, Stop> {
        Ok(End::Idle)
    }

    /// Offers an image that the device must refuse before it erases anything.
    fn refused(&mut self, image: usize, expected: impl FnOnce(&Refusal) -> bool) -> Result<(), Stop> {
        let package = self.world.images[image].package.bytes();
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

    /// Downloads an image; nothing if the device knows that it failed.
    fn update(&mut self, image: usize) -> Result<Option<Verified>, Stop> {
        let world = self.world;
        let staged = self.model(|model| model.staged) == Some(image);
        let before = self.model(|model| model.written).filter(|(of, _)| *of == image);
        let hostile = self.hostile;
        let (mut drops, mut tampers) = (self.rng.below(3), self.rng.below(2));
        let mut rng = self.rng.clone();
        self.rng.next();
        let model = self.chip.model().clone();
        let status = Control::new(world.device, &mut *self.chip).status()?;
        let mut block = Block::<16_384>::new();
        let mut updater: Updater<'_, _, Seen> =
            Updater::with_verifier(world.device, &mut *self.chip, &mut block, world.seen.clone());
        if staged && status.update == UpdateState::Receiving {
            // The receipt was lost with power: the slot still has all it needs.
            return match updater.staged() {
                Ok(verified) => Ok(Some(verified)),
                Err(error) => Err(error.into()),
            };
        }
        let package = world.images[image].package.bytes();
        let mut resumed = false;
        loop {
            let at = updater.position() as usize;
            let mut sent = package[at..].to_vec();
            if hostile && drops > 0 {
                drops -= 1;
                sent.truncate(rng.below(sent.len() as u64 + 1) as usize);
            }
            let spoilt = hostile && tampers > 0 && !sent.is_empty();
            if spoilt {
                tampers -= 1;
                let bit = rng.below(sent.len() as u64 * 8) as usize;
                sent[bit / 8] ^= 1 << (bit % 8);
            }
            let mut rest = &sent[..];
            let outcome = loop {
                if rest.is_empty() {
                    break updater.finish().map(Some);
                }
                let (piece, behind) = rest.split_at(rest.len().min(500));
                let written = updater.write_all(piece);
                let progress = updater.progress();
                if progress.image.is_some() {
                    if !resumed {
                        resumed = true;
                        let least = before.map_or(0, |(_, written)| written.saturating_sub(world.slack()));
                        if progress.written < least {
                            broken!("resumed at {}, {} were written before: {before:?}", progress.written, least);
                        }
                    }
                    model.borrow_mut().written = Some((image, progress.written));
                }
                match written {
                    Ok(()) => rest = behind,
                    Err(error) => break Err(error),
                }
            };
            match outcome {
                Ok(Some(verified)) => {
                    let mut model = model.borrow_mut();
                    (model.written, model.staged) = (None, Some(image));
                    return Ok(Some(verified));
                }
                Ok(None) => {}
                Err(Error::Refused(Refusal::FailedBefore)) => {
                    let mut model = model.borrow_mut();
                    if world.images[image].behaviour == Behaviour::Good && model.cuts < ATTEMPTS {
                        broken!("image {image} is good, and refused as one that failed: {model:?}");
                    }
                    (model.finished[image], model.written) = (true, None);
                    return Ok(None);
                }
                Err(Error::Flash(Fault::PowerCut)) => return Err(Stop::Cut),
                Err(Error::Truncated { .. }) if hostile => {}
                Err(Error::Refused(refusal)) if spoilt => {
                    if matches!(refusal, Refusal::ImageDigest) {
                        broken!("the slot is void, and nobody spoilt it");
                    }
                    updater.disconnected();
                }
                Err(other) => return Err(other.into()),
            }
            if hostile && rng.one_in(8) {
                return Ok(None);
            }
        }
    }
}
