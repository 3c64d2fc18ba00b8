//! Promise: what `docs/format.md` calls a good package is installed, and what breaks one of its rules is
//! refused for that reason, before anything is erased. Shown on files that are in the repository, so that no
//! later version reads them differently; `examples/make_vectors` made them, `tests/interop.sh` shows them
//! to an independent decoder.

#[path = "../examples/make_vectors/main.rs"]
mod make_vectors;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use embedded_io::Write;
use lockgate::geometry::{Geometry, Run};
use lockgate::manifest::{Encoding, Window};
use lockgate::pack::{inspect, read_public_key, Inspection};
use lockgate::sim::Flash;
use lockgate::{
    Block, Decision, Device, Digest, Error, KeySet, Layout, Malformed, Manifest, PublicKey, Refusal, Running, Sha2,
    Sha256, Slot, Updater, Verified, Version,
};
use make_vectors::json::{self, or_null, quoted, Fields};
use make_vectors::keys::{CLASS, VENDOR};
use make_vectors::vector::{Vector, BUFFER, RUNNING_COUNTER, RUNNING_IMAGE, SLOT_CAPACITY};
use make_vectors::FOLDERS;

const GEOMETRY: Geometry = Geometry::new("vectors", &[Run { count: 10, size: 1024 }], 4);
const SLOT: u32 = SLOT_CAPACITY + 1024;
static LAYOUT: Layout =
    Layout::new(&GEOMETRY).records(0..2048).slots(2048..2048 + SLOT, 2048 + SLOT..2048 + 2 * SLOT).check();

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

/// The names of a folder's packages, from the file system.
fn packages(name: &str) -> BTreeSet<String> {
    fs::read_dir(folder(name))
        .expect("the folder of vectors")
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".lgu").map(String::from))
        .collect()
}

/// Runs `check` on every vector of a folder, with the bytes from its file. No file is left out, and there are
/// some.
fn for_each(name: &str, mut check: impl FnMut(&Vector, &[u8])) {
    let mut files = packages(name);
    let mut checked = 0;
    for vector in make_vectors::all().iter().filter(|vector| vector.folder == name) {
        assert!(files.remove(&vector.name), "{name}/{}.lgu is missing", vector.name);
        let bytes = fs::read(folder(name).join(&vector.name).with_extension("lgu")).unwrap();
        println!("{name}/{}", vector.name);
        check(vector, &bytes);
        checked += 1;
    }
    assert_eq!(files, BTreeSet::new(), "files that nothing is known of");
    assert_eq!(checked, packages(name).len());
    assert_ne!(checked, 0);
}

fn keys(vector: &Vector) -> KeySet<'static> {
    let keys: Vec<PublicKey> = vector
        .keys
        .chars()
        .map(|key| read_public_key(&fs::read_to_string(folder(&format!("test-key-{key}.pub.pem"))).unwrap()).unwrap())
        .collect();
    KeySet::checked(vector.threshold, keys.leak()).unwrap()
}

fn sha256(bytes: &[u8]) -> Digest {
    let mut hash = Sha2::new();
    hash.update(bytes);
    hash.finish()
}

struct Outcome {
    result: Result<Verified, Error<lockgate::sim::Error>>,
    manifest: Option<Manifest>,
    flash: Flash,
}

/// The device that a vector is for, as far as its `.json` says; else the one of all others.
fn install(vector: &Vector, bytes: &[u8]) -> Outcome {
    let mut device = Device::new(&LAYOUT, VENDOR, CLASS, keys(vector)).component(vector.component);
    if let Some(address) = vector.load_address {
        device = device.load_addresses(0, address);
    }
    let running = Running {
        slot: Slot::A,
        version: Version::new(1, 0, 0, 1),
        security_counter: RUNNING_COUNTER,
        image: Some(sha256(RUNNING_IMAGE).into()),
    };
    let mut flash: Flash = Flash::new(&GEOMETRY).seed(7).used();
    let slot = LAYOUT.slot_range(Slot::B);
    let records = LAYOUT.records_range();
    flash.oracle(records.end..slot.start, Vec::new());
    flash.oracle(slot.start..slot.end - 1024, vector.image.clone());
    let mut manifest = None;
    let mut block = Block::<BUFFER>::new();
    let mut updater = Updater::new(&device, &mut flash, &mut block).running(running).policy(|offer| {
        manifest = Some(offer.manifest);
        Decision::Accept
    });
    let result = updater.write_all(bytes).and_then(|()| updater.finish());
    let erases = flash.erases_in(0..slot.start) - flash.erases_in(records);
    assert_eq!(erases, 0, "{}: an erase outside the slot and the records", vector.name);
    Outcome { result, manifest, flash }
}

