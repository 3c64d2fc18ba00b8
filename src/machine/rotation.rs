//! The key store: the trusted set is read from it before a package is looked at; a set that was taken is written to it, and named
//! by the state (`docs/keys.md`).

use super::head::Head;
use super::{Machine, Phase, Then};
use crate::block::copy;
use crate::digest::Sha256;
use crate::geometry::MAX_WRITE_UNIT;
use crate::keys::{check, size_of, Keyring, Stored, CHECK_SIZE, MAX_STORED};
use crate::message::message;
use crate::records::{Checkpoint, Phase as Update, Places, Work, PLACES};
use crate::refusal::Refusal;

/// The room that was lent, and what is known.
#[derive(Debug)]
pub(super) struct Rotation<'a> {
    pub(super) ring: &'a mut Keyring,
    /// The trusted set is what the ring holds: the key store was read since the records were, and the set is to be had.
    pub(super) known: bool,
    /// What a device without records goes by.
    found: Places,
}

impl<'a> Rotation<'a> {
    pub(super) fn new(ring: &'a mut Keyring) -> Self {
        ring.clear();
        Self { ring, known: false, found: Places::NONE }
    }

    /// The records are read anew.
    pub(super) fn forget(&mut self) {
        self.known = false;
    }
}

/// A place of the key store that is being read: the one that the state names or, where there is no state, each in turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    place: u8,
    /// Bytes that are in the block buffer.
    done: u16,
}

/// A set that is being stored: its place, its bytes at the front of the block buffer, and key sets up to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    place: u8,
    size: u16,
    key_sets: u8,
}

