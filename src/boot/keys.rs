//! Which key sets a boot stage goes by (`docs/keys.md`, sections 2 and 4).

use embedded_storage::nor_flash::NorFlash;

use super::{Boot, CounterStore, Judge, Platform};
use crate::digest::Sha256;
use crate::records::Places;
use crate::wire::UPDATE_DOMAIN;
#[cfg(feature = "rotation")]
use crate::{
    boot::Room,
    keys::{Keyring, Stored},
    records::PLACES,
    wire::KEY_SET_DOMAIN,
};

#[cfg(not(feature = "rotation"))]
impl<F: NorFlash, P: Platform, J: Judge, C: CounterStore, H: Sha256> Boot<'_, F, P, J, C, H> {
    /// Whether a trailer counts, and by which set: false by the trusted one.
    #[cfg_attr(test, mutants::skip)] // tests bring the feature along: none would judge it
    pub(super) fn vouched(&mut self, signed: &[u8], section: &[u8]) -> Option<bool> {
        self.judge.vouches::<H>(self.device.keys(), &UPDATE_DOMAIN, signed, section).then_some(false)
    }

    /// Without a log.
    #[cfg_attr(test, mutants::skip)] // tests bring the feature along: none would judge it
    pub(super) fn find_places(&mut self) -> [Places; 1] {
        [Places::NONE]
    }
}

#[cfg(feature = "rotation")]
impl<F: NorFlash, P: Platform, J: Judge, C: CounterStore, H: Sha256> Boot<'_, F, P, J, C, H> {
    /// Whether a trailer counts, and by which set: false by the trusted one, true by the one before.
    #[inline(never)] // the sets are on the stack for as long as it takes
    pub(super) fn vouched(&mut self, signed: &[u8], section: &[u8]) -> Option<bool> {
        if !J::CHECKS_SIGNATURES {
            return Some(false);
        }
        let Places { keys, base, .. } = self.places;
        let mut ring = Keyring::new();
        for (place, older) in [(keys, false), (base, true)] {
            if older && base == keys {
                break;
            }
            self.key_set(place, &mut ring);
            self.platform.feed_watchdog();
            if self.judge.vouches::<H>(&ring.sign(self.device), &UPDATE_DOMAIN, signed, section) {
                return Some(older);
            }
        }
        None
    }

    /// The set of a place; none if it is not whole, or not believed: then the built-in set counts.
    #[inline(never)]
    fn key_set(&mut self, place: u8, ring: &mut Keyring) {
        ring.clear();
        let Some(at) = self.device.layout().key_place(place) else { return };
        let mut room = Room::<1024>::default();
        self.read_all(at, room.as_mut());
        let Some(stored) = Stored::parse::<H>(room.as_mut(), self.device) else { return };
        let believed = match self.device.rotate_keys {
            Some(root) if J::CHECKS_SIGNATURES && self.device.rooted => {
                self.platform.feed_watchdog();
                self.judge.vouches::<H>(&root, &KEY_SET_DOMAIN, stored.signed, stored.section)
            }
            _ => true,
        };
        if believed {
            ring.load(&stored.body);
        }
    }

    /// Without a log: the sets of the highest version and of the next lower one.
    #[inline(never)]
    pub(super) fn find_places(&mut self) -> [Places; 2] {
        let mut ring = Keyring::new();
        let (mut high, mut low) = ((0, 0), (0, 0));
        for place in 1..=PLACES {
            self.key_set(place, &mut ring);
            let found = (ring.version(), place);
            if found.0 > high.0 {
                (high, low) = (found, high);
            } else if found.0 > low.0 && found.0 < high.0 {
                low = found;
            }
        }
        [high, low].map(|(_, base)| Places { keys: high.1, base, older: false })
    }
}
