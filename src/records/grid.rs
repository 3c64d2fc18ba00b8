//! Where a record's units lie: strides, fences and places (`docs/records.md`, section 1).

use crate::geometry::Geometry;

/// Bytes of a check.
pub(crate) const CHECK_SIZE: usize = 4;

/// How a chip's sectors are cut for records. It follows from the chip alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    /// The unit as a power of two: 2 to 5.
    shift: u8,
    erased: u8,
}

impl Grid {
    pub(crate) const fn new(geometry: &Geometry) -> Self {
        let shift = geometry.write_unit().trailing_zeros() as u8;
        Self { shift: if shift < 2 { 2 } else { shift & 7 }, erased: geometry.erased() }
    }

    /// Bytes of a unit.
    pub(crate) const fn unit(self) -> u32 {
        1 << (self.shift & 7)
    }

    /// Whole units in so many bytes.
    pub(crate) const fn units(self, bytes: u32) -> u32 {
        bytes >> (self.shift & 7)
    }

    /// Bytes of a stride.
    pub(crate) const fn stride(self) -> u32 {
        if self.shift <= 3 {
            64
        } else {
            128
        }
    }

    /// Strides in so many bytes.
    pub(crate) const fn strides_in(self, bytes: u32) -> u32 {
        bytes >> if self.shift <= 3 { 6 } else { 7 }
    }

    /// Places of a stride: its units but the fence.
    pub(crate) const fn places(self) -> u32 {
        self.units(self.stride()).saturating_sub(1)
    }

    /// Places of a body: a payload of so many bytes and its check.
    pub(crate) const fn body(self, payload: usize) -> u32 {
        let bytes = (payload as u32).saturating_add(CHECK_SIZE as u32);
        self.units(bytes.saturating_add(self.unit().saturating_sub(1)))
    }

    /// Strides of a record with a payload of so many bytes and room for `ticks`.
    pub(crate) const fn strides(self, payload: usize, ticks: u32) -> u32 {
        let last = self.body(payload).saturating_add(ticks);
        let (stride, _) = self.place(last);
        stride.saturating_add(1)
    }

    /// The stride of a record's place, counted from the record's first, and its offset there in bytes.
    pub(crate) const fn place(self, place: u32) -> (u32, u32) {
        match (place.checked_div(self.places()), place.checked_rem(self.places())) {
            (Some(stride), Some(unit)) => (stride, unit.saturating_add(1).saturating_mul(self.unit())),
            _ => (0, 0),
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
        assert_eq!(Grid::new(&geometry::ESP8266_4M).place(16), (1, 8));
    }
}
