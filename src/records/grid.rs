//! Where a record's units lie: strides, fences and places (`docs/records.md`, section 1).

use crate::geometry::Geometry;

/// Bytes of a check.
pub(crate) const CHECK_SIZE: usize = 4;

/// How a chip's sectors are cut for records. It follows from the chip alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    /// The unit as a power of two: 2 to 5.
    unit: u8,
    /// The stride as a power of two: 6 or 7.
    stride: u8,
    erased: u8,
}

impl Grid {
    pub(crate) const fn new(geometry: &Geometry) -> Self {
        let unit = geometry.write_unit().trailing_zeros() as u8;
        let unit = if unit < 2 { 2 } else { unit };
        Self { unit, stride: if unit <= 3 { 6 } else { 7 }, erased: geometry.erased() }
    }

    /// Bytes of a unit.
    pub(crate) const fn unit(self) -> u32 {
        1 << (self.unit & 7)
    }

    /// Whole units in so many bytes.
    pub(crate) const fn units(self, bytes: u32) -> u32 {
        bytes >> (self.unit & 7)
    }

    /// Bytes of a stride.
    pub(crate) const fn stride(self) -> u32 {
        1 << (self.stride & 7)
    }

    /// Whole strides in so many bytes.
    pub(crate) const fn strides_in(self, bytes: u32) -> u32 {
        bytes >> (self.stride & 7)
    }

    /// Where a stride begins in its sector.
    pub(crate) const fn offset(self, stride: u16) -> u32 {
        (stride as u32) << (self.stride & 7)
    }

    /// Bytes in front of `offset` in its stride.
    pub(crate) const fn within(self, offset: u32) -> u32 {
        offset & self.stride().wrapping_sub(1)
    }

    /// The place at `offset`, or the one behind it where a fence is.
    pub(crate) const fn place(self, offset: u32) -> u32 {
        if self.within(offset) == 0 {
            offset.wrapping_add(self.unit())
        } else {
            offset
        }
    }

    /// Places of a stride: its units but the fence.
    pub(crate) const fn places(self) -> u32 {
        self.units(self.stride()).wrapping_sub(1)
    }

    /// Bytes of a body, in whole units: a payload of so many bytes and its check.
    pub(crate) const fn body(self, payload: usize) -> u32 {
        let bytes = (payload as u32).wrapping_add(CHECK_SIZE as u32);
        bytes.wrapping_add(self.unit()).wrapping_sub(1) & self.unit().wrapping_neg()
    }

    /// Strides of a record with a payload of so many bytes and room for `ticks`.
    #[inline(never)]
    pub(crate) const fn strides(&self, payload: usize, ticks: u32) -> u16 {
        let last = self.units(self.body(payload)).wrapping_add(ticks);
        match last.checked_div(self.places()) {
            Some(stride) => stride.wrapping_add(1) as u16,
            None => 0,
        }
    }

    /// Every bit programmed.
    pub(crate) const fn programmed(self) -> u8 {
        !self.erased
    }

    pub(crate) fn is_blank(self, bytes: &[u8]) -> bool {
        bytes.iter().all(|&byte| byte == self.erased)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{self, Run};

    #[test]
    fn records_take_the_strides_that_the_page_says() {
        let sized = |write| Grid::new(&Geometry::new("g", const { &[Run { count: 4, size: 2048 }] }, write));
        for (write, stride, places, state, checkpoint) in
            [(1, 64, 15, 2, 1), (4, 64, 15, 2, 1), (8, 64, 7, 2, 1), (16, 128, 7, 1, 1), (32, 128, 3, 2, 1)]
        {
            let grid = sized(write);
            assert_eq!((grid.stride(), grid.places()), (stride, places), "write unit {write}");
            assert_eq!((grid.strides(88, 0), grid.strides(44, 0)), (state, checkpoint), "write unit {write}");
        }
        let grid = Grid::new(&geometry::ESP8266_4M);
        assert_eq!((grid.place(60), grid.place(64), grid.place(68)), (60, 68, 68));
    }
}
