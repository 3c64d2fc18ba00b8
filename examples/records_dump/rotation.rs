//! Lives of devices that rotate their keys, for the key store and for the places that a state names.

use std::path::Path;

use lockgate::boot::{Boot, Launch, NoImage, Platform};
use lockgate::geometry::{Geometry, Run};
use lockgate::pack::{Keys, Package, RoleKey, Signer, SigningKey, Update};
use lockgate::sim::{Flash, Outcome};
use lockgate::{
    Block, BootReason, Control, Decision, Device, Error, KeySet, Keyring, Layout, PublicKey, Refusal, Updater, Uuid,
    Version,
};

use super::rig::{life::Broken, Rng};
use super::{hurt, write};

const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
const CLASS: Uuid = Uuid::new("0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80");

const WORDS: Geometry = Geometry::new("words", &[Run { count: 40, size: 1024 }], 4);
const SELECT: Layout =
    Layout::new(&WORDS).records(0..2048).keys(2048..5120).slots(5120..14_336, 14_336..23_552).check();
const SWAP: Layout = Layout::new(&WORDS)
    .records(0..2048)
    .keys(2048..5120)
    .slots(5120..14_336, 14_336..23_552)
    .swap(23_552..24_576)
    .check();
/// Sectors that are erased four together, to zeros.
const PAGES: Geometry = Geometry::new("pages", &[Run { count: 96, size: 256 }], 8).erased_value(0x00);
const SMALL: Layout = Layout::new(&PAGES).records(0..2048).keys(2048..5120).slots(5120..14_336, 14_336..23_552).check();
const WIDE: Geometry = Geometry::new("wide", &[Run { count: 16, size: 2048 }], 32);
const LARGE: Layout =
    Layout::new(&WIDE).records(0..4096).keys(4096..10_240).slots(10_240..20_480, 20_480..30_720).check();

/// The highest version of a key set in the story.
const LAST: usize = 5;
/// What becomes of the updates: the second never confirms itself, the fourth arrives broken.
const STORY: [Stage; 5] =
    [Stage::Confirms(1), Stage::Hangs(3), Stage::Confirms(4), Stage::Breaks(5), Stage::Confirms(5)];

/// What an update does, and the version of the key set under which it is accepted.
#[derive(Clone, Copy)]
enum Stage {
    Confirms(usize),
    Hangs(usize),
    Breaks(usize),
}

impl Stage {
    const fn version(self) -> usize {
        match self {
            Self::Confirms(version) | Self::Hangs(version) | Self::Breaks(version) => version,
        }
    }
}

/// Power or flash failed.
struct Off;

struct Life {
    device: Device<'static>,
    factory: Package,
    /// Packages of the stages, with key sets in front.
    packages: Vec<Vec<u8>>,
    /// An update under the key set of each version.
    probes: Vec<Vec<u8>>,
    signatures: bool,
}

pub(super) fn moments(directory: &Path, moments: u64, seed: u64) -> Result<(), Broken> {
    let share = |of: u64| (moments + 3 - of) / 4;
    Life::new(&SELECT, false).moments::<4, 1>("rotated-select", directory, share(0), seed)?;
    Life::new(&SWAP, false).moments::<4, 1>("rotated-swap", directory, share(1), seed)?;
    Life::new(&SMALL, true).moments::<8, 8>("rotated-pages", directory, share(2), seed)?;
    Life::new(&LARGE, true).moments::<32, 1>("rotated-wide", directory, share(3), seed)
}

fn sign_key(version: usize) -> SigningKey {
    test_key(b"abcdef"[version])
}

fn rotate_key(version: usize) -> SigningKey {
    test_key(if version < 3 { b'g' } else { b'h' })
}

fn test_key(letter: u8) -> SigningKey {
    SigningKey::from_pem(match letter {
        b'a' => include_str!("../../tests/vectors/test-key-a.pem"),
        b'b' => include_str!("../../tests/vectors/test-key-b.pem"),
        b'c' => include_str!("../../tests/vectors/test-key-c.pem"),
        b'd' => include_str!("../../tests/vectors/test-key-d.pem"),
        b'e' => include_str!("../../tests/vectors/test-key-e.pem"),
        b'f' => include_str!("../../tests/vectors/test-key-f.pem"),
        b'g' => include_str!("../../tests/vectors/test-key-g.pem"),
        _ => include_str!("../../tests/vectors/test-key-h.pem"),
    })
    .expect("a test key")
}

fn only(key: &SigningKey) -> KeySet<'static> {
    KeySet::checked(1, vec![key.public_key()].leak()).expect("a key set")
}

