//! Where everything lies in flash, checked while the program compiles.
//!
//! ```
//! use lockgate::{geometry, Layout};
//!
//! const LAYOUT: Layout = Layout::new(&geometry::STM32F405)
//!     .boot(0..0x8000)
//!     .records(0x8000..0x1_0000)
//!     .slots(0x2_0000..0x8_0000, 0x8_0000..0xE_0000)
//!     .swap(0xE_0000..0x10_0000)
//!     .check();
//! assert_eq!(LAYOUT.capacity(), 0x6_0000 - 1024);
//! ```
//!
//! An overlap, an edge inside a sector or a slot off the chip does not compile:
//!
//! ```compile_fail
//! use lockgate::{geometry, Layout};
//! const LAYOUT: Layout = Layout::new(&geometry::STM32F405)
//!     .records(0x8000..0x1_0000)
//!     .slots(0x2_0000..0x8_0000, 0x7_0000..0xE_0000)
//!     .check();
//! ```

use core::ops::Range;

use crate::geometry::{Geometry, Sector};
use crate::wire::TRAILER_SIZE;

/// Bytes of the record log that are erased together at the least: where sectors are smaller, several at once.
pub(crate) const LOG_PAGE: u32 = 1024;

/// One of the two places an image can lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Slot {
    /// The first slot; with swap or another bootloader the one that runs.
    A,
    /// The second slot; with swap or another bootloader the one that receives.
    B,
}

impl Slot {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl core::fmt::Display for Slot {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// How a new image comes to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Strategy {
    /// Images run where they are (executed in place or remapped); the boot stage picks a slot.
    Select,
    /// Images run in slot A; the boot stage exchanges the slots through a swap area.
    Swap,
    /// Images run in slot A; another bootloader brings them there from slot B, and back ([`foreign`](crate::foreign)).
    Foreign,
}

/// The regions of a flash: boot stage, records, two slots, swap area. One exists only if it was checked; make
/// it in a `const`, see the [module](self).
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    geometry: &'static Geometry,
    boot: (u32, u32),
    records: (u32, u32),
    slots: [(u32, u32); 2],
    swap: (u32, u32),
    keys: (u32, u32),
    foreign: bool,
}

/// A layout that is not checked yet.
#[derive(Clone, Copy, Debug)]
#[must_use = "a layout is of use only after `check()`"]
pub struct LayoutBuilder(Layout);

impl LayoutBuilder {
    /// The boot stage; lockgate never writes there.
    pub const fn boot(mut self, range: Range<u32>) -> Self {
        self.0.boot = (range.start, range.end);
        self
    }

    /// The record log: at least two sectors, and 2048 bytes. All sectors of it are used in turn, which spreads the wear.
    pub const fn records(mut self, range: Range<u32>) -> Self {
        self.0.records = (range.start, range.end);
        self
    }

    /// The two slots. Each holds an image and, in its last 1024 bytes, the trailer.
    pub const fn slots(mut self, a: Range<u32>, b: Range<u32>) -> Self {
        self.0.slots = [(a.start, a.end), (b.start, b.end)];
        self
    }

    /// The swap area, one sector of the slots' size (more are not used); naming one chooses [`Strategy::Swap`].
    pub const fn swap(mut self, range: Range<u32>) -> Self {
        self.0.swap = (range.start, range.end);
        self
    }

    /// The key store of a device that [rotates its keys](crate::Device::rotate_keys): three sectors or, where they are smaller than
    /// 1024 bytes, 3072 bytes. More are not used.
    pub const fn keys(mut self, range: Range<u32>) -> Self {
        self.0.keys = (range.start, range.end);
        self
    }

    /// Another bootloader starts the images; chooses [`Strategy::Foreign`]. Slot A is where it starts them, as much of it as
    /// an image may fill (lockgate keeps no trailer there), slot B what it leaves to an update: `update_slot` of
    /// [`embassy_boot`](crate::foreign::embassy_boot::update_slot) or [`mcuboot`](crate::foreign::mcuboot::update_slot).
    pub const fn foreign(mut self) -> Self {
        self.0.foreign = true;
        self
    }