impl<H: Sha256> Machine<'_, H> {
    /// The version of the key set that updates are judged by.
    pub fn key_set_version(&self) -> u32 {
        let built_in = self.device.key_set_version;
        self.rotation.as_ref().map_or(built_in, |rotation| rotation.ring.trusted_version(self.device))
    }

    /// A package may begin, once it was tried to know the trusted set.
    pub(super) fn begin_package(&mut self) -> Phase<H> {
        let places = self.log.state.as_ref().map(|state| state.places);
        let Some(rotation) = self.rotation.as_mut().filter(|rotation| !rotation.known) else {
            return Phase::Head(Head::new());
        };
        rotation.ring.clear();
        rotation.found = Places::NONE;
        let place = places.map_or(1, |places| places.keys);
        if self.device.layout.key_place(place).is_none() {
            rotation.known = place == 0 || places.is_none();
            return Phase::Head(Head::new());
        }
        Phase::Keys(Reading { place, done: 0 })
    }

    /// What is read of a place next, and where: no unit behind the set, which may be unreadable.
    pub(super) fn keys_at(&self, Reading { place, done }: Reading) -> (u32, u32) {
        let place = self.device.layout.key_place(place).unwrap_or_default();
        let there = self.buffer.data().get(..done.into()).unwrap_or_default();
        let wanted = size_of(there).map_or(0, |size| size.saturating_add(CHECK_SIZE));
        let left = self.writer.padded((wanted as u32).saturating_sub(done.into()));
        (place.saturating_add(done.into()), left.min(MAX_WRITE_UNIT))
    }

    /// Bytes of a place, or none because of a read error.
    pub(super) fn keys_read(&mut self, reading: Reading, bytes: Option<&[u8]>) {
        let Reading { place, done } = reading;
        let room = self.buffer.data_mut().get_mut(done.into()..).unwrap_or_default();
        let taken = copy(room, bytes.unwrap_or_default());
        let done = done.saturating_add(taken as u16);
        let there = self.buffer.data().get(..done.into()).unwrap_or_default();
        let wanted = size_of(there).map(|size| size.saturating_add(CHECK_SIZE));
        if taken > 0 && wanted.is_some_and(|wanted| usize::from(done) < wanted) {
            self.phase = Phase::Keys(Reading { place, done });
            return;
        }
        self.keys_found(place, done);
    }

    /// The place is read, as far as it is a set. One that is not to be had may be after a restart.
    fn keys_found(&mut self, place: u8, done: u16) {
        self.phase = Phase::Head(Head::new());
        let Some(rotation) = &mut self.rotation else { return };
        let bytes = self.buffer.data().get(..done.into()).unwrap_or_default();
        let set = Stored::parse::<H>(bytes, self.device).map(|stored| stored.body);
        if self.log.state.is_some() {
            rotation.known = set.is_some();
            if let Some(set) = &set {
                rotation.ring.load(set);
            }
            return;
        }
        // Without records the highest version counts. (No boot stage was there to look at the images.)
        if let Some(set) = set.filter(|set| set.version > rotation.ring.version()) {
            rotation.found = Places { keys: place, base: place, older: false };
            rotation.ring.load(&set);
        }
        rotation.known = place >= PLACES;
        if !rotation.known {
            self.phase = Phase::Keys(Reading { place: place.saturating_add(1), done: 0 });
        }
    }

    /// Enough keys have signed the set at the front of the buffer: it is to be stored.
    pub(super) fn take_key_set(&mut self) -> Result<(), Refusal> {
        if !self.is_proven() {
            return Err(Refusal::TooFewSignatures { valid: 0, needed: 1 });
        }
        let Phase::Head(head) = &self.phase else { return Ok(()) };
        let (size, key_sets) = (head.size(), head.key_sets());
        if size > MAX_STORED {
            return Err(Refusal::KeySetTooLarge { needed: size });
        }
        let places = self.places();
        let free = (1..=PLACES).find(|place| *place != places.keys && *place != places.base);
        let at = free.and_then(|place| self.device.layout.key_place(place));
        let (Some(place), Some(at)) = (free, at) else { return Err(Refusal::KeyStore) };
        let (len, have) = (size.saturating_add(CHECK_SIZE) as u32, self.buffer.capacity());
        let (padded, erased) = (self.writer.padded(len), self.device.layout.geometry().erased());
        let too_large = Refusal::HeadTooLarge { needed: padded as usize, have };
        let (set, behind) = self.buffer.data_mut().split_at_mut_checked(size).ok_or(too_large)?;
        let behind = behind.get_mut(..(padded as usize).saturating_sub(size)).ok_or(too_large)?;
        behind.fill(erased);
        copy(behind, &check::<H>(set));
        self.writer.begin_at(at, len);
        let taken = Taken { place, size: size as u16, key_sets };
        self.phase = if self.log.fresh {
            Phase::KeySet(taken)
        } else {
            // A state that names the place may have been written and not read back: one behind it says otherwise first.
            let state = self.state_or_new();
            Phase::Records(Work::state::<H>(&mut self.log, state), Then::Store(taken))
        };
        Ok(())
    }

    /// The set is in its place: the state is to name it.
    pub(super) fn key_set_stored(&mut self, taken: Taken) {
        let state = self.state_or_new().trusting(taken.place);
        let work = if state.phase == Update::Receiving {
            let held = self.log.held().unwrap_or(Checkpoint::START);
            Work::start::<H>(&mut self.log, state, held)
        } else {
            Work::state::<H>(&mut self.log, state)
        };
        self.phase = Phase::Records(work, Then::Trust(taken));
    }

    /// The state names it: it is trusted, and the next object's turn.
    pub(super) fn key_set_taken(&mut self, taken: Taken) {
        self.phase = Phase::Head(Head::behind(taken.key_sets));
        let len = usize::from(taken.size).saturating_add(CHECK_SIZE);
        let stored = self.buffer.data().get(..len).and_then(|bytes| Stored::parse::<H>(bytes, self.device));
        let Some(rotation) = &mut self.rotation else { return };
        rotation.known = stored.is_some();
        if let Some(stored) = stored {
            rotation.ring.load(&stored.body);
            message!(info, "key set {} is trusted", stored.body.version);
        }
    }

    /// The places that the state names, or that were found without one.
    pub(super) fn places(&self) -> Places {
        let found = self.rotation.as_ref().map_or(Places::NONE, |rotation| rotation.found);
        self.log.state.as_ref().map_or(found, |state| state.places)
    }
}
