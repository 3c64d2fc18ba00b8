//! The update that is measured: what an application does with a package that arrives in pieces.

use core::hint::black_box;

use embedded_io::Write;
use lockgate::geometry::{Geometry, Run};
use lockgate::{Block, Device, FinalHash, KeySet, Layout, PublicKey, Sha256, Updater, Verified, Verify};

use crate::flash::{RamFlash, SECTOR, WORD};
use crate::ids::{CLASS, VENDOR};
use crate::inputs::{BLOCK_SIZE, KEY, PACKAGE};

/// Bytes in a piece, as a transport may bring them.
pub const PIECE: usize = 1024;

const SECTORS: u32 = 136;
const GEOMETRY: Geometry = Geometry::new("544 KiB of RAM", &[Run { count: SECTORS, size: SECTOR }], WORD);
/// 8 KiB for records, two slots that hold 256 KiB and a trailer.
const LAYOUT: Layout = Layout::new(&GEOMETRY).records(0..0x2000).slots(0x2000..0x4_3000, 0x4_3000..0x8_4000).check();

const KEYS: [PublicKey; 1] = [KEY];

/// The default: `finish` reads the slot back and hashes it once more.
pub const HASHED_TWICE: Device<'static> = Device::new(&LAYOUT, VENDOR, CLASS, KeySet::new(1, &KEYS));

/// The boot stage hashes the image before it first runs, so each byte is hashed once while it is installed.
pub const HASHED_ONCE: Device<'static> = HASHED_TWICE.final_hash(FinalHash::BootStage);

/// Of the same layout, with a key store behind the slots.
#[cfg(feature = "rotation")]
const ROTATING_LAYOUT: Layout = Layout::new(&GEOMETRY)
    .records(0..0x2000)
    .slots(0x2000..0x4_3000, 0x4_3000..0x8_4000)
    .keys(0x8_4000..0x8_7000)
    .check();
#[cfg(feature = "rotation")]
const ROTATING: Device<'static> = Device::new(&ROTATING_LAYOUT, VENDOR, CLASS, KeySet::new(1, &KEYS))
    .final_hash(FinalHash::BootStage)
    .rotate_keys(KeySet::new(1, &KEYS));

/// The memory that plays the flash.
#[repr(C, align(4))]
pub struct Cells([u8; (SECTORS * SECTOR) as usize]);

impl Cells {
    /// Of unknown content: no program brings bytes for them along.
    #[allow(clippy::new_without_default)] // a `static` cannot use it
    pub const fn new() -> Self {
        Self([0; (SECTORS * SECTOR) as usize])
    }

    /// Makes them blank, which is not part of what is measured.
    pub fn blank(&mut self) -> RamFlash<'_> {
        self.0.fill(0xFF);
        RamFlash(&mut self.0)
    }
}

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

/// The same with a payload that is decoded, into a device that runs [`BASE`](crate::inputs::BASE).
#[cfg(feature = "decode")]
#[inline(never)]
pub fn decode<V: Verify, H: Sha256>(
    flash: &mut RamFlash<'_>,
    block: &mut Block<BLOCK_SIZE>,
    workspace: &mut lockgate::Workspace<512>,
    verifier: V,
    package: &[u8],
) -> Option<Verified> {
    let running = lockgate::Running { image: Some(crate::inputs::BASE_DIGEST.into()), ..lockgate::Running::factory() };
    let mut updater = Updater::<_, V, _, H>::with_verifier(&HASHED_ONCE, flash, block, verifier)
        .workspace(workspace)
        .running(running);
    for piece in black_box(package).chunks(PIECE) {
        updater.write_all(piece).ok()?;
    }
    updater.finish().ok()
}

/// The same, of a device that rotates its keys.
#[cfg(feature = "rotation")]
#[inline(never)]
pub fn rotate<V: Verify, H: Sha256>(
    flash: &mut RamFlash<'_>,
    block: &mut Block<BLOCK_SIZE>,
    keyring: &mut lockgate::Keyring,
    verifier: V,
) -> Option<Verified> {
    let mut updater = Updater::<_, V, _, H>::with_verifier(&ROTATING, flash, block, verifier).keyring(keyring);
    for piece in black_box(&PACKAGE.0).chunks(PIECE) {
        updater.write_all(piece).ok()?;
    }
    updater.finish().ok()
}

/// Whether slot B holds the image that was decoded.
#[cfg(feature = "decode")]
pub fn installed(flash: &RamFlash<'_>) -> bool {
    let image = &crate::inputs::CODE.0;
    flash.0.get(0x4_3000..).and_then(|slot| slot.get(..image.len())) == Some(image)
}

/// Puts the image that runs into slot A.
#[cfg(feature = "decode")]
pub fn run_base(flash: &mut RamFlash<'_>) {
    let base = &crate::inputs::BASE.0;
    flash.0[0x2000..][..base.len()].copy_from_slice(base);
}
