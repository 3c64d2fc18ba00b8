//! What the flash in RAM costs.
#![no_std]
#![no_main]

use lockgate_chip_bench::flash::copy;
use lockgate_chip_bench::inputs::IMAGE;
use lockgate_chip_bench::program;
use lockgate_chip_bench::rig::measure;
use lockgate_chip_bench::update::Cells;

program!(|cells: Cells| {
    let mut flash = cells.blank();
    measure(|| copy(&mut flash, &IMAGE.0, 0, 1024).is_ok())
});
