//! The world a device lives in: its flash, the images that its vendor has made, and how each of them behaves.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::cuts::Tally;
use super::life::Broken;
use super::model::Model;
use lockgate::geometry::{Geometry, Run};
use lockgate::manifest::Window;
use lockgate::pack::{Package, Payload, Signer, SigningKey, Update};
use lockgate::{Device, Digest, KeySet, Layout, PublicKey, Strategy, Uuid, Verify, Version, P256};

const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
const CLASS: Uuid = Uuid::new("0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80");

const KEY: &str = include_str!("../../../tests/vectors/test-key-a.pem");

/// Attempts of a new image.
pub const ATTEMPTS: u8 = 3;

/// What an image does when it runs on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// It works, and confirms itself.
    Good,
    /// It hangs: the watchdog resets it.
    Hangs,
    /// It finds that it does not work, and says so.
    Rejects,
}

/// An image that the vendor made. Number n has security counter n + 1.
#[derive(Debug)]
pub struct Image {
    pub bytes: Vec<u8>,
    /// For a device on which each image before it runs; the same for all if it is no delta.
    packages: Vec<Package>,
    pub behaviour: Behaviour,
}

impl Image {
    /// For a device on which image number `running` does.
    pub fn package(&self, running: usize) -> &Package {
        &self.packages[running.min(self.packages.len() - 1)]
    }
}

/// What a vendor's packages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payloads {
    Raw,
    Compressed,
    Deltas,
    CompressedDeltas,
}

impl Payloads {
    pub const ALL: [Self; 4] = [Self::Raw, Self::Compressed, Self::Deltas, Self::CompressedDeltas];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Compressed => "compressed",
            Self::Deltas => "deltas",
            Self::CompressedDeltas => "compressed-deltas",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|payloads| payloads.name() == name)
    }

    fn make(self, image: &[u8], base: Option<&[u8]>) -> Payload {
        let window = |lookahead| Window::new(8, lookahead).expect("a window");
        let payload = match (self, base) {
            (Self::Raw, _) | (_, None) => Payload::raw(image),
            (Self::Compressed, _) => Payload::heatshrink(image, window(4)),
            (Self::Deltas, Some(base)) => Payload::delta(base, image, None),
            (Self::CompressedDeltas, Some(base)) => Payload::delta(base, image, Some(window(7))),
        };
        payload.expect("a payload")
    }
}

/// A kind of device.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub name: &'static str,
    pub layout: &'static Layout,
    /// Bytes of the images, about.
    pub image: usize,
    pub block: u32,
    pub checkpoints: u32,
    /// Whose `WRITE_SIZE` and `READ_SIZE` the driver has.
    pub port: Port,
}

/// `WRITE_SIZE`, then `READ_SIZE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    W1R1,
    W4R1,
    W4R4,
    W8R8,
    W32R1,
}

macro_rules! cases {
    ($($id:ident = $name:literal, $port:ident, write $write:literal, [$($count:literal x $size:expr),+], $image:expr, block $block:literal, every $every:expr,
        $(erased $erased:literal,)?
        records $records:expr, $a:expr, $b:expr $(, swap $swap:expr)?;)+) => {
        $(mod $id {
            use super::*;
            const GEOMETRY: Geometry = Geometry::new($name, &[$(Run { count: $count, size: $size }),+], $write)$(.erased_value($erased))?;
            pub(super) const LAYOUT: Layout = Layout::new(&GEOMETRY).records($records).slots($a, $b)$(.swap($swap))?.check();
        })+
        /// Every kind of device: sectors, units and rules of a chip, fewer sectors than it has.
        pub const CASES: &[Case] = &[$(Case {
            name: $name, layout: &$id::LAYOUT, image: $image, block: $block, checkpoints: $every, port: Port::$port,
        }),+];
    };
}

const K: u32 = 1024;

