//! From an authenticated block to pieces of the image, if the payload is not the image itself.
//!
//! After a reset, or when a write failed, a compressed image goes on at its checkpoint, its window read from the slot. A
//! delta, whose window is nowhere in flash and which is small, is decoded again from its first byte, and compared with what
//! the slot holds of the image instead of written.

use super::accept::Payload;
use super::workspace::Decoding;
use super::{Machine, Phase, Then, NO_SUCH_STEP};
use crate::block::copy;
use crate::decode::{Need, Progress};
use crate::digest::Sha256;
use crate::error::Stop;
use crate::records::Checkpoint;

impl<H: Sha256> Machine<'_, H> {
    /// Decodes what is left of the block, until a piece of the image is to be written or base bytes are to be read.
    pub(super) fn decode(&mut self) -> Result<(), Stop> {
        let delta = self.plan.is_some_and(|plan| plan.payload == Payload::Delta);
        while matches!(self.phase, Phase::Decode) {
            let (Some(lent), Some(chain)) = (&mut self.workspace, &self.chain) else { return Err(NO_SUCH_STEP) };
            if !lent.decoding.decoder.is_some() {
                return Err(NO_SUCH_STEP);
            }
            let (piece, window, decoding) = lent.split();
            let Decoding { decoder, filled, base, wanted: wanted @ (_, 0), held, missing: 0, begun, .. } = decoding
            else {
                return Ok(());
            };
            let at = decoder.position().saturating_sub(*filled as u32);
            let left = chain.data().saturating_sub(self.consumed);
            let input = self.buffer.bytes(self.consumed, left)?;
            // A piece ends with a sector, with the image, and with what the slot holds.
            let address = self.writer.address(at);
            if *filled == 0 && !delta {
                let payload = chain.offset().saturating_add(self.consumed);
                *begun = Checkpoint { offset: at, payload, hash: chain.expected(), token: decoder.token() };
            }
            let limit = self.device.layout.sector(address).end().saturating_sub(address);
            let limit = piece.len().min(limit.min(decoder.lacks().saturating_add(*filled as u32)) as usize);
            let room = piece.get_mut(*filled..limit).unwrap_or_default();
            let Progress { consumed, produced, need } = match decoder.step(window, input, room, *base) {
                Ok(progress) => progress,
                Err(fault) => {
                    self.begin(None, Checkpoint::START, Then::Refuse(Some(fault)));
                    return Ok(());
                }
            };
            self.consumed = self.consumed.saturating_add(consumed as u32);
            *filled = filled.saturating_add(produced);
            *base = base.saturating_sub(produced);
            if *filled == limit && limit > 0 {
                let len = limit as u32;
                let padded = self.writer.padded(len) as usize;
                piece.get_mut(limit..padded).unwrap_or_default().fill(self.device.layout.geometry().erased());
                *base = 0;
                self.writer.begin_image(at, 0, len)?;
                if at < *held {
                    self.writer.compare();
                }
                self.phase = Phase::Place;
                return Ok(());
            }
            match need {
                Need::Again => {}
                Need::Base { at, len } => *wanted = (at, len as u32),
                Need::Input => {
                    let fault = if chain.is_last() { decoder.finish().err() } else { None };
                    match fault {
                        None => self.next_block(),
                        fault => self.begin(None, Checkpoint::START, Then::Refuse(fault)),
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether what is being compared was in the slot before. If it differs, nothing in the slot is what it was taken for.
    pub(super) fn is_held(&self, address: u32) -> bool {
        let held = self.workspace.as_ref().map_or(0, |lent| lent.decoding.held);
        matches!(self.phase, Phase::Place) && self.is_encoded() && address < self.writer.address(held)
    }

    /// What is to be read of the base, or of the slot for the window: bytes to pass over, address and length, whole units.
    pub(super) fn bytes_wanted(&self) -> Option<(u32, u32, u32)> {
        let Decoding { decoder, wanted: (at, len), missing, .. } = &*self.workspace.as_ref()?.decoding;
        let (address, len) = match (missing, len) {
            (0, 0) => return None,
            (0, len) => (self.device.layout.slot_range(self.running.slot).start.saturating_add(*at), len),
            (missing, _) => (self.writer.address(decoder.position().saturating_sub(*missing)), missing),
        };
        let skip = address & self.writer.unit().wrapping_sub(1);
        Some((skip, address.saturating_sub(skip), self.writer.padded(skip.saturating_add(*len))))
    }

    /// They were read: what is added to them may be decoded, or the window is so much nearer to what it was.
    pub(super) fn bytes_read(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let (skip, ..) = self.bytes_wanted().ok_or(NO_SUCH_STEP)?;
        let Some(lent) = &mut self.workspace else { return Err(NO_SUCH_STEP) };
        let (piece, window, decoding) = lent.split();
        let (size, _) = decoding.decoder.rebuilt();
        let (from, len, room) = if decoding.missing > 0 {
            (size.saturating_sub(decoding.missing as usize), decoding.missing, window)
        } else {
            let (_, len) = decoding.wanted;
            (decoding.filled, len, piece)
        };
        let room = room.get_mut(from..).unwrap_or_default();
        let room = room.get_mut(..len as usize).unwrap_or_default();
        let taken = copy(room, bytes.get(skip as usize..).unwrap_or_default());
        if taken == 0 {
            return Err(NO_SUCH_STEP);
        }
        if decoding.missing > 0 {
            decoding.missing = decoding.missing.saturating_sub(taken as u32);
        } else {
            (decoding.base, decoding.wanted) = (taken, (0, 0));
        }
        Ok(())
    }
}
