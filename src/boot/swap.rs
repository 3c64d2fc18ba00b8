//! The exchange of the slots by way of one spare sector (`docs/records.md`, section 5).

use embedded_storage::nor_flash::NorFlash;

use super::{Boot, CounterStore, Judge, NoImage, Platform};
use crate::control::{carry_out, PAUSE};
use crate::digest::Sha256;
use crate::layout::Slot;
use crate::records::{Phase, State, Work};
use crate::updater::{Chunk, CHUNK};
use crate::wire::TRAILER_SIZE;

/// How often a sector that cannot be written is tried in one boot.
const TRIES: u32 = 3;

/// Addresses of the sectors that a half-step copies from and to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Move {
    from: u32,
    to: u32,
}

/// Which sectors move, and where.
#[derive(Clone, Copy, Debug)]
struct Plan {
    size: u32,
    a: u32,
    b: u32,
    spare: u32,
    image: u32,
    tail: u32,
    all: u32,
}

impl Plan {
    /// Sectors that move.
    fn count(&self) -> u32 {
        self.image.saturating_add(self.all.saturating_sub(self.tail.max(self.image)))
    }

    fn index(&self, k: u32) -> u32 {
        if k < self.image {
            k
        } else {
            self.tail.max(self.image).saturating_add(k.saturating_sub(self.image))
        }
    }

    fn sector(&self, slot: u32, k: u32) -> u32 {
        slot.saturating_add(self.index(k).saturating_mul(self.size))
    }

    fn hole(&self, k: u32) -> u32 {
        k.checked_sub(1).map_or(self.spare, |before| self.sector(self.b, before))
    }

    /// The half-step with this number; none when all are done.
    fn half_step(&self, phase: Phase, step: u32) -> Option<Move> {
        let j = step >> 1;
        let left = self.count().checked_sub(j)?.checked_sub(1)?;
        let second = step & 1 == 1;
        Some(match (phase, second) {
            (Phase::Reverting, false) => Move { from: self.sector(self.a, left), to: self.sector(self.b, left) },
            (Phase::Reverting, true) => Move { from: self.hole(left), to: self.sector(self.a, left) },
            (_, false) => Move { from: self.sector(self.a, j), to: self.hole(j) },
            (_, true) => Move { from: self.sector(self.b, j), to: self.sector(self.a, j) },
        })
    }
}

impl<F: NorFlash, P: Platform, J: Judge, C: CounterStore, H: Sha256> Boot<'_, F, P, J, C, H> {
    fn plan(&self, sectors: u32) -> Plan {
        let layout = self.device.layout();
        let (a, b) = (layout.slot_range(Slot::A), layout.slot_range(Slot::B));
        let size = layout.sector(a.start).size;
        let count = |bytes: u32| bytes.checked_div(size).unwrap_or(0);
        let all = count(a.end.saturating_sub(a.start));
        let tail = count(a.end.saturating_sub(a.start).saturating_sub(TRAILER_SIZE));
        let image = sectors.min(all);
        Plan { size, a: a.start, b: b.start, spare: layout.swap_range().start, image, tail, all }
    }

    /// Sectors that the images in both slots need; all if what is in slot A is not known.
    #[inline(never)] // as above
    pub(super) fn sectors(&mut self, incoming: u32) -> u16 {
        let size = self.device.layout().sector(self.device.layout().slot_range(Slot::A).start).size.max(1);
        let outgoing = self.trailer(Slot::A, 0).map(|trailer| trailer.image_size);
        let bytes = outgoing.map_or(u32::MAX, |outgoing| outgoing.max(incoming));
        u16::try_from(bytes.div_ceil(size)).unwrap_or(u16::MAX)
    }

    /// Does what is left of the exchange, and leaves the state behind it: the trial's first, or the old image's.
    #[inline(never)] // what it needs is not on the stack of every boot
    pub(super) fn exchange(&mut self, state: &mut State) -> Result<(), NoImage> {
        if !self.log.fresh && !self.record(state) {
            return Err(NoImage::Exchange);
        }
        let plan = self.plan(state.extent);
        while let Some(step) = plan.half_step(state.phase, state.step.into()) {
            if !(0..TRIES).any(|_| self.copy(plan.size, step).is_some()) {
                return Err(NoImage::Exchange);
            }
            let mut work = Work::tick::<H>(&mut self.log);
            carry_out::<F, H>(&mut self.log, &mut work, &mut self.flash).map_err(|_| NoImage::Exchange)?;
            state.step = state.step.saturating_add(1);
        }
        state.step = 0;
        if state.phase == Phase::Swapping {
            (state.phase, state.limit) = (Phase::Trial, self.device.attempts);
        } else {
            state.phase = Phase::Confirmed;
        }
        if self.record(state) {
            Ok(())
        } else {
            Err(NoImage::Exchange)
        }
    }

    /// Erases a sector, copies another to it and reads it back.
    #[inline(never)]
    fn copy(&mut self, size: u32, Move { from, to }: Move) -> Option<()> {
        self.flash.erase(to, to.checked_add(size)?).ok()?;
        let mut chunk = Chunk([0; CHUNK]);
        let mut done = 0u32;
        while done < size {
            if done.is_multiple_of(PAUSE) {
                self.platform.feed_watchdog();
            }
            let len = size.saturating_sub(done).min(CHUNK as u32);
            let bytes = chunk.0.get_mut(..len as usize)?;
            self.copy_chunk(from.saturating_add(done), to.saturating_add(done), bytes)?;
            done = done.saturating_add(len);
        }
        Some(())
    }

    /// As a whole if it can be read so, unit by unit otherwise: an unreadable unit stays blank, and the hash of its image
    /// tells.
    fn copy_chunk(&mut self, from: u32, to: u32, bytes: &mut [u8]) -> Option<()> {
        if self.flash.read(from, bytes).is_ok() {
            return self.program(to, bytes);
        }
        let unit = self.device.layout().geometry().write_unit().max(F::READ_SIZE as u32);
        let (mut from, mut to) = (from, to);
        for piece in bytes.chunks_mut(unit as usize) {
            // What reads badly once may read well the next time; its source is erased afterwards.
            if (0..TRIES).any(|_| self.flash.read(from, piece).is_ok()) {
                self.program(to, piece)?;
            }
            (from, to) = (from.saturating_add(unit), to.saturating_add(unit));
        }
        Some(())
    }

    /// Programs what is not blank, and reads it back.
    fn program(&mut self, at: u32, bytes: &[u8]) -> Option<()> {
        let erased = self.device.layout().geometry().erased();
        if bytes.iter().all(|&byte| byte == erased) {
            return Some(());
        }
        self.flash.write(at, bytes).ok()?;
        let mut back = Chunk([0; CHUNK]);
        let (back, _) = back.0.split_at_mut(bytes.len());
        self.flash.read(at, back).ok()?;
        (back == bytes).then_some(())
    }
}
