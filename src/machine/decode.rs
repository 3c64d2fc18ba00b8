//! From an authenticated block to pieces of the image, if the payload is not the image itself.
//!
//! After a reset, or when a write failed, such a payload is decoded again from its first byte, and what the slot holds of
//! the image is not written again: windows of patches are nowhere in flash, and patches are small.

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
        while matches!(self.phase, Phase::Decode) {
            let (Some(lent), Some(chain)) = (&mut self.workspace, &self.chain) else { return Err(NO_SUCH_STEP) };
            let (piece, window, decoding) = lent.split();
            let Decoding { decoder: Some(decoder), filled, base, wanted: wanted @ (_, 0), held, .. } = decoding else {
                return Ok(());
            };
            let at = decoder.position().saturating_sub(*filled as u32);
            let left = chain.data().saturating_sub(self.consumed);
            let input = self.buffer.bytes(self.consumed, left)?;
            // A piece ends with a sector, with the image, and with what the slot holds.
            let address = self.writer.address(at);
            let again = at < *held;
            let limit = self.device.layout.sector(address).end().saturating_sub(address);
            let limit = limit.min(if again { held.saturating_sub(at) } else { u32::MAX });
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
                if again {
                    *filled = 0;
                    continue;
                }
                let padded = self.writer.padded(len) as usize;
                piece.get_mut(limit..padded).unwrap_or_default().fill(self.device.layout.geometry().erased());
                *base = 0;
                self.writer.begin_image(at, 0, len)?;
                self.phase = Phase::Place;
                return Ok(());
            }
            match need {
                Need::Again => {}
                // What is thrown away may be added to anything.
                Need::Base { len, .. } if again => *base = len,
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

    /// The base bytes that are to be read: bytes to pass over, address and length, whole units.
    pub(super) fn base_wanted(&self) -> Option<(u32, u32, u32)> {
        let (at, len) = self.workspace.as_ref()?.decoding.wanted;
        if len == 0 {
            return None;
        }
        let address = self.device.layout.slot_range(self.running.slot).start.saturating_add(at);
        let skip = address & self.writer.unit().wrapping_sub(1);
        Some((skip, address.saturating_sub(skip), self.writer.padded(skip.saturating_add(len))))
    }

    /// Base bytes were read: what is added to them may be decoded.
    pub(super) fn base_read(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let (skip, ..) = self.base_wanted().ok_or(NO_SUCH_STEP)?;
        let Some(lent) = &mut self.workspace else { return Err(NO_SUCH_STEP) };
        let (piece, _, decoding) = lent.split();
        let (_, len) = decoding.wanted;
        let room = piece.get_mut(decoding.filled..).unwrap_or_default();
        let room = room.get_mut(..len as usize).unwrap_or_default();
        let taken = copy(room, bytes.get(skip as usize..).unwrap_or_default());
        if taken == 0 {
            return Err(NO_SUCH_STEP);
        }
        (decoding.base, decoding.wanted) = (taken, (0, 0));
        Ok(())
    }
}
