//! A whole update, the slot hashed once more when it is complete: the default.
#![no_std]
#![no_main]

use lockgate::{Block, Sha2, P256};
use lockgate_chip_bench::inputs::BLOCK_SIZE;
use lockgate_chip_bench::program;
use lockgate_chip_bench::rig::measure;
use lockgate_chip_bench::update::{install, Cells, HASHED_TWICE};

program!(|cells: Cells, block: Block<BLOCK_SIZE>| {
    let mut flash = cells.blank();
    measure(|| install::<_, Sha2>(&HASHED_TWICE, &mut flash, block, P256).is_some())
});
