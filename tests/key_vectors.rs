//! Promise: a device that rotates its keys takes, passes over and refuses key sets as `docs/format.md`, section 4.3,
//! says. Shown on files that are in the repository; `examples/make_vectors` made them, `tests/interop.sh` shows them to
//! an independent decoder.

#[path = "../examples/make_vectors/main.rs"]
mod make_vectors;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use embedded_io::Write;
use lockgate::geometry::{Geometry, Run};
use lockgate::pack::{inspect, Keys, RoleKey, SignedKeys, Signer};
use lockgate::sim::{records, Flash};
use lockgate::{
    Block, Device, Error, KeySet, Keyring, Layout, Malformed, PublicKey, Refusal, Running, Sha2, Sha256, Updater,
    Verified, Version,
};
use make_vectors::keys::{Key, CLASS, VENDOR};
use make_vectors::rotation::{cases, Case, Trusted};

/// Words of 8 bytes: a set and its check are filled up to whole ones.
const GEOMETRY: Geometry = Geometry::new("key vectors", &[Run { count: 11, size: 1024 }], 8);
const PLACES: u32 = 2048;
static LAYOUT: Layout =
    Layout::new(&GEOMETRY).records(0..PLACES).keys(PLACES..5120).slots(5120..8192, 8192..11264).check();
const SIGN: u8 = 1;
const ROTATE: u8 = 2;

/// `SignedKeys::read` does not know whether a set is to be passed over, its signatures unseen.
const READ_BY_HOSTS: [&str; 2] = ["old-entry-order", "old-entry-63"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/rotation")
}

/// Runs `check` on every vector, with the bytes from its file. No file is left out.
fn for_each(mut check: impl FnMut(&Case, &[u8])) {
    let names = fs::read_dir(folder()).expect("the folder of vectors").map(|entry| entry.unwrap().file_name());
    let mut files: BTreeSet<_> = names.filter(|name| name != "LIST.json").collect();
    for case in cases() {
        let name = format!("{}.lgu", case.name);
        assert!(files.remove(name.as_ref() as &std::ffi::OsStr), "{name} is missing");
        println!("{name}");
        check(&case, &fs::read(folder().join(name)).unwrap());
    }
    assert_eq!(files, BTreeSet::new(), "files that nothing is known of");
}

/// Letters and roles.
fn letters(trusted: &Trusted) -> impl Iterator<Item = (char, u8)> {
    trusted.keys.split(' ').map(|key| (key.chars().next().unwrap(), key.as_bytes()[1] - b'0'))
}

fn key_set(trusted: &Trusted, role: u8) -> KeySet<'static> {
    let keys = letters(trusted).filter(|(_, roles)| roles & role != 0);
    let keys: Vec<_> = keys.map(|(letter, _)| PublicKey(Key::test(letter).point())).collect();
    KeySet::checked(trusted.thresholds[usize::from(role) - 1], keys.leak()).unwrap()
}

/// A device that passes key sets over.
fn fixed(trusted: &Trusted) -> Device<'static> {
    Device::new(&LAYOUT, VENDOR, CLASS, key_set(trusted, SIGN))
}

fn rotating(trusted: &Trusted) -> Device<'static> {
    let device = fixed(trusted).rotate_keys(key_set(trusted, ROTATE)).key_set_version(trusted.version);
    if trusted.rooted {
        device.rooted()
    } else {
        device
    }
}

fn send(
    device: &Device<'_>,
    flash: &mut Flash<8>,
    pieces: usize,
    bytes: &[u8],
) -> Result<Verified, Error<lockgate::sim::Error>> {
    let (mut block, mut ring) = (Block::<2048>::new(), Keyring::new());
    let running = Running { version: Version::new(1, 0, 0, 1), ..Running::factory() };
    let mut updater = Updater::new(device, flash, &mut block).running(running).keyring(&mut ring);
    bytes.chunks(pieces).try_for_each(|piece| updater.write_all(piece))?;
    updater.finish()
}

fn fresh() -> Flash<8> {
    Flash::sized(&GEOMETRY).seed(7).used()
}

/// As the list writes it.
fn words<T>(outcome: Result<T, Error<lockgate::sim::Error>>) -> String {
    match outcome {
        Ok(_) => String::new(),
        Err(Error::Refused(refusal)) => format!("{refusal:?}"),
        Err(other) => format!("{other:?}"),
    }
}

