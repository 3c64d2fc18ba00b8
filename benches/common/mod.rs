//! What the host's benches share: an image, its package, the device that takes it, and a flash that costs next to nothing.
#![allow(unreachable_pub)]

use embedded_storage::nor_flash::NorFlashErrorKind;
use lockgate::geometry::{Geometry, Run};
use lockgate::pack::{Package, Signer};
use lockgate::{Block, Device, FinalHash, KeySet, Layout, PublicKey, Updater, Verified, Verify};

mod flash;
mod ids;
mod inputs;

use flash::{RamFlash, SECTOR, WORD};
use ids::{CLASS, VENDOR};
use inputs::{noise, update, Known};

/// Bytes of a block.
pub const BLOCK: usize = 4096;
/// Bytes in a piece, as a transport may bring them.
const PIECE: usize = 4096;

const RECORDS: u32 = 2 * SECTOR;
/// Room for 16 MiB and the trailer.
const SLOT: u32 = (16 << 20) + SECTOR;
const SIZE: u32 = RECORDS + 2 * SLOT;

const GEOMETRY: Geometry = Geometry::new("32 MiB of RAM", &[Run { count: SIZE / SECTOR, size: SECTOR }], WORD);
static LAYOUT: Layout =
    Layout::new(&GEOMETRY).records(0..RECORDS).slots(RECORDS..RECORDS + SLOT, RECORDS + SLOT..SIZE).check();

/// Everything an install needs.
pub struct Bench {
    pub image: Vec<u8>,
    pub package: Package,
    pub key: PublicKey,
    memory: Vec<u8>,
}

impl Bench {
    /// An image of `size` bytes without a pattern, and its package.
    pub fn new(size: usize) -> Self {
        let image = noise(size);
        let mut key = Known::new();
        let package = update(BLOCK as u32).build(&image, &mut [&mut key]).expect("an image that can be packed");
        Self { image, package, key: key.public_key(), memory: vec![0xFF; SIZE as usize] }
    }

    /// Installs it into a device fresh from the factory, whose boot stage hashes it: here each byte is hashed once.
    pub fn install(&mut self, verifier: impl Verify) -> Verified {
        // Without records nothing is known of the install before.
        self.memory[..RECORDS as usize].fill(0xFF);
        let keys = [self.key];
        let device = Device::new(&LAYOUT, VENDOR, CLASS, KeySet::new(1, &keys)).final_hash(FinalHash::BootStage);
        let mut block = Block::<BLOCK>::new();
        let mut updater: Updater<'_, _, _> =
            Updater::with_verifier(&device, RamFlash(&mut self.memory), &mut block, verifier);
        for piece in self.package.bytes().chunks(PIECE) {
            embedded_io::Write::write_all(&mut updater, piece).expect("a good package is taken");
        }
        updater.finish().expect("a good package is complete")
    }
}

/// What that flash costs by itself.
#[allow(dead_code)] // of use to one of them
pub fn copy(bench: &mut Bench) -> Result<(), NorFlashErrorKind> {
    flash::copy(&mut RamFlash(&mut bench.memory), &bench.image, RECORDS + SLOT, BLOCK)
}
