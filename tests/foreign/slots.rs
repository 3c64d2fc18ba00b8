//! Slots of MCUboot on the simulated flash, and the trailers that its imgtool writes.
#![allow(unreachable_pub)]
#![allow(dead_code)] // each test binary uses a part of it

use lockgate::foreign::mcuboot::{MaxAlign, Slots};
use lockgate::foreign::{BootControl, ForeignState, Mcuboot};
use lockgate::geometry::{Geometry, Run};
use lockgate::sim::Flash;

use super::common::leak;

pub const SECTOR: u32 = 1024;
pub const SECTORS: &[Run] = &[Run { count: 40, size: SECTOR }];
/// Ends of the slots; lockgate's slot ends two sectors before.
pub const PRIMARY: u32 = 20 * SECTOR;
pub const SECONDARY: u32 = 40 * SECTOR;
/// Reference by `tests/foreign/make_trailers.py`.
pub const TRAILERS: &str = include_str!("trailers.txt");

pub fn slots() -> Slots {
    Slots { primary: 4 * SECTOR..PRIMARY, secondary: PRIMARY..SECONDARY, update: PRIMARY..38 * SECTOR }
}

pub fn max_align(bytes: u32) -> MaxAlign {
    [MaxAlign::Eight, MaxAlign::Sixteen, MaxAlign::ThirtyTwo].into_iter().find(|a| a.bytes() == bytes).unwrap()
}

/// What MCUboot's own code writes and decides, by `tests/foreign/make_bootutil.sh`.
pub const BOOTUTIL: &str = include_str!("bootutil.txt");

/// A line of a reference.
pub struct Trailer {
    pub kind: &'static str,
    pub write: u32,
    pub align: MaxAlign,
    pub erased: u8,
    pub tail: Vec<u8>,
}

pub fn trailers() -> impl Iterator<Item = Trailer> {
    lines(TRAILERS, &["pad", "test", "confirm"])
}

/// The lines of these kinds.
pub fn lines(reference: &'static str, kinds: &'static [&str]) -> impl Iterator<Item = Trailer> {
    reference.lines().skip(1).filter_map(|line| {
        let [kind, write, align, erased, tail] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let hex = |i: usize| u8::from_str_radix(&tail[i..i + 2], 16).unwrap();
        kinds.contains(&kind).then(|| Trailer {
            kind,
            write: write.parse().unwrap(),
            align: max_align(align.parse().unwrap()),
            erased: erased.parse().unwrap(),
            tail: (0..tail.len()).step_by(2).map(hex).collect(),
        })
    })
}

pub fn flash<const W: usize>(write: u32, erased: u8) -> Flash<W> {
    Flash::sized(leak(Geometry::new("slots", SECTORS, write).erased_value(erased)))
}

pub fn ours<const W: usize>(flash: &mut Flash<W>, align: MaxAlign) -> Mcuboot<&mut Flash<W>> {
    let erased = flash.geometry().erased();
    Mcuboot::new(flash, slots(), align).unwrap().erased_value(erased)
}

pub fn state<const W: usize>(flash: &mut Flash<W>, align: MaxAlign) -> ForeignState {
    ours(flash, align).state().unwrap()
}

pub fn tail<const W: usize>(flash: &Flash<W>, end: u32) -> &[u8] {
    &flash.bytes()[end as usize - 256..end as usize]
}

/// How far before the slot's end a field begins.
pub fn field(align: MaxAlign, number: u32) -> u32 {
    align.bytes().max(16) + number * align.bytes()
}
pub const IMAGE_OK: u32 = 1;
pub const COPY_DONE: u32 = 2;
pub const SWAP_INFO: u32 = 3;

/// What a swap of `kind` leaves in the primary slot (`swap_status_init`, `swap_set_copy_done`).
pub fn swapped<const W: usize>(flash: &mut Flash<W>, align: MaxAlign, kind: u8, image_ok: bool) {
    let pad = trailers().find(|t| t.kind == "pad" && t.align == align && t.erased == 0xFF).unwrap();
    flash.load(PRIMARY - 16, &pad.tail[240..]);
    flash.load(PRIMARY - field(align, SWAP_INFO), &[kind]);
    flash.load(PRIMARY - field(align, COPY_DONE), &[1]);
    if image_ok {
        flash.load(PRIMARY - field(align, IMAGE_OK), &[1]);
    }
}
