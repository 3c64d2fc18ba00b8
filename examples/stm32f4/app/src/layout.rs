//! Where everything lies. The build scripts read this file as well: linker scripts come from it.

use lockgate::{geometry, Layout};

/// As the tool's built-in board `stm32f405`: boot stage and records in the small sectors, slots and swap area in those of
/// 128 KiB; the sector of 64 KiB stays free.
pub const LAYOUT: Layout = Layout::new(&geometry::STM32F405)
    .boot(0..0x8000)
    .records(0x8000..0x1_0000)
    .slots(0x2_0000..0x8_0000, 0x8_0000..0xE_0000)
    .swap(0xE_0000..0x10_0000)
    .check();
