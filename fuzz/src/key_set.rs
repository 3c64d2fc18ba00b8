//! Oracles for key sets: a judge written from the page agrees which are taken, passed over or refused, and whether the update behind is
//! accepted, however the package is cut; the device then trusts the set that was taken last, and no other; only what must be is written.
//! Power cuts leave one of the sets that were on the way, and no way back. A damaged place of the key store leaves the trusted set, or none;
//! the boot stage starts images that count all the same.

use std::future::Future;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Waker};

use embassy_futures::block_on;
use embedded_io::Write;
use lockgate::boot::{Boot, Launch, NoImage};
use lockgate::geometry::{Geometry, Run};
use lockgate::pack::{SigningKey, Update};
use lockgate::sim::{Error as FlashError, Flash, Op, Outcome};
use lockgate::{
    asynch, Block, Control, Decision, Device, Digest, Error, ErrorKind, KeySet, Keyring, Layout, PublicKey, Refusal,
    Slot, UpdateState, Updater, Verified, Verify, Version,
};

use crate::boot::Board;
use crate::key_judge::{self, hash, is_point, judge, key_id, sign, Judged, Set, ROTATE, SIGN};
use crate::script::Script;
use crate::stream::{CLASS, VENDOR};

const GEOMETRY: Geometry = Geometry::new("fuzz keys", &[Run { count: 12, size: 1024 }], 4);
static SELECT: Layout =
    Layout::new(&GEOMETRY).records(0..2048).keys(2048..5120).slots(5120..8192, 8192..11_264).check();
static SWAP: Layout = Layout::new(&GEOMETRY)
    .records(0..2048)
    .keys(2048..5120)
    .slots(5120..8192, 8192..11_264)
    .swap(11_264..12_288)
    .check();

/// An update without its signatures.
struct Template {
    signed: Vec<u8>,
    blocks: Vec<u8>,
    image: Vec<u8>,
}

impl Template {
    fn new(number: u8) -> Self {
        let mut key = SigningKey::generate();
        let image: Vec<u8> = (0..600 + 40 * usize::from(number % 8)).map(|i| (i * 7 >> 2) as u8 ^ number).collect();
        let update = Update::new(VENDOR, CLASS, Version::new(1, number, 0, 0), u32::from(number) + 1);
        let package = update.block_size(256).expect("a size").build(&image, &mut [&mut key]).expect("a package");
        let head = package.head();
        let (signed, blocks) = (head[..head.len() - 78].to_vec(), package.bytes()[head.len()..].to_vec());
        Self { signed, blocks, image }
    }

    /// Its head, signed by these keys.
    fn head(&self, keys: &[PublicKey]) -> Vec<u8> {
        object(&self.signed, &section(&self.signed, UPDATE, keys, &mut Script(&[])))
    }
}

struct Made {
    /// By key id. The last is no point.
    people: Vec<PublicKey>,
    updates: Vec<Template>,
    probe: Template,
}

static MADE: LazyLock<Made> = LazyLock::new(|| {
    let mut people: Vec<PublicKey> = (0..12)
        .map(|number| {
            let (x, y) = (hash(&[b"x", &[number]]), hash(&[b"y", &[number]]));
            let mut key = PublicKey([x, y].concat().try_into().expect("64 bytes"));
            key.0[0] = if number == 11 { 0xFF } else { number };
            key
        })
        .collect();
    people.sort_by_key(key_id);
    Made { people, updates: (0..6).map(Template::new).collect(), probe: Template::new(200) }
});

const UPDATE: &[u8] = b"lockgate update ES256 v1";
const KEY_SET: &[u8] = b"lockgate key set ES256 v1";

struct Fake;

impl Verify for Fake {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        *signature == sign(key, &digest.0)
    }

    fn is_point(&mut self, key: &PublicKey) -> bool {
        is_point(key)
    }
}

/// A device in the field, and what is known of it.
struct Field {
    device: Device<'static>,
    rooted: bool,
    signatures: bool,
    flash: Flash,
    built_in: Set,
    trusted: Set,
    /// The set under which the confirmed image counts.
    base: Set,
}

