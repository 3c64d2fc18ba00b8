//! Reads one record, stride by stride: what it is, and what is durable of it (`docs/records.md`, section 1, Reading).

use super::grid::Grid;
use super::payload::{check, Kind, MAX_BODY};
use crate::block::copy;
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

/// Where a record may begin: its first stride, the strides of its sector, and the sector's generation; a header has
/// its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) first: u16,
    pub(crate) strides: u16,
    pub(crate) generation: u32,
}

/// The record that may begin at a place, as far as it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    /// Units that are through, and whether the rest of the stride is read piece by piece, after a read error.
    through: u16,
    piecewise: bool,
    used: u8,
    /// The fence is there, and every unit of the body.
    whole: bool,
    /// Places of the body, as far as is known.
    body: u8,
    /// Places behind the body up to the last that is programmed: the seal, then its ticks.
    marked: u16,
}

impl Reader {
    pub(crate) const fn new() -> Self {
        Self { through: 0, piecewise: false, used: 0, whole: true, body: 1, marked: 0 }
    }

    fn bytes(&self, grid: Grid) -> u32 {
        u32::from(self.through).wrapping_mul(grid.unit())
    }

    /// Offset in the sector, and number, of the bytes to be read: a stride, or after an error `least` bytes of it.
    pub(crate) fn wanted(&self, grid: Grid, first: u16, least: u32) -> (u32, u32) {
        let at = grid.offset(first).wrapping_add(self.bytes(grid));
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
        if bytes.is_none() && !self.piecewise {
            self.piecewise = true;
            return None;
        }
        let (_, taken) = self.wanted(grid, 0, least);
        let mut rest = bytes.unwrap_or_default();
        for _ in 0..grid.units(taken) {
            let (unit, more) = rest.split_at_checked(grid.unit() as usize).unwrap_or_default();
            rest = more;
            self.unit(&grid, body, unit);
        }
        if grid.within(self.bytes(grid)) > 0 {
            return None;
        }
        self.piecewise = false;
        self.judge::<H>(grid, place, body)
    }

    /// One unit more, empty if it is unreadable.
    #[inline(never)]
    fn unit(&mut self, grid: &Grid, body: &mut [u8; MAX_BODY], unit: &[u8]) {
        let unreadable = unit.is_empty();
        let programmed = unreadable || !grid.is_blank(unit);
        let number = self.through;
        self.through = number.wrapping_add(1);
        let stride = grid.strides_in(u32::from(number).wrapping_mul(grid.unit())) as u16;
        if programmed && stride == 0 {
            self.used = self.through as u8;
        }
        let in_stride = u32::from(number) & grid.places();
        if in_stride == 0 {
            self.whole &= programmed || stride > 0;
            return;
        }
        // Fences are not counted.
        let (place, seal) = (number.wrapping_sub(stride).wrapping_sub(1), u16::from(self.body));
        if place >= seal {
            if programmed && (place == seal || self.marked > 0) {
                self.marked = place.wrapping_sub(seal).wrapping_add(1);
            }
            return;
        }
        let from = u32::from(place).wrapping_mul(grid.unit()) as usize;
        self.whole &= !unreadable;
        copy(body.get_mut(from..).unwrap_or_default(), unit);
        if place == 0 {
            self.body = Kind::of(body).map_or(0, |kind| grid.units(grid.body(kind.size())) as u8);
        }
    }

    /// A stride is through.
    fn judge<H: Sha256>(&self, grid: Grid, place: Place, body: &[u8; MAX_BODY]) -> Option<Outcome> {
        let nothing = Some(Outcome { used: self.used, record: None });
        let Some(kind) = Kind::of(body).filter(|_| self.whole) else { return nothing };
        let written = grid.strides(kind.size(), 0);
        let left = place.strides.saturating_sub(place.first);
        if written > left {
            return nothing;
        }
        let through = grid.strides_in(self.bytes(grid)) as u16;
        if through < written {
            return None;
        }
        let [_, extent, _, _, generation @ .., _, _, _, _] = body.first_chunk().unwrap_or(&[0; 12]);
        let extent = u16::from(*extent);
        let generation = if kind == Kind::Header { u32::from_le_bytes(*generation) } else { place.generation };
        let right = check::<H>(generation, place.first, body, kind.size());
        let valid = body.get(kind.size()..).is_some_and(|rest| rest.starts_with(&right));
        if !valid || extent < written || extent > left {
            return nothing;
        }
        let sealed = self.marked > 0;
        if sealed && through < extent {
            return None;
        }
        let ticks = self.marked.saturating_sub(1);
        Some(Outcome { used: self.used, record: Some(Found { kind, written, extent, sealed, ticks }) })
    }
}
