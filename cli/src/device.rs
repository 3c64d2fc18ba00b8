//! A throw-away device: the updater that runs on chips, over a flash in memory. So that what the tool calls
//! verified is what a device calls verified.

use std::ops::RangeInclusive;
use std::path::Path;

use embedded_io::Write;
use lockgate::geometry::{Geometry, Run};
use lockgate::manifest::Elements;
use lockgate::pack::Inspection;
use lockgate::sim::{self, Flash};
use lockgate::{Block, Device, Error, KeySet, Keyring, Layout, Running, Slot, Strategy, Updater, Verified, Workspace};

use crate::failure::Failure;
use crate::progress;
use crate::slots::sha256;

/// A flash in memory that takes writes of any size its geometry allows.
pub(crate) type Memory = Flash<1, 1>;

const SECTOR: u32 = 4096;

/// For every window.
const WORKSPACE: usize = 4096;

/// Bytes that are handed to the updater at once.
const PIECE: usize = 1 << 16;

/// Element numbers that belong to the vendor (`docs/format.md`, section 4.1).
pub(crate) const PRIVATE: RangeInclusive<u16> = 0x7000..=0x7FFF;

/// What a device is built with.
#[derive(Clone, Copy)]
pub(crate) struct Built<'k> {
    /// The keys that sign updates.
    pub(crate) keys: KeySet<'k>,
    /// The keys that sign key sets, and the version of both; without them key sets are passed over.
    pub(crate) rotate: Option<(KeySet<'k>, u32)>,
    /// Private elements that it knows.
    pub(crate) knows: &'k [u16],
}

/// A layout whose slot B has room for an image of `bytes`, and slot A for `base` bytes, and that no real device has.
/// `None`: together they are too large for a flash.
pub(crate) fn layout_for(bytes: u32, base: u32) -> Option<&'static Layout> {
    let sectors =
        |bytes: u32| (u64::from(bytes) + u64::from(lockgate::wire::TRAILER_SIZE)).div_ceil(u64::from(SECTOR)) as u32;
    // Two sectors of records and three of keys in front.
    let count = 5 + sectors(base) + sectors(bytes);
    count.checked_mul(SECTOR)?;
    let runs: &'static [Run] = vec![Run { count, size: SECTOR }].leak();
    let geometry: &'static Geometry = Box::leak(Box::new(Geometry::new("memory", runs, 32)));
    let (records, keys, a) = (2 * SECTOR, 5 * SECTOR, (5 + sectors(base)) * SECTOR);
    let layout = Layout::new(geometry).records(0..records).keys(records..keys);
    Some(Box::leak(Box::new(layout.slots(keys..a, a..geometry.capacity()).check())))
}

/// Installs `package`, all of it, into `slot` (slot B with the swap strategy) as a device of `layout` does that
/// is what the manifest says and is `built` so. Images in slot A and slot B run at the addresses `a` and `b`. `base` runs in
/// the other slot.
pub(crate) fn install(
    path: &Path,
    package: &[u8],
    inspection: &Inspection<'_>,
    layout: &Layout,
    built: Built<'_>,
    (slot, base): (Slot, &[u8]),
    [a, b]: [u32; 2],
) -> Result<(Memory, Verified), Failure> {
    let manifest = inspection.manifest;
    let mut device = Device::new(layout, manifest.vendor, manifest.class, built.keys)
        .component(manifest.component)
        .private_elements(built.knows)
        .load_addresses(a, b);
    if let Some((keys, version)) = built.rotate {
        device = device.rotate_keys(keys).key_set_version(version);
    }
    // With the swap strategy an image arrives in slot B while slot A runs.
    let runs = if layout.strategy() != Strategy::Select { Slot::A } else { slot.other() };
    let image = (!base.is_empty()).then(|| sha256(base).into());
    let running = Running { slot: runs, image, ..Running::factory() };
    let mut flash = Memory::sized(layout.geometry());
    flash.load(layout.slot_range(runs).start, base);
    let (mut block, mut workspace) = (Box::new(Block::<65_536>::new()), Box::new(Workspace::<WORKSPACE>::new()));
    let mut keyring = Keyring::new();
    let updater = Updater::new(&device, flash, &mut *block).workspace(&mut *workspace).keyring(&mut keyring);
    let mut updater = updater.running(running);
    let bar = progress::bar("verifying", package.len() as u64);
    // Piece by piece: `install` would stop at the package's last byte and leave the bytes behind it unseen.
    let mut feed = || {
        for piece in package.chunks(PIECE) {
            updater.write_all(piece)?;
            bar.inc(piece.len() as u64);
        }
        updater.finish()
    };
    let outcome = feed();
    bar.finish_and_clear();
    let verified = outcome.map_err(|error| refusal(path, package.len(), error))?;
    Ok((updater.release(), verified))
}

fn refusal(path: &Path, length: usize, error: Error<sim::Error>) -> Failure {
    match error {
        Error::Truncated { .. } => {
            Failure::refused(path.display(), format_args!("the package ends at byte {length}, before it is complete"))
        }
        error => Failure::refused(path.display(), error),
    }
}

/// Numbers of the vendor's own elements that the package asks devices to know.
pub(crate) fn private_elements(inspection: &Inspection<'_>) -> Vec<u16> {
    let elements = Elements::new(inspection.body).filter_map(Result::ok);
    elements
        .filter(|element| element.critical && PRIVATE.contains(&element.number))
        .map(|element| element.number)
        .collect()
}
