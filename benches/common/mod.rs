//! What the host's benches share: an image, its package, the device that takes it, and a flash that costs next to nothing.
#![allow(unreachable_pub)]

use std::error::Error;
use std::hint::black_box;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
use lockgate::geometry::{Geometry, Run};
use lockgate::pack::{Package, Signer, Update};
use lockgate::{Block, Device, Digest, FinalHash, KeySet, Layout, PublicKey, Updater, Uuid, Verified, Verify, Version};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};

/// Bytes of a block.
pub const BLOCK: usize = 4096;
/// Bytes in a piece, as a transport may bring them.
const PIECE: usize = 4096;
/// Bytes read back at once, as in lockgate's drivers.
#[allow(dead_code)]
const CHUNK: usize = 256;

const SECTOR: u32 = 4096;
const RECORDS: u32 = 2 * SECTOR;
/// Room for 16 MiB and the trailer.
const SLOT: u32 = (16 << 20) + SECTOR;
const SIZE: u32 = RECORDS + 2 * SLOT;

const GEOMETRY: Geometry = Geometry::new("32 MiB of RAM", &[Run { count: SIZE / SECTOR, size: SECTOR }], 4);
static LAYOUT: Layout =
    Layout::new(&GEOMETRY).records(0..RECORDS).slots(RECORDS..RECORDS + SLOT, RECORDS + SLOT..SIZE).check();

const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
const CLASS: Uuid = Uuid::new("5f0a1c9e-7b42-4e36-9c58-2d1be07a6f43");

/// Everything an install needs.
pub struct Bench {
    pub image: Vec<u8>,
    pub package: Package,
    pub key: PublicKey,
    memory: Vec<u8>,
}

impl Bench {
    /// An image of `size` bytes without a pattern, and its package. Always the same, so that two runs can be compared.
    pub fn new(size: usize) -> Self {
        let image = noise(size);
        let mut key = Known(SigningKey::from_slice(&[0x42; 32]).expect("a scalar below the order of the curve"));
        let package = Update::new(VENDOR, CLASS, Version::new(1, 2, 3, 0), 7)
            .block_size(BLOCK as u32)
            .and_then(|update| update.build(&image, &mut [&mut key]))
            .expect("an image that can be packed");
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
            Updater::with_verifier(&device, MemoryFlash(&mut self.memory), &mut block, verifier);
        for piece in self.package.bytes().chunks(PIECE) {
            embedded_io::Write::write_all(&mut updater, piece).expect("a good package is taken");
        }
        updater.finish().expect("a good package is complete")
    }
}

/// What that flash costs by itself: the image is erased, written and read back as an update does it, and not looked at.
#[allow(dead_code)] // of use to one of them
pub fn copy(bench: &mut Bench) -> Result<(), NorFlashErrorKind> {
    let mut chunk = [0; CHUNK];
    let mut flash = MemoryFlash(&mut bench.memory);
    for (block, at) in bench.image.chunks(BLOCK).zip((RECORDS + SLOT..).step_by(BLOCK)) {
        flash.erase(at, at + SECTOR)?;
        flash.write(at, block)?;
        for at in (at..at + block.len() as u32).step_by(CHUNK) {
            flash.read(at, &mut chunk)?;
            black_box(&chunk);
        }
    }
    Ok(())
}

/// Bytes without a pattern: xorshift32 (Marsaglia, "Xorshift RNGs", 2003).
fn noise(size: usize) -> Vec<u8> {
    let mut state: u32 = 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()[0]
    };
    (0..size).map(|_| next()).collect()
}

/// Signs with a private key that everybody knows. Nothing but the benches trusts it.
struct Known(SigningKey);

impl Signer for Known {
    fn public_key(&self) -> PublicKey {
        let point = self.0.verifying_key().to_encoded_point(false);
        let mut bytes = [0; 64];
        bytes.copy_from_slice(&point.as_bytes()[1..]);
        PublicKey(bytes)
    }

    fn sign(&mut self, digest: &Digest) -> Result<[u8; 64], Box<dyn Error + Send + Sync>> {
        let signature: Signature = self.0.sign_prehash(&digest.0)?;
        Ok(signature.to_bytes().into())
    }
}

/// A flash in plain memory: checks bounds, and nothing else.
struct MemoryFlash<'m>(&'m mut [u8]);

impl MemoryFlash<'_> {
    fn part(&mut self, from: u32, len: usize) -> Result<&mut [u8], NorFlashErrorKind> {
        let rest = self.0.get_mut(from as usize..).ok_or(NorFlashErrorKind::OutOfBounds)?;
        rest.get_mut(..len).ok_or(NorFlashErrorKind::OutOfBounds)
    }
}

impl ErrorType for MemoryFlash<'_> {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for MemoryFlash<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        bytes.copy_from_slice(self.part(offset, bytes.len())?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for MemoryFlash<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        self.part(from, to.saturating_sub(from) as usize)?.fill(0xFF);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        self.part(offset, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }
}
