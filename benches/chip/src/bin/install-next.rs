//! A whole update, each byte hashed once, and its use at the next reset recorded: what embassy-boot does in `embassy`.
#![no_std]
#![no_main]

use lockgate::{Block, Control, Sha2, P256};
use lockgate_chip_bench::inputs::BLOCK_SIZE;
use lockgate_chip_bench::program;
use lockgate_chip_bench::rig::measure;
use lockgate_chip_bench::update::{install, Cells, HASHED_ONCE};

program!(|cells: Cells, block: Block<BLOCK_SIZE>| {
    let mut flash = cells.blank();
    measure(|| {
        let Some(verified) = install::<_, Sha2>(&HASHED_ONCE, &mut flash, block, P256) else { return false };
        Control::new(&HASHED_ONCE, flash).try_next(verified).is_ok()
    })
});
