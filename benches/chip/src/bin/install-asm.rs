//! A whole update, each byte hashed once, the signature checked in assembly.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use lockgate::{Block, Device, Sha2};
use lockgate_chip_bench::cm4::Cm4;
use lockgate_chip_bench::flash::{Cells, RamFlash};
use lockgate_chip_bench::rig::measure;
use lockgate_chip_bench::update::{install, HASHED_ONCE};

const DEVICE: Device<'static> = HASHED_ONCE;

#[entry]
fn main() -> ! {
    static mut CELLS: Cells = Cells::new();
    static mut BLOCK: Block<1024> = Block::new();

    let mut flash = RamFlash(CELLS.blank());
    measure(|| install::<Cm4, Sha2>(&DEVICE, &mut flash, BLOCK, Cm4).is_some())
}
