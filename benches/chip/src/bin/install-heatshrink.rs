//! A whole update whose image is compressed.
#![no_std]
#![no_main]

use lockgate::{Block, Sha2, Workspace, P256};
use lockgate_chip_bench::inputs::{BLOCK_SIZE, HEATSHRINK};
use lockgate_chip_bench::program;
use lockgate_chip_bench::rig::measure;
use lockgate_chip_bench::update::{decode, installed, Cells};

program!(|cells: Cells, block: Block<BLOCK_SIZE>, workspace: Workspace<512>| {
    let mut flash = cells.blank();
    measure(|| decode::<_, Sha2>(&mut flash, block, workspace, P256, &HEATSHRINK.0).is_some()) && installed(&flash)
});
