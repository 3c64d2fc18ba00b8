//! Oracles for the boot stage on arbitrary flash content: nothing panics, nothing is started that does not verify, and nothing is
//! written but records, and slots where an exchange is under way (I2, I11).

use std::collections::HashSet;
use std::sync::LazyLock;

use lockgate::boot::{Boot, Launch, NoImage, Platform};
use lockgate::geometry::{Geometry, Run};
use lockgate::pack::Package;
use lockgate::sim::{Flash, Landed, Op};
use lockgate::wire::{section_length, UPDATE_DOMAIN};
use lockgate::{
    Block, BootReason, Control, Device, Digest, Layout, Manifest, PublicKey, Sha2, Sha256, Slot, Updater, Verify,
};

use crate::script::Script;
use crate::stream::{packed, CLASS, FIXTURE, VENDOR};

const GEOMETRY: Geometry = Geometry::new("fuzz boot", &[Run { count: 32, size: 1024 }], 4);
static SELECT: Layout = Layout::new(&GEOMETRY).records(0..2048).slots(2048..6144, 6144..10_240).check();
static SWAP: Layout =
    Layout::new(&GEOMETRY).records(0..2048).slots(2048..6144, 6144..10_240).swap(10_240..11_264).check();
/// The flash that a device of either layout uses.
const END: usize = 11_264;

/// What the vendor made: images and packages, older ones first.
struct Vendor {
    images: Vec<Vec<u8>>,
    packages: Vec<Package>,
    /// What was signed, and how.
    signed: HashSet<(Digest, [u8; 64])>,
}

static MADE: LazyLock<Vendor> = LazyLock::new(|| {
    let mut images: Vec<Vec<u8>> = vec![FIXTURE.image.iter().rev().copied().collect(), FIXTURE.image.clone()];
    images.push((0..2900u32).map(|i| (i * 13 >> 2) as u8).collect());
    let packages = vec![packed(&images[0], 1), FIXTURE.package.clone(), packed(&images[2], 3)];
    let signed = packages.iter().map(|package| {
        let head = package.head();
        let mut hash = Sha2::new();
        hash.update(&UPDATE_DOMAIN);
        hash.update(&head[..head.len() - 78]);
        (hash.finish(), head[head.len() - 64..].try_into().expect("r and s"))
    });
    Vendor { signed: signed.collect(), images, packages }
});

/// Knows every signature there is. The arithmetic would take all of the fuzzer's time.
struct Known;

impl Verify for Known {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        FIXTURE.device.keys().keys() == [*key] && MADE.signed.contains(&(*digest, *signature))
    }
}

pub(crate) struct Board;

impl Platform for Board {
    fn arm_watchdog(&mut self) {}

    fn jump(&mut self, _: &Launch) -> ! {
        unreachable!("the target calls select")
    }

    fn recover(&mut self, _: NoImage) -> ! {
        unreachable!("the target calls select")
    }
}

/// A device's life so far, damage or an attack, then boots.
pub fn boot(data: &[u8]) {
    let mut script = Script(data);
    let choice = script.byte();
    let layout = if choice & 1 == 0 { &SELECT } else { &SWAP };
    let device = Device::new(layout, VENDOR, CLASS, *FIXTURE.device.keys());
    let mut flash: Flash = Flash::new(&GEOMETRY).seed(choice as u64).logged();
    let first = choice >> 2 & 1;
    put(&mut flash, layout, Slot::A, first);
    for _ in 0..script.byte() % 8 {
        live(&device, &mut flash, script.byte());
    }
    while !script.is_empty() {
        damage(&mut flash, &mut script);
    }
    for _ in 0..4 {
        let signatures = choice & 2 == 0;
        started(&device, &mut flash, signatures);
        flash.power_off();
        flash.power_on();
    }
}

fn put(flash: &mut Flash, layout: &Layout, slot: Slot, number: usize) {
    let range = layout.slot_range(slot);
    flash.load(range.start, &MADE.images[number]);
    flash.load(range.end - 1024, MADE.packages[number].head());
}

/// Something that happens in a device's life.
fn live(device: &Device<'_>, flash: &mut Flash, what: usize) {
    match what % 6 {
        0 => _ = Boot::new(device, &mut *flash, Board).select(),
        1 | 2 => {
            let package = &MADE.packages[what / 6 % 3];
            let mut block = Block::<512>::new();
            let mut updater: Updater<'_, _, Known> = Updater::with_verifier(device, &mut *flash, &mut block, Known);
            if what % 6 == 2 {
                // Cut off on the way.
                let sent = package.bytes().len() * (what / 18) / 15;
                let _ =
                    embedded_io::Write::write_all(&mut updater, &package.bytes()[..sent.min(package.bytes().len())]);
            } else if let Ok(verified) = updater.install(package.bytes(), |_| ()) {
                let _ = Control::new(device, flash).try_next(verified);
            }
        }
        3 => drop(Control::new(device, flash).confirm()),
        4 => drop(Control::new(device, flash).reject()),
        _ => {
            // Power fails in the boot stage.
            let step = flash.steps() + (what / 6) as u64;
            flash.cut_at(step, Landed::Subset.metastable());
            _ = Boot::new(device, &mut *flash, Board).select();
            flash.power_off();
            flash.power_on();
        }
    }
}

