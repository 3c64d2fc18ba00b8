//! The keys that the device trusts when the update comes: those it was given, or those of the key set taken last.

use std::path::Path;

use lockgate::pack::Keys;
use lockgate::{KeySet, Manifest, Refusal, Uuid};
use serde_json::{json, Value};

use crate::device::Built;
use crate::failure::Failure;
use crate::key_sets::{self, Found, Verdict};
use crate::keys;
use crate::table::Table;

pub(super) struct Trust<'p> {
    /// Those that may sign the update.
    pub(super) keys: KeySet<'static>,
    sets: Option<Sets<'p>>,
}

/// The key sets in front of the update, and which counts behind them.
struct Sets<'p> {
    found: Vec<Found<'p>>,
    version: u32,
    /// The device's vendor and class.
    device: (Uuid, Uuid),
    /// The keys that it was built with, to sign and to rotate, and their version.
    built: (KeySet<'static>, KeySet<'static>, u32),
}

impl<'p> Trust<'p> {
    /// These keys and no others: key sets are passed over.
    pub(super) fn keys(keys: KeySet<'static>) -> Self {
        Self { keys, sets: None }
    }

    /// The keys that a device trusts once it took the key sets in front of the update, if it trusted `trusted` before.
    pub(super) fn follow(path: &Path, package: &'p [u8], trusted: Keys) -> Result<Self, Failure> {
        let (sets, _) = key_sets::split(package).map_err(|refusal| Failure::refused(path.display(), refusal))?;
        let mut found = key_sets::read(&sets);
        let device = (trusted.vendor, trusted.class);
        let built = (keys::with_role(&trusted, false)?, keys::with_role(&trusted, true)?, trusted.version);
        let last = key_sets::follow(&mut found, trusted).map_err(|why| Failure::refused(path.display(), why))?;
        let sets = Some(Sets { found, version: last.version, device, built });
        Ok(Self { keys: keys::with_role(&last, false)?, sets })
    }

    /// The device that is to take the whole package, key sets and all.
    pub(super) fn built<'k>(&self, knows: &'k [u16]) -> Built<'k> {
        match self.sets {
            None => Built { keys: self.keys, rotate: None, knows },
            Some(Sets { built: (keys, rotate, version), .. }) => Built { keys, rotate: Some((rotate, version)), knows },
        }
    }

    /// Refuses an update for other devices than the trusted key set is for.
    pub(super) fn check(&self, path: &Path, manifest: &Manifest) -> Result<(), Failure> {
        let Some(Sets { device: (vendor, class), .. }) = self.sets else { return Ok(()) };
        let refusal = if manifest.vendor != vendor {
            Refusal::WrongVendor { package: manifest.vendor, device: vendor }
        } else if manifest.class != class {
            Refusal::WrongClass { package: manifest.class, device: class }
        } else {
            return Ok(());
        };
        Err(Failure::refused(path.display(), refusal))
    }

    /// The same failure; of a refusal it is said which key set counted.
    pub(super) fn explain(&self, failure: Failure) -> Failure {
        match (failure, &self.sets) {
            (Failure::Refused(why), Some(sets)) => Failure::Refused(format!("{why} (under key set {})", sets.version)),
            (failure, _) => failure,
        }
    }

    pub(super) fn rows(&self, table: &mut Table) {
        let Some(Sets { found, version, .. }) = &self.sets else { return };
        table.row([&"trusted keys", &format_args!("key set {version}")]);
        for Found { set, verdict } in found {
            let (Ok(set), Some(verdict)) = (set, verdict) else { continue };
            let name = format!("  key set {}", set.keys.version);
            match verdict {
                Verdict::Taken(signed) => {
                    let signed: Vec<String> = signed.iter().map(keys::label).collect();
                    table.row([&name, &format_args!("taken, signed by {}", signed.join(", "))]);
                }
                Verdict::PassedOver(why) | Verdict::Refused(why) => {
                    table.row([&name, &format_args!("{}: {why}", verdict.word())]);
                }
            }
        }
    }

    /// The version of the key set that counted, and what became of those in the package.
    pub(super) fn json(&self) -> Result<Value, Failure> {
        let Some(Sets { found, version, .. }) = &self.sets else { return Ok(Value::Null) };
        let found = found.iter().map(Found::json).collect::<Result<Vec<_>, _>>()?;
        Ok(json!({ "version": version, "rotations": found }))
    }
}
