//! Nothing: what the runtime and the rig are, to be taken off.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use lockgate_chip_bench::rig::measure;

#[entry]
fn main() -> ! {
    measure(|| true)
}
