//! Promise: asking for the receipt of an update that a reset interrupted costs none of its progress.

mod common;

use common::{noise, Bench, SMALL_LAYOUT};
use embedded_io::Write;
use lockgate::sim::{records, Flash};
use lockgate::{Block, Error, Updater};

#[test]
fn a_slot_that_is_not_whole_is_nothing_staged_and_keeps_its_checkpoint() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(20_001, 4);
    let package = bench.pack(&image, 512);
    let mut flash: Flash = bench.flash(&package, &image);
    let mut block = Block::<512>::new();
    // Nothing at all; then the most of it.
    assert_eq!(Updater::new(bench.device, &mut flash, &mut block).staged(), Err(Error::NothingStaged));
    Updater::new(bench.device, &mut flash, &mut block).write_all(&package.bytes()[..15_000]).unwrap();
    let checkpoint = records(&SMALL_LAYOUT, &mut flash).checkpoint;
    assert!(checkpoint.is_some_and(|checkpoint| checkpoint.offset >= 8192));

    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    assert_eq!(updater.staged(), Err(Error::NothingStaged));
    assert_eq!(updater.position(), 0, "the same updater takes the package");
    updater.write_all(&package.bytes()[..package.head().len()]).unwrap();
    assert!(updater.progress().written >= 8192, "{:?}", updater.progress());
    let _ = updater.release();
    assert_eq!(records(&SMALL_LAYOUT, &mut flash).checkpoint, checkpoint);

    // Once it is whole, it is staged; also a second time.
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    updater.write_all(package.bytes()).unwrap();
    let _ = updater.release();
    for _ in 0..2 {
        let receipt = Updater::new(bench.device, &mut flash, &mut block).staged().unwrap();
        bench.assert_installed(&flash, &package, &image, &receipt);
    }
}

#[test]
fn what_is_staged_counts_as_written_while_it_is_hashed() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(5000, 4);
    let package = bench.pack(&image, 512);
    let mut flash: Flash = bench.flash(&package, &image);
    let mut block = Block::<512>::new();
    Updater::new(bench.device, &mut flash, &mut block).write_all(package.bytes()).unwrap();
    flash.fail_read(SMALL_LAYOUT.slot_range(bench.target()).start + 4000);
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    assert!(matches!(updater.staged(), Err(Error::Flash(_))));
    assert_eq!(updater.progress().written, 5000);
}
