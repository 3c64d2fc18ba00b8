//! What the machine tells about itself.

use super::{Machine, Phase};
use crate::digest::Sha256;
use crate::layout::Slot;
use crate::status::{Progress, Stage, Status};

impl<H: Sha256> Machine<'_, H> {
    /// Bytes that can be fed without reaching beyond the package, held ones counted; 0 once it is whole.
    pub fn wanted(&self) -> u32 {
        let held = self.position.saturating_sub(self.at);
        match (&self.phase, self.plan) {
            (Phase::Head(head), _) => held.saturating_add(head.missing()),
            (_, Some(plan)) => self.payload.saturating_add(plan.payload_size).saturating_sub(self.at),
            _ => held,
        }
    }

    /// The slot that is written.
    pub fn target(&self) -> Slot {
        self.device.layout.target(self.running.slot)
    }

    /// The address after the last byte that may be written.
    pub fn end(&self) -> u32 {
        self.device.layout.slot_range(self.target()).end
    }

    /// How far the update is.
    pub fn progress(&self) -> Progress {
        let known = self.plan.filter(|_| !matches!(self.phase, Phase::Head(_)));
        Progress {
            received: self.position,
            package: known.map(|plan| self.payload.saturating_add(plan.payload_size)),
            written: match (&self.chain, known) {
                (Some(chain), Some(plan)) => chain.offset().saturating_add(self.consumed).min(plan.image_size),
                _ => 0,
            },
            image: known.map(|plan| plan.image_size),
        }
    }

    /// What the device could report to a server.
    pub fn status(&self) -> Status {
        let stage = match &self.phase {
            Phase::Head(head) if head.is_complete() => Stage::Offered,
            Phase::Head(_) => Stage::Waiting,
            Phase::Trailer | Phase::Block | Phase::Place => Stage::Receiving,
            Phase::Stored | Phase::Hash(..) => Stage::Stored,
            Phase::Complete => Stage::Verified,
        };
        let incoming = self.plan.filter(|_| !matches!(self.phase, Phase::Head(_))).map(|plan| plan.version);
        Status { running: self.running, target: self.target(), stage, incoming, progress: self.progress() }
    }
}
