//! The records in step with another bootloader ([`foreign`](crate::foreign)).

use core::fmt;

use embedded_storage::nor_flash::NorFlash;

use super::{carry_out, image_digest, BootStatus, Control};
use crate::digest::Sha256;
use crate::error::{Error, Stop};
use crate::foreign::{BootControl, ForeignState};
use crate::layout::{Slot, Strategy};
use crate::message::message;
use crate::receipt::Verified;
use crate::records::{Checkpoint, Phase, Reason, State, Work};

/// Which side of a handover failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Handover<F, B> {
    /// lockgate's: the records could not be written, or refuse.
    Records(Error<F>),
    /// The bootloader could not be asked or told.
    Bootloader(B),
}

impl<F, B> From<Error<F>> for Handover<F, B> {
    fn from(error: Error<F>) -> Self {
        Self::Records(error)
    }
}

impl<F: fmt::Debug, B: fmt::Debug> fmt::Display for Handover<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(error) => error.fmt(f),
            Self::Bootloader(error) => write!(f, "bootloader: {error:?}"),
        }
    }
}

impl<F: fmt::Debug, B: fmt::Debug> core::error::Error for Handover<F, B> {}

/// # With another bootloader
///
/// For layouts that say [`foreign`](crate::LayoutBuilder::foreign); with others these are [`Error::Misuse`]. The order of things is in
/// [`foreign`](crate::foreign). An error leaves what a power cut there would: call [`follow`](Self::follow) before
/// anything else is done with the records.
impl<F: NorFlash, H: Sha256> Control<'_, F, H> {
    /// Brings the records in step with what the bootloader did. Call it at every start, before anything else. It writes
    /// only where something happened, and hashes the running image only where the bootloader's word does not tell which
    /// one that is. A power cut leaves the records as they were or in step; the next call goes on.
    ///
    /// The update that was handed over is
    ///
    /// - on trial if the bootloader says so;
    /// - confirmed if the bootloader keeps what runs, and that has the update's digest. The security counter is raised
    ///   unless the bootloader's own mark is torn beyond repair;
    /// - failed, for [`Reason::Foreign`] (or [`Reason::Rejected`]), if it was on trial and something else, or something
    ///   unreadable, runs for good; so too if it never came to a trial that the records know of, and the bootloader says
    ///   that it went back, or was asked for the last of the device's [`attempts`](crate::Device::attempts);
    /// - taken back otherwise: its request was lost. [`UpdateState::Receiving`](super::UpdateState::Receiving) is told;
    ///   [`Updater::staged`](crate::Updater::staged) makes its receipt anew if the slot is still whole. A
    ///   [`withdraw`](BootControl::withdraw) makes sure first that what is left of the request does not come to life.
    ///
    /// # Errors
    ///
    /// [`Handover::Records`], [`Handover::Bootloader`].
    pub fn follow<B: BootControl>(&mut self, other: &mut B) -> Result<BootStatus, Handover<F::Error, B::Error>> {
        self.settle(other)?;
        Ok(self.status()?)
    }

    /// Asks the bootloader to try, at the next reset, the image that `receipt` is for. It is in the records before the
    /// bootloader is asked. A power cut leaves it asked or not: [`follow`](Self::follow) finds out.
    ///
    /// # Errors
    ///
    /// [`Error::Superseded`], and nothing is changed, as [`try_next`](Self::try_next).
    /// [`Handover::Bootloader`]: the image is not asked for; mend the bootloader's side
    /// ([`withdraw`](BootControl::withdraw)), then `follow` and [`Updater::staged`](crate::Updater::staged) lead here again.
    /// Other errors of the records may come when the bootloader was asked already.
    pub fn try_next_by<B: BootControl>(
        &mut self,
        receipt: Verified,
        other: &mut B,
    ) -> Result<(), Handover<F::Error, B::Error>> {
        self.begin()?;
        let state = self.log.state.ok_or(Error::Superseded)?.handed_over(&receipt).map_err(Stop::widen)?;
        self.write(state)?;
        other.request_trial().map_err(Handover::Bootloader)?;
        // From here on a bootloader that says it went back speaks of this image.
        Ok(self.write(state.asked())?)
    }

    /// Keeps the image on trial: tells the bootloader, then raises the security counter to the image's. Confirmed already,
    /// it changes nothing. A power cut leaves it on trial, kept by the bootloader but not in the records, or confirmed;
    /// [`follow`](Self::follow), with which this begins as well, settles that.
    ///
    /// # Errors
    ///
    /// [`Error::NotOnTrial`] after [`reject`](Self::reject), or where the bootloader knows of no trial: it is not told.
    /// [`Handover::Bootloader`]: the counter is not raised.
    pub fn confirm_by<B: BootControl>(&mut self, other: &mut B) -> Result<(), Handover<F::Error, B::Error>> {
        let told = self.settle(other)?;
        let trial = self.log.state.filter(|state| state.phase == Phase::Trial);
        if trial.is_some_and(|state| state.is_rejected() || told != ForeignState::OnTrial) {
            return Err(Error::NotOnTrial.into());
        }
        if matches!(told, ForeignState::OnTrial | ForeignState::Reverted) {
            other.confirm().map_err(Handover::Bootloader)?;
        }
        match trial {
            Some(state) => Ok(self.write(state.kept(true))?),
            None => Ok(()),
        }
    }

    fn begin(&mut self) -> Result<(), Error<F::Error>> {
        if self.strategy != Strategy::Foreign {
            return Err(Error::Misuse("the layout does not say that another bootloader starts the images"));
        }
        self.load()
    }

    /// Brings the records in step. Gives what the bootloader said.
    fn settle<B: BootControl>(&mut self, other: &mut B) -> Result<ForeignState, Handover<F::Error, B::Error>> {
        self.begin()?;
        let told = other.state().map_err(Handover::Bootloader)?;
        let Some(state) = self.log.state else { return Ok(told) };
        let next = match (state.phase, told) {
            (Phase::Pending, ForeignState::OnTrial) => state.attempt(1),
            // The request was taken for lost, and a torn word came to life.
            (Phase::Receiving, ForeignState::OnTrial) if self.runs(&state) => state.attempt(1),
            (Phase::Pending | Phase::Trial, ForeignState::Confirmed | ForeignState::Reverted) => {
                if self.runs(&state) {
                    // Makes a torn confirmation whole, where the format can. The bootloader keeps the image either way.
                    state.kept(other.confirm().is_ok())
                } else if let Some(reason) = self.failed(&state, told) {
                    message!(warn, "the update is taken back: {}", reason);
                    state.failed(reason, self.strategy)
                } else {
                    other.withdraw().map_err(Handover::Bootloader)?;
                    self.hand_back(state)?;
                    return Ok(told);
                }
            }
            _ if !self.log.durable => state,
            _ => return Ok(told),
        };
        self.write(next)?;
        Ok(told)
    }

    /// Why an update that does not run has failed; none if it may not have been tried at all.
    fn failed(&self, state: &State, told: ForeignState) -> Option<Reason> {
        match state.phase {
            Phase::Trial => Some(state.reason.unwrap_or(Reason::Foreign)),
            // Before it was asked, the bootloader may speak of an earlier image.
            _ => {
                let went_back = told == ForeignState::Reverted && state.step > 0;
                (went_back || state.step >= u16::from(self.attempts)).then_some(Reason::Foreign)
            }
        }
    }

    /// Whether slot A holds the image of the update that was handed over.
    #[inline(never)]
    fn runs(&mut self, state: &State) -> bool {
        let slot = self.log.layout.slot_range(Slot::A);
        if state.extent == 0 || state.extent > slot.end.saturating_sub(slot.start) {
            return false;
        }
        let digest = image_digest::<F, H>(&mut self.flash, slot.start, state.extent, || ());
        digest.is_some_and(|digest| state.image == digest.into())
    }

    fn hand_back(&mut self, state: State) -> Result<(), Error<F::Error>> {
        let mut work = Work::start::<H>(&mut self.log, state.handed_back(), Checkpoint::START);
        carry_out::<F, H>(&mut self.log, &mut work, &mut self.flash)
    }
}
