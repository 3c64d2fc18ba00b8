//! A loop of 2,000,000 instructions, to see whether the rig counts as it should.
#![no_std]
#![no_main]

use lockgate_chip_bench::program;
use lockgate_chip_bench::rig::{measure, spin};

program!(|| measure(|| {
    spin(1_000_000);
    true
}));
