//! A decoder kept over a reset (`docs/payload.md`, section 4). What is loaded comes from flash: nothing of it is believed.

use super::heatshrink::TOKEN_SIZE;
use super::{Decoder, Part, NEGATIVE};
use crate::manifest::{Encoding, Window};

/// Bytes of a saved place in a patch.
const PLACE_SIZE: usize = 12;
/// The largest window that is saved, as a power of two: a record has to hold it.
const SAVED_WINDOW: u8 = 8;

impl Decoder {
    /// Bytes of a saved state; `None` if this encoding has none: its install begins at 0 after a reset.
    #[must_use]
    pub fn saved_size(encoding: Encoding) -> Option<usize> {
        match encoding {
            Encoding::Raw => Some(0),
            Encoding::Heatshrink(_) => Some(TOKEN_SIZE),
            Encoding::Delta(None) => Some(PLACE_SIZE),
            Encoding::Delta(Some(Window { window: SAVED_WINDOW, .. })) => {
                Some(PLACE_SIZE.wrapping_add(TOKEN_SIZE).wrapping_add(1 << SAVED_WINDOW))
            }
            Encoding::Delta(Some(_)) => None,
        }
    }

    /// Puts the state to the front of `into`; tells its bytes, or `None` if it has no room or this encoding has no state.
    #[must_use]
    pub fn save(&self, window: &[u8], into: &mut [u8]) -> Option<usize> {
        let room = into.len();
        let mut rest = into;
        let plain = !self.delta;
        if !plain {
            let [v0, v1, v2, v3] = self.value.to_le_bytes();
            let [f0, f1, f2, f3] = self.from.to_le_bytes();
            put(&mut rest, &[self.part as u8, self.taken, 0, 0, v0, v1, v2, v3, f0, f1, f2, f3])?;
        }
        if let Some(source) = &self.source {
            put(&mut rest, &source.save())?;
            if !plain {
                let ring = window.get(..source.size()).filter(|ring| ring.len() <= 1 << SAVED_WINDOW)?;
                let (older, newer) = source.window(ring);
                put(&mut rest, older)?;
                put(&mut rest, newer)?;
            }
        }
        Some(room.wrapping_sub(rest.len()))
    }

    /// From a decoder at the first byte to the one that `saved` was taken of, when `position` bytes of the image were out;
    /// `None` if there can be none. Fills `window` of a patch; an image's is in the slot, see [`rebuild`](Self::rebuild).
    #[must_use]
    pub fn load(mut self, position: u32, saved: &[u8], window: &mut [u8]) -> Option<Self> {
        let mut rest = saved;
        self.position = position;
        let lacks = self.image_size.checked_sub(position)?;
        if self.delta {
            self.place(lacks, take(&mut rest)?)?;
        } else {
            self.value = lacks;
            if lacks == 0 {
                self.part = Part::Nothing;
            }
        }
        if let Some(source) = &mut self.source {
            source.load(take(&mut rest)?)?;
            let ring = window.get_mut(..source.size())?;
            if self.delta {
                let (kept, none) = rest.split_first_chunk::<{ 1 << SAVED_WINDOW }>()?;
                ring.first_chunk_mut().filter(|_| source.size() == kept.len()).map(|ring| *ring = *kept)?;
                rest = none;
                // Before its parameters were seen nothing was decompressed.
                let fresh = saved.iter().skip(PLACE_SIZE).all(|byte| *byte == 0);
                if self.part <= Part::Parameters && !fresh {
                    return None;
                }
            }
            // Bytes of a reference that lie beyond the image were refused when they were seen; a patch goes on behind it.
            let most = if self.delta && self.part != Part::Nothing { u32::MAX } else { lacks };
            if source.beyond(most) {
                return None;
            }
        }
        rest.is_empty().then_some(self)
    }

    /// What of the image has to be read into the window after a load, before the first step: from which offset on, and
    /// where to. `None`: the window is whole.
    #[must_use]
    pub fn rebuild<'w>(&self, window: &'w mut [u8]) -> Option<(u32, &'w mut [u8])> {
        let size = self.source.as_ref()?.size();
        let missing = size.min(self.position as usize);
        if self.delta || missing == 0 {
            return None;
        }
        let ring = window.get_mut(size.wrapping_sub(missing)..size)?;
        Some((self.position.wrapping_sub(missing as u32), ring))
    }

    /// Takes the place in a patch from its saved form.
    fn place(&mut self, lacks: u32, saved: [u8; PLACE_SIZE]) -> Option<()> {
        let [part, taken, r0, r1, v0, v1, v2, v3, f0, f1, f2, f3] = saved;
        self.part = part_of(part)?;
        (self.taken, self.value) = (taken, u32::from_le_bytes([v0, v1, v2, v3]));
        self.from = u32::from_le_bytes([f0, f1, f2, f3]);
        let behind = self.base_size.checked_sub(self.from)?;
        let bits = taken & !NEGATIVE;
        let number = matches!(bits, 0 | 6 | 13 | 20 | 27)
            && self.value.checked_shr(bits.into()) == Some(0)
            && (taken & NEGATIVE == 0 || (bits > 0 && self.part == Part::Adjustment));
        let quiet = taken == 0 && self.value == 0;
        let at_start = self.position == 0 && self.from == 0;
        let holds = match self.part {
            Part::Image => false,
            Part::Type | Part::Parameters => quiet && at_start,
            Part::ImageSize | Part::DataFormat => number && at_start,
            Part::DiffSize => number && lacks > 0,
            Part::ExtraSize | Part::Adjustment => number,
            Part::Diff => taken == 0 && (1..=lacks.min(behind)).contains(&self.value),
            Part::Extra => taken == 0 && (1..=lacks).contains(&self.value),
            Part::Nothing => quiet && lacks == 0,
        };
        let compressed = self.source.is_some();
        (holds && [r0, r1] == [0; 2] && (compressed || self.part != Part::Parameters)).then_some(())
    }
}

fn part_of(number: u8) -> Option<Part> {
    Some(match number {
        1 => Part::Type,
        2 => Part::ImageSize,
        3 => Part::Parameters,
        4 => Part::DataFormat,
        5 => Part::DiffSize,
        6 => Part::Diff,
        7 => Part::ExtraSize,
        8 => Part::Extra,
        9 => Part::Adjustment,
        10 => Part::Nothing,
        _ => return None,
    })
}

fn put(rest: &mut &mut [u8], bytes: &[u8]) -> Option<()> {
    let (now, later) = core::mem::take(rest).split_at_mut_checked(bytes.len())?;
    now.copy_from_slice(bytes);
    *rest = later;
    Some(())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (now, later) = rest.split_first_chunk()?;
    *rest = later;
    Some(*now)
}
