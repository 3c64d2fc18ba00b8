//! From the first byte to the last signature: collects prelude, manifest and signatures, and believes nothing
//! before the threshold is met.
//!
//! What it leaves at the front of the block buffer is the slot's trailer, byte for byte (`docs/format.md`,
//! section 9).

#[cfg(feature = "rotation")]
use super::trust::Tally;
use super::trust::Trust;
use crate::block::copy;
use crate::digest::{digest, Digest, Sha256};
use crate::refusal::{Malformed, Refusal};
use crate::trust::{CheckedSignature, KeyId, PublicKey, SignatureJob, Verdict};
use crate::wire::{
    section_length, EntryHeader, ObjectType, Prelude, ENTRY_HEADER_SIZE, ES256, ES256_SIZE, MAX_ENTRIES, MAX_KEY_SETS,
    MIN_SIGNATURES, PRELUDE_SIZE, SECTION_LENGTH_SIZE, TRAILER_SIZE, UPDATE_DOMAIN,
};
#[cfg(feature = "rotation")]
use crate::{keys, wire::KEY_SET_DOMAIN};

/// What is being collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Prelude,
    /// The length of a key set's signature section; the set itself is passed over.
    KeySetSection,
    /// A key set that may be taken.
    #[cfg(feature = "rotation")]
    KeySetBody,
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
    /// Signatures that were checked, and the sum of what came of it.
    checked: u8,
    verdict: Verdict,
    previous: Option<EntryHeader>,
    signed: Digest,
    /// It is a key set: who has signed it.
    #[cfg(feature = "rotation")]
    key_set: Option<Tally>,
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
            checked: 0,
            verdict: Verdict::NONE,
            previous: None,
            signed: Digest([0; 32]),
            #[cfg(feature = "rotation")]
            key_set: None,
        }
    }

    /// The next object is behind so many key sets.
    #[cfg(feature = "rotation")]
    pub(crate) fn behind(key_sets: u8) -> Self {
        Self { key_sets, ..Self::new() }
    }

    /// Key sets so far.
    #[cfg(feature = "rotation")]
    pub(crate) fn key_sets(&self) -> u8 {
        self.key_sets
    }

    /// Whether what is being judged is a key set.
    pub(crate) fn is_key_set(&self) -> bool {
        #[cfg(feature = "rotation")]
        return self.key_set.is_some();
        #[cfg(not(feature = "rotation"))]
        false
    }

    /// Whether enough keys have signed the key set at the front of the buffer.
    #[cfg(feature = "rotation")]
    pub(crate) fn is_signed_key_set(&self) -> bool {
        self.is_through() && self.is_key_set()
    }

    /// Whether all of the object's head is there, and enough have signed it.
    fn is_through(&self) -> bool {
        self.skip == 0 && self.part == Part::Complete
    }

    /// Whether the update is authenticated.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_through() && !self.is_key_set()
    }

    /// Whether it wants input: nothing waits for a check or a decision.
    pub(crate) fn is_receiving(&self) -> bool {
        !self.is_through() && !matches!(self.part, Part::Check(_))
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
        keys: &mut Trust<'_>,
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
    fn advance<H: Sha256>(&mut self, buffer: &mut [u8], keys: &mut Trust<'_>) -> Result<(), Refusal> {
        match self.part {
            Part::Prelude => {
                let prelude = Prelude::parse(buffer.get(..usize::from(self.filled)).unwrap_or_default())?;
                match prelude.object {
                    ObjectType::Update => self.collect(Part::Manifest, prelude.body),
                    ObjectType::KeySet if self.key_sets == MAX_KEY_SETS => return Err(Refusal::TooManyKeySets),
                    ObjectType::KeySet => {
                        self.key_sets = self.key_sets.saturating_add(1);
                        #[cfg(feature = "rotation")]
                        if keys.rotates() {
                            self.collect(Part::KeySetBody, prelude.body);
                            return Ok(());
                        }
                        self.pass_key_set(prelude.body as u16);
                    }
                }
            }
            Part::KeySetSection => {
                (self.skip, self.filled) = (section_length(array(buffer, 0))?, 0);
                (self.part, self.need) = (Part::Prelude, PRELUDE_SIZE as u16);
            }
            #[cfg(feature = "rotation")]
            Part::KeySetBody => {
                self.manifest_end = self.filled;
                self.key_set = keys.judge::<H>(self.manifest(buffer))?;
                if !self.is_key_set() {
                    self.pass_key_set(0);
                    return Ok(());
                }
                self.signed = digest::<H>(&[&KEY_SET_DOMAIN, self.signed_bytes(buffer)]);
                self.collect(Part::SectionLength, SECTION_LENGTH_SIZE);
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

    /// A key set is passed over: so many bytes of its body, then its signatures.
    fn pass_key_set(&mut self, body: u16) {
        (self.skip, self.filled) = (body, 0);
        (self.part, self.need) = (Part::KeySetSection, SECTION_LENGTH_SIZE as u16);
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
    fn entry<H: Sha256>(&mut self, buffer: &mut [u8], keys: &mut Trust<'_>) -> Result<(), Refusal> {
        if self.entries == MAX_ENTRIES {
            return Err(Malformed::TooManyEntries.into());
        }
        let header =
            EntryHeader::parse(&array(buffer, self.kept_end), self.previous.as_ref(), usize::from(self.section_left))?;
        self.entries = self.entries.saturating_add(1);
        self.previous = Some(header);
        self.section_left = self.section_left.saturating_sub(header.size() as u16);
        let known = header.algorithm == ES256;
        match self.find::<H>(buffer, keys, &header.key).filter(|_| known) {
            Some(key) => self.collect(Part::Signature(key), ES256_SIZE),
            None => {
                self.skip = header.length;
                self.next_entry(buffer, keys)?;
            }
        }
        Ok(())
    }

    /// The number of the key of this id, if its signature counts.
    fn find<H: Sha256>(&mut self, buffer: &[u8], keys: &mut Trust<'_>, id: &KeyId) -> Option<u8> {
        #[cfg(feature = "rotation")]
        if self.key_set.is_some() {
            let own = keys::Body::parse::<H>(self.manifest(buffer)).ok()?.rotate_key::<H>(id);
            return keys.find::<H>(id, own, self.key_set.as_mut()?);
        }
        let _ = buffer;
        keys.sign().keys().iter().position(|key| key.id::<H>() == *id).map(|number| number as u8)
    }

    /// The number of the key whose signature waits to be checked.
    pub(crate) fn signer(&self) -> Option<u8> {
        match self.part {
            Part::Check(number) => Some(number),
            _ => None,
        }
    }

    /// The signature to be checked, by that key.
    pub(crate) fn job<'m>(&'m self, buffer: &'m [u8], key: &'m PublicKey) -> Option<SignatureJob<'m>> {
        let (_, signature) = buffer.get(..usize::from(self.filled))?.split_last_chunk::<ES256_SIZE>()?;
        let id = &self.previous.as_ref()?.key;
        Some(SignatureJob {
            key,
            id,
            digest: &self.signed,
            signature,
            #[cfg(feature = "rotation")]
            set: if self.is_key_set() { self.manifest(buffer) } else { &[] },
        })
    }

    /// Takes the outcome of a check of the signature that waits.
    pub(crate) fn checked(
        &mut self,
        buffer: &mut [u8],
        keys: &Trust<'_>,
        outcome: &CheckedSignature,
    ) -> Result<(), Refusal> {
        let key = self.previous.map_or(KeyId([0; 8]), |header| header.key);
        let collected = buffer.get(..usize::from(self.filled)).and_then(<[u8]>::split_last_chunk);
        let counts = collected.is_some_and(|(_, signature)| outcome.is_for(&key, &self.signed, signature));
        if !counts || !outcome.verdict.is_valid() {
            return Err(Refusal::BadSignature { key });
        }
        #[cfg(feature = "rotation")]
        if !outcome.points {
            return Err(Refusal::KeyPoint);
        }
        self.verdict = self.verdict.and(outcome.verdict);
        self.checked = self.checked.saturating_add(1);
        self.count(keys);
        self.next_entry(buffer, keys)
    }

    /// One valid signature more. One within the threshold is kept for the trailer; a key set keeps all.
    fn count(&mut self, keys: &Trust<'_>) {
        #[cfg(feature = "rotation")]
        if let Some(tally) = &mut self.key_set {
            tally.count();
            self.kept_end = self.filled;
            return;
        }
        if self.valid < keys.sign().threshold() {
            self.kept_end = self.filled;
        }
        self.valid = self.valid.saturating_add(1);
    }

    /// Valid signatures, and how many are needed.
    fn tally(&self, keys: &Trust<'_>) -> (u8, u8) {
        #[cfg(feature = "rotation")]
        if let Some(tally) = &self.key_set {
            return tally.shortest();
        }
        (self.valid, keys.sign().threshold())
    }

    /// Whether the threshold is met by checks that came out well: looked at once more before anything is done for it.
    pub(crate) fn is_proven(&self, keys: &Trust<'_>) -> bool {
        let (valid, needed) = self.tally(keys);
        self.checked > 0 && self.verdict.is_of(self.checked) && valid >= needed
    }

    fn next_entry(&mut self, buffer: &mut [u8], keys: &Trust<'_>) -> Result<(), Refusal> {
        self.filled = self.kept_end;
        if self.section_left > 0 {
            return self.collect_entry();
        }
        let (valid, needed) = self.tally(keys);
        if valid < needed {
            return Err(Refusal::TooFewSignatures { valid, needed });
        }
        if u32::from(self.kept_end) > TRAILER_SIZE && !self.is_key_set() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::digest::Sha2;
    use crate::id::Uuid;
    use crate::layout::Layout;
    use crate::trust::{KeySet, PublicKey, Verify};

    struct No;

    impl Verify for No {
        fn verify(&mut self, _: &PublicKey, _: &Digest, _: &[u8; 64]) -> bool {
            false
        }
    }

    #[test]
    fn a_branch_that_was_skipped_over_a_bad_signature_accepts_nothing() {
        const LAYOUT: Layout =
            Layout::new(&crate::geometry::ESP8266_4M).records(0..0x2000).slots(0x2000..0x4000, 0x4000..0x6000).check();
        let keys = [PublicKey([1; 64])];
        let device = Device::new(&LAYOUT, Uuid([0; 16]), Uuid([0; 16]), KeySet::new(1, &keys));
        let trust = Trust::of(&device);
        let signature = [0x55; ES256_SIZE];
        let mut head = Head { part: Part::Check(0), filled: ES256_SIZE as u16, ..Head::new() };
        head.previous = Some(EntryHeader { algorithm: ES256, key: keys[0].id::<Sha2>(), length: ES256_SIZE as u16 });
        let job = head.job(&signature, &keys[0]);
        let outcome = job.map(|job| job.check(&mut No));
        // What `checked` does behind its branch.
        head.verdict = outcome.map_or(Verdict::NONE, |outcome| head.verdict.and(outcome.verdict));
        head.checked = 1;
        head.count(&trust);
        assert_eq!(head.tally(&trust), (1, 1), "counted");
        assert!(!head.is_proven(&trust), "and not believed");
        head.verdict = Verdict::NONE;
        (head.valid, head.checked) = (1, 0);
        assert!(!head.is_proven(&trust), "nor without a check");
    }
}
