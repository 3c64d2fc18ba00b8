//! A decoder kept over a reset (`docs/payload.md`, section 4). What is loaded comes from flash: nothing of it is believed.

use super::{Decoder, Part, NEGATIVE};
use crate::manifest::{Encoding, Window};

/// Bytes of a saved token.
const TOKEN_SIZE: usize = 8;
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

    /// Puts the state to the front of `into`; tells its bytes. `None` if it has no room, if nothing of the image is out yet,
    /// or if this encoding has no state.
    #[must_use]
    pub fn save(&self, window: &[u8], into: &mut [u8]) -> Option<usize> {
        if self.position == 0 {
            return None;
        }
        let room = into.len();
        let mut rest = into;
        if self.delta {
            put(&mut rest, u32::from(self.part as u8) | u32::from(self.taken) << 8)?;
            put(&mut rest, self.value)?;
            put(&mut rest, self.from)?;
        }
        if let Some(source) = &self.source {
            let [bits, reference] = source.save();
            put(&mut rest, bits)?;
            put(&mut rest, reference)?;
            if self.delta {
                let (newer, older) = window.get(..1 << SAVED_WINDOW)?.split_at_checked(source.head(SAVED_WINDOW)?)?;
                let (kept, none) = core::mem::take(&mut rest).split_at_mut_checked(1 << SAVED_WINDOW)?;
                rest = none;
                for (slot, byte) in kept.iter_mut().zip(older.iter().chain(newer)) {
                    *slot = *byte;
                }
            }
        }
        Some(room.wrapping_sub(rest.len()))
    }

    /// Takes a fresh decoder to where `saved` was taken, when `position` bytes of the image were out. `None` if there can be no
    /// such state: then both are good for nothing but [`new`](Self::new). Fills `window` of a patch; an image's is in the
    /// slot, see [`rebuild`](Self::rebuild).
    #[must_use]
    pub fn load(&mut self, position: u32, saved: &[u8], window: &mut [u8]) -> Option<()> {
        let mut rest = saved;
        let lacks = self.image_size.checked_sub(position).filter(|_| position > 0)?;
        self.position = position;
        if self.delta {
            let (first, value, from) = (take(&mut rest)?, take(&mut rest)?, take(&mut rest)?);
            let [part, taken, 0, 0] = first.to_le_bytes() else { return None };
            (self.taken, self.value, self.from) = (taken, value, from);
            self.place(part, lacks)?;
        } else {
            self.value = lacks;
            self.part = if lacks == 0 { Part::Nothing } else { Part::Image };
        }
        // Bytes of a reference that lie beyond the image were refused when they were seen; a patch goes on behind it.
        let most = if self.delta && self.part != Part::Nothing { u32::MAX } else { lacks };
        if let Some(source) = &mut self.source {
            source.load(take(&mut rest)?, take(&mut rest)?, most)?;
            if self.delta {
                source.head(SAVED_WINDOW)?;
                let (kept, none) = rest.split_first_chunk()?;
                rest = none;
                *window.first_chunk_mut::<{ 1 << SAVED_WINDOW }>()? = *kept;
            }
        }
        rest.is_empty().then_some(())
    }

    /// What of the image has to be read into the window after a load, before the first step: from which offset on, and
    /// where to. `None`: the window is whole.
    #[must_use]
    pub fn rebuild<'w>(&self, window: &'w mut [u8]) -> Option<(u32, &'w mut [u8])> {
        let size = self.source.as_ref().filter(|_| !self.delta)?.size();
        let missing = size.min(self.position as usize);
        let ring = window.get_mut(size.wrapping_sub(missing)..size)?;
        Some((self.position.wrapping_sub(missing as u32), ring))
    }

    /// Checks the place in a patch.
    fn place(&mut self, part: u8, lacks: u32) -> Option<()> {
        let behind = self.base_size.checked_sub(self.from)?;
        let bits = self.taken & !NEGATIVE;
        let negative = bits != self.taken;
        // Of a number that is not complete.
        let number = bits == 0 || (bits % 7 == 6 && bits < 28);
        let number = number && self.value.wrapping_shr(bits.into()) == 0;
        let (part, holds) = match part {
            1 => (Part::DiffSize, number && !negative && lacks > 0),
            2 => (Part::Diff, self.value.wrapping_sub(1) < lacks.min(behind)),
            3 => (Part::ExtraSize, number && !negative),
            4 => (Part::Extra, self.value.wrapping_sub(1) < lacks),
            5 => (Part::Adjustment, number && (!negative || bits > 0)),
            6 => (Part::Nothing, self.value == 0 && lacks == 0),
            _ => return None,
        };
        self.part = part;
        (holds && (part.is_number() || self.taken == 0)).then_some(())
    }
}

fn put(rest: &mut &mut [u8], word: u32) -> Option<()> {
    let (now, later) = core::mem::take(rest).split_first_chunk_mut()?;
    *now = word.to_le_bytes();
    *rest = later;
    Some(())
}

fn take(rest: &mut &[u8]) -> Option<u32> {
    let (now, later) = rest.split_first_chunk()?;
    *rest = later;
    Some(u32::from_le_bytes(*now))
}
