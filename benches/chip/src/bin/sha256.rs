//! SHA-256 of the image, alone.
#![no_std]
#![no_main]

use core::hint::black_box;

use lockgate::{Sha2, Sha256};
use lockgate_chip_bench::inputs::{DIGEST, IMAGE};
use lockgate_chip_bench::program;
use lockgate_chip_bench::rig::measure;

program!(|| measure(|| {
    let mut hash = Sha2::new();
    hash.update(black_box(&IMAGE.0));
    hash.finish() == DIGEST
}));