/// The keys of that role that are built into every device.
fn built_in_keys(role: u8, threshold: u8) -> KeySet<'static> {
    static KEYS: LazyLock<[Vec<PublicKey>; 2]> =
        LazyLock::new(|| [SIGN, ROTATE].map(|role| built_in(0).with(role).collect()));
    KeySet::new(threshold, &KEYS[usize::from(role) - 1])
}

fn built_in(choice: usize) -> Set {
    let of = |person: usize, roles| (roles, MADE.people[person]);
    Set {
        version: if choice & 8 == 0 { 0 } else { 3 },
        sign_threshold: 1 + (choice >> 4 & 1) as u8,
        rotate_threshold: 1 + (choice >> 5 & 1) as u8,
        keys: vec![of(0, SIGN), of(1, SIGN | ROTATE), of(2, ROTATE), of(3, ROTATE), of(4, SIGN)],
        signed: Vec::new(),
    }
}

/// Packages for a device that rotates its keys, power cuts, a boot here and there; at the end, damage.
pub fn key_set(data: &[u8]) {
    let mut script = Script(data);
    let mut field = Field::new(script.byte());
    let mut held = None;
    for _ in 0..4 {
        if script.is_empty() {
            break;
        }
        let event = script.byte();
        let package = package(&field, &mut script);
        if event & 7 == 7 {
            field.cut(&package, &mut script);
            held = None;
        }
        let (changed, receipt) = field.send(&package, &mut script);
        if let Some(old) = held.take() {
            let used = Control::new(&field.device, &mut field.flash).try_next(old);
            assert_eq!(used.is_err(), changed, "a receipt from before: {used:?}");
        }
        if event & 8 != 0 {
            held = receipt;
            continue;
        }
        let Some(receipt) = receipt else { continue };
        Control::new(&field.device, &mut field.flash).try_next(receipt).expect("its receipt");
        if event & 16 != 0 {
            continue;
        }
        field.boot();
        if event & 32 == 0 {
            Control::new(&field.device, &mut field.flash).confirm().expect("it is on trial");
            field.base = field.trusted.clone();
            field.boot();
        }
    }
    assert_eq!(field.flash.violations(), []);
    field.damage(&mut script);
}

impl Field {
    fn new(choice: usize) -> Self {
        let set = built_in(choice);
        let layout = if choice & 1 == 0 { &SELECT } else { &SWAP };
        let device = Device::new(layout, VENDOR, CLASS, built_in_keys(SIGN, set.sign_threshold)).attempts(200);
        let device = device.rotate_keys(built_in_keys(ROTATE, set.rotate_threshold)).key_set_version(set.version);
        let rooted = choice & 4 != 0;
        let device = if rooted { device.rooted() } else { device };
        let mut flash: Flash = Flash::new(&GEOMETRY).seed(choice as u64).logged();
        let slot = layout.slot_range(Slot::A);
        let first = &MADE.updates[0];
        flash.load(slot.start, &first.image);
        flash.load(slot.end - 1024, &first.head(&signers(&set)));
        let signatures = choice & 2 != 0;
        let (trusted, base) = (set.clone(), set.clone());
        let mut field = Self { device, rooted, signatures, flash, built_in: set, trusted, base };
        field.boot();
        field
    }

    fn boot(&mut self) {
        let launch = started(&self.device, &mut self.flash, self.signatures).expect("an image is started");
        self.judge_start(&launch, &self.flash, self.signatures, false);
    }

    /// What is started is one of the images, and counts under a set that the device goes by.
    fn judge_start(&self, launch: &Launch, flash: &Flash, signatures: bool, damaged: bool) {
        let slot = self.device.layout().slot_range(launch.slot);
        let (slot, trailer) =
            (&flash.bytes()[slot.start as usize..], &flash.bytes()[slot.end as usize - 1024..slot.end as usize]);
        let update = MADE.updates.iter().find(|update| trailer.starts_with(&update.signed));
        let update = update.expect("an update that was made");
        assert!(slot.starts_with(&update.image), "{launch:?}: another image");
        if signatures {
            let sets = [Some(&self.trusted), Some(&self.base), Some(&self.built_in).filter(|_| damaged)];
            let counts = sets.into_iter().flatten().any(|set| counts(trailer, update, set));
            assert!(counts, "{launch:?} does not count");
        }
    }

