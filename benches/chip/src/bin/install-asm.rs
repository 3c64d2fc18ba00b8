//! A whole update, each byte hashed once, the signature checked in assembly.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use lockgate::{Block, Device, P256CortexM4, Sha2};
use lockgate_chip_bench::flash::{Cells, RamFlash};
use lockgate_chip_bench::inputs::BLOCK_SIZE;
use lockgate_chip_bench::rig::measure;
use lockgate_chip_bench::update::{install, HASHED_ONCE};

const DEVICE: Device<'static> = HASHED_ONCE;

#[entry]
fn main() -> ! {
    static mut CELLS: Cells = Cells::new();
    static mut BLOCK: Block<BLOCK_SIZE> = Block::new();

    let mut flash = RamFlash(CELLS.blank());
    measure(|| install::<P256CortexM4, Sha2>(&DEVICE, &mut flash, BLOCK, P256CortexM4).is_some())
}
