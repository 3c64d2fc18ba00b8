//! Oracles for the stream machine: only authentic bytes reach the slot (I1); how the stream is cut changes nothing; what was not changed is accepted, and
//! what was is not; after any error the untouched package completes from `position()` (I6).

use std::sync::LazyLock;

use embedded_io::Write;
use lockgate::geometry::{Geometry, Run};
use lockgate::pack::{Package, Signer, SigningKey, Update};
use lockgate::sim::Flash;
use lockgate::wire::UPDATE_DOMAIN;
use lockgate::{
    Block, Device, Digest, Error, KeySet, Layout, PublicKey, Sha2, Sha256, Slot, Updater, Uuid, Verified, Verify,
    Version,
};

use crate::script::Script;

pub(crate) const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
pub(crate) const CLASS: Uuid = Uuid::new("0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80");
const GEOMETRY: Geometry = Geometry::new("fuzz", &[Run { count: 16, size: 512 }], 4);
static LAYOUT: Layout = Layout::new(&GEOMETRY).records(0..2048).slots(2048..5120, 5120..8192).check();

pub(crate) struct Fixture {
    pub(crate) device: Device<'static>,
    pub(crate) image: Vec<u8>,
    pub(crate) package: Package,
    key: SigningKey,
}

/// One key, device and package for the whole run.
pub(crate) static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let mut key = SigningKey::generate();
    let keys: &'static [PublicKey] = vec![key.public_key()].leak();
    let image: Vec<u8> = (0..1300u32).map(|i| (i * 7 >> 2) as u8).collect();
    let update = Update::new(VENDOR, CLASS, Version::new(1, 0, 0, 0), 1).block_size(256).unwrap();
    let package = update.build(&image, &mut [&mut key]).unwrap();
    Fixture { device: Device::new(&LAYOUT, VENDOR, CLASS, KeySet::new(1, keys)), image, package, key }
});

/// Another image, signed by the same key.
pub(crate) fn packed(image: &[u8], counter: u32) -> Package {
    let update = Update::new(VENDOR, CLASS, Version::new(0, 9, 0, 0), counter).block_size(256).unwrap();
    update.build(image, &mut [&mut FIXTURE.key.clone()]).unwrap()
}

/// Changes the package as the script says.
fn tamper(bytes: &mut Vec<u8>, script: &mut Script<'_>) {
    for _ in 0..script.byte() % 4 {
        let at = script.below(bytes.len());
        match script.byte() % 6 {
            0 => bytes[at] ^= 1 << (script.byte() % 8),
            1 => bytes[at] = script.byte() as u8,
            2 => bytes.truncate(at + 1),
            3 => bytes.insert(at, script.byte() as u8),
            4 => drop(bytes.remove(at)),
            _ => {
                let (from, len) = (script.below(bytes.len()), script.byte());
                let piece: Vec<u8> = bytes.iter().skip(from).take(len).copied().collect();
                bytes.splice(at..at, piece);
            }
        }
        if bytes.is_empty() {
            return;
        }
    }
}

/// Knows the one signature there is. The arithmetic would take all of the fuzzer's time.
pub(crate) struct Exact;

impl Verify for Exact {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        let head = FIXTURE.package.head();
        let (signed, genuine) = (&head[..head.len() - 78], &head[head.len() - 64..]);
        let mut hash = Sha2::new();
        hash.update(&UPDATE_DOMAIN);
        hash.update(signed);
        FIXTURE.device.keys().keys() == [*key] && hash.finish() == *digest && signature == genuine
    }
}

fn updater<'u>(flash: &'u mut Flash, block: &'u mut Block<512>) -> Updater<'u, &'u mut Flash, Exact> {
    Updater::with_verifier(&FIXTURE.device, flash, block, Exact)
}

type Outcome = Result<Verified, Error<lockgate::sim::Error>>;

/// Streams `bytes` in the script's pieces.
fn stream(updater: &mut Updater<'_, &mut Flash, Exact>, mut bytes: &[u8], script: &mut Script<'_>) -> Outcome {
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at((script.byte() + 1).min(bytes.len()));
        updater.write_all(piece)?;
        bytes = rest;
    }
    updater.finish()
}

fn watched(fixture: &Fixture) -> Flash {
    let slot = LAYOUT.slot_range(Slot::B);
    let mut flash: Flash = Flash::new(&GEOMETRY).seed(1).used().logged();
    flash.oracle(slot.start..slot.end - 1024, fixture.image.clone());
    flash.oracle(slot.end - 1024..slot.end, fixture.package.head());
    flash
}

/// A package that was meddled with, in arbitrary pieces.
pub fn package_stream(data: &[u8]) {
    let fixture = &*FIXTURE;
    let mut script = Script(data);
    let mut bytes = fixture.package.bytes().to_vec();
    tamper(&mut bytes, &mut script);
    let genuine = bytes == fixture.package.bytes();

    let mut flash = watched(fixture);
    let mut block = Block::<512>::new();
    let mut updater = self::updater(&mut flash, &mut block);
    let outcome = stream(&mut updater, &bytes, &mut script);
    assert_eq!(outcome.is_ok(), genuine, "{outcome:?}");

    if outcome.is_err() {
        // Whatever happened, the genuine package goes on where the machine says.
        let at = updater.position() as usize;
        assert!(at <= fixture.package.bytes().len());
        let _receipt =
            stream(&mut updater, &fixture.package.bytes()[at..], &mut script).expect("the genuine package completes");
    }
    assert_eq!(flash.violations(), []);

    let mut whole = watched(fixture);
    let mut block = Block::<512>::new();
    let mut updater = self::updater(&mut whole, &mut block);
    let in_one = updater.write_all(&bytes).and_then(|()| updater.finish());
    assert_eq!(in_one, outcome, "cutting the stream changed the outcome");
    if genuine {
        assert_eq!(whole.log(), flash.log(), "cutting the stream changed the flash operations");
    }
}
