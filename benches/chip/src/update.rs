//! The update that is measured: what an application does with a package that arrives in pieces.

use core::hint::black_box;

use embedded_io::Write;
use lockgate::{Block, Device, FinalHash, KeySet, Layout, PublicKey, Sha256, Updater, Uuid, Verified, Verify};

use crate::flash::{RamFlash, GEOMETRY};
use crate::inputs::{BLOCK_SIZE, KEY, PACKAGE};

/// Bytes in a piece, as a transport may bring them.
pub const PIECE: usize = 1024;

/// 8 KiB for records, two slots that hold 256 KiB and a trailer.
const LAYOUT: Layout = Layout::new(&GEOMETRY).records(0..0x2000).slots(0x2000..0x4_3000, 0x4_3000..0x8_4000).check();

const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
const CLASS: Uuid = Uuid::new("5f0a1c9e-7b42-4e36-9c58-2d1be07a6f43");
const KEYS: [PublicKey; 1] = [KEY];

/// The default: `finish` reads the slot back and hashes it once more.
pub const HASHED_TWICE: Device<'static> = Device::new(&LAYOUT, VENDOR, CLASS, KeySet::new(1, &KEYS));

/// The boot stage hashes the image before it first runs, so each byte is hashed once while it is installed.
pub const HASHED_ONCE: Device<'static> = HASHED_TWICE.final_hash(FinalHash::BootStage);

/// Manifest, signature, chain, writes, read-back, records.
#[inline(never)]
pub fn install<V: Verify, H: Sha256>(
    device: &'static Device<'static>,
    flash: &mut RamFlash<'_>,
    block: &mut Block<BLOCK_SIZE>,
    verifier: V,
) -> Option<Verified> {
    let mut updater = Updater::<_, V, _, H>::with_verifier(device, flash, block, verifier);
    for piece in black_box(&PACKAGE.0).chunks(PIECE) {
        updater.write_all(piece).ok()?;
    }
    updater.finish().ok()
}
