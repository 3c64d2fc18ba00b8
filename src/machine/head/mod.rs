//! From the first byte to the last signature: collects prelude, manifest and signatures, and believes nothing
//! before the threshold is met.
//!
//! What it leaves at the front of the block buffer is the slot's trailer, byte for byte (`docs/format.md`,
//! section 9).

mod signatures;

#[cfg(feature = "rotation")]
use super::trust::Tally;
use super::trust::Trust;
use crate::block::copy;
use crate::digest::{digest, Digest, Sha256};
use crate::refusal::Refusal;
use crate::trust::{Signers, Verdict};
#[cfg(feature = "rotation")]
use crate::wire::KEY_SET_DOMAIN;
use crate::wire::{
    section_length, EntryHeader, ObjectType, Prelude, MAX_KEY_SETS, PRELUDE_SIZE, SECTION_LENGTH_SIZE, UPDATE_DOMAIN,
};

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
    /// Of an update.
    signers: Signers,
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
            signers: Signers::default(),
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

    /// Takes input, at most to the end of a part, since something may be hashed for it. Gives the bytes taken.
    pub(crate) fn feed<H: Sha256>(
        &mut self,
        buffer: &mut [u8],
        keys: &mut Trust<'_>,
        input: &[u8],
    ) -> Result<usize, Refusal> {
        let passed = usize::from(self.skip).min(input.len());
        self.skip = self.skip.saturating_sub(passed as u16);
        if !self.is_receiving() {
            return Ok(passed);
        }
        let have = buffer.len();
        let (filled, needed) = (usize::from(self.filled), usize::from(self.need));
        let room = buffer.get_mut(filled..needed).ok_or(Refusal::HeadTooLarge { needed, have })?;
        let taken = copy(room, input.get(passed..).unwrap_or_default());
        self.filled = self.filled.saturating_add(taken as u16);
        if self.filled >= self.need {
            self.advance::<H>(buffer, keys)?;
        }
        Ok(passed.saturating_add(taken))
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
}

/// `N` bytes at `at`, which was collected; zeros can only come of a bug, and are refused by whoever parses
/// them.
fn array<const N: usize>(buffer: &[u8], at: u16) -> [u8; N] {
    buffer.get(usize::from(at)..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}
