//! Whether a slot holds an image that may run: its trailer, its hash and, by choice, its signatures
//! (`docs/format.md`, section 9).

use embedded_storage::nor_flash::NorFlash;

use super::{Boot, CounterStore, Platform};
use crate::control::image_digest;
use crate::digest::{digest, Digest, Sha256};
use crate::geometry::MAX_WRITE_UNIT;
use crate::id::Version;
use crate::layout::{Slot, Strategy};
use crate::manifest::Manifest;
use crate::trust::{KeySet, SignatureJob, Signers, Verdict, Verify};
use crate::updater::CHUNK;
use crate::wire::{
    section_length, EntryHeader, ObjectType, Prelude, ENTRY_HEADER_SIZE, ES256, ES256_SIZE, PRELUDE_SIZE,
    SECTION_LENGTH_SIZE, TRAILER_SIZE,
};

/// Who says whose image a slot holds.
pub trait Judge {
    /// Where a trailer is read to: as much of it as is looked at, [`Room`] of 544 bytes for prelude and manifest, of 1024 for
    /// signatures as well.
    type Room: Default + AsMut<[u8]>;

    /// Whether signatures are looked at.
    const CHECKS_SIGNATURES: bool;

    /// Whether a threshold of `keys` vouches for a trailer: `signed` is its prelude and manifest, `section` what follows its
    /// signatures' length. (Or for a key set, by its `domain`.)
    fn vouches<H: Sha256>(&mut self, keys: &KeySet<'_>, domain: &[u8; 32], signed: &[u8], section: &[u8]) -> bool;
}

/// The flash is trusted: nothing was written to it that was not authenticated before.
#[derive(Clone, Copy, Debug, Default)]
pub struct HashOnly;

impl Judge for HashOnly {
    type Room = Room<544>;

    const CHECKS_SIGNATURES: bool = false;

    fn vouches<H: Sha256>(&mut self, _: &KeySet<'_>, _: &[u8; 32], _: &[u8], _: &[u8]) -> bool {
        true
    }
}

/// A threshold of the device's keys must have signed. Their checks may take a second each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signatures<V>(pub V);

impl<V: Verify> Judge for Signatures<V> {
    type Room = Room<{ TRAILER_SIZE as usize }>;

    const CHECKS_SIGNATURES: bool = true;

    fn vouches<H: Sha256>(&mut self, keys: &KeySet<'_>, domain: &[u8; 32], signed: &[u8], section: &[u8]) -> bool {
        let digest = digest::<H>(&[domain, signed]);
        let (mut rest, mut previous, mut valid, mut verdict) = (section, None, 0u8, Verdict::NONE);
        let mut signers = Signers::default();
        while let Some(bytes) = rest.first_chunk::<ENTRY_HEADER_SIZE>() {
            let Ok(header) = EntryHeader::parse(bytes, previous.as_ref(), rest.len()) else { return false };
            let (entry, behind) = rest.split_at_checked(header.size()).unwrap_or((rest, &[]));
            let signature = entry.split_last_chunk::<ES256_SIZE>().map(|(_, signature)| signature);
            let known = header.algorithm == ES256;
            let key = keys.keys().iter().zip(0u8..).find(|(key, _)| known && key.id::<H>() == header.key);
            if let (Some((key, number)), Some(signature)) = (key, signature) {
                let job = SignatureJob {
                    key,
                    id: &header.key,
                    digest: &digest,
                    signature,
                    #[cfg(feature = "rotation")]
                    set: &[],
                };
                let outcome = job.check(&mut self.0).verdict;
                verdict = verdict.and(outcome);
                if outcome.is_valid() {
                    valid = valid.saturating_add(1);
                    signers.add(number);
                }
            }
            (rest, previous) = (behind, Some(header));
        }
        rest.is_empty() && signers.count() >= keys.threshold() && verdict.is_of(valid)
    }
}

/// What a trailer says that is well-formed, of this device, and vouched for. (Not the whole manifest: a boot stage has little stack.)
pub(super) struct Trailer {
    /// The manifest's digest.
    pub(super) digest: Digest,
    pub(super) image_digest: Digest,
    pub(super) image_size: u32,
    pub(super) security_counter: u32,
    pub(super) version: Version,
    /// It counts by the key set before the trusted one.
    pub(super) older: bool,
}

impl<F: NorFlash, P: Platform, J: Judge, C: CounterStore, H: Sha256> Boot<'_, F, P, J, C, H> {
    /// The trailer of an image that may run in the slot it will run in, its counter not below `floor`.
    #[inline(never)] // its buffer is not on the stack while the image is hashed
    pub(super) fn trailer(&mut self, slot: Slot, floor: u32) -> Option<Trailer> {
        let mut room = J::Room::default();
        self.read_trailer(slot, room.as_mut());
        let (signed, section, mut said) = self.parse(slot, room.as_mut())?;
        self.platform.feed_watchdog();
        if said.security_counter < floor {
            return None;
        }
        said.older = self.vouched(signed, section)?;
        said.digest = digest::<H>(&[signed]);
        Some(said)
    }

