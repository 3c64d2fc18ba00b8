//! Packages that keep every rule of the format: those that a device takes, and those that are not for it.

use lockgate::Uuid;

use super::bytes::{base_image, entry, noise, sha256};
use super::keys::{low_and_high, Key, UPDATE};
use super::update::Update;
use super::vector::{Vector, RUNNING_COUNTER, RUNNING_IMAGE, SLOT_CAPACITY};

/// Those that the device of `tests/vectors.rs` takes.
pub(super) fn vectors() -> Vec<Vector> {
    let small = small();
    let updates = [
        ("one-byte", Update::new(&[0x5A], 256)),
        ("one-block-less-a-byte", Update::new(&noise(255), 256)),
        ("one-block-exactly", Update::new(&noise(256), 256)),
        ("one-block-and-a-byte", Update::new(&noise(257), 256)),
        ("blocks-of-256", Update::new(&noise(1100), 256)),
        ("blocks-of-512", Update::new(&noise(1100), 512)),
        ("blocks-of-1024", Update::new(&noise(1100), 1024)),
        ("two-blocks-exactly-and-alike", Update::new(&[0xFF; 512], 256)),
        ("component", small.set(3, &[3, 0])),
        ("component-greatest", small.set(3, &[0xFF, 0xFF])),
        ("load-address", small.set(13, &0x0802_0000u32.to_le_bytes())),
        ("load-address-zero", small.set(13, &[0; 4])),
        ("build-number", small.set(4, &[1, 2, 3, 0, 10, 0, 0, 0])),
        ("version-and-counter-greatest", small.set(4, &[0xFF; 8]).set(5, &[0xFF; 4])),
        ("private-element", small.put(0x7001, b"for the application")),
        ("private-elements-at-both-ends", small.put(0x7000, &[]).put(0x7FFF, b"last")),
        ("text", small.put(17, "caf\u{e9} \u{2603}".as_bytes())),
        ("unknown-elements", small.put(18, &[1; 5]).put(0x6FFF, &[])),
        ("manifest-least", small.clone()),
        ("manifest-greatest", small.fill(512)),
    ];

    let [a, b, c] = ['a', 'b', 'c'].map(|name| vec![small.by(name)]);
    let beside_a = |entry: Vec<u8>| vec![a[0].clone(), entry];
    let same_id = entry(2, &Key::test('a').id(), &[0; 64]);
    let most = (0..31).map(|i| entry(0xFF00, &[i; 8], &[i])).chain(a.clone()).collect();
    let [low, high] = low_and_high(&Key::test('a').sign(UPDATE, &small.signed()));
    let signers = [
        ("two-signers", [&a[..], &b].concat(), 0, (2, "ab")),
        ("two-signers-one-needed", [&a[..], &b].concat(), 0, (1, "ab")),
        ("one-signer-of-two-trusted", b.clone(), 0, (1, "ab")),
        ("three-signers-one-stranger", [&a[..], &b, &c].concat(), 0, (2, "ab")),
        ("stranger-whose-signature-is-wrong", beside_a(small.entry('c', &[0x11; 64])), 0, (1, "a")),
        ("algorithm-unknown", beside_a(entry(0x0200, &[7; 8], &[0x22; 100])), 0, (1, "a")),
        ("algorithm-zero", beside_a(entry(0, &[0xFF; 8], &[0x22])), 0, (1, "a")),
        ("algorithm-unknown-trusted-id", beside_a(same_id), 0, (1, "a")),
        ("entries-most", most, 0, (1, "a")),
        ("signature-low-s", vec![small.entry('a', &low)], 0, (1, "a")),
        ("signature-high-s", vec![small.entry('a', &high)], 0, (1, "a")),
        ("key-set-in-front", a.clone(), 1, (1, "a")),
        ("key-sets-in-front", a.clone(), 2, (1, "a")),
        ("key-sets-most", a.clone(), 16, (1, "a")),
    ];
    let updates = updates.map(|(name, update)| Vector::kept("good", name, &update, &[update.by('a')], 0));
    let signers = signers.map(|(name, entries, sets, (threshold, keys))| {
        Vector::kept("good", name, &small, &entries, sets).trusting(threshold, keys)
    });
    updates.into_iter().chain(signers).collect()
}

fn small() -> Update {
    Update::new(&noise(40), 256)
}

/// The package `manifest-least` with a signature section of so many bytes, most of them in an unknown entry.
/// (Not among the files: it is large.)
pub(crate) fn with_section_of(bytes: usize) -> Vec<u8> {
    let a = small().by('a');
    let long = entry(0x0300, &[0; 8], &vec![0; bytes - a.len() - 12]);
    small().with(&[a, long])
}

/// Those that the device refuses.
pub(super) fn format_only() -> Vec<Vector> {
    let small = Update::new(&noise(300), 256);
    // The image such a payload is said to decode to: nobody looks, its bytes are arbitrary.
    let decoded = small.set(6, &1000u32.to_le_bytes()).set(7, &sha256(&noise(1000)));
    let heatshrink = |window, lookahead| decoded.set(11, &[1, window, lookahead]);
    let delta = |encoding: &[u8], base| decoded.set(11, encoding).set(12, &base_image(base));
    let other = Uuid::new("ffffffff-3f5b-4a51-9d2c-6a3f5d1e7b80").0;
    let equal = small.set(5, &RUNNING_COUNTER.to_le_bytes());
    let below = small.set(5, &(RUNNING_COUNTER - 1).to_le_bytes()).set(4, &[0xFF; 8]);
    let running = Update::new(RUNNING_IMAGE, 256).set(5, &RUNNING_COUNTER.to_le_bytes());
    let large = Update::new(&noise(SLOT_CAPACITY as usize + 1), 1024);
    let (version, build) = (equal.set(4, &[0, 9, 0, 0, 0, 0, 0, 0]), equal.set(4, &[1, 0, 0, 0, 0, 0, 0, 0]));
    let encoding = ("an encoding whose streams are not defined yet", "Encoding");
    let block = ("blocks too large", "BlockTooLarge");
    [
        ("heatshrink-least", heatshrink(8, 3), encoding),
        ("heatshrink-greatest", heatshrink(11, 10), encoding),
        ("heatshrink-lookahead-next-to-window", heatshrink(8, 7), encoding),
        ("heatshrink-image-as-long-as-payload", small.set(11, &[1, 9, 4]), encoding),
        ("delta", delta(&[2, 0], 500), encoding),
        ("delta-heatshrink-least", delta(&[2, 1, 8, 3], 500), encoding),
        ("delta-heatshrink-greatest", delta(&[2, 1, 11, 10], 500), encoding),
        ("delta-base-greatest", delta(&[2, 0], 0x7FFF_FFFF), encoding),
        ("device-vendor", small.set(1, &other), ("another vendor's devices", "WrongVendor")),
        ("device-class", small.set(2, &other), ("another class of devices", "WrongClass")),
        ("device-security-counter", below, ("below the device's", "SecurityCounter")),
        ("device-version", version, ("below the running one, counter equal", "Downgrade")),
        ("device-build", build, ("build number below the running one, counter equal", "Downgrade")),
        ("device-running", running, ("the image that runs, counter equal", "AlreadyRunning")),
        ("device-slot", large, ("an image one byte too large", "ImageTooLarge")),
        ("device-buffer", Update::new(&noise(40), 2048), block),
        ("block-size-greatest", Update::new(&noise(40), 65_536), block),
    ]
    .map(|(name, update, (what, refusal))| {
        Vector::kept("format-only", name, &update, &[update.by('a')], 0).refused(what, refusal)
    })
    .into()
}
