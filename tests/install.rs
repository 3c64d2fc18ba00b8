//! Promise: whatever its size, its block size and the flash's write unit, the image that was signed is the
//! image in the slot.

mod common;

use common::{install, noise, Bench, SMALL_LAYOUT};
use lockgate::geometry::{self, Geometry, Run};
use lockgate::sim::Flash;
use lockgate::{Block, Layout, Machine, Slot, Updater};

/// Installs images of these sizes in these blocks, on a flash that writes `WRITE` bytes at once.
fn installs<const WRITE: usize, const READ: usize>(layout: &'static Layout, sizes: &[usize], blocks: &[u32]) {
    let bench = Bench::new(layout);
    for &size in sizes {
        for &block in blocks {
            let image = noise(size, size as u64);
            let package = bench.pack(&image, block);
            let mut flash: Flash<WRITE, READ> = bench.flash(&package, &image);
            let receipt = install::<WRITE, READ, 65_536>(&bench, &mut flash, package.bytes())
                .unwrap_or_else(|error| panic!("{size} bytes in blocks of {block}: {error}"));
            bench.assert_installed(&flash, &package, &image, &receipt);
        }
    }
}

macro_rules! uniform {
    ($name:literal, $sector:expr, $count:expr, $write:literal) => {{
        const GEOMETRY: Geometry = Geometry::new($name, &[Run { count: $count, size: $sector }], $write);
        const HALF: u32 = $count / 2;
        const RECORDS: u32 = if 2 * $sector < 2048 { 2048 } else { 2 * $sector };
        const LAYOUT: Layout = Layout::new(&GEOMETRY)
            .records(0..RECORDS)
            .slots(RECORDS..HALF * $sector, HALF * $sector..(2 * HALF - 2) * $sector)
            .check();
        &LAYOUT
    }};
}

const SIZES: [usize; 14] = [1, 2, 31, 32, 33, 255, 256, 257, 1023, 1024, 1025, 4095, 9001, 20_000];
const BLOCKS: [u32; 4] = [256, 512, 1024, 65_536];

#[test]
fn every_write_unit_holds_every_size() {
    installs::<1, 1>(uniform!("unit 1", 1024, 64, 1), &SIZES, &BLOCKS);
    installs::<2, 1>(uniform!("unit 2", 1024, 64, 2), &SIZES, &BLOCKS);
    installs::<4, 4>(uniform!("unit 4", 1024, 64, 4), &SIZES, &BLOCKS);
    installs::<8, 8>(uniform!("unit 8", 2048, 64, 8), &SIZES, &BLOCKS);
    installs::<16, 1>(uniform!("unit 16", 8192, 16, 16), &SIZES, &BLOCKS);
    installs::<32, 4>(uniform!("unit 32", 8192, 16, 32), &SIZES, &BLOCKS);
}

#[test]
fn a_driver_that_reads_in_larger_units_than_it_writes_is_served() {
    installs::<1, 32>(uniform!("write 1, read 32", 1024, 64, 1), &SIZES, &[256, 4096]);
}

#[test]
fn a_driver_that_writes_smaller_units_than_the_error_correcting_code_spans_is_held_to_the_geometry() {
    installs::<4, 1>(uniform!("HAL 4, code 8", 2048, 64, 8), &SIZES, &[256, 4096]);
}

#[test]
fn sectors_smaller_than_the_trailer_and_than_a_block_are_served() {
    installs::<4, 1>(uniform!("sectors of 256", 256, 256, 4), &[1, 300, 20_000], &BLOCKS);
}

#[test]
fn a_manifest_says_how_long_its_package_is() {
    let bench = Bench::new(&SMALL_LAYOUT);
    for size in SIZES {
        for block in BLOCKS {
            let package = bench.pack(&noise(size, 1), block);
            let said = package.head().len() + package.manifest().payload_size() as usize;
            assert_eq!(said, package.bytes().len(), "{size} bytes in blocks of {block}");
        }
    }
}

#[test]
fn a_reader_is_asked_for_as_much_as_is_known_to_follow() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(2000, 1);
    let package = bench.pack(&image, 512);
    let mut flash: Flash = bench.flash(&package, &image);
    let mut block = Block::<512>::new();
    let (mut reads, mut updater) = (0, Updater::new(bench.device, &mut flash, &mut block));
    drop(updater.install(package.bytes(), |_| reads += 1).unwrap());
    // Five of the head's parts, its manifest in one or two; blocks by 256 bytes.
    assert!(reads <= 7 + package.bytes().len() / 256 + 4, "{reads} reads");
}

