//! An update without cryptography, for its size alone: it is not run, and would end with a refusal.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use lockgate::{Block, Device, Digest, PublicKey, Sha256, Verify};
use lockgate_chip_bench::flash::{Cells, RamFlash};
use lockgate_chip_bench::inputs::BLOCK_SIZE;
use lockgate_chip_bench::rig::measure;
use lockgate_chip_bench::update::{install, HASHED_ONCE};

const DEVICE: Device<'static> = HASHED_ONCE;

/// In place of signatures. The compiler must not know what it says.
struct Opaque;

impl Verify for Opaque {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        black_box((key, digest, signature));
        black_box(true)
    }
}

/// In place of SHA-256: the smallest thing that depends on every call.
struct OpaqueHash(u32);

impl Sha256 for OpaqueHash {
    fn new() -> Self {
        Self(black_box(0))
    }

    fn update(&mut self, bytes: &[u8]) {
        black_box((&mut self.0, bytes));
    }

    fn finish(self) -> Digest {
        black_box(Digest([0; 32]))
    }
}

#[entry]
fn main() -> ! {
    static mut CELLS: Cells = Cells::new();
    static mut BLOCK: Block<BLOCK_SIZE> = Block::new();

    let mut flash = RamFlash(CELLS.blank());
    measure(|| install::<Opaque, OpaqueHash>(&DEVICE, &mut flash, BLOCK, Opaque).is_some())
}