    fn read_trailer(&mut self, slot: Slot, room: &mut [u8]) {
        let end = self.device.layout().slot_range(slot).end;
        self.read_all(end.saturating_sub(TRAILER_SIZE), room);
    }

    /// What can be read from `at` on: what lies behind the bytes that count may be unreadable.
    pub(super) fn read_all(&mut self, mut at: u32, room: &mut [u8]) {
        for chunk in room.chunks_mut(CHUNK) {
            if self.flash.read(at, chunk).is_err() {
                self.read_piecewise(at, chunk);
            }
            at = at.saturating_add(CHUNK as u32);
        }
    }

    /// What is signed, its signatures if there was room for them, and what it says: if it is this device's, and fits the slot.
    #[inline(never)] // the manifest is not on the stack while anything is hashed
    fn parse<'r>(&self, slot: Slot, room: &'r [u8]) -> Option<(&'r [u8], &'r [u8], Trailer)> {
        let (prelude, rest) = room.split_at_checked(PRELUDE_SIZE)?;
        let prelude = Prelude::parse(prelude).ok().filter(|prelude| prelude.object == ObjectType::Update)?;
        let (body, rest) = rest.split_at_checked(prelude.body)?;
        let (length, rest) = rest.split_first_chunk::<SECTION_LENGTH_SIZE>()?;
        let section = rest.get(..usize::from(section_length(*length).ok()?)).unwrap_or_default();
        let signed = room.get(..PRELUDE_SIZE.saturating_add(prelude.body))?;
        let layout = self.device.layout();
        let runs_in = if layout.strategy() == Strategy::Swap { Slot::A } else { slot };
        let manifest = Manifest::parse_stored(body).ok()?;
        let fits = self.device.runs(&manifest, runs_in) && manifest.image_size <= layout.slot_capacity(slot);
        let Manifest { image_digest, image_size, security_counter, version, .. } = manifest;
        let said =
            Trailer { digest: Digest([0; 32]), image_digest, image_size, security_counter, version, older: false };
        fits.then_some((signed, section, said))
    }

    /// What can be read of `room`, in the largest units there are; zeros for the rest.
    fn read_piecewise(&mut self, mut at: u32, room: &mut [u8]) {
        for piece in room.chunks_mut(MAX_WRITE_UNIT as usize) {
            if self.flash.read(at, piece).is_err() {
                piece.fill(0);
            }
            at = at.saturating_add(MAX_WRITE_UNIT);
        }
    }

    /// The image in `slot`, if all of it verifies.
    pub(super) fn verified(&mut self, slot: Slot, floor: u32) -> Option<Trailer> {
        let mut found = self.trailer(slot, floor);
        let whole = found.as_ref().is_some_and(|said| self.holds(slot, said));
        if !whole {
            found = None;
        }
        found
    }

    /// Whether the slot's image has the digest that its trailer says.
    #[inline(never)]
    fn holds(&mut self, slot: Slot, said: &Trailer) -> bool {
        let start = self.device.layout().slot_range(slot).start;
        let digest = image_digest::<F, H>(&mut self.flash, start, said.image_size, || self.platform.feed_watchdog());
        digest == Some(said.image_digest)
    }
}

/// Room for `N` bytes of a trailer, 544 to 1024, a multiple of 32; aligned as flash controllers like it.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(4))]
pub struct Room<const N: usize>([u8; N]);

impl<const N: usize> Default for Room<N> {
    fn default() -> Self {
        const {
            assert!(
                N >= 544 && N <= TRAILER_SIZE as usize && N.is_multiple_of(32),
                "room for a trailer: 544 to 1024 bytes"
            )
        }
        Self([0; N])
    }
}

impl<const N: usize> AsMut<[u8]> for Room<N> {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
