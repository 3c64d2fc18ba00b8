//! Where MCUboot keeps what, and how much room it takes.

use core::ops::Range;

/// Bytes of the magic (`BOOT_MAGIC_SZ`).
pub(super) const MAGIC_SIZE: usize = 16;

/// The alignment that MCUboot was built for (`MCUBOOT_BOOT_MAX_ALIGN`; `imgtool sign --max-align`): the
/// larger write size of the two slots, 8 at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MaxAlign {
    /// 8 bytes.
    Eight,
    /// 16 bytes.
    Sixteen,
    /// 32 bytes.
    ThirtyTwo,
}

/// A field of the trailer, by its distance from the magic.
#[derive(Clone, Copy)]
pub(super) enum Field {
    ImageOk = 1,
    CopyDone = 2,
    SwapInfo = 3,
}

impl MaxAlign {
    /// The alignment in bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        match self {
            Self::Eight => 8,
            Self::Sixteen => 16,
            Self::ThirtyTwo => 32,
        }
    }

    /// Bytes that the magic takes (`BOOT_MAGIC_ALIGN_SIZE`).
    const fn magic_area(self) -> u32 {
        match self {
            Self::Eight | Self::Sixteen => 16,
            Self::ThirtyTwo => 32,
        }
    }

    /// Bytes of all fields that this back end touches.
    pub(super) const fn fields(self) -> u32 {
        self.magic_area().saturating_add(self.bytes().saturating_mul(3))
    }

    /// The address of a field in the slot that ends at `end`.
    pub(super) const fn at(self, end: u32, field: Field) -> u32 {
        end.saturating_sub(self.magic_area()).saturating_sub(self.bytes().saturating_mul(field as u32))
    }

    /// What marks a trailer (`boot_img_magic`). Little endian, as the chips that MCUboot runs on.
    pub(super) const fn magic(self) -> [u8; MAGIC_SIZE] {
        let align = match self {
            Self::Eight => {
                return [0x77, 0xC2, 0x95, 0xF3, 0x60, 0xD2, 0xEF, 0x7F, 0x35, 0x52, 0x50, 0x0F, 0x2C, 0xB6, 0x79, 0x80]
            }
            Self::Sixteen => 16,
            Self::ThirtyTwo => 32,
        };
        [align, 0, 0x2D, 0xE1, 0x5D, 0x29, 0x41, 0x0B, 0x8D, 0x77, 0x67, 0x9C, 0x11, 0x0F, 0x1F, 0x8A]
    }
}

/// How MCUboot exchanges the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SwapMode {
    /// Through a scratch area (`MCUBOOT_SWAP_USING_SCRATCH`).
    Scratch,
    /// With one free sector in the primary slot (`MCUBOOT_SWAP_USING_MOVE`).
    Move,
    /// With the update one sector up in the secondary slot (`MCUBOOT_SWAP_USING_OFFSET`).
    Offset,
}

/// Bytes of MCUboot's trailer, progress of the swap included (source: `boot_trailer_sz` in
/// `bootutil_area.c`).
///
/// `write` is the larger write size of the two slots, and `max_sectors` is `MCUBOOT_MAX_IMG_SECTORS`.
/// `saved_key` is 0 unless images are encrypted: then the bytes of the key that MCUboot saves for each slot
/// (16 or 32), or, with `MCUBOOT_SWAP_SAVE_ENCTLV`, those of its TLV.
#[must_use]
pub const fn trailer_size(mode: SwapMode, align: MaxAlign, write: u32, max_sectors: u32, saved_key: u32) -> u32 {
    let (states, sizes) = match mode {
        SwapMode::Scratch | SwapMode::Move => (3, 4),
        SwapMode::Offset => (2, 5),
    };
    let key = saved_key.div_ceil(align.bytes()).saturating_mul(align.bytes());
    max_sectors
        .saturating_mul(states)
        .saturating_mul(write)
        .saturating_add(key.saturating_mul(2))
        .saturating_add(align.bytes().saturating_mul(sizes))
        .saturating_add(align.magic_area())
}

/// The range to give lockgate as its slot: the part of MCUboot's secondary slot that is clear of a trailer of
/// `trailer` bytes and of the sector that `mode` needs free. `sector` is the larger sector size at the ends of
/// the two slots, a power of two. If the primary slot is smaller than the secondary one, end `secondary` where the
/// primary one's size ends.
///
/// Whole sectors only, because lockgate erases its slot and [`withdraw`](crate::foreign::BootControl::withdraw) the rest. An
/// image of the largest size that lockgate accepts is one that MCUboot can swap (`app_max_size` in
/// `swap_scratch.c`, `swap_move.c`, `swap_offset.c`). Empty if nothing is left.
#[must_use]
pub const fn update_slot(secondary: Range<u32>, mode: SwapMode, trailer: u32, sector: u32) -> Range<u32> {
    let edge = secondary.end.saturating_sub(trailer) & !sector.saturating_sub(1);
    let (start, end) = match mode {
        SwapMode::Scratch => (secondary.start, edge),
        SwapMode::Move => (secondary.start, edge.saturating_sub(sector)),
        SwapMode::Offset => (secondary.start.saturating_add(sector), edge),
    };
    start..if start < end { end } else { start }
}
