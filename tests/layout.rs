//! Promise: a layout that cannot work is found when it is made, and in a `const` that is while the program
//! compiles.

use lockgate::geometry::{self, Geometry, Run, Sector};
use lockgate::{Layout, LayoutBuilder, Slot, Strategy};

const CHIP: Geometry = Geometry::new("mixed", &[Run { count: 4, size: 1024 }, Run { count: 8, size: 4096 }], 4);

fn good() -> LayoutBuilder {
    Layout::new(&CHIP).boot(0..1024).records(1024..4096).slots(4096..0x3000, 0x3000..0x5000)
}

#[test]
fn a_good_layout_says_where_everything_is() {
    let layout = good().swap(0x5000..0x6000).check();
    assert_eq!(layout.slot_range(Slot::A), 4096..0x3000);
    assert_eq!((layout.capacity(), layout.slot_capacity(Slot::B)), (0x2000 - 1024, 0x2000 - 1024));
    assert_eq!((layout.strategy(), good().check().strategy()), (Strategy::Swap, Strategy::Select));
    assert_eq!((layout.target(Slot::A), layout.target(Slot::B)), (Slot::B, Slot::B), "a swap receives in B");
    let select = good().check();
    assert_eq!((select.target(Slot::A), select.target(Slot::B)), (Slot::B, Slot::A));
    assert_eq!((select.boot_range(), select.records_range()), (0..1024, 1024..4096));
}

#[test]
fn under_another_bootloader_images_arrive_in_slot_b_and_fill_all_of_slot_a() {
    let layout = good().foreign().check();
    assert_eq!(layout.strategy(), Strategy::Foreign);
    assert_eq!((layout.target(Slot::A), layout.target(Slot::B)), (Slot::B, Slot::B));
    assert_eq!((layout.slot_capacity(Slot::A), layout.slot_capacity(Slot::B)), (0x2000, 0x2000 - 1024));
    assert_eq!(layout.capacity(), 0x2000 - 1024);
}

macro_rules! refused {
    ($($name:ident: $layout:expr, $message:literal;)+) => {$(
        #[test]
        #[should_panic(expected = $message)]
        fn $name() {
            let _ = $layout.check();
        }
    )+};
}

refused! {
    a_region_that_is_reversed: good().boot(core::ops::Range { start: 1024, end: 0 }), "ends before it starts";
    a_region_off_the_flash: good().slots(4096..0x3000, 0x9000..0xA000), "beyond the end";
    a_region_inside_a_sector: good().boot(0..512), "sector edges";
    an_edge_inside_a_larger_sector: good().slots(4096..0x2400, 0x3000..0x5000), "sector edges";
    two_regions_over_each_other: good().slots(4096..0x4000, 0x3000..0x5000), "overlap";
    a_swap_area_over_a_slot: good().swap(0x4000..0x5000), "overlap";
    no_records: Layout::new(&CHIP).slots(4096..0x3000, 0x3000..0x5000), "needs records";
    records_of_one_sector: good().records(1024..2048), "at least two sectors";
    no_slots: Layout::new(&CHIP).records(1024..4096), "slot A is missing";
    a_slot_with_no_room_for_its_trailer: Layout::new(&CHIP).records(0..2048).slots(2048..3072, 0x3000..0x5000), "slot A";
    a_swap_between_slots_of_two_sizes: good().slots(4096..0x2000, 0x3000..0x5000).swap(0x5000..0x6000), "same size";
    a_swap_area_under_another_bootloader: good().swap(0x5000..0x6000).foreign(), "swap area";
    a_key_store_of_two_places: good().slots(0x3000..0x5000, 0x5000..0x7000).keys(4096..0x3000), "three places";
    a_key_store_over_mixed_sectors: Layout::new(&CHIP).records(0..2048).slots(0x3000..0x5000, 0x5000..0x7000).keys(2048..0x3000), "key store needs equal";
    a_swap_across_mixed_sectors: Layout::new(&CHIP).records(0..2048).slots(2048..0x3000, 0x3000..0x5800 + 0x800).swap(0x6000..0x7000), "swap needs slots";
}

#[test]
#[should_panic(expected = "equal sectors")]
fn a_swap_over_a_run_of_other_sectors_in_the_middle() {
    const CHIP: Geometry = Geometry::new(
        "hump",
        &[Run { count: 4, size: 1024 }, Run { count: 1, size: 4096 }, Run { count: 20, size: 1024 }],
        4,
    );
    let _ = Layout::new(&CHIP).records(0..2048).slots(2048..0x2800, 0x2800..0x4800).swap(0x4800..0x4C00).check();
}

#[test]
fn sectors_are_found_across_runs() {
    assert_eq!(CHIP.sector(0), Some(Sector { start: 0, size: 1024 }));
    assert_eq!(CHIP.sector(4095), Some(Sector { start: 3072, size: 1024 }));
    assert_eq!(CHIP.sector(4096), Some(Sector { start: 4096, size: 4096 }));
    assert_eq!(CHIP.sector(CHIP.capacity() - 1), Some(Sector { start: 0x8000, size: 4096 }));
    assert_eq!((CHIP.sector(CHIP.capacity()), CHIP.sector(u32::MAX)), (None, None));
    assert!(CHIP.is_edge(CHIP.capacity()) && CHIP.is_edge(3072) && !CHIP.is_edge(3073) && !CHIP.is_edge(5120));
}

#[test]
fn built_in_chips_have_the_capacity_of_their_data_sheets() {
    let kib: Vec<(&str, u32)> = geometry::ALL.iter().map(|chip| (chip.name(), chip.capacity() / 1024)).collect();
    let expected = [
        ("esp8266", 4096),
        ("nrf51", 256),
        ("nrf52840", 1024),
        ("stm32f103", 128),
        ("stm32f405", 1024),
        ("stm32l476", 512),
        ("stm32h743", 1024),
        ("efm32wg", 256),
        ("pic32mx", 512),
    ];
    assert_eq!(kib, expected);
}

#[test]
#[should_panic(expected = "larger than 4 GiB")]
fn a_flash_whose_addresses_do_not_fit_32_bits() {
    let _ = Geometry::new("huge", &[Run { count: 4, size: 1 << 20 }, Run { count: 4096, size: 1 << 20 }], 4);
}

#[test]
#[should_panic(expected = "records need equal sectors")]
fn records_over_small_sectors_behind_a_large_one() {
    const MIXED: Geometry = Geometry::new("mixed", &[Run { count: 1, size: 2048 }, Run { count: 120, size: 512 }], 4);
    let _ = Layout::new(&MIXED).records(0..2560).slots(2560..22_528, 22_528..42_496).check();
}

#[test]
fn small_sectors_hold_records_from_two_kibibytes_on() {
    const SMALL: Geometry = Geometry::new("small", &[Run { count: 128, size: 128 }], 4);
    let records = |bytes| {
        let layout = Layout::new(&SMALL).records(0..bytes).slots(4096..0x2000, 0x2000..0x3000);
        std::panic::catch_unwind(|| layout.check().records_range())
    };
    assert_eq!(records(2048).unwrap(), 0..2048);
    assert!(records(1024).is_err() && records(2048 + 128).is_err());
}
