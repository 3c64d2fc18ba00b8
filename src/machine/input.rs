//! What comes in: bytes of a package, in pieces of any size, and what is to be forgotten of them.

use super::head::Head;
use super::{told, Machine, Phase};
use crate::digest::Sha256;
use crate::error::{Error, Stop};
use crate::refusal::Refusal;

impl<H: Sha256> Machine<'_, H> {
    /// The offset in the package of the first byte that is wanted. After any error the next byte fed must be
    /// this one, or [`stream_at`](Self::stream_at) must say where the stream goes on.
    pub fn position(&self) -> u32 {
        self.position
    }

    /// Says that the next byte fed has this offset in the package. Bytes before [`position`](Self::position)
    /// will be passed over.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if `offset` is beyond `position()`: bytes would be missing.
    pub fn stream_at(&mut self, offset: u32) -> Result<(), Error> {
        if offset > self.position {
            return Err(Stop::Misuse("the stream goes on beyond position(): bytes would be missing"));
        }
        if offset == 0 && matches!(self.phase, Phase::Head(_)) {
            self.forget();
        }
        self.at = offset;
        Ok(())
    }

    /// Whether bytes may be left out before the next one that is wanted: the stream is to go on at
    /// [`position`](Self::position), or will be passed over up to it.
    pub fn is_ahead(&self) -> bool {
        self.at < self.position
    }

    /// Takes input, at most to the end of a block or of a part of the head, or to the next step that is not
    /// [`Step::Receive`](super::Step::Receive). Gives the bytes taken.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`]; what was taken of a refused block is forgotten.
    #[inline(never)] // its hash is not on the caller's stack while a signature is checked
    pub fn feed(&mut self, input: &[u8]) -> Result<usize, Error> {
        let held = (self.position.saturating_sub(self.at) as usize).min(input.len());
        let rest = input.get(held..).unwrap_or_default();
        self.at = self.at.saturating_add(held as u32);
        if rest.is_empty() {
            return Ok(held);
        }
        match self.collect(rest) {
            Ok(taken) => {
                self.position = self.position.saturating_add(taken);
                self.at = self.position;
                Ok(held.saturating_add(taken as usize))
            }
            Err(stop) => {
                self.forget();
                Err(told(stop))
            }
        }
    }

    fn collect(&mut self, input: &[u8]) -> Result<u32, Stop> {
        if matches!(self.phase, Phase::Head(_)) && !self.has_keys() {
            return Err(Refusal::KeyStore.into());
        }
        if let (mut trust, Phase::Head(head), data) = self.trust() {
            let taken = head.feed::<H>(data, &mut trust, input)?;
            self.judge()?;
            return Ok(taken as u32);
        }
        match (&mut self.phase, &mut self.chain) {
            (Phase::Block, Some(chain)) => {
                let taken = self.buffer.collect(chain.data(), !chain.is_last(), self.filled, input)?;
                self.filled = self.filled.saturating_add(taken);
                if self.filled == chain.size() {
                    chain.authenticate::<H>(&self.buffer)?;
                    self.place()?;
                }
                Ok(taken)
            }
            (Phase::Stored | Phase::Hash(..) | Phase::Complete, _) => Err(Refusal::Trailing.into()),
            _ => Ok(0),
        }
    }

    /// Starts over: the next byte fed is the first of a package, of the same (it then goes on where its slot is filled)
    /// or of another. For when the source has something else than it had, or [`Error::Refused`] comes again and again.
    pub fn restart(&mut self) {
        self.rewind();
    }

    /// Says that the transport was lost. What was collected and not yet authenticated is forgotten, since a connection's
    /// bytes need not have been genuine: at most a head or a block is sent again.
    pub fn disconnected(&mut self) {
        self.forget();
    }

    /// Forgets what was collected and not yet authenticated.
    pub(super) fn forget(&mut self) {
        match (&mut self.phase, &self.chain) {
            (Phase::Head(head), _) => {
                *head = Head::new();
                self.position = 0;
            }
            (Phase::Block, Some(chain)) => {
                self.filled = 0;
                self.position = self.payload.saturating_add(chain.position());
            }
            _ => {}
        }
        self.at = self.position;
    }

    /// The block in the buffer is authentic: what the slot does not hold of it yet is written.
    fn place(&mut self) -> Result<(), Stop> {
        if self.is_encoded() {
            self.phase = Phase::Decode;
            return Ok(());
        }
        let Some(chain) = &self.chain else { return Ok(()) };
        let data = chain.data();
        self.buffer.pad(data, self.writer.padded(data), self.device.layout.geometry().erased())?;
        let offset = chain.offset().saturating_add(self.consumed);
        self.writer.begin_image(offset, self.consumed, data.saturating_sub(self.consumed))?;
        self.phase = Phase::Place;
        Ok(())
    }
}
