//! The same image into the same flash by embassy-boot, with the verifier `salty`: written, then hashed and its signature
//! checked, then marked for the next reset.
#![no_std]
#![no_main]

use core::hint::black_box;

use embassy_boot::{BlockingFirmwareUpdater, FirmwareUpdaterConfig};
use lockgate_chip_bench::flash::{RamFlash, SECTOR, WORD};
use lockgate_chip_bench::inputs::{ED25519_KEY, ED25519_SIGNATURE, IMAGE, IMAGE_SIZE};
use lockgate_chip_bench::program;
use lockgate_chip_bench::rig::measure;
use lockgate_chip_bench::update::{Cells, PIECE};

program!(|cells: Cells| {
    let RamFlash(cells) = cells.blank();
    let (state, dfu) = cells.split_at_mut(2 * SECTOR as usize);
    let (mut state, mut dfu) = (RamFlash(state), RamFlash(dfu));
    measure(|| update(&mut dfu, &mut state).is_some())
});

#[inline(never)]
fn update(dfu: &mut RamFlash<'_>, state: &mut RamFlash<'_>) -> Option<()> {
    let mut aligned = [0; WORD as usize];
    let mut updater = BlockingFirmwareUpdater::new(FirmwareUpdaterConfig { dfu, state }, &mut aligned);
    let mut at = 0;
    for piece in black_box(&IMAGE.0).chunks(PIECE) {
        updater.write_firmware(at, piece).ok()?;
        at += piece.len();
    }
    updater.verify_and_mark_updated(black_box(&ED25519_KEY), black_box(&ED25519_SIGNATURE), IMAGE_SIZE as u32).ok()
}
