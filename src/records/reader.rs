//! Reads one record, stride by stride: what it is, and what is durable of it (`docs/records.md`, section 1, Reading).

use super::grid::{Grid, CHECK_SIZE};
use super::payload::{check, Header, Kind, MAX_BODY};
use crate::digest::Sha256;

/// A valid record. Its payload is at the front of the body buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    /// Strides that hold its body and seal, and those it occupies in all.
    pub(crate) written: u16,
    pub(crate) extent: u16,
    pub(crate) sealed: bool,
    pub(crate) ticks: u16,
}

/// What a place in a sector holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Units of the first stride up to the last that is not blank.
    pub(crate) used: u8,
    pub(crate) record: Option<Found>,
}

/// Where a record may begin: its first stride, the strides of its sector, and the sector's generation, if it is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) first: u16,
    pub(crate) strides: u16,
    pub(crate) seed: Option<u32>,
}

/// The record that may begin at a place, as far as it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    /// The stride being read, counted from the record's first, and the bytes of it that are through (piece by piece after
    /// a read error).
    stride: u16,
    through: u8,
    piecewise: bool,
    used: u8,
    fence: bool,
    whole: bool,
    sealed: bool,
    ticks: u16,
}

impl Reader {
    pub(crate) const fn new() -> Self {
        Self { stride: 0, through: 0, piecewise: false, used: 0, fence: false, whole: true, sealed: false, ticks: 0 }
    }

    /// Offset in the sector, and number, of the bytes to be read: a stride, or after an error `least` bytes of it.
    pub(crate) fn wanted(&self, grid: Grid, first: u16, least: u32) -> (u32, u32) {
        let stride = u32::from(first).saturating_add(self.stride.into());
        let at = stride.saturating_mul(grid.stride()).saturating_add(self.through.into());
        (at, if self.piecewise { least } else { grid.stride() })
    }

    /// The bytes that were [wanted](Self::wanted), or none if they read as an error. Gives the outcome once it is clear.
    pub(crate) fn take<H: Sha256>(
        &mut self,
        grid: Grid,
        place: Place,
        body: &mut [u8; MAX_BODY],
        least: u32,
        bytes: Option<&[u8]>,
    ) -> Option<Outcome> {
        let Some(bytes) = bytes.or(if self.piecewise { Some(&[]) } else { None }) else {
            self.piecewise = true;
            return None;
        };
        let taken = if self.piecewise { least } else { grid.stride() };
        let mut rest = bytes;
        for _ in 0..grid.units(taken) {
            let (unit, more) = rest.split_at_checked(grid.unit() as usize).unwrap_or_default();
            rest = more;
            self.unit(grid, body, (!unit.is_empty()).then_some(unit));
            self.through = self.through.saturating_add(grid.unit() as u8);
        }
        if u32::from(self.through) < grid.stride() {
            return None;
        }
        (self.stride, self.through, self.piecewise) = (self.stride.saturating_add(1), 0, false);
        self.judge::<H>(grid, place, body)
    }

    /// One unit more, none if it is unreadable.
    fn unit(&mut self, grid: Grid, body: &mut [u8; MAX_BODY], unit: Option<&[u8]>) {
        let programmed = unit.is_none_or(|bytes| !grid.is_blank(bytes));
        if self.stride == 0 && programmed {
            self.used = grid.units(self.through.into()).saturating_add(1) as u8;
        }
        let Some(before) = grid.units(self.through.into()).checked_sub(1) else {
            self.fence |= programmed && self.stride == 0;
            return;
        };
        let place = u32::from(self.stride).saturating_mul(grid.places()).saturating_add(before);
        let size = grid.unit() as usize;
        let seal = if place == 0 { 1 } else { Self::kind(body).map_or(0, |kind| grid.body(kind.size())) };
        if place < seal {
            let from = (place as usize).saturating_mul(size);
            match (unit, body.get_mut(from..from.saturating_add(size))) {
                (Some(bytes), Some(room)) if bytes.len() == room.len() => room.copy_from_slice(bytes),
                _ => self.whole = false,
            }
        } else if place == seal {
            self.sealed = programmed;
        } else if programmed {
            self.ticks = place.saturating_sub(seal) as u16;
        }
    }

    fn kind(body: &[u8; MAX_BODY]) -> Option<Kind> {
        body.first().copied().and_then(Kind::of)
    }

    /// A stride is through.
    fn judge<H: Sha256>(&self, grid: Grid, place: Place, body: &[u8; MAX_BODY]) -> Option<Outcome> {
        let nothing = Some(Outcome { used: self.used, record: None });
        let Some(kind) = Self::kind(body).filter(|_| self.fence && self.whole) else { return nothing };
        let written = grid.strides(kind.size(), 0) as u16;
        let left = place.strides.saturating_sub(place.first);
        if written > left {
            return nothing;
        }
        if self.stride < written {
            return None;
        }
        let extent = u16::from(body.get(1).copied().unwrap_or(0));
        let payload = body.get(..kind.size()).unwrap_or_default();
        let checked = body.get(kind.size()..).and_then(|rest| rest.first_chunk::<CHECK_SIZE>());
        let seed = place.seed.or_else(|| Header::decode(payload, grid.unit()).map(|header| header.generation));
        let valid = seed.is_some_and(|seed| checked == Some(&check::<H>(seed, place.first, payload)));
        if !valid || extent < written || extent > left {
            return nothing;
        }
        if self.sealed && self.stride < extent {
            return None;
        }
        let ticks = if self.sealed { self.ticks } else { 0 };
        Some(Outcome { used: self.used, record: Some(Found { kind, written, extent, sealed: self.sealed, ticks }) })
    }
}
