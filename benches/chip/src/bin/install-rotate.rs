//! A whole update, of a device that rotates its keys.
#![no_std]
#![no_main]

use lockgate::{Block, Keyring, Sha2, P256};
use lockgate_chip_bench::inputs::BLOCK_SIZE;
use lockgate_chip_bench::program;
use lockgate_chip_bench::rig::measure;
use lockgate_chip_bench::update::{rotate, Cells};

program!(|cells: Cells, block: Block<BLOCK_SIZE>, keyring: Keyring| {
    let mut flash = cells.blank();
    measure(|| rotate::<_, Sha2>(&mut flash, block, keyring, P256).is_some())
});
