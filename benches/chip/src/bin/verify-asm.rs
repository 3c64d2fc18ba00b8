//! One P-256 signature in assembly, alone.
#![no_std]
#![no_main]

use core::hint::black_box;

use lockgate::{P256CortexM4, Verify};
use lockgate_chip_bench::inputs::{DIGEST, KEY, SIGNATURE};
use lockgate_chip_bench::program;
use lockgate_chip_bench::rig::measure;

program!(|| measure(|| P256CortexM4.verify(black_box(&KEY), black_box(&DIGEST), black_box(&SIGNATURE))));
