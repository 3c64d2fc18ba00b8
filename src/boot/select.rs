//! Which image is started (`docs/records.md`, section 4).

use embedded_storage::nor_flash::NorFlash;

use super::image::Trailer;
use super::{Boot, Check, CounterStore, Judge, Launch, NoImage, Platform};
use crate::control::BootReason;
use crate::digest::Sha256;
use crate::layout::{Slot, Strategy};
use crate::message::message;
use crate::records::{Phase, Reason, State};

/// What is to be done next.
enum Next {
    Start(Launch),
    /// The state has changed.
    Again(State),
}

/// States that lead on without a start: pending, swapping, trial, reverting, confirmed, and once more after a fallback.
const MOST_STATES: u32 = 12;

impl<F: NorFlash, P: Platform, J: Judge, C: CounterStore, H: Sha256> Boot<'_, F, P, J, C, H> {
    /// Decides which image is to be started, changes what must be changed for that, and arms the watchdog if it is on
    /// trial. Does not start it: [`run`](Self::run) does.
    ///
    /// A power cut at any moment leaves a state from which the next call goes on.
    ///
    /// # Errors
    ///
    /// [`NoImage`]: there is nothing to start.
    pub fn select(&mut self) -> Result<Launch, NoImage> {
        if self.strategy() == Strategy::Foreign {
            return Err(NoImage::Foreign);
        }
        self.load();
        let mut state = match self.log.state {
            Some(state) => state,
            None => self.first()?,
        };
        for _ in 0..MOST_STATES {
            let next = match state.phase {
                Phase::Confirmed | Phase::Receiving => self.confirmed(state)?,
                Phase::Pending => self.pending(state)?,
                Phase::Swapping | Phase::Reverting => Next::Again(self.exchange(state)?),
                Phase::Trial => self.trial(state)?,
            };
            match next {
                Next::Start(launch) => return Ok(launch),
                Next::Again(changed) => state = changed,
            }
        }
        Err(NoImage::Invalid)
    }

    /// There is no log: the trailers tell which image is newer.
    fn first(&mut self) -> Result<State, NoImage> {
        let floor = self.counter.read();
        let a = self.verified(Slot::A, floor);
        let swap = self.strategy() == Strategy::Swap;
        let b = if swap && a.is_some() { None } else { self.verified(Slot::B, floor) };
        let rank = |trailer: &Trailer| (trailer.manifest.security_counter, trailer.manifest.version);
        let state = match (a, b) {
            (None, Some(b)) if swap => {
                let Trailer { manifest, digest } = b;
                let state =
                    State::new(Slot::A, floor).receiving(digest, manifest.image_digest, manifest.security_counter);
                State { phase: Phase::Pending, ..state }
            }
            (Some(a), Some(b)) if rank(&b) > rank(&a) => State::new(Slot::B, b.manifest.security_counter),
            (None, Some(b)) => State::new(Slot::B, b.manifest.security_counter),
            (Some(a), _) => State::new(Slot::A, a.manifest.security_counter),
            (None, None) => return Err(NoImage::Invalid),
        };
        message!(info, "no records: the verified image in slot {} is taken as confirmed", state.slot);
        self.record(state);
        Ok(state)
    }

    fn strategy(&self) -> Strategy {
        self.device.layout().strategy()
    }

    fn launch(&self, slot: Slot, state: &State) -> Launch {
        let reason = BootReason::of(state);
        Launch { slot, address: self.device.layout().slot_range(slot).start, reason }
    }

    fn floor(&mut self, state: &State) -> u32 {
        state.security_counter.max(self.counter.read())
    }

    fn confirmed(&mut self, state: State) -> Result<Next, NoImage> {
        if !self.log.durable {
            self.record(state);
        }
        self.start(state)
    }

    /// Starts the confirmed image, if it verifies; else what there is instead.
    fn start(&mut self, state: State) -> Result<Next, NoImage> {
        let floor = self.floor(&state);
        // One that has just come back was copied, perhaps over a unit that could not be read.
        let unseen = self.check == Check::Trial && state.reason.is_none();
        let image = if unseen {
            self.trailer(state.slot, floor)
        } else {
            // Twice: what read badly once may read well now, and what follows is for good.
            self.verified(state.slot, floor).or_else(|| self.verified(state.slot, floor))
        };
        if let Some(image) = &image {
            // Records prove nothing: what is burnt is what the image in the slot says, too.
            self.counter.raise(state.security_counter.min(image.manifest.security_counter));
        }
        if unseen || image.is_some() {
            return Ok(Next::Start(self.launch(state.slot, &state)));
        }
        let other = state.slot.other();
        let Some(Trailer { manifest, digest }) =
            self.verified(other, floor).filter(|other| state.failed != other.manifest.image_digest.into())
        else {
            return Err(NoImage::Invalid);
        };
        if self.strategy() == Strategy::Swap {
            let update = state.receiving(digest, manifest.image_digest, manifest.security_counter);
            return Ok(Next::Again(State { phase: Phase::Pending, ..update }));
        }
        message!(warn, "the confirmed image does not verify: slot {} is started", other);
        let fallback =
            State { phase: Phase::Confirmed, slot: other, extent: 0, reason: Some(Reason::Fallback), ..state };
        self.record(fallback);
        Ok(Next::Start(self.launch(other, &fallback)))
    }

    fn pending(&mut self, state: State) -> Result<Next, NoImage> {
        let target = self.device.layout().target(state.slot);
        let floor = self.floor(&state);
        let Some(image) = self.verified(target, floor).filter(|image| image.digest == state.update) else {
            return Ok(self.fail(state, Reason::Invalid));
        };
        if self.strategy() == Strategy::Select {
            return self.attempt(state);
        }
        let extent = self.sectors(&image.manifest).into();
        let swapping = State { phase: Phase::Swapping, step: 0, extent, reason: None, ..state };
        if self.record(swapping) {
            Ok(Next::Again(swapping))
        } else {
            // Nothing is exchanged yet: the confirmed image still runs.
            self.start(state)
        }
    }

    fn trial(&mut self, state: State) -> Result<Next, NoImage> {
        if state.step >= u16::from(state.limit) {
            return Ok(self.fail(state, state.reason.unwrap_or(Reason::NotConfirmed)));
        }
        let running = state.running(self.strategy());
        // Judged when it was accepted and when it was first tried: a swap in progress is not judged again, but by its hash.
        let image = self.verified(running, 0);
        if image.is_none_or(|image| image.digest != state.update) {
            return Ok(self.fail(state, Reason::Invalid));
        }
        self.attempt(state)
    }

    /// Counts the attempt, then starts the image.
    fn attempt(&mut self, state: State) -> Result<Next, NoImage> {
        let trial = state.attempt(self.device.attempts);
        let counted = self.record(trial);
        if !counted && self.strategy() == Strategy::Select {
            // An attempt that cannot be counted is none.
            return self.start(state);
        }
        // After an exchange there is no other image: better one that is not counted, under the watchdog, than none.
        self.platform.arm_watchdog();
        Ok(Next::Start(self.launch(trial.running(self.strategy()), &trial)))
    }

    fn fail(&mut self, state: State, reason: Reason) -> Next {
        message!(warn, "the update is taken back: {}", reason);
        let failed = state.failed(reason, self.strategy());
        self.record(failed);
        Next::Again(failed)
    }
}
