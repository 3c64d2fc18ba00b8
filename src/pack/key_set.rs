//! Key sets: makes one, signs it, reads one back, and judges it as a device does (`docs/format.md`, section 4.3).

use std::vec::Vec;

use super::keys::Signer;
use super::update::{signatures, PackError};
use crate::digest::{digest, Digest, Sha2};
use crate::es256::P256;
use crate::id::Uuid;
use crate::keys::{number, Body, MAX_STORED, ROTATE, SIGN};
use crate::manifest::CRITICAL;
use crate::refusal::{Malformed, Refusal};
use crate::trust::{KeyId, PublicKey, Verify};
use crate::wire::{
    section_length, EntryHeader, ObjectType, Prelude, ENTRY_HEADER_SIZE, ES256, KEY_SET_DOMAIN, PRELUDE_SIZE,
    SECTION_LENGTH_SIZE,
};

/// A key, and what it may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleKey {
    /// The key.
    pub key: PublicKey,
    /// It signs updates.
    pub sign: bool,
    /// It signs key sets.
    pub rotate: bool,
}

impl RoleKey {
    /// The key's id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.key.id::<Sha2>()
    }
}

/// The keys that devices are to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Whose devices.
    pub vendor: Uuid,
    /// Which devices.
    pub class: Uuid,
    /// One higher than that of the set it follows; 0 is the set that devices are built with.
    pub version: u32,
    /// How many *sign* keys must have signed an update.
    pub sign_threshold: u8,
    /// How many *rotate* keys must have signed a key set.
    pub rotate_threshold: u8,
    /// 1 to 8 keys.
    pub keys: Vec<RoleKey>,
}

impl Keys {
    /// The key set as a package holds it, in front of the update. Every signature is verified before it is used.
    ///
    /// # Errors
    ///
    /// [`PackError::KeySet`] if no device would take it, whatever it trusts; what is wrong with a signer else.
    pub fn sign(&self, signers: &mut [&mut dyn Signer]) -> Result<Vec<u8>, PackError> {
        let body = self.body();
        Body::parse::<Sha2>(&body).map_err(PackError::KeySet)?;
        if self.keys.iter().any(|key| !P256.is_point(&key.key)) {
            return Err(PackError::KeySet(Refusal::KeyPoint));
        }
        let mut bytes = Prelude { object: ObjectType::KeySet, body: body.len() }.encode().to_vec();
        bytes.extend(&body);
        let section = signatures(&digest::<Sha2>(&[&KEY_SET_DOMAIN, &bytes]), signers)?;
        bytes.extend((section.len() as u16).to_le_bytes());
        bytes.extend(section);
        if bytes.len() > MAX_STORED {
            return Err(PackError::KeySet(Refusal::KeySetTooLarge { needed: bytes.len() }));
        }
        Ok(bytes)
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let mut put = |number: u16, value: &[u8]| {
            body.extend((CRITICAL | number).to_le_bytes());
            body.extend((value.len() as u16).to_le_bytes());
            body.extend(value);
        };
        let mut sorted = self.keys.clone();
        sorted.sort_by_key(RoleKey::id);
        let roles = |key: &RoleKey| if key.sign { SIGN } else { 0 } | if key.rotate { ROTATE } else { 0 };
        let keys: Vec<u8> = sorted.iter().flat_map(|key| [roles(key)].into_iter().chain(key.key.0)).collect();
        put(number::VENDOR, &self.vendor.0);
        put(number::CLASS, &self.class.0);
        put(number::VERSION, &self.version.to_le_bytes());
        put(number::SIGN_THRESHOLD, &[self.sign_threshold]);
        put(number::ROTATE_THRESHOLD, &[self.rotate_threshold]);
        put(number::KEYS, &keys);
        body
    }

    /// The keys of one role.
    pub fn with_role(&self, rotate: bool) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter().filter(move |key| if rotate { key.rotate } else { key.sign }).map(|key| &key.key)
    }
}

/// A key set in a package, or alone in a file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SignedKeys<'p> {
    /// What it says. Nobody's word yet: no signature was checked.
    pub keys: Keys,
    /// Who signed, without the signatures.
    pub signatures: Vec<EntryHeader>,
    /// All of it.
    pub bytes: &'p [u8],
    signed: Digest,
}