    fn status(&mut self) -> lockgate::BootStatus {
        Control::new(&self.device, &mut self.flash).status().expect("the records")
    }

    fn judge(&mut self, package: &[u8]) -> Judged {
        let status = self.status();
        let update = &MADE.updates[status.security_counter as usize];
        let device = key_judge::Device {
            vendor: VENDOR.0,
            class: CLASS.0,
            trusted: self.trusted.clone(),
            root: self.rooted.then_some(&self.built_in),
            ready: status.update != UpdateState::Trial,
            update: (&update.signed, &update.blocks),
        };
        judge(&device, package)
    }

    /// The package comes, in pieces. Gives whether anything became of it, and the receipt.
    fn send(&mut self, package: &[u8], script: &mut Script<'_>) -> (bool, Option<Verified>) {
        let judged = self.judge(package);
        let pending = self.status().update == UpdateState::Pending;
        let target = self.target();
        let cut = script.byte();
        self.flash.clear_log();
        let whole = (cut & 1 == 1).then(|| self.flash.clone());
        let outcome = stream(&self.device, &mut self.flash, package, cut);
        if let Err(error) = &outcome {
            let fault = matches!(error, Error::Flash(_)) || error.kind() == ErrorKind::Bug;
            assert!(!fault, "{error:?}");
        }
        assert_eq!(outcome.is_ok(), judged.accepted, "{outcome:?}, {judged:?}");
        self.judge_writes(&target, &judged);
        if let Some(mut whole) = whole {
            assert_eq!(stream(&self.device, &mut whole, package, 0), outcome, "cutting the stream changed the outcome");
            assert_eq!(whole.log(), self.flash.log(), "cutting the stream changed the flash operations");
        }
        if let Some(set) = judged.taken.last() {
            self.trusted = set.clone();
        }
        let (device, trusted) = (&self.device, self.trusted.clone());
        assert_eq!(trusts(device, &mut self.flash, &trusted), Some(true), "{trusted:?} is trusted");
        self.judge_store();
        // Whatever was to be tried must be accepted anew.
        let changed = judged.started || !judged.taken.is_empty();
        assert_eq!(self.status().update == UpdateState::Pending, pending && !changed);
        (changed, outcome.ok())
    }

    fn target(&mut self) -> std::ops::Range<u32> {
        let layout = self.device.layout();
        layout.slot_range(layout.target(self.status().running))
    }

    /// Records are written, the key store if a set is taken, the target slot if the update is.
    fn judge_writes(&self, target: &std::ops::Range<u32>, judged: &Judged) {
        let layout = self.device.layout();
        for op in self.flash.log() {
            let (from, to) = match *op {
                Op::Erase { from, to } => (from, to),
                Op::Write { at, len, .. } => (at, at + len),
            };
            let within = |range: &std::ops::Range<u32>| range.start <= from && to <= range.end;
            let keys = within(&layout.keys_range()) && !judged.taken.is_empty();
            let slot = within(target) && judged.started;
            assert!(within(&layout.records_range()) || keys || slot, "{op:?} is not this package's to do: {judged:?}");
        }
    }

    /// The sets that are gone by have their places.
    fn judge_store(&self) {
        let store = self.device.layout().keys_range();
        let store = &self.flash.bytes()[store.start as usize..store.end as usize];
        for set in [&self.trusted, &self.base] {
            let kept = set.signed.is_empty() || store.chunks(1024).any(|place| place.starts_with(&set.signed));
            assert!(kept, "version {} is lost", set.version);
        }
    }

