//! A whole update that is a patch of the image that runs, compressed.
#![no_std]
#![no_main]

use lockgate::{Block, Sha2, Workspace, P256};
use lockgate_chip_bench::inputs::{BLOCK_SIZE, DELTA};
use lockgate_chip_bench::program;
use lockgate_chip_bench::rig::measure;
use lockgate_chip_bench::update::{decode, installed, run_base, Cells};

program!(|cells: Cells, block: Block<BLOCK_SIZE>, workspace: Workspace<512>| {
    let mut flash = cells.blank();
    run_base(&mut flash);
    measure(|| decode::<_, Sha2>(&mut flash, block, workspace, P256, &DELTA.0).is_some()) && installed(&flash)
});
