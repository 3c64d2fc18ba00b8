//! Whom the machine believes: the keys built into the device or, if it rotates them, those that it took last.

use super::{Machine, Phase};
use crate::device::Device;
use crate::digest::Sha256;
use crate::trust::{KeySet, PublicKey, SignatureJob};
#[cfg(feature = "rotation")]
use crate::{
    keys::{Body, Keyring},
    layout::Strategy,
    records::Phase as Update,
    refusal::Refusal,
    trust::{KeyId, MAX_KEYS},
};

/// What heads are judged by.
pub(super) struct Trust<'t> {
    device: &'t Device<'t>,
    /// None: key sets are passed over.
    #[cfg(feature = "rotation")]
    ring: Option<&'t mut Keyring>,
    /// No image is on trial, or about to be.
    #[cfg(feature = "rotation")]
    ready: bool,
}

/// Stands for the number of a trusted key: the one of the new set that is in the [`Keyring`].
#[cfg(feature = "rotation")]
const CANDIDATE: u8 = u8::MAX;

#[cfg(test)]
impl<'t> Trust<'t> {
    /// Of a device as it was built.
    pub(super) fn of(device: &'t Device<'t>) -> Self {
        Self {
            device,
            #[cfg(feature = "rotation")]
            ring: None,
            #[cfg(feature = "rotation")]
            ready: true,
        }
    }
}

impl Trust<'_> {
    /// The keys that sign updates.
    pub(super) fn sign(&self) -> KeySet<'_> {
        #[cfg(feature = "rotation")]
        if let Some(ring) = &self.ring {
            return ring.sign(self.device);
        }
        self.device.keys
    }
}

#[cfg(feature = "rotation")]
impl Trust<'_> {
    /// The keys that sign key sets; none if this device passes them over.
    fn rotate(&self) -> Option<KeySet<'_>> {
        self.ring.as_ref().and_then(|ring| ring.rotate(self.device))
    }

    /// The keys of the built-in set that must have signed every set, if the boot stage goes by them.
    fn root(&self) -> Option<KeySet<'_>> {
        self.device.rotate_keys.filter(|_| self.device.rooted)
    }

    /// Whether key sets are looked at; they are passed over otherwise.
    pub(super) fn rotates(&self) -> bool {
        self.rotate().is_some() && self.device.layout.key_place(1).is_some()
    }

    /// Who must have signed this set for it to be taken; none if it is to be passed over.
    pub(super) fn judge<H: Sha256>(&self, body: &[u8]) -> Result<Option<Tally>, Refusal> {
        let set = Body::parse::<H>(body)?;
        let trusted = self.ring.as_ref().map_or(0, |ring| ring.trusted_version(self.device));
        if set.vendor != self.device.vendor || set.class != self.device.class || set.version <= trusted {
            return Ok(None);
        }
        if set.version.checked_sub(trusted) != Some(1) {
            return Err(Refusal::KeySetVersion { package: set.version, device: trusted });
        }
        if !self.ready {
            return Err(Refusal::Unconfirmed);
        }
        let (rotate, root) = (self.rotate(), self.root());
        let mut ids = [KeyId([0; 8]); MAX_KEYS];
        for (id, (_, key)) in ids.iter_mut().zip(set.keys()) {
            *id = key.id::<H>();
        }
        for old in rotate.iter().chain(&root).chain([&self.sign()]).flat_map(|keys| keys.keys()) {
            let id = old.id::<H>();
            if set.keys().zip(ids).any(|((_, key), own)| key != *old && own == id) {
                return Err(Refusal::KeyClash { key: id });
            }
        }
        // Whoever has no rotate keys takes no sets: more than all of them would have to sign.
        let trusted = rotate.map_or(u8::MAX, |keys| keys.threshold());
        let needed = [trusted, set.rotate_threshold, root.map_or(0, |keys| keys.threshold())];
        Ok(Some(Tally { needed, valid: [0; 3], of: [false; 3] }))
    }

    /// The number of the key of this id if it may sign the set that `tally` is kept of; `own` is the set's own key of that id.
    pub(super) fn find<H: Sha256>(&mut self, id: &KeyId, own: Option<PublicKey>, tally: &mut Tally) -> Option<u8> {
        let trusted = self.rotate().and_then(|keys| number::<H>(&keys, id));
        let root = self.root().and_then(|keys| keys.keys().get(number::<H>(&keys, id)?).copied());
        tally.of = [trusted.is_some(), own.is_some(), root.is_some()];
        if let Some(number) = trusted {
            return Some(number as u8);
        }
        let key = own.or(root)?;
        self.ring.as_mut()?.set_candidate(key);
        Some(CANDIDATE)
    }
}

