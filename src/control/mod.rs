//! What an application says to its boot stage: try this image, keep it, go back. And what it is told: why it runs.
//!
//! ```text
//!   Updater::finish ──> Verified ──> Control::try_next ──> reset ──> trial ──> Control::confirm
//!                                                                      │
//!                                              not confirmed in its attempts, or Control::reject
//!                                                                      v
//!                                                               the old image again
//! ```
//!
//! Where another bootloader starts the images, [`Control::follow`], [`Control::try_next_by`] and [`Control::confirm_by`] take
//! the place of `try_next` and `confirm`: see [`foreign`](crate::foreign).

use core::marker::PhantomData;

use crate::device::Device;
use crate::digest::{Digest, Sha2};
use crate::error::{Error, Stop};
use crate::layout::{Slot, Strategy};
use crate::receipt::Verified;
use crate::records::{Log, Phase, Reason, State};
use crate::updater::Blocking;

#[cfg(feature = "async")]
mod asynch;
mod blocking;
mod foreign;
pub(crate) use blocking::{carry_out, image_digest, PAUSE};
pub use foreign::Handover;

/// Why an image runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BootReason {
    /// It is confirmed.
    Confirmed,
    /// It is on trial: unless it is confirmed, the old image comes back after the last attempt.
    Trial {
        /// This attempt, from 1.
        attempt: u8,
        /// How many there are.
        limit: u8,
    },
    /// It is the confirmed image, and runs (again) because the update did not stay.
    Reverted(Reason),
}

/// What becomes of the update that was started last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum UpdateState {
    /// It is confirmed or given up, or there was none.
    None,
    /// It arrives, or is in its slot and waits for its receipt to be used.
    Receiving,
    /// It will be tried at the next reset.
    Pending,
    /// It runs on trial.
    Trial,
    /// The boot stage exchanges the slots, or changes them back.
    Swapping,
}

/// What the records say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BootStatus {
    /// Why the running image runs.
    pub reason: BootReason,
    /// The slot it runs from.
    pub running: Slot,
    /// The slot of the confirmed image.
    pub confirmed: Slot,
    /// The device's security counter.
    pub security_counter: u32,
    /// What becomes of the last update.
    pub update: UpdateState,
    /// Its manifest digest, if there was one.
    pub manifest: Option<Digest>,
    /// There is a record log. Without one, this is what a boot stage would take for granted.
    pub recorded: bool,
}

impl BootReason {
    pub(crate) fn of(state: &State) -> Self {
        let byte = |number: u16| u8::try_from(number).unwrap_or(u8::MAX);
        match (state.phase, state.reason) {
            (Phase::Trial, _) => Self::Trial { attempt: byte(state.step), limit: state.limit },
            (_, Some(reason)) => Self::Reverted(reason),
            (_, None) => Self::Confirmed,
        }
    }

    /// Why the image in `slot` runs. It may be another than the records say: what the boot stage decided it may not have been able to
    /// record.
    pub(crate) fn seen_from(slot: Slot, state: &State, strategy: Strategy) -> Self {
        match (state.running(strategy) == slot, state.phase) {
            (true, _) => Self::of(state),
            (false, Phase::Trial) => Self::Reverted(state.reason.unwrap_or(Reason::NotConfirmed)),
            (false, _) => Self::Reverted(Reason::Fallback),
        }
    }
}

impl BootStatus {
    fn of(state: Option<State>, strategy: Strategy, runs_in: Option<Slot>) -> Self {
        let recorded = state.is_some();
        let state = state.unwrap_or(State::new(Slot::A, 0));
        let update = match state.phase {
            Phase::Confirmed => UpdateState::None,
            Phase::Receiving => UpdateState::Receiving,
            Phase::Pending => UpdateState::Pending,
            Phase::Trial => UpdateState::Trial,
            Phase::Swapping | Phase::Reverting => UpdateState::Swapping,
        };
        let running = runs_in.unwrap_or(state.running(strategy));
        Self {
            reason: BootReason::seen_from(running, &state, strategy),
            running,
            confirmed: state.slot,
            security_counter: state.security_counter,
            update,
            manifest: Some(state.update).filter(|digest| *digest != Digest([0; 32])),
            recorded,
        }
    }
}