/// The set of this version, signed by the rotate keys before and now.
fn set(version: usize) -> Vec<u8> {
    let role = |key: PublicKey, sign| RoleKey { key, sign, rotate: !sign };
    let (sign, mut before, mut now) = (sign_key(version), rotate_key(version - 1), rotate_key(version));
    let keys = Keys {
        vendor: VENDOR,
        class: CLASS,
        version: version as u32,
        sign_threshold: 1,
        rotate_threshold: 1,
        keys: vec![role(sign.public_key(), true), role(now.public_key(), false)],
    };
    let mut signers: Vec<&mut dyn Signer> = vec![&mut now];
    if rotate_key(version - 1).public_key() != rotate_key(version).public_key() {
        signers.push(&mut before);
    }
    keys.sign(&mut signers).expect("a key set")
}

fn release(by: usize, minor: u8, counter: u32) -> Package {
    let image: Vec<u8> = (0..1500 + 16 * u32::from(minor)).map(|at| (at % 251) as u8 ^ minor).collect();
    let update =
        Update::new(VENDOR, CLASS, Version::new(1, minor, 0, 0), counter).block_size(512).expect("a block size");
    update.build(&image, &mut [&mut sign_key(by)]).expect("a package")
}

impl Life {
    fn new(layout: &'static Layout, signatures: bool) -> Self {
        let device = Device::new(layout, VENDOR, CLASS, only(&sign_key(0))).rotate_keys(only(&rotate_key(0)));
        let mut first = 1;
        let packages = STORY.iter().zip(1..).map(|(stage, minor)| {
            let sets: Vec<u8> = (first..=stage.version()).flat_map(set).collect();
            first = stage.version() + 1;
            let mut update = release(stage.version(), minor, minor.into()).bytes().to_vec();
            if let (Stage::Breaks(_), Some(last)) = (stage, update.last_mut()) {
                *last ^= 1;
            }
            [sets, update].concat()
        });
        Self {
            device,
            factory: release(0, 0, 0),
            packages: packages.collect(),
            probes: (0..=LAST).map(|version| release(version, 255, u32::MAX).bytes().to_vec()).collect(),
            signatures,
        }
    }

    fn moments<const W: usize, const R: usize>(
        &self,
        name: &str,
        directory: &Path,
        share: u64,
        seed: u64,
    ) -> Result<(), Broken> {
        let (mut rng, mut written) = (Rng::new(seed ^ 0x6B65_7973), 0);
        while written < share {
            let mut flash = self.factory::<W, R>(rng.next());
            let mut stage = 0;
            // No life is endless: after so many cuts there is no other.
            for attempt in 0..100 {
                if attempt < 60 {
                    let outcome = Outcome::CLASSES[rng.below(Outcome::CLASSES.len() as u64) as usize];
                    let mean = [40, 400, 2000][rng.below(3) as usize];
                    flash.cut_at(flash.steps() + rng.below(mean), outcome);
                }
                if self.stage(&mut flash, stage).is_ok() {
                    stage += 1;
                }
                flash.power_on();
                if written < share && rng.one_in(3) {
                    self.write(&flash, &mut rng, &directory.join(format!("{name}-{written:04}")))?;
                    written += 1;
                }
                if stage == STORY.len() {
                    break;
                }
            }
            if stage < STORY.len() {
                return Err(Broken(format!("{name}: the story did not end")));
            }
            if !flash.violations().is_empty() {
                return Err(Broken(format!("{name}: {:?}", flash.violations())));
            }
        }
        Ok(())
    }

    fn factory<const W: usize, const R: usize>(&self, seed: u64) -> Flash<W, R> {
        let layout = self.device.layout();
        let mut flash = Flash::sized(layout.geometry()).seed(seed);
        let slot = layout.slot_range(lockgate::Slot::A);
        let head = self.factory.head();
        flash.load(
            slot.start,
            &self.factory.bytes()[head.len()..]
                .chunks(512 + 32)
                .flat_map(|block| &block[..block.len().min(512)])
                .copied()
                .collect::<Vec<u8>>(),
        );
        flash.load(slot.end - 1024, head);
        flash
    }

    fn boot<const W: usize, const R: usize>(&self, flash: &mut Flash<W, R>) -> Result<Launch, Off> {
        let launch = if self.signatures {
            Boot::with_signatures(&self.device, &mut *flash, Board, lockgate::P256).select()
        } else {
            Boot::new(&self.device, &mut *flash, Board).select()
        };
        launch.map_err(|_| Off).and_then(|launch| flash.is_powered().then_some(launch).ok_or(Off))
    }