cases! {
    esp8266 = "esp8266", W4R4, write 4, [24 x 4 * K], 9_001, block 1024, every 4096,
        records 0..8 * K, 8 * K..40 * K, 40 * K..72 * K;
    esp8266_swap = "esp8266-swap", W4R4, write 4, [24 x 4 * K], 9_001, block 1024, every 4096,
        records 0..8 * K, 8 * K..40 * K, 40 * K..72 * K, swap 72 * K..76 * K;
    stm32l4 = "stm32l4", W8R8, write 8, [32 x 2 * K], 5_003, block 512, every 2048,
        records 0..4 * K, 4 * K..16 * K, 16 * K..28 * K;
    stm32l4_swap = "stm32l4-swap", W8R8, write 8, [32 x 2 * K], 5_003, block 512, every 2048,
        records 0..6 * K, 6 * K..18 * K, 18 * K..30 * K, swap 30 * K..32 * K;
    stm32h7 = "stm32h7", W32R1, write 32, [8 x 128 * K], 140_001, block 16_384, every 128 * K,
        records 0..256 * K, 256 * K..512 * K, 512 * K..768 * K;
    stm32h7_swap = "stm32h7-swap", W32R1, write 32, [8 x 128 * K], 140_001, block 16_384, every 128 * K,
        records 0..256 * K, 256 * K..512 * K, 512 * K..768 * K, swap 768 * K..896 * K;
    stm32f4 = "stm32f4", W4R1, write 4, [4 x 16 * K, 1 x 64 * K, 3 x 128 * K], 40_001, block 4096, every 16 * K,
        records 0..32 * K, 32 * K..128 * K, 128 * K..256 * K;
    stm32f4_swap = "stm32f4-swap", W4R1, write 4, [4 x 16 * K, 1 x 64 * K, 3 x 128 * K], 40_001, block 4096, every 16 * K,
        records 0..32 * K, 128 * K..256 * K, 256 * K..384 * K, swap 384 * K..512 * K;
    efm32 = "efm32", W4R4, write 4, [32 x 2 * K], 5_003, block 512, every 2048,
        records 0..4 * K, 4 * K..16 * K, 16 * K..28 * K;
    efm32_swap = "efm32-swap", W4R4, write 4, [32 x 2 * K], 5_003, block 512, every 2048,
        records 0..4 * K, 4 * K..16 * K, 16 * K..28 * K, swap 28 * K..30 * K;
    nrf51 = "nrf51", W4R4, write 4, [32 x K], 2_501, block 256, every 1024,
        records 0..2 * K, 2 * K..8 * K, 8 * K..14 * K;
    nrf51_swap = "nrf51-swap", W4R4, write 4, [32 x K], 2_501, block 256, every 1024,
        records 0..2 * K, 2 * K..8 * K, 8 * K..14 * K, swap 14 * K..15 * K;
    stm32l0 = "stm32l0", W1R1, write 4, [128 x 128], 1_501, block 256, every 512, erased 0x00,
        records 0..2 * K, 2 * K..5 * K, 5 * K..8 * K;
    tiny = "tiny", W32R1, write 32, [24 x 512], 700, block 256, every 512,
        records 0..2 * K, 2 * K..5 * K, 5 * K..8 * K;
    tiny_swap = "tiny-swap", W32R1, write 32, [24 x 512], 700, block 256, every 512,
        records 0..2 * K, 2 * K..5 * K, 5 * K..8 * K, swap 8192..8704;
}

/// One device, its vendor's key and images.
pub struct World {
    pub case: &'static Case,
    pub device: &'static Device<'static>,
    pub images: Vec<Image>,
    /// Above every counter, for the wrong device: refused wherever it is offered.
    pub foreign: Package,
    pub seen: Seen,
}

impl World {
    /// The factory's image, and one more for each behaviour.
    pub fn new(case: &'static Case, behaviours: &[Behaviour]) -> Self {
        Self::with(case, behaviours, Payloads::Raw)
    }

