//! Looks into a package without believing it: for people and tools. It checks the format and the chain, and
//! signatures only when asked to ([`Inspection::verify`]).

use std::vec::Vec;

use crate::digest::{digest, Digest, Sha2};
use crate::es256::P256;
use crate::manifest::Manifest;
use crate::refusal::{Malformed, Refusal};
use crate::trust::{KeyId, KeySet, Verify};
use crate::wire::{
    block_prefix, section_length, EntryHeader, ObjectType, Prelude, ENTRY_HEADER_SIZE, ES256, LINK_SIZE, MAX_ENTRIES,
    MAX_KEY_SETS, PRELUDE_SIZE, SECTION_LENGTH_SIZE, UPDATE_DOMAIN,
};

/// What is in a package.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inspection<'p> {
    /// Key sets in front of the update: [`SignedKeys::read`](super::SignedKeys::read) reads them.
    pub key_sets: usize,
    /// The manifest. Nobody's word yet: no signature was checked.
    pub manifest: Manifest,
    /// The manifest digest.
    pub manifest_digest: Digest,
    /// Elements of the manifest, as bytes.
    pub body: &'p [u8],
    /// The signature entries, without their signatures.
    pub signatures: Vec<EntryHeader>,
    /// Bytes in front of the update's prelude.
    pub offset: usize,
    /// Prelude, manifest and signatures.
    pub head: &'p [u8],
    /// Blocks and links, as far as they are there, and whatever follows.
    pub payload: &'p [u8],
}

/// Looks into a package. A truncated payload is no error here; see [`Inspection::blocks`].
///
/// # Errors
///
/// The [`Refusal`] a device would give.
pub fn inspect(package: &[u8]) -> Result<Inspection<'_>, Refusal> {
    let mut rest = package;
    let mut key_sets = 0;
    loop {
        let start = rest;
        let prelude = Prelude::parse(take(&mut rest, PRELUDE_SIZE)?)?;
        let body = take(&mut rest, prelude.body)?;
        let length = take(&mut rest, SECTION_LENGTH_SIZE)?;
        let section = take(&mut rest, usize::from(section_length([length[0], length[1]])?))?;
        if prelude.object == ObjectType::KeySet {
            key_sets += 1;
            if key_sets > usize::from(MAX_KEY_SETS) {
                return Err(Refusal::TooManyKeySets);
            }
            continue;
        }
        return Ok(Inspection {
            key_sets,
            manifest: Manifest::parse(body, |_| true)?,
            manifest_digest: digest::<Sha2>(&[&start[..PRELUDE_SIZE + body.len()]]),
            body,
            signatures: entries(section)?,
            offset: package.len() - start.len(),
            head: &start[..start.len() - rest.len()],
            payload: rest,
        });
    }
}

pub(super) fn entries(mut section: &[u8]) -> Result<Vec<EntryHeader>, Refusal> {
    let mut entries: Vec<EntryHeader> = Vec::new();
    while !section.is_empty() {
        if entries.len() == usize::from(MAX_ENTRIES) {
            return Err(Malformed::TooManyEntries.into());
        }
        let header = section.first_chunk::<ENTRY_HEADER_SIZE>().ok_or(Malformed::EntryLength)?;
        let header = EntryHeader::parse(header, entries.last(), section.len())?;
        section = &section[header.size()..];
        entries.push(header);
    }
    Ok(entries)
}

fn take<'p>(rest: &mut &'p [u8], bytes: usize) -> Result<&'p [u8], Refusal> {
    let (taken, left) = rest.split_at_checked(bytes).ok_or(Malformed::Truncated)?;
    *rest = left;
    Ok(taken)
}

impl<'p> Inspection<'p> {
    /// The data of each block in turn, checked against the chain. Ends after the first error:
    /// [`Refusal::BlockHash`] for a wrong block, [`Malformed::Truncated`] for one that is not all there,
    /// [`Refusal::Trailing`] for bytes behind the last.
    pub fn blocks(&self) -> impl Iterator<Item = Result<&'p [u8], Refusal>> {
        let manifest = self.manifest;
        let (size, last) = (manifest.block_size(), manifest.blocks().saturating_sub(1));
        let mut next = Some((0, manifest.first_block_hash, self.payload));
        core::iter::from_fn(move || {
            let (index, expected, mut rest) = next.take()?;
            if index > last {
                return (!rest.is_empty()).then_some(Err(Refusal::Trailing));
            }
            let data = if index == last { manifest.payload_length - last * size } else { size };
            let link = if index == last { 0 } else { LINK_SIZE };
            let block = match take(&mut rest, (data + link) as usize) {
                Ok(block) => block,
                Err(error) => return Some(Err(error)),
            };
            if digest::<Sha2>(&[&block_prefix(index, data, index == last), block]) != expected {
                return Some(Err(Refusal::BlockHash { index }));
            }
            let (data, link) = block.split_at(data as usize);
            next = Some((index + 1, link.try_into().map_or(expected, Digest), rest));
            Some(Ok(data))
        })
    }

    /// The digest that ES256 signatures are made over.
    #[must_use]
    pub fn signed_digest(&self) -> Digest {
        digest::<Sha2>(&[&UPDATE_DOMAIN, &self.head[..PRELUDE_SIZE + self.body.len()]])
    }

    /// Checks the signatures as a device that believes `keys` does. Gives the ids of the keys that signed, in
    /// the package's order.
    ///
    /// # Errors
    ///
    /// [`Refusal::BadSignature`] or [`Refusal::TooFewSignatures`].
    pub fn verify(&self, keys: &KeySet<'_>) -> Result<Vec<KeyId>, Refusal> {
        let digest = self.signed_digest();
        let mut section = &self.head[PRELUDE_SIZE + self.body.len() + SECTION_LENGTH_SIZE..];
        let mut signed = Vec::new();
        for header in &self.signatures {
            let entry = take(&mut section, header.size())?;
            let trusted = keys.keys().iter().find(|key| header.algorithm == ES256 && key.id::<Sha2>() == header.key);
            let (Some(public), Some(signature)) = (trusted, entry[ENTRY_HEADER_SIZE..].first_chunk()) else {
                continue;
            };
            if !P256.verify(public, &digest, signature) {
                return Err(Refusal::BadSignature { key: header.key });
            }
            signed.push(header.key);
        }
        if signed.len() < usize::from(keys.threshold()) {
            return Err(Refusal::TooFewSignatures { valid: signed.len() as u8, needed: keys.threshold() });
        }
        Ok(signed)
    }

    /// Bytes of block buffer that a device needs for this package, if it trusts every key that signed.
    #[must_use]
    pub fn buffer(&self) -> usize {
        self.head.len().max(self.manifest.block_size() as usize).next_multiple_of(256).max(512)
    }
}
