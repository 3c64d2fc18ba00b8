//! From the first byte to the last signature: collects prelude, manifest and signatures, and believes nothing
//! before the threshold is met.
//!
//! What it leaves at the front of the block buffer is the slot's trailer, byte for byte (`docs/format.md`,
//! section 9).

use crate::block::copy;
use crate::digest::{digest, Digest, Sha256};
use crate::error::{Malformed, Refusal};
use crate::trust::{CheckedSignature, KeyId, KeySet, SignatureJob};
use crate::wire::{
    section_length, EntryHeader, ObjectType, Prelude, ENTRY_HEADER_SIZE, ES256, ES256_SIZE, MAX_ENTRIES, MAX_KEY_SETS,
    MIN_SIGNATURES, PRELUDE_SIZE, SECTION_LENGTH_SIZE, TRAILER_SIZE, UPDATE_DOMAIN,
};

/// What is being collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Prelude,
    /// The length of a key set's signature section; the set itself is passed over.
    KeySetSection,
    Manifest,
    SectionLength,
    Entry,
    Signature(u8),
    /// A signature waits for its check.
    Check(u8),
    /// All signatures are through and the threshold is met.
    Complete,
}

#[derive(Debug)]
pub(crate) struct Head {
    part: Part,
    /// Bytes of the input to pass over first.
    skip: u16,
    /// Bytes in the buffer, and how many there must be for the next part.
    filled: u16,
    need: u16,
    /// End of the manifest, and of the entries that are kept behind it.
    manifest_end: u16,
    kept_end: u16,
    /// Bytes of the signature section still to come.
    section_left: u16,
    key_sets: u8,
    entries: u8,
    valid: u8,
    previous: Option<EntryHeader>,
    signed: Digest,
}

impl Head {
    pub(crate) fn new() -> Self {
        Self {
            part: Part::Prelude,
            skip: 0,
            filled: 0,
            need: PRELUDE_SIZE as u16,
            manifest_end: 0,
            kept_end: 0,
            section_left: 0,
            key_sets: 0,
            entries: 0,
            valid: 0,
            previous: None,
            signed: Digest([0; 32]),
        }
    }

    /// Whether all is authenticated.
    pub(crate) fn is_complete(&self) -> bool {
        self.skip == 0 && self.part == Part::Complete
    }

    /// Whether it wants input: nothing waits for a check or a decision.
    pub(crate) fn is_receiving(&self) -> bool {
        !self.is_complete() && !matches!(self.part, Part::Check(_))
    }

    /// Bytes of input before it can be known how many follow.
    pub(crate) fn missing(&self) -> u32 {
        u32::from(if self.skip > 0 { self.skip } else { self.need.saturating_sub(self.filled) })
    }

    /// Bytes of prelude, manifest, section length and kept entries, at the front of the buffer.
    pub(crate) fn size(&self) -> usize {
        usize::from(self.kept_end)
    }