/// Bytes that are changed, put there, or cannot be read.
fn damage(flash: &mut Flash, script: &mut Script<'_>) {
    let (kind, at, length) = (script.byte(), script.below(END), script.byte());
    match kind % 5 {
        0 => flash.load(at as u32, &script.bytes(length)[..]),
        1 => flash.rot(at as u32, kind as u8 >> 5),
        2 => flash.fail_read(at as u32 & !3),
        3 => {
            let end = (at + 16 * length).min(END);
            flash.load(at as u32, &vec![0xFF; end - at]);
        }
        // A piece of the flash, somewhere else.
        _ => {
            let from = script.below(END);
            let length = (16 * length).min(END - at).min(END - from);
            let piece = flash.bytes()[from..from + length].to_vec();
            flash.load(at as u32, &piece);
        }
    }
}

fn started(device: &Device<'_>, flash: &mut Flash, signatures: bool) {
    let layout = device.layout();
    flash.clear_log();
    let before = flash.bytes().to_vec();
    let outcome = match signatures {
        true => Boot::with_signatures(device, &mut *flash, Board, Known).select(),
        false => Boot::new(device, &mut *flash, Board).select(),
    };
    let records = layout.records_range();
    let swap = !layout.swap_range().is_empty();
    for op in flash.log() {
        let (from, to) = match *op {
            Op::Erase { from, to } => (from, to),
            Op::Write { at, len, .. } => (at, at + len),
        };
        let to_records = records.start <= from && to <= records.end;
        let inside = layout.slot_range(Slot::A).start <= from && to <= layout.swap_range().end;
        assert!(to_records || (swap && inside), "{op:?} is not the boot stage's to do");
    }
    if !swap {
        let slots = records.end as usize..END;
        assert_eq!(flash.bytes()[slots.clone()], before[slots], "a slot was changed");
    }
    let Ok(launch) = outcome else { return };
    let slot = layout.slot_range(launch.slot);
    assert_eq!(launch.address, slot.start);
    let bytes = &flash.bytes()[slot.start as usize..slot.end as usize];
    let trailer = &bytes[bytes.len() - 1024..];
    assert!(is_whole(bytes, trailer), "{launch:?}: the image is not what its trailer says");
    if signatures {
        let mut made = MADE.images.iter().zip(&MADE.packages);
        let genuine = made.any(|(image, package)| bytes.starts_with(image) && trailer.starts_with(signed(package)));
        assert!(genuine, "{launch:?} starts what nobody signed");
    }
    if let BootReason::Trial { attempt, limit } = launch.reason {
        assert!(attempt >= 1 && (attempt <= limit || swap), "{launch:?}");
    }
}

fn signed(package: &Package) -> &[u8] {
    let head = package.head();
    &head[..head.len() - 78]
}

/// Whether the slot's first bytes have the digest that the trailer's manifest says, and are for this device.
fn is_whole(slot: &[u8], trailer: &[u8]) -> bool {
    let body = usize::from(u16::from_le_bytes([trailer[12], trailer[13]]));
    let Some(manifest) = trailer.get(16..16 + body) else { return false };
    let Some(&[low, high]) = trailer.get(16 + body..18 + body) else { return false };
    let Ok(manifest) = Manifest::parse(manifest, |_| true) else {
        // A boot stage passes over elements that it does not know.
        return section_length([low, high]).is_ok();
    };
    let image = &slot[..manifest.image_size as usize];
    let mut hash = Sha2::new();
    hash.update(image);
    hash.finish() == manifest.image_digest && manifest.vendor == VENDOR && manifest.class == CLASS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oracles are worth nothing if no seed starts an image, of both slots and on trial.
    #[test]
    fn seeds_start_images() {
        let mut reasons = HashSet::new();
        for seed in std::fs::read_dir("seeds/boot").expect("seeds") {
            let seed = std::fs::read(seed.expect("a seed").path()).expect("a seed");
            boot(&seed);
            let mut script = Script(&seed);
            let choice = script.byte();
            let layout = if choice & 1 == 0 { &SELECT } else { &SWAP };
            let device = Device::new(layout, VENDOR, CLASS, *FIXTURE.device.keys());
            let mut flash: Flash = Flash::new(&GEOMETRY);
            put(&mut flash, layout, Slot::A, choice >> 2 & 1);
            for _ in 0..script.byte() % 8 {
                live(&device, &mut flash, script.byte());
            }
            let launch = Boot::with_signatures(&device, &mut flash, Board, Known).select().expect("it boots");
            reasons.insert(format!("{:?} {:?}", launch.slot, launch.reason));
        }
        for expected in
            ["A Confirmed", "B Confirmed", "B Trial { attempt: 1, limit: 3 }", "A Trial { attempt: 1, limit: 3 }"]
        {
            assert!(reasons.contains(expected), "{expected} is not among {reasons:?}");
        }
    }
}