#[test]
fn an_image_that_fills_the_slot_to_the_trailer_fits_and_one_byte_more_does_not() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let capacity = SMALL_LAYOUT.slot_capacity(bench.target());
    installs::<4, 1>(&SMALL_LAYOUT, &[capacity as usize, capacity as usize - 1], &[256, 65_536]);
    let image = noise(capacity as usize + 1, 3);
    let package = bench.pack(&image, 1024);
    let mut flash: Flash = bench.flash(&package, &image);
    let error = install::<4, 1, 1024>(&bench, &mut flash, package.bytes()).unwrap_err();
    assert_eq!(error, lockgate::Refusal::ImageTooLarge { image: capacity + 1, capacity }.into());
    assert_eq!(flash.counters().erases, 0);
}

#[test]
fn mixed_sectors_are_erased_each_in_its_own_size() {
    // An STM32F4 whose slots span 16, 64 and 128 KiB sectors.
    const LAYOUT: Layout =
        Layout::new(&geometry::STM32F405).records(0..0x8000).slots(0x8000..0x4_0000, 0x4_0000..0xE_0000).check();
    let mut bench = Bench::new(&LAYOUT);
    installs::<4, 1>(&LAYOUT, &[1, 200_001], &[1024, 65_536]);
    bench.running.slot = Slot::B;
    let image = noise(0x2_0000, 1);
    let package = bench.pack(&image, 4096);
    let mut flash: Flash = bench.flash(&package, &image);
    let receipt = install::<4, 1, 4096>(&bench, &mut flash, package.bytes()).unwrap();
    bench.assert_installed(&flash, &package, &image, &receipt);
    // 2 x 16 KiB, 1 x 64 KiB, and the 128 KiB sector that the trailer shares: no sector twice.
    let slot = LAYOUT.slot_range(bench.target());
    assert_eq!((flash.erases_in(slot), flash.most_erases()), (4, 1));
}

#[test]
fn large_images_of_odd_sizes_arrive_on_the_chips_own_layouts() {
    const ESP8266: Layout = Layout::new(&geometry::ESP8266_4M)
        .boot(0..0x8000)
        .records(0x8000..0x1_0000)
        .slots(0x10_0000..0x20_0000, 0x20_0000..0x30_0000)
        .check();
    installs::<4, 4>(&ESP8266, &[1_047_001], &[256, 4096]);
    const H7: Layout =
        Layout::new(&geometry::STM32H743).records(0..0x4_0000).slots(0x4_0000..0xA_0000, 0xA_0000..0x10_0000).check();
    installs::<32, 1>(&H7, &[299_993], &[65_536]);
    const LARGE: Layout = Layout::new(&LARGE_NOR).records(0..8192).slots(8192..0x30_0000, 0x30_0000..0x60_0000).check();
    const LARGE_NOR: Geometry = Geometry::new("8 MiB NOR", &[Run { count: 2048, size: 4096 }], 1);
    installs::<1, 1>(&LARGE, &[2_500_003], &[16_384]);
}

#[test]
fn an_erased_value_of_zero_is_padded_with_zeros() {
    const L0: Geometry = Geometry::new("erases to zero", &[Run { count: 64, size: 1024 }], 4).erased_value(0);
    const LAYOUT: Layout = Layout::new(&L0).records(0..2048).slots(2048..0x7800, 0x7800..0xD000).check();
    installs::<4, 1>(&LAYOUT, &SIZES, &[256]);
}

#[test]
fn the_machine_is_no_larger_than_560_bytes_without_its_block_buffer() {
    let size = std::mem::size_of::<Machine<'static>>();
    println!("machine: {size} bytes");
    // Pointers of a host are twice as long as those of the chips, for which `machine/mod.rs` asserts 560.
    assert!(size <= 648, "{size} bytes");
}

#[test]
fn the_last_write_is_padded_and_nothing_behind_it_is_programmed() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(1001, 5);
    let package = bench.pack(&image, 256);
    let mut flash: Flash = bench.flash(&package, &image);
    let _receipt = install::<4, 1, 512>(&bench, &mut flash, package.bytes()).unwrap();
    let slot = SMALL_LAYOUT.slot_range(bench.target());
    assert_eq!(flash.programmed_in(slot.start..slot.end - 1024), 1004);
}
