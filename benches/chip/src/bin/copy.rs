//! What the flash in RAM costs: the image is erased, written and read back as an update does it, and not looked at.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use lockgate_chip_bench::flash::{Cells, RamFlash, SECTOR};
use lockgate_chip_bench::inputs::{IMAGE, IMAGE_SIZE};
use lockgate_chip_bench::rig::measure;

/// Bytes read back at once, as in lockgate's drivers.
const CHUNK: usize = 256;

#[entry]
fn main() -> ! {
    static mut CELLS: Cells = Cells::new();

    let mut flash = RamFlash(CELLS.blank());
    measure(|| copy(&mut flash).is_some())
}

fn copy(flash: &mut RamFlash<'_>) -> Option<()> {
    #[repr(C, align(4))]
    struct Chunk([u8; CHUNK]);
    let mut chunk = Chunk([0; CHUNK]);

    let mut at = 0;
    for block in black_box(&IMAGE.0).chunks(1024) {
        if at % SECTOR == 0 {
            flash.erase(at, at + SECTOR).ok()?;
        }
        flash.write(at, block).ok()?;
        for _ in 0..block.len() / CHUNK {
            flash.read(at, &mut chunk.0).ok()?;
            black_box(&chunk);
            at += CHUNK as u32;
        }
    }
    (at == IMAGE_SIZE as u32).then_some(())
}
