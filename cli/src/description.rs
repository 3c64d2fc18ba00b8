//! Key sets described in JSON: what people read and keep, and what `lockgate keys rotate` goes on from.

use std::path::Path;

use lockgate::pack::{public_key_pem, Keys, RoleKey};
use lockgate::wire::MAGIC;
use lockgate::{PublicKey, Uuid, MAX_KEYS};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::Failure;
use crate::files;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    vendor: String,
    class: String,
    version: u32,
    sign_threshold: u8,
    rotate_threshold: u8,
    keys: Vec<Key>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    id: String,
    roles: Vec<Role>,
    /// x || y, in hexadecimal.
    point: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    Sign,
    Rotate,
}

/// A rule that a key set breaks, and what breaks it.
pub(crate) struct Broken {
    pub(crate) field: &'static str,
    pub(crate) why: String,
}

/// The rules of `docs/format.md`, section 4.3, but for the version: the set that devices are built with may have 0.
pub(crate) fn check(keys: &Keys) -> Result<(), Broken> {
    let broken = |field, why| Err(Broken { field, why });
    if keys.keys.is_empty() || keys.keys.len() > MAX_KEYS {
        return broken("keys", format!("{} keys: a device trusts 1 to {MAX_KEYS}", keys.keys.len()));
    }
    let ids = || keys.keys.iter().map(RoleKey::id);
    if let Some((_, id)) = ids().enumerate().find(|(index, id)| ids().take(*index).any(|other| other == *id)) {
        return broken("keys", format!("two keys of the id {id}: give each once"));
    }
    for (field, role, rotate, threshold) in [
        ("sign_threshold", "sign", false, keys.sign_threshold),
        ("rotate_threshold", "rotate", true, keys.rotate_threshold),
    ] {
        let count = keys.with_role(rotate).count();
        if count == 0 {
            return broken("keys", format!("none has the role {role}: at least one must"));
        }
        if threshold == 0 || usize::from(threshold) > count {
            return broken(field, format!("{threshold} of {count} keys: at least 1, at most all"));
        }
    }
    Ok(())
}

/// The description in a file.
pub(crate) fn read(path: &Path) -> Result<Keys, Failure> {
    let usage = |why: &dyn std::fmt::Display| Failure::usage(path.display(), why);
    let bytes = files::read_short(path)?;
    if bytes.starts_with(&MAGIC) {
        return Err(usage(&"a signed key set or a package, not a description: give the .json beside it"));
    }
    if bytes.windows(10).any(|window| window == b"-----BEGIN") {
        return Err(usage(&"a PEM file, not the description of a key set: make one with `lockgate keys new`"));
    }
    parse(&bytes).map_err(|why| usage(&why))
}

/// Whether `bytes` are more likely a description than a key set or a package.
pub(crate) fn is_one(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"{")
}

/// The key set that `bytes` describe.
pub(crate) fn parse(bytes: &[u8]) -> Result<Keys, String> {
    let found: Description =
        serde_json::from_slice(bytes).map_err(|error| format!("not the description of a key set: {error}"))?;
    let uuid = |field, text: &str| Uuid::parse(text).ok_or_else(|| format!("{field}: not a UUID: {text:?}"));
    let mut keys = Keys {
        vendor: uuid("vendor", &found.vendor)?,
        class: uuid("class", &found.class)?,
        version: found.version,
        sign_threshold: found.sign_threshold,
        rotate_threshold: found.rotate_threshold,
        keys: found.keys.iter().map(key).collect::<Result<_, _>>()?,
    };
    check(&keys).map_err(|Broken { field, why }| format!("{field}: {why}"))?;
    keys.keys.sort_by_key(RoleKey::id);
    Ok(keys)
}

fn key(Key { id, roles, point }: &Key) -> Result<RoleKey, String> {
    let wrong = |why: &str| Err(format!("key {id:?}: {why}"));
    let Some(public) = hex(point).map(PublicKey).filter(|key| public_key_pem(key).is_some()) else {
        return wrong("its point is none of P-256: x and y, 128 hexadecimal digits");
    };
    let key = RoleKey { key: public, sign: roles.contains(&Role::Sign), rotate: roles.contains(&Role::Rotate) };
    if key.id().to_string() != *id {
        return wrong(&format!("its point is that of the key {}", key.id()));
    }
    match roles[..] {
        [] => wrong("no role: sign, rotate or both"),
        [Role::Sign] | [Role::Rotate] | [Role::Sign, Role::Rotate] | [Role::Rotate, Role::Sign] => Ok(key),
        _ => wrong("a role is given twice"),
    }
}

fn hex(text: &str) -> Option<[u8; 64]> {
    let mut bytes = [0; 64];
    if text.len() != 128 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

/// The description of `keys`, as in a file.
pub(crate) fn value(keys: &Keys) -> Result<Value, Failure> {
    serde_json::to_value(describe(keys)).map_err(|error| Failure::Io(format!("JSON: {error}")))
}

/// The text of a file that describes `keys`.
pub(crate) fn text(keys: &Keys) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(&describe(keys));
    text.map(|text| text + "\n").map_err(|error| Failure::Io(format!("JSON: {error}")))
}

fn describe(keys: &Keys) -> Description {
    let roles = |key: &RoleKey| {
        let both = [(key.sign, Role::Sign), (key.rotate, Role::Rotate)];
        both.into_iter().filter_map(|(has, role)| has.then_some(role)).collect()
    };
    let described = |key: &RoleKey| Key {
        id: key.id().to_string(),
        roles: roles(key),
        point: key.key.0.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    Description {
        vendor: keys.vendor.to_string(),
        class: keys.class.to_string(),
        version: keys.version,
        sign_threshold: keys.sign_threshold,
        rotate_threshold: keys.rotate_threshold,
        keys: keys.keys.iter().map(described).collect(),
    }
}
