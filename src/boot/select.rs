//! Which image is started (`docs/records.md`, section 4).

use embedded_storage::nor_flash::NorFlash;

use super::image::Trailer;
use super::{Boot, Check, CounterStore, Judge, Launch, NoImage, Platform};
use crate::control::BootReason;
use crate::digest::Sha256;
use crate::layout::{Slot, Strategy};
use crate::message::message;
use crate::records::{Phase, Reason, State};

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
        self.places = state.places;
        for _ in 0..MOST_STATES {
            let start = match state.phase {
                Phase::Confirmed | Phase::Receiving => self.confirmed(&mut state)?,
                Phase::Pending => self.pending(&mut state)?,
                Phase::Swapping | Phase::Reverting if self.strategy() == Strategy::Swap => {
                    self.exchange(&mut state)?;
                    None
                }
                // No device without a spare sector writes this.
                Phase::Swapping | Phase::Reverting => {
                    self.fail(&mut state, Reason::Invalid);
                    None
                }
                Phase::Trial => self.trial(&mut state)?,
            };
            if let Some(slot) = start {
                let address = self.device.layout().slot_range(slot).start;
                let reason = BootReason::seen_from(slot, &state, self.strategy());
                return Ok(Launch { slot, address, reason });
            }
        }
        Err(NoImage::Invalid)
    }

    /// There is no log: the trailers tell which image is newer.
    #[inline(never)] // what it needs is not on the stack of every boot
    fn first(&mut self) -> Result<State, NoImage> {
        let floor = self.counter.read();
        let swap = self.strategy() == Strategy::Swap;
        let [a, b] = self.both(floor, swap);
        let rank = |trailer: &Trailer| (trailer.security_counter, trailer.version);
        let state = match (a, b) {
            (None, Some(b)) if swap => {
                let mut state = State::new(Slot::A, floor).receiving(b.digest, b.image_digest, b.security_counter);
                (state.phase, self.places.older) = (Phase::Pending, b.older);
                state
            }
            (Some(a), Some(b)) if rank(&b) > rank(&a) => State::new(Slot::B, b.security_counter),
            (None, Some(b)) => State::new(Slot::B, b.security_counter),
            (Some(a), _) => State::new(Slot::A, a.security_counter),
            (None, None) => return Err(NoImage::Invalid),
        };
        let state = State { places: self.places, ..state };
        message!(info, "no records: the verified image in slot {} is taken as confirmed", state.slot);
        self.record(&state);
        Ok(state)
    }

    /// What verifies of both slots, by the trusted key set or, if nothing does, by the one before; with swap of slot A only, if
    /// it does.
    fn both(&mut self, floor: u32, swap: bool) -> [Option<Trailer>; 2] {
        let mut found = [None, None];
        for places in self.find_places() {
            self.places = places;
            let a = self.verified(Slot::A, floor);
            let b = if swap && a.is_some() { None } else { self.verified(Slot::B, floor) };
            found = [a, b];
            if found.iter().any(Option::is_some) {
                break;
            }
        }
        found
    }

    fn strategy(&self) -> Strategy {
        self.device.layout().strategy()
    }

    fn floor(&mut self, state: &State) -> u32 {
        state.security_counter.max(self.counter.read())
    }

    // What follows changes the state, and gives the slot to start once there is one.

    fn confirmed(&mut self, state: &mut State) -> Result<Option<Slot>, NoImage> {
        if !(self.log.durable && self.log.settled) {
            self.record(state);
        }
        self.start(state)
    }

    /// Starts the confirmed image, if it verifies; else what there is instead.
    fn start(&mut self, state: &mut State) -> Result<Option<Slot>, NoImage> {
        let floor = self.floor(state);
        // One that has just come back was copied, perhaps over a unit that could not be read.
        let unseen = self.check == Check::Trial && !J::CHECKS_SIGNATURES && state.reason.is_none();
        if self.starts(state, floor, unseen) {
            return Ok(Some(state.slot));
        }
        let other = state.slot.other();
        let Some(found) = self.verified(other, floor).filter(|other| state.failed != other.image_digest.into()) else {
            return Err(NoImage::Invalid);
        };
        let Trailer { digest, image_digest, security_counter, .. } = found;
        if self.strategy() == Strategy::Swap {
            *state = state.receiving(digest, image_digest, security_counter);
            state.phase = Phase::Pending;
            state.places.older = found.older;
            return Ok(None);
        }
        if J::CHECKS_SIGNATURES && !found.older {
            state.places.base = state.places.keys;
        }
        message!(warn, "the confirmed image does not verify: slot {} is started", other);
        (state.phase, state.slot, state.extent, state.reason) = (Phase::Confirmed, other, 0, Some(Reason::Fallback));
        self.record(state);
        Ok(Some(other))
    }

    /// Whether the confirmed image verifies, or need not.
    #[inline(never)] // what the trailer says is not on the stack while another is read
    fn starts(&mut self, state: &State, floor: u32, unseen: bool) -> bool {
        let image = if unseen {
            self.trailer(state.slot, floor)
        } else {
            // Twice: what read badly once may read well now, and what follows is for good.
            self.verified(state.slot, floor).or_else(|| self.verified(state.slot, floor))
        };
        if let Some(image) = &image {
            // Records prove nothing: what is burnt is what the image in the slot says, too.
            self.counter.raise(state.security_counter.min(image.security_counter));
        }
        unseen || image.is_some()
    }

    fn pending(&mut self, state: &mut State) -> Result<Option<Slot>, NoImage> {
        let target = self.device.layout().target(state.slot);
        let floor = self.floor(state);
        let Some(image) = self.verified(target, floor).filter(|image| image.digest == state.update) else {
            self.fail(state, Reason::Invalid);
            return Ok(None);
        };
        if self.strategy() == Strategy::Select {
            return self.attempt(state);
        }
        let extent = self.sectors(image.image_size).into();
        let before = *state;
        (state.phase, state.step, state.extent, state.reason) = (Phase::Swapping, 0, extent, None);
        if self.record(state) {
            return Ok(None);
        }
        // Nothing is exchanged yet: the confirmed image still runs.
        *state = before;
        self.start(state)
    }

    fn trial(&mut self, state: &mut State) -> Result<Option<Slot>, NoImage> {
        if state.step >= u16::from(state.limit) {
            self.fail(state, state.reason.unwrap_or(Reason::NotConfirmed));
            return Ok(None);
        }
        let running = state.running(self.strategy());
        // A forged trial is no way below the counter.
        let floor = self.floor(state);
        let image = self.verified(running, floor);
        if image.is_none_or(|image| image.digest != state.update) {
            self.fail(state, Reason::Invalid);
            return Ok(None);
        }
        self.attempt(state)
    }

    /// Counts the attempt, then starts the image.
    fn attempt(&mut self, state: &mut State) -> Result<Option<Slot>, NoImage> {
        let before = *state;
        *state = state.attempt(self.device.attempts);
        let counted = self.record(state);
        if !counted && self.strategy() == Strategy::Select {
            // An attempt that cannot be counted is none.
            *state = before;
            return self.start(state);
        }
        // After an exchange there is no other image: better one that is not counted, under the watchdog, than none.
        self.platform.arm_watchdog();
        Ok(Some(state.running(self.strategy())))
    }

    fn fail(&mut self, state: &mut State, reason: Reason) {
        message!(warn, "the update is taken back: {}", reason);
        *state = state.failed(reason, self.strategy());
        self.record(state);
    }
}