    /// Looks the layout over.
    ///
    /// # Panics
    ///
    /// In a `const`, these do not compile: a region that is reversed, off the flash, not on sector edges, or
    /// over another; slots or records that are missing; records of one sector or, where sectors have less than 1024 bytes, of
    /// less than 2048, of no whole 1024 or of unequal sectors; a slot without room for its trailer; a key store of fewer than three
    /// places or of unequal sectors; with a swap area, slots that differ in size or have mixed sectors, or a swap area of other
    /// sectors; a swap area for another bootloader.
    pub const fn check(self) -> Layout {
        self.0.checked()
    }
}

impl Layout {
    /// Begins a layout on `geometry`; name the regions next, then [`check`](LayoutBuilder::check) them.
    #[allow(clippy::new_ret_no_self)] // what is not checked is no layout
    pub const fn new(geometry: &'static Geometry) -> LayoutBuilder {
        LayoutBuilder(Self {
            geometry,
            boot: (0, 0),
            records: (0, 0),
            slots: [(0, 0); 2],
            swap: (0, 0),
            keys: (0, 0),
            foreign: false,
        })
    }

    const fn checked(self) -> Self {
        let regions = [self.boot, self.records, self.slots[0], self.slots[1], self.swap, self.keys];
        let mut i = 0;
        while i < regions.len() {
            let (start, end) = regions[i];
            assert!(start <= end, "a region ends before it starts");
            assert!(end <= self.geometry.capacity(), "a region lies beyond the end of the flash");
            assert!(
                self.geometry.is_edge(start) && self.geometry.is_edge(end),
                "a region does not begin and end on sector edges"
            );
            let mut j = 0;
            while j < i {
                let (other_start, other_end) = regions[j];
                assert!(
                    start == end || other_start == other_end || end <= other_start || other_end <= start,
                    "two regions overlap"
                );
                j += 1;
            }
            i += 1;
        }
        assert!(self.records.0 < self.records.1, "a layout needs records");
        let first = self.sector_size(self.records.0);
        if self.smallest(self.records) < LOG_PAGE {
            assert!(self.uniform(self.records), "records need equal sectors where they are smaller than 1024 bytes");
            assert!(
                (self.records.1 - self.records.0).is_multiple_of(LOG_PAGE),
                "records need whole 1024 bytes where sectors are smaller"
            );
            assert!(2 * LOG_PAGE <= self.records.1 - self.records.0, "records need at least 2048 bytes");
        }
        if self.keys.0 < self.keys.1 {
            assert!(self.uniform(self.keys), "a key store needs equal sectors");
            let size = self.sector_size(self.keys.0);
            let place = if size < LOG_PAGE { LOG_PAGE } else { size };
            assert!(place.is_multiple_of(size), "a key store needs sectors of a power of two");
            assert!(3 * place <= self.keys.1 - self.keys.0, "a key store needs three places");
        }
        assert!(first < self.records.1 - self.records.0, "records need at least two sectors");
        assert!(self.slots[0].1 - self.slots[0].0 > TRAILER_SIZE, "slot A is missing or has no room for its trailer");
        assert!(self.slots[1].1 - self.slots[1].0 > TRAILER_SIZE, "slot B is missing or has no room for its trailer");
        assert!(!self.foreign || self.swap.0 == self.swap.1, "another bootloader does not use lockgate's swap area");
        if self.swap.0 < self.swap.1 {
            let a = self.slots[0];
            let b = self.slots[1];
            assert!(a.1 - a.0 == b.1 - b.0, "a swap needs slots of the same size");
            assert!(
                self.uniform(a) && self.uniform(b),
                "a swap needs slots of equal sectors: mixed-sector chips swap in their uniform run only"
            );
            assert!(self.sector_size(a.0) == self.sector_size(b.0), "a swap needs the same sector size in both slots");
            assert!(
                self.sector_size(self.swap.0) == self.sector_size(a.0),
                "the swap area needs sectors of the slots' size"
            );
            assert!((a.1 - a.0) / self.sector_size(a.0) <= 0x4000, "a swap exchanges 16384 sectors at most");
        }
        self
    }

