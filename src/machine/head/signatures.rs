//! The signature section of a head: each entry is looked at once, and those under trusted keys are checked, counted and
//! kept.

use super::{array, Head, Part, Trust};
use crate::digest::Sha256;
#[cfg(feature = "rotation")]
use crate::keys;
use crate::refusal::{Malformed, Refusal};
use crate::trust::{CheckedSignature, KeyId, PublicKey, SignatureJob};
use crate::wire::{
    EntryHeader, ENTRY_HEADER_SIZE, ES256, ES256_SIZE, MAX_ENTRIES, MIN_SIGNATURES, SECTION_LENGTH_SIZE, TRAILER_SIZE,
};

impl Head {
    /// Another entry is due, and must not reach beyond the section: what follows are blocks.
    pub(super) fn collect_entry(&mut self) -> Result<(), Refusal> {
        if self.section_left < MIN_SIGNATURES {
            return Err(Malformed::EntryLength.into());
        }
        self.collect(Part::Entry, ENTRY_HEADER_SIZE);
        Ok(())
    }

    /// An entry's header is there: its signature is collected if the key is trusted, passed over otherwise.
    pub(super) fn entry<H: Sha256>(&mut self, buffer: &mut [u8], keys: &mut Trust<'_>) -> Result<(), Refusal> {
        if self.entries == MAX_ENTRIES {
            return Err(Malformed::TooManyEntries.into());
        }
        let header =
            EntryHeader::parse(&array(buffer, self.kept_end), self.previous.as_ref(), usize::from(self.section_left))?;
        self.entries = self.entries.saturating_add(1);
        self.previous = Some(header);
        self.section_left = self.section_left.saturating_sub(header.size() as u16);
        let key = if header.algorithm == ES256 { self.find::<H>(buffer, keys, &header.key) } else { None };
        match key {
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
        if self.signers.count() < keys.sign().threshold() {
            self.kept_end = self.filled;
        }
        self.signers.add(self.signer().unwrap_or(u8::MAX));
    }

    /// Valid signatures, and how many are needed.
    fn tally(&self, keys: &Trust<'_>) -> (u8, u8) {
        #[cfg(feature = "rotation")]
        if let Some(tally) = &self.key_set {
            return tally.shortest();
        }
        (self.signers.count(), keys.sign().threshold())
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

#[cfg(test)]
impl Head {
    /// One that is complete, and was signed by nobody.
    pub(crate) fn unproven() -> Self {
        Self { part: Part::Complete, ..Self::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use crate::digest::Digest;
    use crate::digest::Sha2;
    use crate::id::Uuid;
    use crate::layout::Layout;
    use crate::trust::Verdict;
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
        head.count(&trust);
        assert_eq!(head.tally(&trust), (1, 1), "one key, once");
        assert!(!head.is_proven(&trust), "and not believed");
        head.verdict = Verdict::NONE;
        head.checked = 0;
        assert!(!head.is_proven(&trust), "nor without a check");
    }
}