    /// The same, in packages of these payloads.
    pub fn with(case: &'static Case, behaviours: &[Behaviour], payloads: Payloads) -> Self {
        // Always the same: a seed that broke a promise breaks it again.
        let mut key = SigningKey::from_pem(KEY).expect("a key");
        let keys: &'static [PublicKey] = vec![key.public_key()].leak();
        let device = Device::new(case.layout, VENDOR, CLASS, KeySet::new(1, keys))
            .checkpoint_interval(case.checkpoints)
            .attempts(ATTEMPTS);
        let first = std::iter::once(&Behaviour::Good);
        let mut images: Vec<Image> = Vec::new();
        for (number, &behaviour) in (0u32..).zip(first.chain(behaviours)) {
            let bytes = match payloads {
                Payloads::Raw => noise(case.image + 97 * number as usize, number),
                _ => relative(case.image + 97 * number as usize, number),
            };
            let update = Update::new(VENDOR, CLASS, Version::new(1, number as u8, 0, 0), number + 1);
            let update = update.block_size(case.block).expect("a block size");
            let bases: Vec<Option<&[u8]>> = images.iter().map(|base| Some(&base.bytes[..])).collect();
            let bases = if bases.is_empty() { vec![None] } else { bases };
            let made = bases.iter().map(|base| update.encode(&payloads.make(&bytes, *base), &mut [&mut key]));
            let packages = made.collect::<Result<_, _>>().expect("packages");
            images.push(Image { bytes, packages, behaviour });
        }
        let other = Update::new(VENDOR, VENDOR, Version::new(9, 0, 0, 0), u32::MAX);
        let foreign = other.block_size(case.block).and_then(|update| update.build(b"foreign", &mut [&mut key]));
        Self {
            case,
            device: Box::leak(Box::new(device)),
            images,
            foreign: foreign.expect("a package"),
            seen: Seen::default(),
        }
    }

    pub fn is_swap(&self) -> bool {
        self.case.layout.strategy() == Strategy::Swap
    }
}

/// Signature checks by `P256`, each done once: a life has thousands of the same.
#[derive(Clone, Default)]
pub struct Seen(Rc<RefCell<Outcomes>>);

/// Per digest and signature.
type Outcomes = HashMap<(Digest, [u8; 64]), bool>;

impl Verify for Seen {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        *self.0.borrow_mut().entry((*digest, *signature)).or_insert_with(|| P256.verify(key, digest, signature))
    }
}

fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut rng = super::Rng::new(u64::from(seed) + 0x5EED);
    (0..len).map(|_| rng.next() as u8).collect()
}

/// Bytes of which most are those of its relatives, a little further on, and some repeat.
fn relative(len: usize, number: u32) -> Vec<u8> {
    let mut bytes = noise(len, 0);
    let mut own = super::Rng::new(u64::from(number) + 0xBEEF);
    for place in 0..len / 200 {
        let at = (place * 200 + own.below(150) as usize).min(len - 1);
        let end = (at + own.below(40) as usize).min(len);
        let value = own.next() as u8;
        bytes[at..end].fill(value);
    }
    let shift = (number as usize * 13) % len.max(1);
    bytes.rotate_left(shift);
    bytes
}

impl World {
    /// Image bytes that a cut may cost: a checkpoint's interval, a sector, and what one torn checkpoint adds.
    pub fn slack(&self) -> u32 {
        let layout = self.case.layout;
        let range = layout.slot_range(lockgate::Slot::B);
        let (mut sector, mut at) = (0, range.start);
        while let Some(here) = layout.geometry().sector(at).filter(|_| at < range.end) {
            (sector, at) = (sector.max(here.size), here.end());
        }
        2 * (self.case.checkpoints.max(sector)) + sector + self.case.block
    }

    /// The story has ended: every image was kept or taken back. If `strict`, the good ones were kept and no other; with many
    /// cuts an image may have lost all its attempts to them.
    pub fn ended(&self, model: &Model, strict: bool, tally: &mut Tally) -> Result<(), Broken> {
        let kept = |image: usize| model.kept[image];
        let last = (0..self.images.len()).rev().find(|&image| kept(image));
        let right = self.images.iter().enumerate().all(|(number, image)| {
            let good = image.behaviour == Behaviour::Good;
            model.finished[number] && (kept(number) == good || (good && !strict))
        });
        if !right || last != Some(model.confirmed) {
            return Err(Broken(format!("it ended with image {}: {model:?}", model.confirmed)));
        }
        tally.lives += 1;
        let all = model.kept.len() as u64 - 1;
        let confirmed = model.kept.iter().skip(1).filter(|kept| **kept).count() as u64;
        tally.confirmed += confirmed;
        tally.reverted += all - confirmed;
        Ok(())
    }
}