#[cfg(feature = "rotation")]
fn number<H: Sha256>(keys: &KeySet<'_>, id: &KeyId) -> Option<usize> {
    keys.keys().iter().position(|key| key.id::<H>() == *id)
}

/// Signatures of a key set: by the trusted set's rotate keys, by its own, and by those that are the boot stage's root.
#[cfg(feature = "rotation")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    needed: [u8; 3],
    valid: [u8; 3],
    /// To which of them the key belongs whose signature is being checked.
    of: [bool; 3],
}

#[cfg(feature = "rotation")]
impl Tally {
    /// The signature is valid.
    pub(super) fn count(&mut self) {
        for (valid, of) in self.valid.iter_mut().zip(self.of) {
            *valid = valid.saturating_add(of.into());
        }
    }

    /// Valid and needed signatures of those who are short of it; no and none if nobody is.
    pub(super) fn shortest(&self) -> (u8, u8) {
        let mut all = self.valid.into_iter().zip(self.needed);
        all.find(|(valid, needed)| valid < needed).unwrap_or_default()
    }
}

impl<H: Sha256> Machine<'_, H> {
    /// The machine's parts that a head needs: whom to believe, and the buffer.
    pub(super) fn trust(&mut self) -> (Trust<'_>, &mut Phase<H>, &mut [u8]) {
        #[cfg(feature = "rotation")]
        let ready = self.is_ready();
        let trust = Trust {
            device: self.device,
            #[cfg(feature = "rotation")]
            ring: self.rotation.as_mut().map(|rotation| &mut *rotation.ring),
            #[cfg(feature = "rotation")]
            ready,
        };
        (trust, &mut self.phase, self.buffer.data_mut())
    }

    /// Whether the head in hand is proven by the signatures that were checked: the decision of whoever counted them, made again.
    #[inline(never)]
    pub(super) fn is_proven(&mut self) -> bool {
        let (trust, phase, _) = self.trust();
        matches!(phase, Phase::Head(head) if head.is_proven(&trust))
    }

    /// No image is on trial, nor asked of another bootloader: key sets may be taken.
    #[cfg(feature = "rotation")]
    fn is_ready(&self) -> bool {
        match self.state().phase {
            Update::Confirmed | Update::Receiving => true,
            Update::Pending => self.device.layout.strategy() != Strategy::Foreign,
            Update::Swapping | Update::Trial | Update::Reverting => false,
        }
    }

    /// The signature that waits for its check, if one does.
    pub(crate) fn job(&self) -> Option<SignatureJob<'_>> {
        let Phase::Head(head) = &self.phase else { return None };
        head.job(self.buffer.data(), self.key(head.signer()?, head.is_key_set())?)
    }

    /// The key of that number.
    fn key(&self, number: u8, rotates: bool) -> Option<&PublicKey> {
        #[cfg(feature = "rotation")]
        if let Some(rotation) = &self.rotation {
            if rotates && number == CANDIDATE {
                return Some(rotation.ring.candidate());
            }
            let ring = &*rotation.ring;
            let keys = if rotates { ring.rotate(self.device)? } else { ring.sign(self.device) };
            return keys.keys().get(usize::from(number));
        }
        let _ = rotates;
        self.device.keys.keys().get(usize::from(number))
    }
}
