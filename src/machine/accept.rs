//! From the last signature to the first erase: the device's judgement, the application's, and where to go on.

use super::chain::Chain;
use super::{told, Machine, Phase, NO_SUCH_STEP};
use crate::device::Decision;
use crate::digest::{digest, Digest, Sha256};
use crate::error::{Error, Refusal, Stop};
use crate::manifest::Manifest;
use crate::message::message;
use crate::records::{Checkpoint, Phase as Update};
use crate::trust::CheckedSignature;
use crate::wire::TRAILER_SIZE;

/// What is known of an update once its manifest is authenticated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) image: Digest,
    pub(crate) image_size: u32,
    pub(crate) version: crate::Version,
    /// The slot is not being filled: a receipt is made again for what it holds.
    pub(crate) staged: bool,
    /// The slot was filled in more than one go.
    pub(crate) interrupted: bool,
}

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
                self.device.judge_state(&self.state(), &manifest)?;
                self.device.judge(&self.running, &manifest, self.buffer.capacity())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn decision(&mut self, decision: Decision) -> Result<(), Stop> {
        if self.target() == self.running.slot {
            return Err(Stop::Misuse("with swap or another bootloader the running image is in slot A"));
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

    /// What the complete head says.
    fn plan(&mut self) -> Result<(Digest, Manifest, Plan, u32), Stop> {
        let Phase::Head(head) = &self.phase else { return Err(NO_SUCH_STEP) };
        let data = self.buffer.data();
        let manifest = self.device.parse(head.manifest(data))?;
        let plan = Plan {
            image: manifest.image_digest,
            image_size: manifest.image_size,
            version: manifest.version,
            staged: false,
            interrupted: false,
        };
        let digest = digest::<H>(&[head.signed_bytes(data)]);
        Ok((digest, manifest, plan, head.size() as u32))
    }

    /// The application agreed: from here on the slot changes.
    fn accept(&mut self) -> Result<(), Stop> {
        let (digest, manifest, mut plan, trailer) = self.plan()?;
        let mut chain = Chain::new(&manifest);
        self.payload = self.position;
        let Checkpoint { offset, payload, hash } = self.start(digest, &manifest);
        self.consumed = if payload > 0 { chain.resume(payload, hash) } else { 0 };
        message!(info, "update {} accepted for slot {}, from image byte {}", plan.version, self.target(), offset);
        self.buffer.pad(trailer, self.writer.padded(trailer), self.device.layout.geometry().erased())?;
        self.writer.resume(self.device.layout, offset);
        self.writer.begin_trailer(self.device.layout, trailer);
        plan.interrupted = offset > 0;
        (self.plan, self.chain) = (Some(plan), Some(chain));
        Ok(())
    }

    /// Where the trailer of the update that was started last lies, and how long it may be: feed it, up to the offer, then
    /// [`adopt`](Self::adopt) it.
    ///
    /// # Errors
    ///
    /// [`Error::NothingStaged`].
    pub fn stage(&mut self) -> Result<(u32, u32), Error> {
        if self.state().phase != Update::Receiving {
            return Err(Error::NothingStaged);
        }
        let end = self.device.layout.slot_range(self.target()).end;
        Ok((end.saturating_sub(TRAILER_SIZE), TRAILER_SIZE))
    }

    /// Whether an authenticated manifest waits for the application's decision.
    pub fn is_offered(&self) -> bool {
        matches!(&self.phase, Phase::Head(head) if head.is_complete())
    }

    /// The complete head is that of the slot's trailer: if it is the update that was started last, the slot is to be
    /// hashed, and [`finish`](Self::finish) leads to its receipt.
    ///
    /// # Errors
    ///
    /// [`Error::NothingStaged`].
    pub fn adopt(&mut self) -> Result<(), Error> {
        if !self.is_offered() {
            self.forget();
            return Err(Error::NothingStaged);
        }
        let (digest, manifest, mut plan, _) = self.plan()?;
        if digest != self.state().update {
            self.forget();
            return Err(Error::NothingStaged);
        }
        let mut chain = Chain::new(&manifest);
        chain.complete();
        (plan.staged, plan.interrupted) = (true, true);
        (self.plan, self.chain) = (Some(plan), Some(chain));
        self.phase = Phase::Stored;
        Ok(())
    }

    /// A write failed: the head is read again (its trailer shares the slot), then blocks go on at the
    /// checkpoint.
    pub(super) fn rewind(&mut self) {
        self.writer.resume(self.device.layout, 0);
        self.phase = self.beginning();
        (self.at, self.position, self.filled) = (0, 0, 0);
        self.writing = false;
        self.interrupt();
    }
}