    const fn uniform(&self, (start, end): (u32, u32)) -> bool {
        let size = self.sector_size(start);
        let mut address = start;
        while address < end {
            if self.sector_size(address) != size {
                return false;
            }
            address += size;
        }
        true
    }

    /// Bytes of the smallest sector in a region.
    const fn smallest(&self, (start, end): (u32, u32)) -> u32 {
        let mut least = self.sector_size(start);
        let mut address = start;
        while address < end {
            let size = self.sector_size(address);
            if size < least {
                least = size;
            }
            address += size;
        }
        least
    }

    const fn sector_size(&self, address: u32) -> u32 {
        match self.geometry.sector(address) {
            Some(sector) => sector.size,
            None => 0,
        }
    }

    /// The chip.
    #[must_use]
    pub const fn geometry(&self) -> &'static Geometry {
        self.geometry
    }

    /// Addresses of the boot stage; empty if none was named.
    #[must_use]
    pub const fn boot_range(&self) -> Range<u32> {
        self.boot.0..self.boot.1
    }

    /// Addresses of the record log.
    #[must_use]
    pub const fn records_range(&self) -> Range<u32> {
        self.records.0..self.records.1
    }

    /// Addresses of a slot, trailer included if it has one.
    #[must_use]
    pub const fn slot_range(&self, slot: Slot) -> Range<u32> {
        let (start, end) = match slot {
            Slot::A => self.slots[0],
            Slot::B => self.slots[1],
        };
        start..end
    }

    /// Addresses of the swap area; empty but for [`Strategy::Swap`].
    #[must_use]
    pub const fn swap_range(&self) -> Range<u32> {
        self.swap.0..self.swap.1
    }

    /// Addresses of the key store; empty if none was named.
    #[must_use]
    pub const fn keys_range(&self) -> Range<u32> {
        self.keys.0..self.keys.1
    }

    /// The first address of a place of the key store, of 1 to 3 (`docs/keys.md`, section 1); none of another, or without a key
    /// store.
    #[cfg(feature = "rotation")]
    #[must_use]
    pub const fn key_place(&self, place: u8) -> Option<u32> {
        if place == 0 || place > 3 || self.keys.0 >= self.keys.1 {
            return None;
        }
        let size = self.sector_size(self.keys.0);
        let size = if size < LOG_PAGE { LOG_PAGE } else { size };
        Some(self.keys.0 + (place as u32 - 1) * size)
    }

    /// How a new image comes to run.
    #[must_use]
    pub const fn strategy(&self) -> Strategy {
        if self.foreign {
            Strategy::Foreign
        } else if self.swap.0 < self.swap.1 {
            Strategy::Swap
        } else {
            Strategy::Select
        }
    }

    /// The slot an update is written to while `running` runs.
    #[must_use]
    pub const fn target(&self, running: Slot) -> Slot {
        match self.strategy() {
            Strategy::Select => running.other(),
            Strategy::Swap | Strategy::Foreign => Slot::B,
        }
    }

    /// Bytes of the largest image that fits either slot.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        let a = self.slot_capacity(Slot::A);
        let b = self.slot_capacity(Slot::B);
        if a < b {
            a
        } else {
            b
        }
    }

    /// Bytes of the largest image that fits `slot`: all of it but the trailer. Slot A of another bootloader has none.
    #[must_use]
    pub const fn slot_capacity(&self, slot: Slot) -> u32 {
        let range = self.slot_range(slot);
        let trailer = if self.foreign && matches!(slot, Slot::A) { 0 } else { TRAILER_SIZE };
        range.end.saturating_sub(range.start).saturating_sub(trailer)
    }

    /// The sector that holds `address`; beyond the end an empty one, so that no loop over sectors can run on.
    #[inline(never)] // it is asked for in many places
    pub(crate) const fn sector(&self, address: u32) -> Sector {
        match self.geometry.sector(address) {
            Some(sector) => sector,
            None => Sector { start: address, size: 0 },
        }
    }
}
