//! A whole update, the slot hashed once more when it is complete: the default.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use lockgate::{Block, Device, Sha2, P256};
use lockgate_chip_bench::flash::{Cells, RamFlash};
use lockgate_chip_bench::inputs::BLOCK_SIZE;
use lockgate_chip_bench::rig::measure;
use lockgate_chip_bench::update::{install, HASHED_TWICE};

const DEVICE: Device<'static> = HASHED_TWICE;

#[entry]
fn main() -> ! {
    static mut CELLS: Cells = Cells::new();
    static mut BLOCK: Block<BLOCK_SIZE> = Block::new();

    let mut flash = RamFlash(CELLS.blank());
    measure(|| install::<P256, Sha2>(&DEVICE, &mut flash, BLOCK, P256).is_some())
}
