//! Key sets that a package brings to devices in front of its update.

use std::path::{Path, PathBuf};

use lockgate::pack::{Keys, SignedKeys, Signer};
use lockgate::wire::MAX_KEY_SETS;
use lockgate::Uuid;

use crate::failure::Failure;
use crate::key_sets::{self, Verdict};
use crate::{description, files, keys};

/// Key sets in order of their versions, without a gap.
#[derive(Default)]
pub(super) struct Rotations {
    /// What stands in front of the update.
    pub(super) bytes: Vec<u8>,
    versions: Vec<u32>,
    /// The set that devices trust behind them.
    last: Option<Keys>,
}

impl Rotations {
    /// The key sets in these files, for devices of this vendor and class.
    pub(super) fn read(paths: &[PathBuf], (vendor, class): (Uuid, Uuid)) -> Result<Self, Failure> {
        if paths.len() > usize::from(MAX_KEY_SETS) {
            let why = format_args!("{} key sets: {MAX_KEY_SETS} can stand in front of an update", paths.len());
            return Err(Failure::usage("--rotation", why));
        }
        let files = paths.iter().map(|path| files::read(path)).collect::<Result<Vec<_>, _>>()?;
        let mut sets = Vec::new();
        for (path, bytes) in paths.iter().zip(&files) {
            sets.push((path.as_path(), set(path, bytes, (vendor, class))?));
        }
        sets.sort_by_key(|(_, set)| set.keys.version);
        let mut rotations = Self::default();
        let mut previous: Option<&Path> = None;
        for (path, set) in &sets {
            let before = match (previous.take(), rotations.last.take()) {
                (Some(other), Some(before)) => follows((path, set), (other, &before)).map(|()| before)?,
                // What devices trust in front of the first is known to `verify` alone. Its own rotate keys are.
                _ => Keys { version: set.keys.version - 1, rotate_threshold: 0, keys: Vec::new(), ..set.keys.clone() },
            };
            if let Verdict::Refused(why) | Verdict::PassedOver(why) = Verdict::of(set, &before) {
                return Err(Failure::refused(path.display(), why));
            }
            rotations.bytes.extend(set.bytes);
            rotations.versions.push(set.keys.version);
            (previous, rotations.last) = (Some(*path), Some(set.keys.clone()));
        }
        Ok(rotations)
    }

    pub(super) fn versions(&self) -> Vec<u32> {
        self.versions.clone()
    }

    /// Refuses signers of an update that devices would refuse behind these key sets.
    pub(super) fn check_signers(&self, signers: &[Box<dyn Signer>]) -> Result<(), Failure> {
        let Some(Keys { version, sign_threshold, .. }) = self.last else { return Ok(()) };
        let signed = |key: &&lockgate::PublicKey| signers.iter().any(|signer| signer.public_key() == **key);
        let (have, lack): (Vec<_>, Vec<_>) = self.last.iter().flat_map(|last| last.with_role(false)).partition(signed);
        if have.len() >= usize::from(sign_threshold) {
            return Ok(());
        }
        let lack = lack.iter().map(|key| keys::id(key).to_string()).collect::<Vec<_>>().join(", ");
        let why = format_args!(
            "key set {version} asks for {sign_threshold} of its sign keys, {} given: devices that take it would refuse the update; sign with more of {lack}",
            have.len()
        );
        Err(Failure::refused("--key", why))
    }
}

/// The one key set in a file.
fn set<'p>(path: &Path, bytes: &'p [u8], devices: (Uuid, Uuid)) -> Result<SignedKeys<'p>, Failure> {
    if description::is_one(bytes) {
        return Err(Failure::usage(path.display(), "a description, which nobody signed: give the .lgk beside it"));
    }
    let (sets, rest) = key_sets::split(bytes).map_err(|refusal| Failure::refused(path.display(), refusal))?;
    let ([one], []) = (&sets[..], rest) else {
        let why = "not one key set: give the .lgk that `lockgate keys rotate` made";
        return Err(Failure::refused(path.display(), why));
    };
    let (set, _) = SignedKeys::read(one).map_err(|refusal| Failure::refused(path.display(), refusal))?;
    for (what, set, package) in [("vendor", set.keys.vendor, devices.0), ("class", set.keys.class, devices.1)] {
        if set != package {
            let why = format_args!("for {what} {set}, the package is for {package}: its devices would pass it over");
            return Err(Failure::refused(path.display(), why));
        }
    }
    Ok(set)
}

/// Refuses a gap, and the same version twice.
fn follows((path, set): (&Path, &SignedKeys<'_>), (other, before): (&Path, &Keys)) -> Result<(), Failure> {
    let (version, last) = (set.keys.version, before.version);
    let why = match version - last {
        1 => return Ok(()),
        0 => format!("key set {version}, as is {}: give each version once", other.display()),
        _ => {
            format!("key set {version} cannot follow key set {last} ({}): give those between as well", other.display())
        }
    };
    Err(Failure::usage(path.display(), why))
}