    /// Power fails while the package comes.
    fn cut(&mut self, package: &[u8], script: &mut Script<'_>) {
        let judged = self.judge(package);
        let target = self.target();
        let step = self.flash.steps() + script.byte() as u64;
        let outcome = Outcome::CLASSES[script.byte() % Outcome::CLASSES.len()];
        self.flash.clear_log();
        self.flash.cut_at(step, outcome);
        let received = stream(&self.device, &mut self.flash, package, script.byte());
        assert!(received.is_err() || !self.flash.cut_fired(), "power is off");
        self.judge_writes(&target, &judged);
        self.flash.cut_at(u64::MAX, outcome);
        let way: Vec<Set> = std::iter::once(self.trusted.clone()).chain(judged.taken).collect();
        let mut seen = 0;
        for _ in 0..3 {
            self.flash.power_on();
            let launch = started(&self.device, &mut self.flash, self.signatures).expect("an image is started");
            let now = way.iter().rposition(|set| trusts(&self.device, &mut self.flash, set) == Some(true));
            let now = now.expect("one of the sets is trusted");
            assert!(now >= seen, "set {now} of {way:?} after set {seen}");
            seen = now;
            self.trusted = way[now].clone();
            self.judge_store();
            self.judge_start(&launch, &self.flash, self.signatures, false);
        }
    }

    /// Something happens to one place of the key store, which nobody can foresee.
    fn damage(mut self, script: &mut Script<'_>) {
        let kind = script.byte();
        let place = self.device.layout().keys_range().start + 1024 * (kind as u32 / 64 % 3);
        let at = script.below(1024) as u32;
        match kind % 4 {
            0 => self.flash.rot(place + at, script.byte() as u8),
            1 => self.flash.fail_read(place + at & !3),
            2 => {
                let bytes = script.bytes(1024 - at as usize);
                self.flash.load(place + at, bytes);
            }
            _ => self.flash.load(place + at, &vec![script.byte() as u8; 1024 - at as usize]),
        }
        let before = trusts(&self.device, &mut self.flash, &self.trusted);
        assert_ne!(before, Some(false), "another set than {:?} is trusted", self.trusted);
        let mut lost = self.flash.clone();
        lost.clear_log();
        if before.is_none() {
            // Nor is anything taken any more.
            let package = package(&self, script);
            let outcome = stream(&self.device, &mut lost, &package, script.byte());
            let refused = Err(Error::Refused(Refusal::KeyStore));
            assert!(package.is_empty() || outcome == refused, "{outcome:?}");
            assert_eq!(lost.log(), [], "nothing is written");
        }
        let status = self.status();
        for signatures in [false, true] {
            let mut flash = self.flash.clone();
            let confirmed = self.device.layout().slot_range(status.confirmed);
            let trailer = &flash.bytes()[confirmed.end as usize - 1024..];
            let certain = MADE.updates.iter().any(|update| counts(trailer, update, &self.built_in));
            // With swap the confirmed image is in slot B while another is on trial.
            let certain = certain && status.update != UpdateState::Trial;
            match started(&self.device, &mut flash, signatures) {
                Ok(launch) => self.judge_start(&launch, &flash, signatures, true),
                Err(error) => assert!(signatures && !certain, "{error:?}"),
            }
        }
        assert_eq!(self.flash.violations(), []);
    }
}

fn started(device: &Device<'_>, flash: &mut Flash, signatures: bool) -> Result<Launch, NoImage> {
    match signatures {
        true => Boot::with_signatures(device, flash, Board, Fake).select(),
        false => Boot::new(device, flash, Board).select(),
    }
}

/// Whether a trailer of this update counts under the set.
fn counts(trailer: &[u8], update: &Template, set: &Set) -> bool {
    let Some(section) = trailer.strip_prefix(&update.signed[..]) else { return false };
    let digest = digest(UPDATE, &update.signed);
    let entries = section[2..].chunks_exact(76).take(usize::from(u16::from_le_bytes([section[0], section[1]])) / 76);
    let valid = entries
        .filter(|entry| set.with(SIGN).any(|key| entry[2..10] == key_id(&key) && entry[12..] == sign(&key, &digest)));
    valid.count() >= set.sign_threshold.into()
}

