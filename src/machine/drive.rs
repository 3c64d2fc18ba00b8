//! What is to be done next, and how it went.

use super::writer::{Job, Operation};
use super::{Ack, Machine, Phase, Step, NO_SUCH_STEP};
use crate::digest::Sha256;
use crate::error::{Error, Stop};
use crate::records::Request;

impl<H: Sha256> Machine<'_, H> {
    /// What is to be done next. Says the same until it is acknowledged.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`] if a [`Step::Write`] was given and never acknowledged: its sector will be
    /// erased again, and the package is to be fed again from [`position`](Self::position).
    #[inline(never)] // nor is what it takes to go on
    pub fn step(&mut self) -> Result<Step<'_>, Error> {
        if matches!(self.writer.under_way(), Operation::Write(_)) || self.writing {
            if self.writing {
                self.log.forget();
            }
            self.rewind();
            return Err(Error::Interrupted);
        }
        self.learn()?;
        loop {
            self.keep_checkpoint();
            self.settle()?;
            match &self.phase {
                Phase::Records(..) => return Ok(self.record_step().unwrap_or(Step::Receive)),
                _ if self.is_writing() => match self.writer.operation() {
                    Operation::Erase(from) => {
                        return Ok(Step::Erase { from, to: self.device.layout.sector(from).end() });
                    }
                    Operation::Write(len) => {
                        let Job { at, from, .. } = self.writer.job();
                        return Ok(Step::Write { at, bytes: self.written(from, len)? });
                    }
                    Operation::Read { .. } => break,
                    Operation::Idle => self.placed(),
                },
                #[cfg(feature = "decode")]
                Phase::Decode if self.bytes_wanted().is_none() => self.decode()?,
                _ => break,
            }
        }
        if let Some((at, len)) = self.reading() {
            return Ok(Step::Read { at, len });
        }
        Ok(match &self.phase {
            Phase::Head(head) if head.is_complete() => Step::Offer,
            Phase::Head(_) => self.job().map_or(Step::Receive, Step::Verify),
            Phase::Records(..) | Phase::Identify(_) | Phase::Hash(..) => Step::Receive,
            #[cfg(feature = "rotation")]
            Phase::Keys(_) | Phase::KeySet(_) => Step::Receive,
            Phase::Trailer | Phase::Block | Phase::Decode | Phase::Place => Step::Receive,
            Phase::Stored => Step::Stored,
            Phase::Complete => Step::Complete,
        })
    }

    /// What is to be read, if that is the next thing to do: address and bytes.
    pub(crate) fn reading(&self) -> Option<(u32, u32)> {
        match (&self.phase, self.writer.under_way()) {
            (Phase::Records(work, _), _) => match work.request(&self.log) {
                Request::Read { at, len } => Some((at, len)),
                _ => None,
            },
            (Phase::Identify(done), _) => Some(self.name_at(*done)),
            #[cfg(feature = "rotation")]
            (Phase::Keys(reading), _) => Some(self.keys_at(*reading)),
            (Phase::Hash(_, done), _) => {
                let left = self.writer.padded(self.plan?.image_size).saturating_sub(*done);
                Some((self.writer.address(*done), left))
            }
            (_, Operation::Read { len, done }) if self.is_writing() => {
                Some((self.writer.job().at.saturating_add(done), len.saturating_sub(done)))
            }
            #[cfg(feature = "decode")]
            (Phase::Decode, _) => self.bytes_wanted().map(|(_, at, len)| (at, len)),
            _ => None,
        }
    }

    /// What is being written: of the buffer, or of a piece of the image.
    pub(super) fn written(&self, from: u32, len: u32) -> Result<&[u8], Stop> {
        #[cfg(feature = "decode")]
        if let (Phase::Place, true, Some(lent)) = (&self.phase, self.is_encoded(), &self.workspace) {
            return lent.bytes(from, len).ok_or(NO_SUCH_STEP);
        }
        self.buffer.bytes(from, len)
    }

    /// Answers the step.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], [`Error::Deferred`], [`Error::Mismatch`]; [`Error::Misuse`] for an answer that
    /// does not fit the step: it changes nothing.
    pub fn ack(&mut self, ack: Ack<'_>) -> Result<(), Error> {
        let done = match &ack {
            Ack::Done => Some(true),
            Ack::Failed => Some(false),
            _ => None,
        };
        if let (Some(succeeded), true) = (done, self.work().is_some()) {
            let mut fits = true;
            self.record(|work, log| match work.request(log) {
                Request::Read { .. } if succeeded => fits = false,
                Request::Read { .. } => work.read::<H>(log, None),
                _ => work.done::<H>(log, succeeded),
            });
            return if fits { Ok(()) } else { Err(NO_SUCH_STEP) };
        }
        match ack {
            Ack::Signature(outcome) => self.signature(outcome),
            Ack::Decision(decision) => self.decision(decision),
            Ack::Done => match self.writer.under_way() {
                Operation::Erase(_) | Operation::Write(_) => {
                    self.writer.done(self.device.layout);
                    Ok(())
                }
                _ => Err(NO_SUCH_STEP),
            },
            Ack::Read(bytes) => self.read(bytes),
            Ack::Failed => {
                #[cfg(feature = "rotation")]
                if let Phase::Keys(reading) = self.phase {
                    self.keys_read(reading, None);
                    return Ok(());
                }
                match (&self.phase, self.writer.under_way()) {
                    (Phase::Identify(done), _) => self.identify(*done, None),
                    (Phase::Hash(..), _) => self.doubt(),
                    #[cfg(feature = "decode")]
                    (_, Operation::Read { .. }) if self.is_held(self.writer.job().at) => self.doubt(),
                    (_, Operation::Write(_)) => self.rewind(),
                    _ => {}
                }
                Ok(())
            }
        }
    }
}
