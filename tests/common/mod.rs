//! A device, its keys, its flash and packages for it: the bench that the integration tests share.
#![allow(unreachable_pub)]
#![allow(dead_code)] // each test binary uses a part of it

pub mod counted;
pub mod driver;

use lockgate::geometry::{Geometry, Run};
use lockgate::pack::{Package, Signer, SigningKey, Update};
use lockgate::sim::Flash;
use lockgate::{
    Block, Device, Digest, Error, KeySet, Layout, PublicKey, Running, Slot, Updater, Uuid, Verified, Version,
};

pub const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
pub const CLASS: Uuid = Uuid::new("0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80");
pub const OTHER: Uuid = Uuid::new("ffffffff-3f5b-4a51-9d2c-6a3f5d1e7b80");

/// 64 sectors of 1 KiB, words of 4 bytes: sectors smaller than most blocks.
pub const SMALL: Geometry = Geometry::new("small", &[Run { count: 64, size: 1024 }], 4);
/// Slots of 30 KiB.
pub const SMALL_LAYOUT: Layout =
    Layout::new(&SMALL).records(0..2048).slots(2048..2048 + 30 * 1024, 33 * 1024..63 * 1024).check();

/// What went to the device, and the device itself.
pub struct Bench {
    pub key: SigningKey,
    pub device: &'static Device<'static>,
    pub layout: &'static Layout,
    pub running: Running,
}

impl Bench {
    pub fn new(layout: &'static Layout) -> Self {
        Self::with_key(layout, SigningKey::generate())
    }

    pub fn with_key(layout: &'static Layout, key: SigningKey) -> Self {
        let keys = trust(1, &[&key]);
        let device = leak(Device::new(layout, VENDOR, CLASS, keys));
        Self { key, device, layout, running: Running::factory() }
    }

    /// The slot that an update goes to.
    pub fn target(&self) -> Slot {
        self.layout.target(self.running.slot)
    }

    pub fn pack(&self, image: &[u8], block_size: u32) -> Package {
        update().block_size(block_size).unwrap().build(image, &mut [&mut self.key.clone()]).unwrap()
    }

    /// An erased-nowhere flash whose oracles know the package: any other byte in the target slot is a
    /// violation.
    pub fn flash<const WRITE: usize, const READ: usize>(&self, package: &Package, image: &[u8]) -> Flash<WRITE, READ> {
        let mut flash = Flash::sized(self.layout.geometry()).seed(7).used().logged();
        self.watch(&mut flash, package, image);
        flash
    }

    pub fn watch<const WRITE: usize, const READ: usize>(
        &self,
        flash: &mut Flash<WRITE, READ>,
        package: &Package,
        image: &[u8],
    ) {
        let slot = self.layout.slot_range(self.target());
        flash.oracle(slot.start..slot.end - 1024, image);
        flash.oracle(slot.end - 1024..slot.end, package.head());
    }

    /// What a verified install leaves: image, trailer, receipt.
    #[track_caller]
    pub fn assert_installed<const WRITE: usize, const READ: usize>(
        &self,
        flash: &Flash<WRITE, READ>,
        package: &Package,
        image: &[u8],
        receipt: &Verified,
    ) {
        let slot = self.layout.slot_range(self.target());
        let (start, trailer) = (slot.start as usize, slot.end as usize - 1024);
        assert_eq!(&flash.bytes()[start..start + image.len()], image, "image in the slot");
        assert_eq!(&flash.bytes()[trailer..trailer + package.head().len()], package.head(), "trailer in the slot");
        assert_eq!(flash.violations(), [], "flash contract");
        assert_eq!(receipt.slot(), self.target());
        assert_eq!(receipt.manifest_digest(), package.manifest_digest());
        assert_eq!(receipt.image_digest(), package.manifest().image_digest);
        assert_eq!(receipt.image_size() as usize, image.len());
    }
}

pub fn update() -> Update {
    Update::new(VENDOR, CLASS, Version::new(1, 2, 3, 0), 7)
}

pub fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

pub fn trust(threshold: u8, keys: &[&SigningKey]) -> KeySet<'static> {
    let keys: Vec<PublicKey> = keys.iter().map(|key| key.public_key()).collect();
    KeySet::checked(threshold, keys.leak()).expect("a key set")
}

