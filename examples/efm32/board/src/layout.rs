//! Where everything lies. The build scripts read this file as well: linker scripts come from it.

use lockgate::{geometry, Layout};

/// As the tool's built-in board `efm32wg`.
pub const LAYOUT: Layout = Layout::new(&geometry::EFM32WG)
    .boot(0..0x8000)
    .records(0x8000..0xA000)
    .slots(0xA000..0x2_4000, 0x2_4000..0x3_E000)
    .swap(0x3_E000..0x4_0000)
    .check();
