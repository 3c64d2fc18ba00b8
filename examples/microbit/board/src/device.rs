//! What the device is: layout, names, keys.

use core::ops::Range;

use lockgate::{geometry, Device, KeySet, Layout, PublicKey, Slot, Uuid};

// `const KEYS: KeySet`, as `lockgate keygen --print` writes it: see build.rs.
include!(concat!(env!("OUT_DIR"), "/keys.rs"));

/// As the tool's built-in `nrf51`. Images run in slot A, where they are linked to (`app/memory.x`); updates are written to slot B, and the boot
/// stage exchanges the two.
#[cfg(not(feature = "large-boot"))]
const LAYOUT: Layout = Layout::new(&geometry::NRF51822)
    .boot(0..0x8000)
    .records(0x8000..0x9000)
    .slots(0x9000..0x2_3800, 0x2_3800..0x3_E000)
    .swap(0x3_E000..0x4_0000)
    .check();

/// As `../../large-boot.toml`: slots of 102 KiB.
#[cfg(feature = "large-boot")]
const LAYOUT: Layout = Layout::new(&geometry::NRF51822)
    .boot(0..0xA000)
    .records(0xA000..0xB000)
    .slots(0xB000..0x2_4800, 0x2_4800..0x3_E000)
    .swap(0x3_E000..0x4_0000)
    .check();

/// Where images run. Flash is at 0 in the processor's address space, so offsets in flash are addresses.
pub const SLOT_A: Range<u32> = LAYOUT.slot_range(Slot::A);

/// The chip's RAM: 16 KiB.
pub const RAM: Range<u32> = 0x2000_0000..0x2000_4000;

const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
const CLASS: Uuid = Uuid::new("3d7c1f58-0b62-4e0d-a1d4-92f6c85b7e31");

/// This device.
pub const DEVICE: Device<'static> =
    Device::new(&LAYOUT, VENDOR, CLASS, KEYS).load_addresses(SLOT_A.start, SLOT_A.start);