/// The blocking [`Handle`] on the records.
pub type Control<'d, F, H = Sha2> = Handle<'d, F, H, Blocking>;

/// The application's hold on the records. Each call reads them first, since an updater or another handle may have written
/// some; each change is durable when its call returns.
///
/// [`Control`] and [`asynch::Control`](crate::asynch::Control) are its two forms. `F` is the flash (a `&mut` will do), `H`
/// hashes.
#[derive(Debug)]
pub struct Handle<'d, F, H, M> {
    flash: F,
    log: Log<'d>,
    strategy: Strategy,
    attempts: u8,
    runs_in: Option<Slot>,
    mode: PhantomData<(H, M)>,
}

impl<'d, F, H, M> Handle<'d, F, H, M> {
    fn build(device: &Device<'d>, flash: F, read: usize, write: usize) -> Self {
        let strategy = device.layout().strategy();
        Self {
            flash,
            log: Log::new(device.layout(), read, write),
            strategy,
            attempts: device.attempts,
            runs_in: None,
            mode: PhantomData,
        }
    }

    /// The state that `receipt` leads to.
    fn request(&self, receipt: &Verified) -> Result<State, Stop> {
        self.log.state.ok_or(Error::Superseded)?.pending(receipt, self.strategy)
    }

    /// The state in which the running image stays; none if that is so, durably.
    fn confirmation(&self) -> Result<Option<State>, Stop> {
        let Some(state) = self.log.state else { return Ok(None) };
        self.judge(&state)?;
        let confirmed = state.confirmed(self.strategy)?;
        // A confirmation that was cut, or whose future was dropped, may be read now and not later.
        let doubtful = state.phase == Phase::Confirmed && !self.log.durable;
        Ok(confirmed.or(doubtful.then_some(state)))
    }

    fn rejection(&self) -> Result<State, Stop> {
        let state = self.log.state.ok_or(Error::NotOnTrial)?;
        self.judge(&state)?;
        state.rejected()
    }

    /// Whoever runs in the place of the image on trial decides nothing of it.
    fn judge(&self, state: &State) -> Result<(), Stop> {
        let stands_in = self.runs_in.is_some_and(|slot| slot != state.running(self.strategy));
        if stands_in && state.phase == Phase::Trial {
            return Err(Error::NotOnTrial);
        }
        Ok(())
    }

    /// The first state.
    fn first(&self, slot: Slot, security_counter: u32) -> Result<State, Stop> {
        if self.log.state.is_some() {
            return Err(Error::Misuse("the record log is there already"));
        }
        if self.strategy != Strategy::Select && slot == Slot::B {
            return Err(Error::Misuse("with this layout images run in slot A"));
        }
        Ok(State::new(slot, security_counter))
    }

    /// Says which slot the caller runs in, where images run in either: what its boot stage handed over, or the address it is linked
    /// for, if that differs between the slots.
    ///
    /// A flash that fails while the boot stage decides leaves records of what was before. An attempt that could not be recorded is
    /// none: the confirmed image is started, though the records say that the other is on trial. With this the confirmed one neither
    /// confirms the other, which may never have worked, nor gives it up. And where [`status`](crate::Control::status) says
    /// [`Reason::Fallback`] and `confirmed` is another slot, the next boot has that to record before an update may start: an updater
    /// goes by the records, and would erase what runs. With swap and with another bootloader images run in slot A alone, and this
    /// changes nothing.
    #[must_use]
    pub fn runs_in(mut self, slot: Slot) -> Self {
        self.runs_in = Some(slot).filter(|_| self.strategy == Strategy::Select);
        self
    }

    /// Hashes by `G`.
    #[must_use]
    pub fn hash<G>(self) -> Handle<'d, F, G, M> {
        let Self { flash, log, strategy, attempts, runs_in, .. } = self;
        Handle { flash, log, strategy, attempts, runs_in, mode: PhantomData }
    }

    /// Gives the flash back.
    pub fn release(self) -> F {
        self.flash
    }
}