/// Bytes that look like nothing in particular, the same for the same seed.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect()
}

/// Writes `bytes` in one go and finishes.
pub fn install<const WRITE: usize, const READ: usize, const N: usize>(
    bench: &Bench,
    flash: &mut Flash<WRITE, READ>,
    bytes: &[u8],
) -> Result<Verified, Error<lockgate::sim::Error>> {
    let mut block = Block::<N>::new();
    let mut updater = Updater::new(bench.device, flash, &mut block).running(bench.running);
    embedded_io::Write::write_all(&mut updater, bytes)?;
    updater.finish()
}

pub fn sha256(bytes: &[u8]) -> Digest {
    let mut hash = <lockgate::Sha2 as lockgate::Sha256>::new();
    lockgate::Sha256::update(&mut hash, bytes);
    lockgate::Sha256::finish(hash)
}

/// A flash as a factory leaves it: `package`'s image and trailer in `slot`, blank elsewhere.
pub fn provisioned<const WRITE: usize, const READ: usize>(
    layout: &Layout,
    slot: Slot,
    package: &Package,
    image: &[u8],
) -> Flash<WRITE, READ> {
    let mut flash = Flash::sized(layout.geometry()).seed(3);
    put(&mut flash, layout, slot, package, image);
    flash
}

/// Puts image and trailer into `slot`, as a factory does.
pub fn put<const WRITE: usize, const READ: usize>(
    flash: &mut Flash<WRITE, READ>,
    layout: &Layout,
    slot: Slot,
    package: &Package,
    image: &[u8],
) {
    let range = layout.slot_range(slot);
    flash.load(range.start, &vec![layout.geometry().erased(); range.len()]);
    flash.load(range.start, image);
    flash.load(range.end - 1024, package.head());
}

/// A board that counts how often its watchdog was armed.
#[derive(Default)]
pub struct Board {
    pub armed: u32,
}

impl lockgate::boot::Platform for &mut Board {
    fn arm_watchdog(&mut self) {
        self.armed += 1;
    }

    fn jump(&mut self, _: &lockgate::boot::Launch) -> ! {
        unreachable!("tests call select")
    }

    fn recover(&mut self, _: lockgate::boot::NoImage) -> ! {
        unreachable!("tests call select")
    }
}

/// Boots once, by hashes alone.
pub fn boot<const WRITE: usize, const READ: usize>(
    device: &Device<'_>,
    flash: &mut Flash<WRITE, READ>,
) -> Result<lockgate::boot::Launch, lockgate::boot::NoImage> {
    let mut board = Board::default();
    let outcome = lockgate::boot::Boot::new(device, flash, &mut board).select();
    let trial = matches!(&outcome, Ok(launch) if matches!(launch.reason, lockgate::BootReason::Trial { .. }));
    assert_eq!(board.armed, u32::from(trial), "the watchdog is armed for trials");
    outcome
}

/// An update of this version and counter.
pub fn release(key: &SigningKey, minor: u8, counter: u32, image: &[u8]) -> Package {
    let update = Update::new(VENDOR, CLASS, Version::new(1, minor, 0, 0), counter).block_size(512).unwrap();
    update.build(image, &mut [&mut key.clone()]).unwrap()
}

/// Two slots of 18 KiB and a spare sector.
pub const SWAP_LAYOUT: Layout = Layout::new(&SMALL)
    .records(0..2048)
    .slots(2048..20 * 1024, 20 * 1024..38 * 1024)
    .swap(38 * 1024..39 * 1024)
    .check();

/// A device with version 1.0, counter 1, in slot A, which has booted once.
pub fn device(layout: &'static Layout) -> (Bench, Flash) {
    let bench = Bench::new(layout);
    let image = noise(5000, 1);
    let mut flash = provisioned(layout, Slot::A, &release(&bench.key, 0, 1, &image), &image);
    boot(bench.device, &mut flash).unwrap();
    (bench, flash)
}

/// Installs and asks for a trial.
pub fn ask(bench: &Bench, flash: &mut Flash, package: &Package) {
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut *flash, &mut block);
    let verified = updater.install(package.bytes(), |_| ()).unwrap();
    lockgate::Control::new(bench.device, flash).try_next(verified).unwrap();
}
