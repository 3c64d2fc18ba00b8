//! Promise: how the stream is cut into calls changes nothing: not the flash, not one flash operation.

mod common;

use common::{noise, Bench, SMALL_LAYOUT};
use embedded_io::Write;
use lockgate::sim::{Flash, Op};
use lockgate::{Block, Updater};
use proptest::prelude::*;

/// Installs `bytes` in pieces that end at `cuts`; gives the flash's operations and content.
fn in_pieces(bench: &Bench, flash: &Flash, bytes: &[u8], cuts: impl IntoIterator<Item = usize>) -> (Vec<Op>, Vec<u8>) {
    let mut flash = flash.clone();
    let mut block = Block::<1024>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    let mut start = 0;
    for end in cuts.into_iter().chain([bytes.len()]) {
        updater.write_all(&bytes[start..end]).expect("an authentic piece is taken");
        start = end;
    }
    let _receipt = updater.finish().expect("all pieces make the package");
    assert_eq!(flash.violations(), []);
    (flash.log().to_vec(), flash.bytes().to_vec())
}

#[test]
fn every_single_cut_of_a_small_package_gives_the_same_flash() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(2500, 1);
    let package = bench.pack(&image, 512);
    let flash: Flash = bench.flash(&package, &image);
    let whole = in_pieces(&bench, &flash, package.bytes(), []);
    for cut in 0..=package.bytes().len() {
        assert!(in_pieces(&bench, &flash, package.bytes(), [cut]) == whole, "cut at {cut}");
    }
}

#[test]
fn byte_by_byte_gives_the_same_flash() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(9001, 2);
    let package = bench.pack(&image, 1024);
    let flash: Flash = bench.flash(&package, &image);
    let whole = in_pieces(&bench, &flash, package.bytes(), []);
    assert!(in_pieces(&bench, &flash, package.bytes(), 0..package.bytes().len()) == whole);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn random_cuts_of_a_large_package_give_the_same_flash(mut cuts in prop::collection::vec(0usize..29_000, 0..200), block in 8u32..=10) {
        let bench = Bench::new(&SMALL_LAYOUT);
        let image = noise(29_003, 3);
        let package = bench.pack(&image, 1 << block);
        let flash: Flash = bench.flash(&package, &image);
        cuts.sort_unstable();
        let whole = in_pieces(&bench, &flash, package.bytes(), []);
        prop_assert!(in_pieces(&bench, &flash, package.bytes(), cuts) == whole);
    }
}
