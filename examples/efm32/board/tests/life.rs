//! lockgate's updater and boot stage over the driver and the model: an update is taken, exchanged, tried, confirmed, and another
//! one taken back. The model stops the test if a word is programmed a third time.

mod model;

use board::{layout::LAYOUT, Flash};
use embedded_io::Write;
use embedded_storage::nor_flash::ReadNorFlash;
use lockgate::boot::{Boot, Launch, NoImage, Platform};
use lockgate::pack::{Signer, SigningKey, Update};
use lockgate::{Block, BootReason, Control, Device, KeySet, Slot, Updater, Uuid, Version};
use model::Model;

const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
const CLASS: Uuid = Uuid::new("ef320990-58b2-4d6e-8c11-3d9a7be50f42");

struct Nothing;

impl Platform for Nothing {
    fn arm_watchdog(&mut self) {}

    fn jump(&mut self, _: &Launch) -> ! {
        unreachable!("select does not start anything")
    }

    fn recover(&mut self, why: NoImage) -> ! {
        panic!("{why}")
    }
}

fn install(device: &Device<'_>, flash: &mut Flash<Model>, package: &[u8]) {
    let mut block = Block::<1024>::new();
    let mut updater = Updater::new(device, &mut *flash, &mut block);
    for bytes in package.chunks(333) {
        updater.write_all(bytes).unwrap();
    }
    let verified = updater.finish().unwrap();
    Control::new(device, flash).try_next(verified).unwrap();
}

fn boot(device: &Device<'_>, flash: &mut Flash<Model>) -> Launch {
    Boot::new(device, &mut *flash, Nothing).select().unwrap()
}

fn runs(flash: &mut Flash<Model>, image: &[u8]) -> bool {
    let mut slot = vec![0; image.len()];
    flash.read(LAYOUT.slot_range(Slot::A).start, &mut slot).unwrap();
    slot == image
}

#[test]
fn a_device_lives_on_this_driver() {
    let mut key = SigningKey::generate();
    let public = [key.public_key()];
    let device = Device::new(&LAYOUT, VENDOR, CLASS, KeySet::new(1, &public));
    let images: Vec<Vec<u8>> =
        [40_000usize, 61_111, 50_000].iter().map(|&size| (0..size).map(|i| (i * 7 + size) as u8).collect()).collect();
    let mut flash = Flash::new(Model::new());
    flash.msc().erase_time = 20;
    flash.msc().write_time = 0;

    for (number, image) in images.iter().enumerate() {
        let version = Version::new(1, number as u8, 0, 0);
        let package = Update::new(VENDOR, CLASS, version, 1).build(image, &mut [&mut key]).unwrap();
        install(&device, &mut flash, package.bytes());
        let launch = boot(&device, &mut flash);
        assert_eq!((launch.slot, launch.address), (Slot::A, 0xA000));
        assert!(matches!(launch.reason, BootReason::Trial { attempt: 1, limit: 3 }), "{launch:?}");
        assert!(runs(&mut flash, image));
        if number < 2 {
            Control::new(&device, &mut flash).confirm().unwrap();
            assert_eq!(boot(&device, &mut flash).reason, BootReason::Confirmed);
        }
    }
    // The third one never confirms itself.
    boot(&device, &mut flash);
    boot(&device, &mut flash);
    let launch = boot(&device, &mut flash);
    assert!(matches!(launch.reason, BootReason::Reverted(_)), "{launch:?}");
    assert!(runs(&mut flash, &images[1]), "the second one is back");
    assert!(flash.msc().is_safe());
}
