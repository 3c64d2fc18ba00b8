//! A whole update, each byte hashed once, and its use at the next reset recorded: what embassy-boot does in `embassy`.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use lockgate::{Block, Control, Device, Sha2, P256};
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
    measure(|| {
        let Some(verified) = install::<P256, Sha2>(&DEVICE, &mut flash, BLOCK, P256) else { return false };
        Control::new(&DEVICE, flash).try_next(verified).is_ok()
    })
}