    /// A stage of the story, whatever of it was done before.
    fn stage<const W: usize, const R: usize>(&self, flash: &mut Flash<W, R>, number: usize) -> Result<(), Off> {
        let (stage, counter) = (STORY[number], number as u32 + 1);
        for _ in 0..12 {
            let launch = self.boot(flash)?;
            let status = Control::new(&self.device, &mut *flash).status().map_err(|_| Off)?;
            if let BootReason::Trial { .. } = launch.reason {
                if matches!(stage, Stage::Confirms(_)) || status.security_counter + 1 < counter {
                    Control::new(&self.device, &mut *flash).confirm().map_err(|_| Off)?;
                }
                continue;
            }
            if status.security_counter >= counter {
                return Ok(());
            }
            let outcome = self.send(flash, &self.packages[number], Decision::Accept);
            match (outcome, stage) {
                (Err(Error::Refused(Refusal::BlockHash { .. })), Stage::Breaks(_))
                | (Err(Error::Refused(Refusal::FailedBefore)), Stage::Hangs(_)) => return Ok(()),
                (Ok(receipt), _) => Control::new(&self.device, &mut *flash).try_next(receipt).map_err(|_| Off)?,
                _ => return Err(Off),
            };
        }
        Err(Off)
    }

    fn send<const W: usize, const R: usize>(
        &self,
        flash: &mut Flash<W, R>,
        package: &[u8],
        decision: Decision,
    ) -> Result<lockgate::Verified, Error<lockgate::sim::Error>> {
        let (mut block, mut ring) = (Block::<1024>::new(), Keyring::new());
        let mut updater = Updater::new(&self.device, flash, &mut block).keyring(&mut ring).policy(|_| decision);
        embedded_io::Write::write_all(&mut updater, package)?;
        updater.finish()
    }

    /// The version of the set that the device trusts, as it says itself by what it believes: in JSON.
    fn trusted<const W: usize, const R: usize>(&self, flash: &Flash<W, R>) -> Result<String, Broken> {
        let mut believed = Vec::new();
        for (version, probe) in self.probes.iter().enumerate() {
            match self.send(&mut flash.clone(), probe, Decision::Refuse) {
                Err(Error::Refused(Refusal::Policy | Refusal::Unconfirmed)) => believed.push(version),
                Err(Error::Refused(Refusal::TooFewSignatures { .. })) => {}
                Err(Error::Refused(Refusal::KeyStore)) => return Ok("\"lost\"".into()),
                other => return Err(Broken(format!("a probe: {other:?}"))),
            }
        }
        match believed[..] {
            [version] => Ok(version.to_string()),
            _ => Err(Broken(format!("sets {believed:?} are trusted at once"))),
        }
    }

    fn write<const W: usize, const R: usize>(
        &self,
        flash: &Flash<W, R>,
        rng: &mut Rng,
        path: &Path,
    ) -> Result<(), Broken> {
        let layout = self.device.layout();
        let mut flash = flash.clone();
        let records = layout.records_range();
        let keys = records.end..layout.slot_range(lockgate::Slot::A).start;
        let is_hurt = rng.one_in(2);
        if is_hurt {
            let region = if rng.one_in(2) { records.clone() } else { keys.clone() };
            hurt(layout, region, &mut flash, rng);
        }
        let size = (keys.end - keys.start) / 3;
        let places = [0, 1, 2].map(|place| keys.start + place * size);
        let trusted = self.trusted(&flash)?;
        let mut bare = flash.clone();
        bare.load(records.start, &vec![layout.geometry().erased(); records.len()]);
        let unreadable: Vec<u32> = flash.unreadable().filter(|address| keys.contains(address)).collect();
        let more = format!(
            ", \"store\": {{\"places\": {places:?}, \"vendor\": \"{VENDOR}\", \"class\": \"{CLASS}\", \"unreadable\": \
             {unreadable:?}, \"trusted\": {trusted}, \"without_log\": {}}}",
            self.trusted(&bare)?
        );
        write(&self.device, keys.end, &mut flash, is_hurt, &more, path)
    }
}

struct Board;

impl Platform for Board {
    fn arm_watchdog(&mut self) {}

    fn jump(&mut self, _: &Launch) -> ! {
        unreachable!("images are started by hand")
    }

    fn recover(&mut self, _: NoImage) -> ! {
        unreachable!("images are started by hand")
    }
}