/// A package, in pieces of up to 2 * `cut` bytes, or in one.
fn stream(device: &Device<'_>, flash: &mut Flash, mut bytes: &[u8], cut: usize) -> Result<Verified, Error<FlashError>> {
    if cut & 2 != 0 {
        return restless(device, flash, bytes, cut);
    }
    let (mut block, mut ring) = (Block::<1024>::new(), Keyring::new());
    let mut updater: Updater<'_, _, _> = Updater::with_verifier(device, flash, &mut block, Fake).keyring(&mut ring);
    let mut chance = cut as u32;
    while !bytes.is_empty() {
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = if cut == 0 { bytes.len() } else { 1 + (chance >> 16) as usize % (2 * cut) };
        let (piece, rest) = bytes.split_at(length.min(bytes.len()));
        updater.write_all(piece)?;
        bytes = rest;
    }
    updater.finish()
}

/// The same by the async twin, whose first future is dropped after so many polls: it starts over then.
fn restless(device: &Device<'_>, flash: &mut Flash, bytes: &[u8], polls: usize) -> Result<Verified, Error<FlashError>> {
    use embedded_io_async::Write;
    let (mut block, mut ring) = (Block::<1024>::new(), Keyring::new());
    let updater: asynch::Updater<'_, _, _> = asynch::Updater::with_verifier(device, flash, &mut block, Fake);
    let mut updater = updater.keyring(&mut ring);
    {
        let mut context = Context::from_waker(Waker::noop());
        let mut future = pin!(updater.flush());
        let _ = (0..polls).find(|_| future.as_mut().poll(&mut context).is_ready());
    }
    updater.restart();
    block_on(async {
        updater.write_all(bytes).await?;
        updater.finish().await
    })
}

/// Whether the device trusts just this set; none if it takes nothing at all. Nothing is written.
fn trusts(device: &Device<'_>, flash: &mut Flash, set: &Set) -> Option<bool> {
    let needed = set.sign_threshold;
    let enough: Vec<PublicKey> = signers(set);
    // One is missing, though everybody else has signed.
    let sign: Vec<PublicKey> = set.with(SIGN).collect();
    let others = MADE.people.iter().copied().filter(|person| !sign.contains(person));
    let short: Vec<PublicKey> = sign[sign.len() + 1 - usize::from(needed)..].iter().copied().chain(others).collect();
    let operations = flash.log().len();
    let mut ask = |keys: &[PublicKey]| {
        let (mut block, mut ring) = (Block::<1024>::new(), Keyring::new());
        let updater: Updater<'_, _, _> = Updater::with_verifier(device, &mut *flash, &mut block, Fake);
        let mut updater = updater.keyring(&mut ring).policy(|_| Decision::Refuse);
        let head = MADE.probe.head(keys);
        let answer = updater.write_all(&head).expect_err("it is refused at the latest by the policy");
        (answer, updater.key_set_version())
    };
    let answers = [ask(&enough), ask(&short)];
    assert_eq!(flash.log().len(), operations, "what is refused changes nothing");
    if answers.iter().all(|(answer, _)| *answer == Error::Refused(Refusal::KeyStore)) {
        return None;
    }
    let [(first, version), (second, _)] = answers;
    let authentic = matches!(first, Error::Refused(Refusal::Policy | Refusal::Unconfirmed));
    let too_few = Refusal::TooFewSignatures { valid: needed - 1, needed };
    Some(authentic && second == Error::Refused(too_few) && version == set.version)
}

/// As many as must sign an update.
fn signers(set: &Set) -> Vec<PublicKey> {
    set.with(SIGN).take(set.sign_threshold.into()).collect()
}

