//! Writes the test vectors: `cargo run --example make_vectors --features pack`. They are in the repository,
//! and `tests/vectors.rs`, which shares this code, says when they differ from what this would write.
//!
//! Every byte is made by hand from `docs/format.md`: of the crate it uses SHA-256, P-256, the reader
//! of PEM files and UUIDs, nothing that knows the format. A bad vector breaks one rule. Where that rule is about signed
//! bytes, the signature is right.
//!
//! `main` → `good`, `bad_*`, `rotation` → `vector` → `json` → `update` → `keys` → `bytes`
#![allow(dead_code)] // the test uses a part of it

mod bad_blocks;
mod bad_entries;
mod bad_manifest;
mod bad_objects;
mod bad_signatures;
mod bytes;
pub(crate) mod good;
pub(crate) mod json;
pub(crate) mod keys;
pub(crate) mod rotation;
mod update;
pub(crate) mod vector;

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use vector::Vector;

/// What a device takes; what it refuses; what keeps every rule and is not for the device of
/// `tests/vectors.rs`; what devices that rotate their keys make of key sets.
pub(crate) const FOLDERS: [&str; 4] = ["good", "bad", "format-only", "rotation"];

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    for folder in FOLDERS.map(|folder| root.join(folder)) {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(folder)?;
    }
    let files = files();
    for (path, content) in &files {
        fs::write(root.join(path), content)?;
    }
    println!("{} files, {} bytes", files.len(), files.values().map(Vec::len).sum::<usize>());
    Ok(())
}

/// Every generated file, by its path under `tests/vectors`.
pub(crate) fn files() -> BTreeMap<String, Vec<u8>> {
    let key = |name| (format!("test-key-{name}.pub.pem"), keys::Key::test(name).public_pem().into());
    let mut files: BTreeMap<_, Vec<u8>> = rotation::LETTERS.chars().map(key).collect();
    files.insert(rotation::LIST.into(), rotation::list().into());
    for rotation::Case { name, bytes, .. } in rotation::cases() {
        let twice = files.insert(format!("rotation/{name}.lgu"), bytes);
        assert!(twice.is_none(), "two vectors are called rotation/{name}");
    }
    for Vector { folder, name, threshold, keys, refusal, what, fields, bytes, .. } in all() {
        if !fields.is_empty() {
            files.insert(format!("{folder}/{name}.json"), json::object(&fields, threshold, keys).into());
        }
        if !refusal.is_empty() {
            let header = || b"file\tthreshold\tkeys\trefusal\twhat\n".into();
            let list = files.entry(format!("{folder}/LIST.tsv")).or_insert_with(header);
            list.extend(format!("{name}.lgu\t{threshold}\t{keys}\t{refusal}\t{what}\n").bytes());
        }
        let twice = files.insert(format!("{folder}/{name}.lgu"), bytes);
        assert!(twice.is_none(), "two vectors are called {folder}/{name}");
    }
    files
}

/// Every vector.
pub(crate) fn all() -> Vec<Vector> {
    let (preludes, sequences) = (bad_objects::preludes(), bad_objects::sequences());
    let (manifest, entries) = (bad_manifest::vectors(), bad_entries::vectors());
    let (signatures, blocks) = (bad_signatures::vectors(), bad_blocks::vectors());
    [good::vectors(), good::format_only(), preludes, manifest, entries, signatures, blocks, sequences].concat()
}