    /// Prelude and manifest.
    pub(crate) fn signed_bytes<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        buffer.get(..usize::from(self.manifest_end)).unwrap_or_default()
    }

    /// The manifest.
    pub(crate) fn manifest<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        buffer.get(PRELUDE_SIZE..usize::from(self.manifest_end)).unwrap_or_default()
    }

    /// Takes input until a signature waits or all is through. Gives the bytes taken.
    pub(crate) fn feed<H: Sha256>(
        &mut self,
        buffer: &mut [u8],
        keys: &KeySet<'_>,
        input: &[u8],
    ) -> Result<usize, Refusal> {
        let mut rest = input;
        loop {
            let passed = usize::from(self.skip).min(rest.len());
            rest = rest.get(passed..).unwrap_or_default();
            self.skip = self.skip.saturating_sub(passed as u16);
            if !self.is_receiving() {
                break;
            }
            let have = buffer.len();
            let (filled, needed) = (usize::from(self.filled), usize::from(self.need));
            let room = buffer.get_mut(filled..needed).ok_or(Refusal::HeadTooLarge { needed, have })?;
            let taken = copy(room, rest);
            rest = rest.get(taken..).unwrap_or_default();
            self.filled = self.filled.saturating_add(taken as u16);
            if self.filled < self.need {
                break;
            }
            self.advance::<H>(buffer, keys)?;
        }
        Ok(input.len().saturating_sub(rest.len()))
    }

    /// The part that was being collected is whole.
    fn advance<H: Sha256>(&mut self, buffer: &mut [u8], keys: &KeySet<'_>) -> Result<(), Refusal> {
        match self.part {
            Part::Prelude => {
                let prelude = Prelude::parse(buffer.get(..usize::from(self.filled)).unwrap_or_default())?;
                match prelude.object {
                    ObjectType::Update => self.collect(Part::Manifest, prelude.body),
                    ObjectType::KeySet if self.key_sets == MAX_KEY_SETS => return Err(Refusal::TooManyKeySets),
                    ObjectType::KeySet => {
                        self.key_sets = self.key_sets.saturating_add(1);
                        (self.skip, self.filled) = (prelude.body as u16, 0);
                        (self.part, self.need) = (Part::KeySetSection, SECTION_LENGTH_SIZE as u16);
                    }
                }
            }
            Part::KeySetSection => {
                (self.skip, self.filled) = (section_length(array(buffer, 0))?, 0);
                (self.part, self.need) = (Part::Prelude, PRELUDE_SIZE as u16);
            }
            Part::Manifest => {
                self.manifest_end = self.filled;
                self.signed = digest::<H>(&[&UPDATE_DOMAIN, self.signed_bytes(buffer)]);
                self.collect(Part::SectionLength, SECTION_LENGTH_SIZE);
            }
            Part::SectionLength => {
                self.section_left = section_length(array(buffer, self.manifest_end))?;
                self.kept_end = self.filled;
                return self.collect_entry();
            }
            Part::Entry => return self.entry::<H>(buffer, keys),
            Part::Signature(key) => self.part = Part::Check(key),
            Part::Check(_) | Part::Complete => {}
        }
        Ok(())
    }

    fn collect(&mut self, part: Part, bytes: usize) {
        self.part = part;
        self.need = self.filled.saturating_add(bytes as u16);
    }

    /// Another entry is due, and must not reach beyond the section: what follows are blocks.
    fn collect_entry(&mut self) -> Result<(), Refusal> {
        if self.section_left < MIN_SIGNATURES {
            return Err(Malformed::EntryLength.into());
        }
        self.collect(Part::Entry, ENTRY_HEADER_SIZE);
        Ok(())
    }

    /// An entry's header is there: its signature is collected if the key is trusted, passed over otherwise.
    fn entry<H: Sha256>(&mut self, buffer: &mut [u8], keys: &KeySet<'_>) -> Result<(), Refusal> {
        if self.entries == MAX_ENTRIES {
            return Err(Malformed::TooManyEntries.into());
        }
        let header =
            EntryHeader::parse(&array(buffer, self.kept_end), self.previous.as_ref(), usize::from(self.section_left))?;
        self.entries = self.entries.saturating_add(1);
        self.previous = Some(header);
        self.section_left = self.section_left.saturating_sub(header.size() as u16);
        let known = header.algorithm == ES256;
        match keys.keys().iter().position(|key| known && key.id::<H>() == header.key) {
            Some(key) => self.collect(Part::Signature(key as u8), ES256_SIZE),
            None => {
                self.skip = header.length;
                self.next_entry(buffer, keys)?;
            }
        }
        Ok(())
    }

    /// The signature to be checked, if one waits.
    pub(crate) fn job<'m>(&'m self, buffer: &'m [u8], keys: &KeySet<'m>) -> Option<SignatureJob<'m>> {
        let Part::Check(number) = self.part else { return None };
        let (_, signature) = buffer.get(..usize::from(self.filled))?.split_last_chunk::<ES256_SIZE>()?;
        let id = &self.previous.as_ref()?.key;
        Some(SignatureJob { key: keys.keys().get(usize::from(number))?, id, digest: &self.signed, signature })
    }

    /// Takes the outcome of a check. A signature within the threshold is kept for the trailer.
    pub(crate) fn checked(
        &mut self,
        buffer: &mut [u8],
        keys: &KeySet<'_>,
        outcome: &CheckedSignature,
    ) -> Result<(), Refusal> {
        let key = self.previous.map_or(KeyId([0; 8]), |header| header.key);
        let counts = self.job(buffer, keys).is_some_and(|job| outcome.is_for(&job));
        if !counts || !outcome.valid {
            return Err(Refusal::BadSignature { key });
        }
        if self.valid < keys.threshold() {
            self.kept_end = self.filled;
        }
        self.valid = self.valid.saturating_add(1);
        self.next_entry(buffer, keys)
    }

    fn next_entry(&mut self, buffer: &mut [u8], keys: &KeySet<'_>) -> Result<(), Refusal> {
        self.filled = self.kept_end;
        if self.section_left > 0 {
            return self.collect_entry();
        }
        let (valid, needed) = (self.valid, keys.threshold());
        if valid < needed {
            return Err(Refusal::TooFewSignatures { valid, needed });
        }
        if u32::from(self.kept_end) > TRAILER_SIZE {
            return Err(Refusal::TrailerTooLarge { needed: self.size() });
        }
        self.keep_section_length(buffer);
        self.part = Part::Complete;
        Ok(())
    }

    /// The trailer's signature section is as long as the entries that were kept.
    fn keep_section_length(&self, buffer: &mut [u8]) {
        let kept = self.kept_end.saturating_sub(self.manifest_end).saturating_sub(SECTION_LENGTH_SIZE as u16);
        if let Some(length) = buffer.get_mut(usize::from(self.manifest_end)..).and_then(<[u8]>::first_chunk_mut) {
            *length = kept.to_le_bytes();
        }
    }
}

/// `N` bytes at `at`, which was collected; zeros can only come of a bug, and are refused by whoever parses
/// them.
fn array<const N: usize>(buffer: &[u8], at: u16) -> [u8; N] {
    buffer.get(usize::from(at)..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}