/// Key sets and an update, as the script says. Zeros are the next set, signed by all who may.
fn package(field: &Field, script: &mut Script<'_>) -> Vec<u8> {
    let mut last = field.trusted.clone();
    let mut bytes = Vec::new();
    let sets = script.byte();
    for _ in 0..sets % 4 {
        let (vendor, class, body) = body(&last, script);
        let body = meddled(elements(&vendor, &class, &body), script);
        let next = key_judge::key_set(&body).map(|(_, _, set)| set);
        let mut keys: Vec<PublicKey> = last.with(ROTATE).collect();
        keys.extend(
            next.iter().chain([&field.built_in].into_iter().filter(|_| field.rooted)).flat_map(|s| s.with(ROTATE)),
        );
        let signed = signed(1, &body);
        let domain = if script.byte() == 0xFF { UPDATE } else { KEY_SET };
        let set = object(&signed, &section(&signed, domain, &toggled(keys, script), script));
        let times = if sets >= 0xF8 { 14 + sets % 8 / 2 } else { 1 };
        bytes.extend(set.repeat(times));
        last = next.filter(|next| next.version == last.version.wrapping_add(1)).unwrap_or(last);
    }
    let status = Control::new(&field.device, &mut field.flash.clone()).status().expect("the records");
    let update = &MADE.updates[status.security_counter as usize];
    let keys = toggled(signers(&last), script);
    bytes.extend(object(&update.signed, &section(&update.signed, UPDATE, &keys, script)));
    bytes.extend(&update.blocks);
    if script.byte() & 7 == 7 {
        bytes = meddled(bytes, script);
    }
    bytes
}

/// The keys, without or with those that the script picks of the people.
fn toggled(mut keys: Vec<PublicKey>, script: &mut Script<'_>) -> Vec<PublicKey> {
    let mask = script.byte() | script.byte() << 8;
    for (_, person) in MADE.people.iter().enumerate().filter(|(number, _)| mask >> number & 1 == 1) {
        match keys.contains(person) {
            true => keys.retain(|key| key != person),
            false => keys.push(*person),
        }
    }
    keys
}

/// Vendor, class and a set, mostly the one after `last`.
fn body(last: &Set, script: &mut Script<'_>) -> ([u8; 16], [u8; 16], Set) {
    let mut roles = script.byte() | script.byte() << 8 | script.byte() << 16;
    for (number, person) in MADE.people.iter().enumerate() {
        let now = last.keys.iter().find(|(_, key)| key == person).map_or(0, |(roles, _)| *roles);
        roles ^= usize::from(now) << (2 * number);
    }
    let keys = MADE.people.iter().enumerate().map(|(number, &key)| ((roles >> (2 * number) & 3) as u8, key));
    let keys = keys.filter(|(roles, _)| *roles != 0).collect();
    let mut set =
        Set { version: last.version.wrapping_add(1), sign_threshold: 1, rotate_threshold: 1, keys, signed: Vec::new() };
    let thresholds = script.byte();
    let threshold = |nibble: usize, role| match nibble {
        0..12 => 1 + nibble % set.with(role).count().max(1),
        _ => (nibble - 12) * 3,
    };
    let (sign, rotate) = (threshold(thresholds & 15, SIGN), threshold(thresholds >> 4, ROTATE));
    (set.sign_threshold, set.rotate_threshold) = (sign as u8, rotate as u8);
    let (mut vendor, mut class) = (VENDOR.0, CLASS.0);
    match script.byte() {
        0xF0 => vendor[script.byte() % 16] ^= 1,
        0xF1 => class[script.byte() % 16] ^= 1,
        0xF2 => set.version = set.version.wrapping_add(1),
        0xF3 => set.version = set.version.wrapping_sub(1 + script.byte() as u32 % 4),
        0xF4 => set.version = u32::MAX,
        0xF5 => set.keys.reverse(),
        0xF6 => set.keys.extend(set.keys.last().copied()),
        0xF7 => set.keys.iter_mut().for_each(|key| key.0 |= script.byte() as u8),
        _ => {}
    }
    (vendor, class, set)
}

/// The body's bytes.
fn elements(vendor: &[u8], class: &[u8], set: &Set) -> Vec<u8> {
    let keys: Vec<u8> = set.keys.iter().flat_map(|(roles, key)| [&[*roles][..], &key.0].concat()).collect();
    let version = set.version.to_le_bytes();
    let values = [vendor, class, &version, &[set.sign_threshold], &[set.rotate_threshold], &keys];
    values.iter().zip(0x8001u16..).flat_map(|(value, kind)| element(kind, value)).collect()
}

