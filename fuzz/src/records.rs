//! Oracles for the record log: whatever the records region holds, the boot stage starts a whole image that its vendor made or none, nothing panics, the flash
//! contract is kept, and an update goes through afterwards.

use lockgate::boot::{Boot, Launch, NoImage, Platform};
use lockgate::geometry::{Geometry, Run};
use lockgate::pack::Package;
use lockgate::sim::Flash;
use lockgate::{Block, BootReason, Control, Device, Layout, Slot, Updater};

use crate::stream::{packed, Exact, CLASS, FIXTURE, VENDOR};

const GEOMETRY: Geometry = Geometry::new("fuzz records", &[Run { count: 32, size: 1024 }], 4);
static SELECT: Layout = Layout::new(&GEOMETRY).records(0..2048).slots(2048..6144, 6144..10_240).check();
static SWAP: Layout =
    Layout::new(&GEOMETRY).records(0..2048).slots(2048..6144, 6144..10_240).swap(10_240..11_264).check();

struct Board;

impl Platform for Board {
    fn arm_watchdog(&mut self) {}

    fn jump(&mut self, _: &Launch) -> ! {
        unreachable!("the target calls select")
    }

    fn recover(&mut self, _: NoImage) -> ! {
        unreachable!("the target calls select")
    }
}

fn boot(device: &Device<'_>, flash: &mut Flash) -> Result<Launch, NoImage> {
    Boot::new(device, flash, Board).select()
}

fn put(flash: &mut Flash, slot: core::ops::Range<u32>, image: &[u8], package: &Package) {
    flash.load(slot.start, image);
    flash.load(slot.end - 1024, package.head());
}

/// Arbitrary records, then boots and an update.
pub fn records(data: &[u8]) {
    let fixture = &*FIXTURE;
    let Some((&choice, data)) = data.split_first() else { return };
    let layout = if choice & 1 == 0 { &SELECT } else { &SWAP };
    let device = Device::new(layout, VENDOR, CLASS, *fixture.device.keys()).allow_downgrade().allow_failed();
    let older: Vec<u8> = fixture.image.iter().rev().copied().collect();
    let old = packed(&older, 1);
    let mut flash: Flash = Flash::new(&GEOMETRY).seed(choice.into());
    put(&mut flash, layout.slot_range(Slot::A), &older, &old);
    if choice & 2 == 0 {
        put(&mut flash, layout.slot_range(Slot::B), &fixture.image, &fixture.package);
    }
    // A log that was begun in earnest, with the fuzzer's bytes over it, or those alone.
    if choice & 4 == 0 {
        let _ = boot(&device, &mut flash);
    }
    for (at, &byte) in data.iter().enumerate().take(2048).filter(|(_, &byte)| byte != 0) {
        let now = flash.bytes()[at];
        flash.load(at as u32, &[now ^ byte]);
    }
    for _ in 0..5 {
        let Ok(launch) = boot(&device, &mut flash) else { break };
        let start = layout.slot_range(launch.slot).start as usize;
        let whole = [&older, &fixture.image].iter().any(|image| flash.bytes()[start..].starts_with(image));
        assert!(whole, "{launch:?} starts what nobody made");
    }
    let mut block = Block::<512>::new();
    let mut updater: Updater<'_, _, Exact> = Updater::with_verifier(&device, &mut flash, &mut block, Exact);
    let installed = updater.install(fixture.package.bytes(), |_| ());
    let status = Control::new(&device, &mut flash).status().expect("status");
    match installed {
        Ok(verified) => {
            Control::new(&device, &mut flash).try_next(verified).expect("a receipt of now");
            if let Ok(Launch { reason: BootReason::Trial { .. }, .. }) = boot(&device, &mut flash) {
                Control::new(&device, &mut flash).confirm().expect("confirmed");
                assert_eq!(boot(&device, &mut flash).expect("it boots").reason, BootReason::Confirmed);
            }
        }
        Err(error) => assert!(matches!(error, lockgate::Error::Refused(_)), "{error} at {status:?}"),
    }
    // The fuzzer's own bytes were put there as a factory does: what follows has to keep the contract.
    assert_eq!(flash.violations(), []);
}
