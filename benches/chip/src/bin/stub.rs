//! An update without cryptography, for its size alone: it is not run, and would end with a refusal.
#![no_std]
#![no_main]

use core::hint::black_box;

use lockgate::{Block, Digest, PublicKey, Sha256, Verify};
use lockgate_chip_bench::inputs::BLOCK_SIZE;
use lockgate_chip_bench::program;
use lockgate_chip_bench::rig::measure;
use lockgate_chip_bench::update::{install, Cells, HASHED_ONCE};

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

program!(|cells: Cells, block: Block<BLOCK_SIZE>| {
    let mut flash = cells.blank();
    measure(|| install::<_, OpaqueHash>(&HASHED_ONCE, &mut flash, block, Opaque).is_some())
});
