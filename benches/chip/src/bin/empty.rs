//! Nothing: what the runtime and the rig are, to be taken off.
#![no_std]
#![no_main]

use lockgate_chip_bench::program;
use lockgate_chip_bench::rig::measure;

program!(|| measure(|| true));