/// What a manifest of the device says, in the words of the `.json`.
fn fields(manifest: &Manifest, inspection: &Inspection<'_>) -> Fields {
    let parameters = |Window { window, lookahead }| [window, lookahead];
    vec![
        ("vendor", quoted(manifest.vendor)),
        ("class", quoted(manifest.class)),
        ("component", manifest.component.to_string()),
        ("version", quoted(manifest.version)),
        ("security_counter", manifest.security_counter.to_string()),
        ("image_size", manifest.image_size.to_string()),
        ("image_digest", quoted(manifest.image_digest)),
        ("block_size", manifest.block_size().to_string()),
        ("payload_length", manifest.payload_length.to_string()),
        ("first_block_hash", quoted(manifest.first_block_hash)),
        (
            "encoding",
            match manifest.encoding {
                Encoding::Raw => quoted("raw"),
                Encoding::Heatshrink(window) => json::encoding("heatshrink", Some(parameters(window))),
                Encoding::Delta(window) => json::encoding("delta", window.map(parameters)),
            },
        ),
        ("base_image", or_null(manifest.base_image.map(|base| json::base_image(base.size, base.digest)))),
        ("load_address", or_null(manifest.load_address)),
        ("manifest_digest", quoted(inspection.manifest_digest)),
        ("blocks", manifest.blocks().to_string()),
        ("key_ids", json::list(inspection.signatures.iter().map(|entry| entry.key.to_string()))),
        ("key_sets", inspection.key_sets.to_string()),
    ]
}

fn committed_json(vector: &Vector) -> String {
    fs::read_to_string(folder(vector.folder).join(&vector.name).with_extension("json")).unwrap()
}

#[test]
fn every_good_vector_is_installed_and_the_slot_holds_its_image() {
    for_each("good", |vector, bytes| {
        let Outcome { result, manifest, flash } = install(vector, bytes);
        let receipt = result.unwrap_or_else(|error| panic!("{}: {error}", vector.name));
        let manifest = manifest.expect("an offer");
        let start = LAYOUT.slot_range(Slot::B).start as usize;
        let stored = &flash.bytes()[start..start + manifest.image_size as usize];
        assert_eq!(stored, vector.image);
        assert_eq!(sha256(stored), manifest.image_digest);
        assert_eq!(receipt.image_digest(), manifest.image_digest);
        assert_eq!(flash.violations(), [], "{}", vector.name);
        let inspection = inspect(bytes).unwrap();
        assert_eq!(receipt.manifest_digest(), inspection.manifest_digest);
        let json = json::object(&fields(&manifest, &inspection), vector.threshold, vector.keys);
        assert_eq!(json, committed_json(vector), "{}", vector.name);
    });
}

/// The trailer is a package's own bytes: prelude, manifest, and the first *threshold* entries that verified.
#[test]
fn every_good_vectors_trailer_holds_the_first_entries_that_verified() {
    for_each("good", |vector, bytes| {
        let Outcome { flash, .. } = install(vector, bytes);
        let inspection = inspect(bytes).unwrap();
        let trusted: Vec<_> = keys(vector).keys().iter().map(|key| key.id::<Sha2>()).collect();
        let signed = vector.update + 16 + inspection.body.len();
        let (mut kept, mut at) = (Vec::new(), signed + 2);
        for entry in &inspection.signatures {
            let is_first = kept.len() < 76 * usize::from(vector.threshold);
            if entry.algorithm == 1 && trusted.contains(&entry.key) && is_first {
                kept.extend(&bytes[at..at + entry.size()]);
            }
            at += entry.size();
        }
        let section = (kept.len() as u16).to_le_bytes();
        let mut trailer = [&bytes[vector.update..signed], &section, &kept].concat();
        trailer.resize(trailer.len().next_multiple_of(4), 0xFF);
        let start = LAYOUT.slot_range(Slot::B).end as usize - 1024;
        assert_eq!(flash.bytes()[start..start + trailer.len()], trailer, "{}", vector.name);
    });
}

/// What the list beside the vectors says: refusal, by name.
fn listed(name: &str) -> BTreeMap<String, Vec<String>> {
    let list = fs::read_to_string(folder(name).join("LIST.tsv")).unwrap();
    let mut lines = list.lines();
    assert_eq!(lines.next(), Some("file\tthreshold\tkeys\trefusal\twhat"));
    lines
        .map(|line| {
            let columns: Vec<String> = line.split('\t').map(String::from).collect();
            (columns[0].strip_suffix(".lgu").unwrap().into(), columns)
        })
        .collect()
}

