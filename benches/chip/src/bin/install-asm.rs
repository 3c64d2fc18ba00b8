//! A whole update, each byte hashed once, the signature checked in assembly.
#![no_std]
#![no_main]

use lockgate::{Block, P256CortexM4, Sha2};
use lockgate_chip_bench::inputs::BLOCK_SIZE;
use lockgate_chip_bench::program;
use lockgate_chip_bench::rig::measure;
use lockgate_chip_bench::update::{install, Cells, HASHED_ONCE};

program!(|cells: Cells, block: Block<BLOCK_SIZE>| {
    let mut flash = cells.blank();
    measure(|| install::<_, Sha2>(&HASHED_ONCE, &mut flash, block, P256CortexM4).is_some())
});
