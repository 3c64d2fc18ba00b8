//! One P-256 signature, alone.
#![no_std]
#![no_main]

use core::hint::black_box;

use lockgate::{Verify, P256};
use lockgate_chip_bench::inputs::{DIGEST, KEY, SIGNATURE};
use lockgate_chip_bench::program;
use lockgate_chip_bench::rig::measure;

program!(|| measure(|| P256.verify(black_box(&KEY), black_box(&DIGEST), black_box(&SIGNATURE))));
