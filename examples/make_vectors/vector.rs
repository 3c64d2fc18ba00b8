//! A vector: a file, the device that reads it, and what is to become of it.

use super::bytes::number;
use super::json::{self, Fields};
use super::keys::key_sets;
use super::update::{in_order, Update};

/// What the device in `tests/vectors.rs` runs and has room for.
pub(crate) const RUNNING_IMAGE: &[u8] = b"the image that runs";
pub(crate) const RUNNING_COUNTER: u32 = 5;
pub(crate) const SLOT_CAPACITY: u32 = 2 * 1024;
/// Bytes of its block buffer.
pub(crate) const BUFFER: usize = 1024;

#[derive(Clone, Default)]
pub(crate) struct Vector {
    pub(crate) folder: &'static str,
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// Where the update begins.
    pub(crate) update: usize,
    /// The image that was packed; empty if the package is bad, or ends, in front of block 0.
    pub(crate) image: Vec<u8>,
    pub(crate) component: u16,
    pub(crate) load_address: Option<u32>,
    pub(crate) threshold: u8,
    /// The keys that are trusted: letters.
    pub(crate) keys: &'static str,
    /// The refusal, as Rust's `Debug` writes it (its name alone in `format-only`); empty if there is none.
    pub(crate) refusal: String,
    pub(crate) what: &'static str,
    /// What the manifest says; empty if the vector is bad.
    pub(crate) fields: Fields,
}

impl Vector {
    /// A package that keeps every rule of the format: so many key sets, and an update with these entries.
    pub(super) fn kept(folder: &'static str, name: &str, update: &Update, entries: &[Vec<u8>], sets: usize) -> Self {
        let (entries, front) = (in_order(entries.to_vec()), key_sets(sets));
        Self {
            folder,
            name: name.into(),
            update: front.len(),
            bytes: [front, update.with(&entries)].concat(),
            image: update.image.clone(),
            component: update.value(3).map_or(0, number) as u16,
            load_address: update.value(13).map(number),
            fields: json::fields(update, &entries, sets),
            ..Self::default()
        }
        .trusting(1, "a")
    }

    /// One that breaks a rule in front of the payload.
    pub(super) fn head(name: &str, what: &'static str, bytes: Vec<u8>, refusal: &str) -> Self {
        Self { folder: "bad", name: name.into(), bytes, ..Self::default() }.trusting(1, "a").refused(what, refusal)
    }

    pub(super) fn heads<const N: usize>(rows: [(&str, &'static str, Vec<u8>, &str); N]) -> Vec<Self> {
        rows.map(|(name, what, bytes, refusal)| Self::head(name, what, bytes, refusal)).into()
    }

    /// One with a right head and a wrong payload.
    pub(super) fn payload(name: &str, what: &'static str, update: &Update, payload: &[u8], refusal: &str) -> Self {
        let package = Update { payload: payload.into(), ..update.clone() }.signed_by("a");
        Self { image: update.image.clone(), ..Self::head(name, what, package, refusal) }
    }

    pub(super) fn trusting(self, threshold: u8, keys: &'static str) -> Self {
        Self { threshold, keys, ..self }
    }

    pub(super) fn refused(self, what: &'static str, refusal: &str) -> Self {
        Self { what, refusal: refusal.into(), ..self }
    }
}