/// As the list writes it.
fn refusal(error: &Error<lockgate::sim::Error>) -> String {
    match error {
        Error::Refused(refusal) => format!("{refusal:?}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn every_bad_vector_is_refused_for_the_rule_it_breaks() {
    let list = listed("bad");
    assert_eq!(list.keys().cloned().collect::<BTreeSet<_>>(), packages("bad"));
    let mut wrong = Vec::new();
    for_each("bad", |vector, bytes| {
        let Outcome { result, flash, .. } = install(vector, bytes);
        let found = result.map_or_else(|error| refusal(&error), |_| "ACCEPTED".into());
        let [_, threshold, keys, expected, _] = &list[&vector.name][..] else { panic!("{}: columns", vector.name) };
        assert_eq!((threshold, &keys[..]), (&vector.threshold.to_string(), vector.keys));
        if found != *expected {
            wrong.push(format!("{}: expected {expected}, found {found}", vector.name));
        }
        assert_eq!(flash.violations(), [], "{}", vector.name);
        if vector.image.is_empty() {
            let counters = flash.counters();
            assert_eq!((counters.erases, counters.programmed_bytes), (0, 0), "{}: the flash was touched", vector.name);
        }
    });
    assert_eq!(wrong, Vec::<String>::new());
}

/// Device and host read with the same types, in another order.
#[test]
fn the_host_refuses_every_bad_vector_as_a_device_does() {
    for_each("bad", |vector, bytes| {
        let found = judge(vector, bytes).expect_err(&vector.name);
        match (found, vector.refusal.starts_with("Truncated")) {
            (Refusal::Malformed(Malformed::Truncated), true) => {}
            (other, _) => assert_eq!(format!("{other:?}"), vector.refusal, "{}", vector.name),
        }
    });
}

/// The host's judgement: format, signatures, chain, image.
fn judge(vector: &Vector, bytes: &[u8]) -> Result<(), Refusal> {
    let inspection = inspect(bytes)?;
    // Someone who looks is not the device that must understand: `inspect` shows private critical elements.
    Manifest::parse(inspection.body, |_| false)?;
    inspection.verify(&keys(vector))?;
    let image = inspection.blocks().collect::<Result<Vec<_>, _>>()?.concat();
    let raw = inspection.manifest.encoding == Encoding::Raw;
    if raw && sha256(&image) != inspection.manifest.image_digest {
        return Err(Refusal::ImageDigest);
    }
    Ok(())
}

#[test]
fn what_is_not_for_this_device_is_refused_before_an_erase_though_the_format_is_kept() {
    let list = listed("format-only");
    assert_eq!(list.keys().cloned().collect::<BTreeSet<_>>(), packages("format-only"));
    for_each("format-only", |vector, bytes| {
        assert_eq!(judge(vector, bytes), Ok(()), "{}", vector.name);
        let inspection = inspect(bytes).unwrap();
        let json = json::object(&fields(&inspection.manifest, &inspection), vector.threshold, vector.keys);
        assert_eq!(json, committed_json(vector), "{}", vector.name);

        let Outcome { result, flash, .. } = install(vector, bytes);
        let refusal = refusal(&result.expect_err(&vector.name));
        assert_eq!(refusal.split(' ').next().unwrap(), list[&vector.name][3], "{}", vector.name);
        assert_eq!((flash.counters().erases, flash.counters().programmed_bytes), (0, 0), "{}", vector.name);
    });
}

#[test]
fn a_signature_section_of_32768_bytes_is_taken_and_a_larger_one_refused() {
    let vector = make_vectors::all().into_iter().find(|vector| vector.name == "manifest-least").unwrap();
    let taken = make_vectors::good::with_section_of(32_768);
    let outcome = install(&vector, &taken);
    assert!(outcome.result.is_ok(), "{:?}", outcome.result);
    assert_eq!(judge(&vector, &taken), Ok(()));
    let refused = make_vectors::good::with_section_of(32_769);
    let outcome = install(&vector, &refused);
    let length = Refusal::Malformed(Malformed::SectionLength);
    assert_eq!(outcome.result.unwrap_err(), Error::Refused(length));
    assert_eq!(outcome.flash.counters().erases, 0);
    assert_eq!(judge(&vector, &refused), Err(length));
}

/// If this fails and the format is meant to be as it was, the code has changed what it makes or reads; if the
/// vectors were changed on purpose, write them anew: `cargo run --example make_vectors --features pack`.
#[test]
fn the_files_are_what_their_generator_makes() {
    let made = make_vectors::files();
    for (path, bytes) in &made {
        let committed = fs::read(folder(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(committed == *bytes, "{path} differs from what make_vectors makes");
    }
    for name in FOLDERS {
        for entry in fs::read_dir(folder(name)).unwrap() {
            let path = format!("{name}/{}", entry.unwrap().file_name().into_string().unwrap());
            assert!(made.contains_key(&path), "{path} is not made by make_vectors");
        }
    }
}