impl<'p> SignedKeys<'p> {
    /// Reads the key set that `bytes` begin with; gives what follows as well.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] that a device would give.
    pub fn read(bytes: &'p [u8]) -> Result<(Self, &'p [u8]), Refusal> {
        let mut rest = bytes;
        let mut take = |count: usize| {
            let (front, behind) = rest.split_at_checked(count).ok_or(Refusal::Malformed(Malformed::Truncated))?;
            rest = behind;
            Ok::<&[u8], Refusal>(front)
        };
        let prelude = Prelude::parse(take(PRELUDE_SIZE)?)?;
        if prelude.object != ObjectType::KeySet {
            return Err(Refusal::ObjectType { found: 2 });
        }
        let body = take(prelude.body)?;
        let length = take(SECTION_LENGTH_SIZE)?;
        let section = take(usize::from(section_length([length[0], length[1]])?))?;
        let set = Body::parse::<Sha2>(body)?;
        let keys = set
            .keys()
            .map(|(roles, key)| RoleKey { key, sign: roles & SIGN != 0, rotate: roles & ROTATE != 0 })
            .collect::<Vec<_>>();
        let keys = Keys {
            vendor: set.vendor,
            class: set.class,
            version: set.version,
            sign_threshold: set.sign_threshold,
            rotate_threshold: set.rotate_threshold,
            keys,
        };
        let signatures = super::inspect::entries(section)?;
        let signed = digest::<Sha2>(&[&KEY_SET_DOMAIN, &bytes[..PRELUDE_SIZE + body.len()]]);
        Ok((Self { keys, signatures, bytes: &bytes[..bytes.len() - rest.len()], signed }, rest))
    }

    /// Whether a device that trusts `trusted` takes it: one version higher, of the same devices, signed by enough rotate keys of
    /// both sets. Gives the ids of the keys that signed.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] that such a device would give; [`Refusal::KeySetVersion`] also for a version that it would pass over.
    pub fn verify(&self, trusted: &Keys) -> Result<Vec<KeyId>, Refusal> {
        let Keys { vendor, class, version, .. } = self.keys;
        if vendor != trusted.vendor {
            return Err(Refusal::WrongVendor { package: vendor, device: trusted.vendor });
        }
        if class != trusted.class {
            return Err(Refusal::WrongClass { package: class, device: trusted.class });
        }
        if version.checked_sub(1) != Some(trusted.version) {
            return Err(Refusal::KeySetVersion { package: version, device: trusted.version });
        }
        if self.keys.keys.iter().any(|key| !P256.is_point(&key.key)) {
            return Err(Refusal::KeyPoint);
        }
        let clash = |key: &&RoleKey| trusted.keys.iter().any(|old| old.key != key.key && old.id() == key.id());
        if let Some(key) = self.keys.keys.iter().find(clash) {
            return Err(Refusal::KeyClash { key: key.id() });
        }
        let mut signed = Vec::new();
        let mut section = &self.bytes[self.bytes.len() - self.section_size()..];
        for header in &self.signatures {
            let (entry, rest) = section.split_at(header.size());
            section = rest;
            let mut all = trusted.with_role(true).chain(self.keys.with_role(true));
            let key = all.find(|key| header.algorithm == ES256 && key.id::<Sha2>() == header.key);
            let (Some(key), Some(signature)) = (key, entry[ENTRY_HEADER_SIZE..].first_chunk()) else { continue };
            if !P256.verify(key, &self.signed, signature) {
                return Err(Refusal::BadSignature { key: header.key });
            }
            signed.push(header.key);
        }
        for set in [trusted, &self.keys] {
            let valid = set.with_role(true).filter(|key| signed.contains(&key.id::<Sha2>())).count() as u8;
            let needed = set.rotate_threshold;
            if valid < needed {
                return Err(Refusal::TooFewSignatures { valid, needed });
            }
        }
        // A device keeps no entry that it did not verify.
        let kept = |header: &&EntryHeader| header.algorithm == ES256 && signed.contains(&header.key);
        let entries: usize = self.signatures.iter().filter(kept).map(EntryHeader::size).sum();
        match self.bytes.len() - self.section_size() + entries {
            needed if needed > MAX_STORED => Err(Refusal::KeySetTooLarge { needed }),
            _ => Ok(signed),
        }
    }

    fn section_size(&self) -> usize {
        self.signatures.iter().map(EntryHeader::size).sum()
    }
}