fn element(kind: u16, value: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(value.len() as u16).to_le_bytes(), value].concat()
}

/// Bytes that are mostly as they were.
fn meddled(mut bytes: Vec<u8>, script: &mut Script<'_>) -> Vec<u8> {
    match script.byte() {
        0xF0 => bytes.extend(element(7 + script.byte() as u16, &vec![0; script.below(900)])),
        0xF1 => bytes.extend(element(script.byte() as u16 | 0x7000, script.bytes(9))),
        0xF2 => bytes.extend(element(script.byte() as u16 | 0x8000, script.bytes(9))),
        0xF3 => bytes.truncate(script.below(bytes.len())),
        0xF4 => bytes.push(script.byte() as u8),
        0xF5 => drop(bytes.remove(script.below(bytes.len()))),
        0xF6 => bytes.insert(script.below(bytes.len()), script.byte() as u8),
        kind @ 0xF7..=0xFF => {
            for _ in 0..kind - 0xF6 {
                let at = script.below(bytes.len());
                bytes[at] ^= 1 << (script.byte() % 8);
            }
        }
        _ => {}
    }
    bytes
}

/// Prelude and body.
fn signed(kind: u8, body: &[u8]) -> Vec<u8> {
    [b"\x89LGU\r\n\x1A\n\x01", &[kind, 0, 0][..], &(body.len() as u16).to_le_bytes(), &[0; 2], body].concat()
}

fn object(signed: &[u8], section: &[u8]) -> Vec<u8> {
    [signed, section].concat()
}

fn digest(domain: &[u8], signed: &[u8]) -> [u8; 32] {
    hash(&[domain, &[0; 32][domain.len()..], signed])
}

/// A signature section by these keys, mostly in order.
fn section(signed: &[u8], domain: &[u8], keys: &[PublicKey], script: &mut Script<'_>) -> Vec<u8> {
    let digest = digest(domain, signed);
    let entry = |key: &PublicKey| (1u16, key_id(key), sign(key, &digest).to_vec());
    let mut entries: Vec<_> = keys.iter().map(entry).collect();
    entries.sort();
    entries.dedup();
    let odd = script.byte();
    let pick = if odd < 0xE0 { 0 } else { script.below(entries.len()) };
    let mut lie = 0;
    match odd {
        0xE0..=0xE3 if !entries.is_empty() => entries[pick].2[script.byte() % 64] ^= 1 << (odd & 7),
        0xE4 if !entries.is_empty() => drop(entries[pick].2.pop()),
        0xE5 if !entries.is_empty() => entries.insert(pick, entries[pick].clone()),
        0xE6 => entries.reverse(),
        0xE7..=0xE9 if !entries.is_empty() => {
            // As another algorithm's, which comes in front or behind.
            let mut other = entries[pick].clone();
            other.0 = if odd == 0xE7 { 0 } else { 2 + script.byte() as u16 };
            other.2.truncate(script.byte());
            entries.insert(if odd == 0xE7 { 0 } else { entries.len() }, other);
        }
        0xEA if !entries.is_empty() => entries[pick].1 = key_id(&MADE.people[script.byte() % 12]),
        0xEB..=0xED => {
            // Strangers, up to and beyond the limit.
            let wanted = if odd == 0xEB { script.byte() % 40 } else { 20 + odd - 0xE0 };
            let strangers = (0..wanted.saturating_sub(entries.len())).map(|n| (1, [n as u8 * 6; 8], vec![0; 64]));
            entries.extend(strangers.collect::<Vec<_>>());
            entries.sort();
        }
        0xEE => lie = 1,
        0xEF => lie = u16::MAX,
        _ => {}
    }
    let bytes: Vec<u8> = entries
        .iter()
        .flat_map(|(algorithm, id, signature)| {
            let length = signature.len() as u16;
            [&algorithm.to_le_bytes()[..], id, &length.to_le_bytes(), signature].concat()
        })
        .collect();
    [&(bytes.len() as u16).wrapping_add(lie).to_le_bytes()[..], &bytes].concat()
}
