//! The key set that a device trusts, in RAM.

use super::body::{Body, ROTATE, SIGN};
use crate::device::Device;
use crate::trust::{KeySet, PublicKey, MAX_KEYS};

const NONE: PublicKey = PublicKey([0; 64]);

/// Room for a stored key set, 8 keys at the most, while updates are judged by it: some 600 bytes. Lend it to an
/// [`Updater`](crate::Updater) whose device rotates its keys; put it in a `static` (with the `static_cell` crate).
#[derive(Debug)]
pub struct Keyring {
    /// Keys that sign only, those that do both, those that rotate only.
    keys: [PublicKey; MAX_KEYS],
    /// The first key that rotates, the first that does not sign, the first place that is empty.
    rotate_from: u8,
    sign_to: u8,
    to: u8,
    sign_threshold: u8,
    rotate_threshold: u8,
    /// 0: it holds no set.
    version: u32,
    /// A key of a set that is not trusted yet, whose signature is being checked.
    candidate: PublicKey,
}

impl Keyring {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            keys: [NONE; MAX_KEYS],
            rotate_from: 0,
            sign_to: 0,
            to: 0,
            sign_threshold: 0,
            rotate_threshold: 0,
            version: 0,
            candidate: NONE,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.version = 0;
    }

    /// Version of the set it holds, 0 if it holds none: then, or if that is not higher than the version of the set that is
    /// built in, the built-in one is trusted.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Holds this set from now on.
    pub(crate) fn load(&mut self, set: &Body<'_>) {
        let mut to = 0u8;
        let mut edges = [0; 3];
        for (wanted, edge) in [SIGN, SIGN | ROTATE, ROTATE].into_iter().zip(&mut edges) {
            for (_, key) in set.keys().filter(|(roles, _)| *roles == wanted) {
                if let Some(room) = self.keys.get_mut(usize::from(to)) {
                    *room = key;
                    to = to.saturating_add(1);
                }
            }
            *edge = to;
        }
        [self.rotate_from, self.sign_to, self.to] = edges;
        (self.sign_threshold, self.rotate_threshold) = (set.sign_threshold, set.rotate_threshold);
        self.version = set.version;
    }

    fn part(&self, threshold: u8, from: u8, to: u8) -> KeySet<'_> {
        let keys = self.keys.get(usize::from(from)..usize::from(to)).unwrap_or_default();
        KeySet::trusted(threshold, keys)
    }

    /// Whether the set it holds counts: the one that is built into the device does if it is not older.
    fn counts(&self, device: &Device<'_>) -> bool {
        self.version > device.key_set_version
    }

    /// Version of the trusted set.
    pub(crate) fn trusted_version(&self, device: &Device<'_>) -> u32 {
        self.version.max(device.key_set_version)
    }

    /// The keys that sign updates.
    pub(crate) fn sign<'k>(&'k self, device: &'k Device<'_>) -> KeySet<'k> {
        if self.counts(device) {
            self.part(self.sign_threshold, 0, self.sign_to)
        } else {
            device.keys
        }
    }

    /// The keys that sign key sets; none if the device does not rotate.
    pub(crate) fn rotate<'k>(&'k self, device: &'k Device<'_>) -> Option<KeySet<'k>> {
        if self.counts(device) {
            Some(self.part(self.rotate_threshold, self.rotate_from, self.to))
        } else {
            device.rotate_keys
        }
    }

    /// The key of a set that is not trusted yet.
    pub(crate) fn candidate(&self) -> &PublicKey {
        &self.candidate
    }

    pub(crate) fn set_candidate(&mut self, key: PublicKey) {
        self.candidate = key;
    }
}

impl Default for Keyring {
    fn default() -> Self {
        Self::new()
    }
}