/// The set that the state names, as its place begins.
fn stored(flash: &mut Flash<8>) -> Option<Vec<u8>> {
    let place = u32::from(records(&LAYOUT, flash).state?.keys).checked_sub(1)?;
    let place = &flash.bytes()[(PLACES + 1024 * place) as usize..][..1024];
    let (set, _) = SignedKeys::read(place).expect("a set");
    let check = &place[set.bytes.len()..][..16];
    let digest = {
        let mut hash = Sha2::new();
        hash.update(b"LGK1");
        hash.update(set.bytes);
        hash.finish()
    };
    assert_eq!(check, &digest.0[..16], "the check behind the set");
    Some(set.bytes.to_vec())
}

#[test]
fn every_key_set_is_taken_passed_over_or_refused_by_the_rule_and_the_update_judged_under_the_last_that_was_taken() {
    let mut wrong = Vec::new();
    for_each(|case, bytes| {
        let mut flash = fresh();
        let found = words(send(&rotating(&case.trusted), &mut flash, bytes.len(), bytes));
        let expected = &case.refusal;
        if found != *expected {
            wrong.push(format!("{}: expected {expected:?}, found {found:?}", case.name));
        }
        let version = stored(&mut flash).map(|set| SignedKeys::read(&set).unwrap().0.keys.version);
        if version != case.taken.last().copied() {
            wrong.push(format!("{}: taken {:?}, found {version:?}", case.name, case.taken));
        }
        assert_eq!(flash.violations(), [], "{}", case.name);
    });
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn what_is_refused_before_a_set_was_taken_leaves_the_flash_as_it_was() {
    for_each(|case, bytes| {
        // What comes in front of the update's payload.
        if case.taken.is_empty() && !case.rule.is_empty() {
            let mut flash = fresh();
            send(&rotating(&case.trusted), &mut flash, bytes.len(), bytes).unwrap_err();
            let counters = flash.counters();
            assert_eq!((counters.erases, counters.programmed_bytes), (0, 0), "{}", case.name);
        }
    });
}

#[test]
fn it_is_the_same_in_pieces() {
    for_each(|case, bytes| {
        for pieces in [1, 76] {
            let mut flash = fresh();
            let found = words(send(&rotating(&case.trusted), &mut flash, pieces, bytes));
            assert_eq!(found, case.refusal, "{}, {pieces}", case.name);
        }
    });
}

/// The update alone, later and without the sets, fares as it did behind them.
#[test]
fn what_was_taken_stays_trusted_after_a_reset() {
    for_each(|case, bytes| {
        let (Ok(inspection), false) = (inspect(bytes), case.rule == "form") else { return };
        let device = rotating(&case.trusted);
        let mut flash = fresh();
        let first = words(send(&device, &mut flash, bytes.len(), bytes));
        let again = words(send(&device, &mut flash, bytes.len(), &bytes[inspection.offset..]));
        if case.rule.is_empty() || case.rule.starts_with("update") {
            assert_eq!(again, first, "{}", case.name);
        }
        // The whole file once more: the sets that were taken are old now.
        let whole = words(send(&device, &mut flash, bytes.len(), bytes));
        assert_eq!(whole, case.refusal, "{}", case.name);
    });
}

/// What is stored is the set and those of its entries that count, in their order.
#[test]
fn a_place_holds_the_set_and_the_entries_that_were_verified() {
    for_each(|case, bytes| {
        let Some(last) = case.taken.last() else { return };
        let mut flash = fresh();
        let _ = send(&rotating(&case.trusted), &mut flash, bytes.len(), bytes);
        let kept = stored(&mut flash).expect("a set");
        // Rotate keys of the trusted set, of the root, and of each set on the way.
        let built_in: Vec<_> = key_set(&case.trusted, ROTATE).keys().iter().map(|key| key.id::<Sha2>()).collect();
        let (mut rest, mut before) = (bytes, built_in.clone());
        loop {
            let (set, behind) = SignedKeys::read(rest).expect("a set");
            let own: Vec<_> = set.keys.with_role(true).map(|key| key.id::<Sha2>()).collect();
            let ours = case.taken.contains(&set.keys.version) && set.keys.vendor == VENDOR && set.keys.class == CLASS;
            rest = behind;
            if !ours {
                continue;
            }
            if set.keys.version == *last {
                let root = if case.trusted.rooted { &built_in[..] } else { &[] };
                let of = |id| before.contains(id) || own.contains(id) || root.contains(id);
                let signed = 16 + usize::from(u16::from_le_bytes([set.bytes[12], set.bytes[13]]));
                let (mut entries, mut at) = (Vec::new(), signed + 2);
                for header in &set.signatures {
                    if header.algorithm == 1 && of(&header.key) {
                        entries.extend(&set.bytes[at..at + header.size()]);
                    }
                    at += header.size();
                }
                let expected = [&set.bytes[..signed], &(entries.len() as u16).to_le_bytes(), &entries].concat();
                assert_eq!(kept, expected, "{}", case.name);
                return;
            }
            before = own;
        }
    });
}

/// Who reads a file on a computer judges sets as a device does that trusts the same.
#[test]
fn the_host_judges_sets_as_a_device_does() {
    let mut wrong = Vec::new();
    for_each(|case, bytes| {
        // A root is a matter of devices.
        if case.trusted.rooted || case.rule == "number" {
            return;
        }
        let Trusted { version, thresholds: [sign_threshold, rotate_threshold], .. } = case.trusted;
        let mut trusted = Keys {
            vendor: VENDOR,
            class: CLASS,
            version,
            sign_threshold,
            rotate_threshold,
            keys: letters(&case.trusted)
                .map(|(letter, roles)| RoleKey {
                    key: PublicKey(Key::test(letter).point()),
                    sign: roles & SIGN != 0,
                    rotate: roles & ROTATE != 0,
                })
                .collect(),
        };
        let (mut rest, mut taken, mut refused) = (bytes, Vec::new(), String::new());
        while rest.get(9) == Some(&1) {
            let outcome = SignedKeys::read(rest).and_then(|(set, behind)| {
                rest = behind;
                let passed_over =
                    set.keys.vendor != VENDOR || set.keys.class != CLASS || set.keys.version <= trusted.version;
                if !passed_over {
                    set.verify(&trusted)?;
                    taken.push(set.keys.version);
                    trusted = set.keys.clone();
                }
                Ok(())
            });
            if let Err(refusal) = outcome {
                refused = format!("{refusal:?}");
                break;
            }
        }
        if taken != case.taken {
            wrong.push(format!("{}: taken {:?}, a host takes {taken:?}", case.name, case.taken));
        }
        // How the refusal of a file that ends is called differs.
        let of_a_set = !case.rule.starts_with("update") && !case.refusal.starts_with("Truncated");
        let behind_sets = matches!(case.name, "broken" | "set-then-magic");
        if of_a_set && !behind_sets && refused != case.refusal {
            wrong.push(format!("{}: {:?}, a host says {refused:?}", case.name, case.refusal));
        }
    });
    wrong.retain(|what| {
        let name = what.split(':').next().unwrap();
        !READ_BY_HOSTS.contains(&name)
    });
    assert_eq!(wrong, Vec::<String>::new());
}

/// Whoever has neither key store nor rotate keys skips sets by their lengths.
#[test]
fn a_device_that_does_not_rotate_passes_every_set_over() {
    let mut accepted = 0;
    for_each(|case, bytes| {
        let mut flash = fresh();
        let mut block = Block::<512>::new();
        let device = fixed(&case.trusted);
        let running = Running { version: Version::new(1, 0, 0, 1), ..Running::factory() };
        let mut updater = Updater::new(&device, &mut flash, &mut block).running(running);
        let found = updater.write_all(bytes).and_then(|()| updater.finish());
        let expected = inspect(bytes).and_then(|inspection| inspection.verify(&key_set(&case.trusted, SIGN)));
        match (found, expected) {
            (Ok(_), Ok(_)) => accepted += 1,
            (Err(Error::Truncated { .. }), Err(Refusal::Malformed(Malformed::Truncated))) => {}
            // Elements are looked at before signatures on a computer, and behind them on a device.
            (Err(Error::Refused(_)), Err(_)) => {}
            (found, expected) => panic!("{}: {found:?}, {expected:?}", case.name),
        }
    });
    assert!(accepted > 10, "{accepted}");
}

/// What the library makes is what was made by hand.
#[test]
fn the_library_makes_the_same_sets() {
    let mut made = 0;
    for_each(|case, bytes| {
        let mut rest = bytes;
        while let Ok((set, behind)) = SignedKeys::read(rest) {
            rest = behind;
            let mut signers: Vec<_> = "abcdefghi"
                .chars()
                .map(Key::test)
                .filter(|key| {
                    let id = PublicKey(key.point()).id::<Sha2>();
                    set.signatures.iter().any(|entry| entry.algorithm == 1 && entry.key == id)
                })
                .map(Key::into_signer)
                .collect();
            let mut signers: Vec<&mut dyn Signer> = signers.iter_mut().map(|key| key as &mut dyn Signer).collect();
            let signed = 16 + usize::from(u16::from_le_bytes([set.bytes[12], set.bytes[13]]));
            // Of elements behind the known ones it knows nothing; bad signatures it does not make.
            let plain = signed == 16 + 62 + 65 * set.keys.keys.len();
            let Ok(ours) = set.keys.sign(&mut signers) else { continue };
            assert!(!plain || ours[..signed] == set.bytes[..signed], "{}", case.name);
            made += u32::from(ours == set.bytes);
        }
    });
    assert!(made > 100, "{made}");
}
