//! What the device is: layout, names, keys.

use lockgate::{geometry, Device, KeySet, Layout, PublicKey, Slot, Uuid};

// `const KEYS: KeySet` and `const ROTATE_KEYS: KeySet`, as `lockgate keys inspect --rust` writes them: see build.rs.
include!(concat!(env!("OUT_DIR"), "/keys.rs"));

/// 4 MiB. The cache shows one whole megabyte at 0x40200000, so each slot is one, and one link address serves both; boot stage,
/// records and key store share the first. A module with 1 MiB of flash has no room for this. The fourth megabyte is the application's, its
/// last 20 KiB the vendor SDK's (ESP8266 SDK Getting Started Guide, section 4.1).
const LAYOUT: Layout = Layout::new(&geometry::ESP8266_4M)
    .boot(0..0x1_0000)
    .records(0x1_0000..0x1_8000)
    .keys(0x1_8000..0x1_B000)
    .slots(0x10_0000..0x20_0000, 0x20_0000..0x30_0000)
    .check();

/// Bytes of the largest image.
pub const IMAGE_CAPACITY: u32 = LAYOUT.capacity();

const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
const CLASS: Uuid = Uuid::new("e5b82660-4d1c-4f7e-9b3a-51c7d0a86f12");

/// This device. Rooted, or the boot stage that checks signatures would believe whatever keys somebody wrote into the key store.
pub const DEVICE: Device<'static> = Device::new(&LAYOUT, VENDOR, CLASS, KEYS).rotate_keys(ROTATE_KEYS).rooted();

/// What the ROM's `Cache_Read_Enable` is told to show of `slot`: bit 20 of the flash address, and bits 21 to 23.
#[must_use]
pub const fn window(slot: Slot) -> (u32, u32) {
    let address = LAYOUT.slot_range(slot).start;
    (address >> 20 & 1, address >> 21)
}
