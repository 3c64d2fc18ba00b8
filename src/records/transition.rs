//! How one state leads to the next (`docs/records.md`, section 4).

use super::state::{Phase, Places, Reason, State};
use crate::digest::Digest;
use crate::error::{Error, Stop};
use crate::layout::{Slot, Strategy};
use crate::receipt::Verified;

const TELL_THE_BOOTLOADER: Stop =
    Stop::Misuse("with another bootloader: try_next_by and confirm_by, which tell it as well");

impl Places {
    /// The update is confirmed: nothing older than the set it was accepted under counts any more.
    fn settled(self) -> Self {
        Self { base: if self.older { self.base } else { self.keys }, older: false, ..self }
    }
}

impl State {
    /// An update of this manifest and image was accepted.
    pub(crate) fn receiving(self, update: Digest, image: Digest, next_counter: u32) -> Self {
        Self {
            start: self.start.wrapping_add(1),
            next_counter,
            phase: Phase::Receiving,
            step: 0,
            extent: 0,
            limit: 0,
            update,
            image: image.into(),
            places: Places { older: false, ..self.places },
            ..self
        }
    }

    /// A key set is in its place of the key store: it is trusted. What was accepted before and waits must be accepted anew, so
    /// that its receipt is void.
    #[cfg(feature = "rotation")]
    pub(crate) fn trusting(self, place: u8) -> Self {
        let places = Places { keys: place, older: false, ..self.places };
        match self.phase {
            Phase::Receiving | Phase::Pending => Self { phase: Phase::Receiving, places, ..self.void() },
            _ => Self { places, ..self },
        }
    }

    /// No checkpoint that was written counts any more.
    pub(crate) fn void(self) -> Self {
        Self { start: self.start.wrapping_add(1), ..self }
    }

    /// The receipt is used: the image is to be tried.
    pub(crate) fn pending(self, receipt: &Verified, strategy: Strategy) -> Result<Self, Stop> {
        if strategy == Strategy::Foreign {
            return Err(TELL_THE_BOOTLOADER);
        }
        self.used(receipt)
    }

    /// The receipt is used: another bootloader is to try the image.
    pub(crate) fn handed_over(self, receipt: &Verified) -> Result<Self, Stop> {
        Ok(Self { extent: receipt.image_size(), ..self.used(receipt)? })
    }

    fn used(self, receipt: &Verified) -> Result<Self, Stop> {
        let same = self.start == receipt.start() && self.update == receipt.manifest_digest();
        match self.phase {
            Phase::Receiving if same => Ok(Self { phase: Phase::Pending, ..self }),
            _ => Err(Error::Superseded),
        }
    }

    /// The other bootloader was asked to try the image, once more.
    pub(crate) fn asked(self) -> Self {
        Self { step: self.step.saturating_add(1), ..self }
    }

    /// The other bootloader made nothing of it: the image waits for a receipt again. No checkpoint counts, since the slot
    /// may have been exchanged and back.
    pub(crate) fn handed_back(self) -> Self {
        Self { phase: Phase::Receiving, ..self.void() }
    }

    /// The other bootloader keeps the image. `whole`: and will go on doing so, as far as it can tell.
    pub(crate) fn kept(self, whole: bool) -> Self {
        let counter = if whole { self.next_counter } else { 0 };
        Self {
            security_counter: self.security_counter.max(counter),
            phase: Phase::Confirmed,
            slot: Slot::A,
            step: 0,
            limit: 0,
            reason: None,
            places: self.places.settled(),
            ..self
        }
    }

    /// The image is started: one attempt more.
    pub(crate) fn attempt(self, limit: u8) -> Self {
        let (step, limit) = match self.phase {
            Phase::Trial => (self.step.saturating_add(1), self.limit),
            _ => (1, limit),
        };
        Self { phase: Phase::Trial, step, limit, reason: None, ..self }
    }

    /// The update does not stay. With swap the old image has yet to come back.
    pub(crate) fn failed(self, reason: Reason, strategy: Strategy) -> Self {
        let phase = match (strategy, self.phase) {
            (Strategy::Swap, Phase::Trial | Phase::Swapping) => Phase::Reverting,
            _ => Phase::Confirmed,
        };
        // An image that rotted before it ever ran has not failed: it may come again.
        let failed = if self.phase == Phase::Pending && reason == Reason::Invalid { self.failed } else { self.image };
        Self { phase, step: 0, limit: 0, reason: Some(reason), failed, ..self }
    }

    /// The application asks for the old image.
    pub(crate) fn rejected(self) -> Result<Self, Stop> {
        match self.phase {
            Phase::Trial => Ok(Self { step: self.limit.into(), reason: Some(Reason::Rejected), ..self }),
            _ => Err(Error::NotOnTrial),
        }
    }

    /// The image on trial stays; none if no image is on trial.
    pub(crate) fn confirmed(self, strategy: Strategy) -> Result<Option<Self>, Stop> {
        if strategy == Strategy::Foreign {
            return Err(TELL_THE_BOOTLOADER);
        }
        if self.is_rejected() {
            return Err(Error::NotOnTrial);
        }
        Ok((self.phase == Phase::Trial).then_some(Self {
            security_counter: self.security_counter.max(self.next_counter),
            phase: Phase::Confirmed,
            slot: self.running(strategy),
            step: 0,
            limit: 0,
            reason: None,
            places: self.places.settled(),
            ..self
        }))
    }

    /// The application gave the image on trial up.
    pub(crate) fn is_rejected(&self) -> bool {
        self.phase == Phase::Trial && self.reason == Some(Reason::Rejected)
    }

    /// The slot of the image that runs.
    pub(crate) fn running(&self, strategy: Strategy) -> Slot {
        match (self.phase, strategy) {
            (Phase::Trial, Strategy::Select) => self.slot.other(),
            (_, Strategy::Foreign) => Slot::A,
            _ => self.slot,
        }
    }
}
