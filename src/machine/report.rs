//! What the machine tells about itself.

use super::accept::Payload;
use super::chain::Chain;
use super::{Machine, Phase, Then};
use crate::digest::Sha256;
use crate::layout::{Layout, Slot};
use crate::status::{Progress, Stage, Status};
use crate::wire::PRELUDE_SIZE;

impl<H: Sha256> Machine<'_, H> {
    /// Bytes that can be fed without reaching beyond the package, held ones counted; 0 once it is whole.
    pub fn wanted(&self) -> u32 {
        let held = self.position.saturating_sub(self.at);
        match (&self.phase, self.plan) {
            (Phase::Records(_, Then::Identify) | Phase::Identify(_), _) => held.saturating_add(PRELUDE_SIZE as u32),
            (Phase::Head(head), _) => held.saturating_add(head.missing()),
            #[cfg(feature = "rotation")]
            (Phase::Records(_, Then::Store(_) | Then::Trust(_)) | Phase::Keys(_) | Phase::KeySet(_), _) => {
                held.saturating_add(PRELUDE_SIZE as u32)
            }
            (_, Some(_)) => self.end_of_package().saturating_sub(self.at),
            _ => held,
        }
    }

    /// Where everything lies.
    pub fn layout(&self) -> &Layout {
        self.device.layout
    }

    /// The slot that is written.
    pub fn target(&self) -> Slot {
        self.device.layout.target(self.running.slot)
    }

    /// The address after the last byte that may be written.
    pub fn end(&self) -> u32 {
        let layout = self.device.layout;
        layout.slot_range(self.target()).end.max(layout.records_range().end)
    }

    fn end_of_package(&self) -> u32 {
        self.payload.saturating_add(self.chain.as_ref().map_or(0, Chain::size_of_payload))
    }

    fn is_accepted(&self) -> bool {
        #[cfg(feature = "rotation")]
        if matches!(self.phase, Phase::Records(_, Then::Store(_) | Then::Trust(_)) | Phase::Keys(_) | Phase::KeySet(_))
        {
            return false;
        }
        !matches!(self.phase, Phase::Records(_, Then::Identify) | Phase::Identify(_) | Phase::Head(_))
    }

    /// How far the update is.
    pub fn progress(&self) -> Progress {
        let known = self.plan.filter(|_| self.is_accepted());
        Progress {
            received: self.position,
            package: known.map(|_| self.end_of_package()),
            written: match (&self.chain, known) {
                (_, Some(plan)) if plan.payload != Payload::Raw => self.decoded().min(plan.image_size),
                (Some(chain), Some(plan)) => chain.offset().saturating_add(self.consumed).min(plan.image_size),
                _ => 0,
            },
            image: known.map(|plan| plan.image_size),
        }
    }

    /// Bytes of the image that are decoded, or were before.
    fn decoded(&self) -> u32 {
        #[cfg(feature = "decode")]
        if let Some(decoding) = self.workspace.as_ref().map(|lent| &lent.decoding) {
            let out = decoding.decoder.position();
            return out.saturating_sub(decoding.filled as u32).max(decoding.held);
        }
        0
    }

    /// What the device could report to a server.
    pub fn status(&self) -> Status {
        let stage = match &self.phase {
            #[cfg(feature = "rotation")]
            Phase::Keys(_) | Phase::KeySet(_) | Phase::Records(_, Then::Store(_) | Then::Trust(_)) => Stage::Waiting,
            Phase::Head(head) if head.is_complete() => Stage::Offered,
            Phase::Records(_, Then::Identify) | Phase::Identify(_) | Phase::Head(_) => Stage::Waiting,
            Phase::Records(_, Then::Trailer | Then::Place) | Phase::Trailer => Stage::Receiving,
            Phase::Block | Phase::Decode | Phase::Place => Stage::Receiving,
            Phase::Records(..) | Phase::Stored | Phase::Hash(..) => Stage::Stored,
            Phase::Complete => Stage::Verified,
        };
        let incoming = self.plan.filter(|_| self.is_accepted()).map(|plan| plan.version);
        Status { running: self.running, target: self.target(), stage, incoming, progress: self.progress() }
    }
}
