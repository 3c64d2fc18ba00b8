//! Keys as people give them: PEM files in, key sets and Rust constants out.

use std::path::{Path, PathBuf};

use lockgate::pack::{self, KeyError, Keys, SigningKey};
use lockgate::{KeyId, KeySet, PublicKey, Sha2, MAX_KEYS};

use crate::failure::Failure;
use crate::files;

/// What is said wherever a bench key shows up.
pub(crate) const BENCH: &str = "BENCH KEY, not for production";

/// The private key in a PEM file.
pub(crate) fn signing_key(path: &Path) -> Result<SigningKey, Failure> {
    let pem = files::read_text(path)?;
    SigningKey::from_pem(&pem).map_err(|error| match error {
        KeyError::NotPrivate if pem.contains("BEGIN PUBLIC KEY") => {
            Failure::usage(path.display(), "this is a public key: give the private one, or sign with --sign-with")
        }
        error => bad_key(path, &pem, error),
    })
}

/// The public key in a PEM file, or the public half of the private key there.
pub(crate) fn public_key(path: &Path) -> Result<PublicKey, Failure> {
    let pem = files::read_text(path)?;
    pack::read_public_key(&pem).map_err(|error| bad_key(path, &pem, error))
}

fn bad_key(path: &Path, pem: &str, error: KeyError) -> Failure {
    if pem.contains("BEGIN CERTIFICATE") {
        let hint = "this is a certificate: take its key out with `openssl x509 -pubkey -noout`";
        return Failure::usage(path.display(), hint);
    }
    match error {
        KeyError::NotPrivate => {
            Failure::usage(path.display(), "no key in PEM (expected PUBLIC KEY, PRIVATE KEY or EC PRIVATE KEY)")
        }
        error => Failure::usage(path.display(), error),
    }
}

/// The keys in these files, of which `threshold` (1 if not given) must have signed. The key set lives as long
/// as the program, so that devices and updaters can borrow it.
pub(crate) fn key_set(paths: &[PathBuf], threshold: Option<u8>) -> Result<KeySet<'static>, Failure> {
    let keys = paths.iter().map(|path| public_key(path)).collect::<Result<Vec<_>, _>>()?;
    check(paths, &keys, threshold.unwrap_or(1))?;
    let keys: &'static [PublicKey] = keys.leak();
    KeySet::checked(threshold.unwrap_or(1), keys)
        .ok_or_else(|| Failure::usage("--key", "these keys and this threshold make no key set"))
}

/// Says which rule of [`KeySet::checked`] is broken, and by what.
fn check(paths: &[PathBuf], keys: &[PublicKey], threshold: u8) -> Result<(), Failure> {
    if keys.is_empty() || keys.len() > MAX_KEYS {
        return Err(Failure::usage("--key", format_args!("{} keys: a device trusts 1 to {MAX_KEYS}", keys.len())));
    }
    for (index, (path, key)) in paths.iter().zip(keys).enumerate() {
        if let Some(other) = keys.iter().take(index).position(|other| other == key) {
            let why = format_args!("the same key as {}: a threshold counts different keys", paths[other].display());
            return Err(Failure::usage(path.display(), why));
        }
    }
    if threshold == 0 || usize::from(threshold) > keys.len() {
        let why = format_args!("{threshold} of {} keys: at least 1, at most all", keys.len());
        return Err(Failure::usage("--threshold", why));
    }
    Ok(())
}

/// The key's id.
pub(crate) fn id(key: &PublicKey) -> KeyId {
    key.id::<Sha2>()
}

/// The id for people: a bench key is called one.
pub(crate) fn label(id: &KeyId) -> String {
    match pack::is_bench(id) {
        true => format!("{id} ({BENCH})"),
        false => id.to_string(),
    }
}

/// A key in JSON.
#[derive(serde::Serialize)]
pub(crate) struct JsonKey {
    id: String,
    bench: bool,
}

impl From<KeyId> for JsonKey {
    fn from(id: KeyId) -> Self {
        Self { id: id.to_string(), bench: pack::is_bench(&id) }
    }
}

impl JsonKey {
    /// For people, as [`label`] has it.
    pub(crate) fn label(&self) -> String {
        match self.bench {
            true => format!("{} ({BENCH})", self.id),
            false => self.id.clone(),
        }
    }
}

/// The keys of one role, as a device is given them. They live as long as the program.
pub(crate) fn with_role(keys: &Keys, rotate: bool) -> Result<KeySet<'static>, Failure> {
    let threshold = if rotate { keys.rotate_threshold } else { keys.sign_threshold };
    let points: &'static [PublicKey] = keys.with_role(rotate).copied().collect::<Vec<_>>().leak();
    let version = keys.version;
    KeySet::checked(threshold, points)
        .ok_or_else(|| Failure::Refused(format!("key set {version}: its keys and thresholds make no key set")))
}

/// Both roles as Rust source, and how a device is told.
pub(crate) fn rust_consts(keys: &Keys) -> Result<String, Failure> {
    let sign = rust_const("KEYS", &with_role(keys, false)?);
    let rotate = rust_const("ROTATE_KEYS", &with_role(keys, true)?);
    let version = match keys.version {
        0 => String::new(),
        version => format!(".key_set_version({version})"),
    };
    Ok(format!("{sign}\n\n{rotate}\n\n// Device::new(.., KEYS).rotate_keys(ROTATE_KEYS){version}"))
}

/// The key set as Rust source, for the firmware that is to trust it. Laid out as `rustfmt` would.
pub(crate) fn rust_const(name: &str, set: &KeySet<'_>) -> String {
    let mut source = format!("const {name}: KeySet = KeySet::new(\n    {},\n    &[\n", set.threshold());
    for key in set.keys() {
        source += &format!("        // {}\n        PublicKey([\n", label(&id(key)));
        for row in key.0.chunks(14) {
            let bytes: Vec<String> = row.iter().map(|byte| format!("0x{byte:02x},")).collect();
            source += &format!("            {}\n", bytes.join(" "));
        }
        source += "        ]),\n";
    }
    source + "    ],\n);"
}
