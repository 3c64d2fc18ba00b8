//! A write to the record log fails once, then power is cut once: every place of both, in the boot that begins an exchange
//! and in the boot that gives an image up.

use embedded_io::Write;
use lockgate::boot::{Boot, Launch, NoImage, Platform};
use lockgate::geometry::{Geometry, Run};
use lockgate::pack::{Package, Signer, SigningKey, Update};
use lockgate::sim::{Flash, Landed, Op};
use lockgate::{Block, BootReason, Control, Device, KeySet, Layout, Strategy, Updater, Uuid, Version};

const K: u32 = 1024;
const NRF51: Geometry = Geometry::new("nrf51", &[Run { count: 32, size: K }], 4);
const SWAP: Layout =
    Layout::new(&NRF51).records(0..2 * K).slots(2 * K..8 * K, 8 * K..14 * K).swap(14 * K..15 * K).check();
const SELECT: Layout = Layout::new(&NRF51).records(0..2 * K).slots(2 * K..8 * K, 8 * K..14 * K).check();
const ID: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");

struct Board;

impl Platform for Board {
    fn arm_watchdog(&mut self) {}
    fn jump(&mut self, _: &Launch) -> ! {
        unreachable!()
    }
    fn recover(&mut self, _: NoImage) -> ! {
        unreachable!()
    }
}

fn boot(device: &Device<'_>, flash: &mut Flash<4, 4>) -> Result<Launch, NoImage> {
    Boot::new(device, flash, Board).select()
}

/// A device that runs image 0 and was asked to try image 1; `fill` installs were begun before.
fn asked(device: &Device<'_>, old: &Package, image: &[u8], new: &Package, fill: usize) -> Flash<4, 4> {
    let mut flash = Flash::<4, 4>::sized(&NRF51);
    flash.load(2 * K, image);
    flash.load(7 * K, old.head());
    boot(device, &mut flash).expect("the old image");
    for _ in 0..fill {
        let mut block = Block::<512>::new();
        Updater::new(device, &mut flash, &mut block).write_all(&new.bytes()[..new.head().len() + 9]).expect("a head");
    }
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(device, &mut flash, &mut block);
    updater.write_all(new.bytes()).expect("written");
    let verified = updater.finish().expect("verified");
    Control::new(device, &mut flash).try_next(verified).expect("asked for");
    flash
}

fn breaks(layout: &'static Layout, boots: usize, fill: usize) -> Option<String> {
    let mut key = SigningKey::generate();
    let keys = [key.public_key()];
    let device = Device::new(layout, ID, ID, KeySet::new(1, &keys));
    let images: Vec<Vec<u8>> = vec![vec![0x5A; 2501], vec![0xA5; 2598]];
    let mut package = |number: u32| {
        let update = Update::new(ID, ID, Version::new(1, number as u8, 0, 0), number + 1);
        update.block_size(256).unwrap().build(&images[number as usize], &mut [&mut key]).unwrap()
    };
    let (old, new) = (package(0), package(1));
    let mut flash = asked(&device, &old, &images[0], &new, fill).logged();
    for _ in 0..boots {
        boot(&device, &mut flash).expect("an attempt");
    }
    flash.clear_log();
    let mut undisturbed = flash.clone();
    boot(&device, &mut undisturbed).expect("a boot");
    let writes = undisturbed.log().iter().filter_map(|op| match op {
        Op::Write { at, .. } if *at < 2 * K => Some(*at),
        _ => None,
    });
    for at in writes.collect::<Vec<_>>() {
        let steps = undisturbed.steps() - flash.steps() + 100;
        for step in 0..steps {
            let mut flash = flash.clone();
            flash.fail_write(at);
            flash.cut_at(flash.steps() + step, Landed::All.stable());
            let _ = boot(&device, &mut flash);
            if !flash.cut_fired() {
                flash.cut_at(u64::MAX, Landed::All.stable());
                flash.power_off(); // a reset after the boot
            }
            flash.power_on();
            // Where nothing can be recorded the exchange waits for the next boot.
            let mut found = boot(&device, &mut flash);
            if found == Err(NoImage::Exchange) {
                found = boot(&device, &mut flash);
            }
            let status = Control::new(&device, &mut flash).status().expect("status");
            let right = matches!(&found, Ok(Launch { reason: BootReason::Trial { .. } | BootReason::Reverted(_), .. }));
            if !right || !status.recorded || status.manifest.is_none() {
                return Some(format!(
                    "fill {fill}: write at {at:#x} fails, cut {step} steps on: {found:?}, {status:?}"
                ));
            }
        }
    }
    None
}

#[test]
fn an_exchange_survives_a_failed_write_and_a_cut() {
    assert_eq!(SWAP.strategy(), Strategy::Swap);
    assert_eq!(breaks(&SWAP, 0, 0), None);
}

#[test]
fn giving_up_survives_a_failed_write_and_a_cut() {
    let broken: Vec<String> = (0..12).filter_map(|fill| breaks(&SELECT, 3, fill)).collect();
    assert_eq!(broken, Vec::<String>::new());
}
