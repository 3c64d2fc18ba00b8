//! From the last signature to the first erase: the device's judgement, the application's, and where to go on.

use super::chain::Chain;
use super::head::Head;
use super::{told, Checkpoint, Machine, Phase, Plan, NO_SUCH_STEP};
use crate::device::Decision;
use crate::digest::{digest, Sha256};
use crate::error::{Error, Refusal, Stop};
use crate::message::message;
use crate::trust::CheckedSignature;

impl<H: Sha256> Machine<'_, H> {
    pub(super) fn signature(&mut self, outcome: &CheckedSignature) -> Result<(), Stop> {
        let Phase::Head(head) = &mut self.phase else { return Err(NO_SUCH_STEP) };
        let data = self.buffer.data();
        if head.job(data, &self.device.keys).is_none() {
            return Err(NO_SUCH_STEP);
        }
        let judged = head.checked(data, &self.device.keys, outcome).and_then(|()| self.judge());
        judged.map_err(|refusal| {
            self.forget();
            told(refusal.into())
        })
    }

    /// Once the manifest is authenticated: parses it, and holds it against the device.
    pub(super) fn judge(&mut self) -> Result<(), Refusal> {
        match &self.phase {
            Phase::Head(head) if head.is_complete() => {
                let manifest = self.device.parse(head.manifest(self.buffer.data()))?;
                self.device.judge(&self.running, &manifest, self.buffer.capacity())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn decision(&mut self, decision: Decision) -> Result<(), Stop> {
        if self.target() == self.running.slot {
            return Err(Stop::Misuse("with the swap strategy the running image is in slot A"));
        }
        let Phase::Head(head) = &self.phase else { return Err(NO_SUCH_STEP) };
        if !head.is_complete() {
            return Err(NO_SUCH_STEP);
        }
        match decision {
            Decision::Accept => self.accept(),
            Decision::Defer => {
                self.forget();
                Err(Error::Deferred)
            }
            Decision::Refuse => {
                self.forget();
                Err(told(Refusal::Policy.into()))
            }
        }
    }

    /// The application agreed: from here on the slot changes.
    fn accept(&mut self) -> Result<(), Stop> {
        let Phase::Head(head) = &self.phase else { return Err(NO_SUCH_STEP) };
        let data = self.buffer.data();
        let manifest = self.device.parse(head.manifest(data))?;
        let plan = Plan {
            manifest: digest::<H>(&[head.signed_bytes(data)]),
            image: manifest.image_digest,
            image_size: manifest.image_size,
            payload_size: manifest.payload_size(),
            version: manifest.version,
            security_counter: manifest.security_counter,
        };
        let trailer = head.size() as u32;
        let mut chain = Chain::new(&manifest);
        self.payload = self.position;
        (self.consumed, self.interrupted) = (0, false);
        let mut offset = 0;
        let same = self.plan.is_some_and(|before| before.manifest == plan.manifest);
        match self.checkpoint.filter(|_| same) {
            Some(checkpoint) => {
                chain.resume(checkpoint.block);
                self.consumed = checkpoint.consumed;
                self.interrupted = true;
                offset = checkpoint.offset;
            }
            None => self.checkpoint = None,
        }
        message!(info, "update {} accepted for slot {}, from image byte {}", plan.version, self.target(), offset);
        self.buffer.pad(trailer, self.writer.padded(trailer), self.device.layout.geometry().erased())?;
        self.writer.resume(offset);
        self.writer.begin_trailer(trailer);
        (self.plan, self.chain, self.phase) = (Some(plan), Some(chain), Phase::Trailer);
        Ok(())
    }

    /// Before the first write into a sector: this is where to go on should it fail.
    pub(super) fn keep_checkpoint(&mut self, at: u32, from: u32) {
        let (Phase::Place, Some(chain)) = (&self.phase, &self.chain) else { return };
        if let Some(offset) = self.writer.sector_edge(self.device.layout, at) {
            self.checkpoint = Some(Checkpoint { block: chain.place(), consumed: from, offset });
        }
    }

    /// A write failed: the head is read again (its trailer shares the slot), then blocks go on at the
    /// checkpoint.
    pub(super) fn rewind(&mut self) {
        self.writer.resume(0);
        self.phase = Phase::Head(Head::new());
        (self.at, self.position, self.filled) = (0, 0, 0);
        self.interrupted = true;
    }
}
