//! The device's memory of its updates, byte for byte (`docs/records.md`, section 2).

use super::payload::{Fields, Kind, Room, MAX_BODY};
use crate::digest::Digest;
use crate::layout::Slot;

/// Places of a key store.
pub(crate) const PLACES: u8 = 3;

/// What becomes of the update that was started last; the value is its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Confirmed,
    Receiving,
    Pending,
    Swapping,
    Trial,
    Reverting,
}

impl Phase {
    const fn of(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Confirmed,
            1 => Self::Receiving,
            2 => Self::Pending,
            3 => Self::Swapping,
            4 => Self::Trial,
            5 => Self::Reverting,
            _ => return None,
        })
    }

    /// Slots are being exchanged: the state's record has room for ticks.
    pub(crate) const fn exchanges(self) -> bool {
        matches!(self, Self::Swapping | Self::Reverting)
    }
}

/// Why the last update did not stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Reason {
    /// It was not confirmed in the attempts it had.
    NotConfirmed = 1,
    /// It did not verify when it was to start.
    Invalid,
    /// The application asked to go back.
    Rejected,
    /// The confirmed image did not verify any more; the one in the other slot did.
    Fallback,
    /// Another bootloader went back.
    Foreign,
}

impl Reason {
    /// The reason of this number, none for 0.
    const fn of(number: u8) -> Option<Option<Self>> {
        Some(Some(match number {
            0 => return Some(None),
            1 => Self::NotConfirmed,
            2 => Self::Invalid,
            3 => Self::Rejected,
            4 => Self::Fallback,
            5 => Self::Foreign,
            _ => return None,
        }))
    }
}

impl core::fmt::Display for Reason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotConfirmed => "not confirmed in its attempts",
            Self::Invalid => "the image did not verify",
            Self::Rejected => "the application asked to go back",
            Self::Fallback => "the confirmed image did not verify, the other slot's did",
            Self::Foreign => "the bootloader went back",
        })
    }
}

/// The first 16 bytes of an image digest: enough to know an image again, and to refuse it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ImageId(pub [u8; 16]);

impl core::fmt::Display for ImageId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl core::fmt::Debug for ImageId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl From<Digest> for ImageId {
    fn from(Digest(bytes): Digest) -> Self {
        Self(bytes.first_chunk().copied().unwrap_or_default())
    }
}

/// The device's memory of its updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) start: u16,
    pub(crate) security_counter: u32,
    pub(crate) next_counter: u32,
    pub(crate) phase: Phase,
    pub(crate) slot: Slot,
    pub(crate) step: u16,
    /// Image sectors that a swap moves, or bytes of the image that was handed over to another bootloader.
    pub(crate) extent: u32,
    pub(crate) limit: u8,
    pub(crate) reason: Option<Reason>,
    pub(crate) update: Digest,
    pub(crate) image: ImageId,
    pub(crate) failed: ImageId,
    pub(crate) places: Places,
}

/// Which key sets count, by their places in the key store (`docs/keys.md`); 0: the one built into the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// What updates are accepted under.
    pub(crate) keys: u8,
    /// What the confirmed image's update was accepted under.
    pub(crate) base: u8,
    /// The update that was started last counts under `base`, not under `keys`.
    pub(crate) older: bool,
}

/// In the byte of `base`: the update started last counts under it.
const OLDER: u8 = 0x80;

impl Places {
    /// The built-in set alone counts.
    pub(crate) const NONE: Self = Self { keys: 0, base: 0, older: false };
}

impl State {
    /// A device that never had an update, its confirmed image in `slot`.
    #[inline(never)]
    pub(crate) const fn new(slot: Slot, security_counter: u32) -> Self {
        Self {
            start: 0,
            security_counter,
            next_counter: 0,
            phase: Phase::Confirmed,
            slot,
            step: 0,
            extent: 0,
            limit: 0,
            reason: None,
            update: Digest([0; 32]),
            image: ImageId([0; 16]),
            failed: ImageId([0; 16]),
            places: Places::NONE,
        }
    }

    /// The payload, in a record of `strides`.
    pub(crate) fn encode(&self, strides: u16, body: &mut [u8; MAX_BODY]) {
        Room(body)
            .put([Kind::State as u8, strides as u8])
            .put(self.start.to_le_bytes())
            .put(self.security_counter.to_le_bytes())
            .put(self.next_counter.to_le_bytes())
            .put([self.phase as u8, u8::from(self.slot == Slot::B)])
            .put(self.step.to_le_bytes())
            .put(self.extent.to_le_bytes())
            .put([self.limit, self.reason.map_or(0, |reason| reason as u8)])
            .put(self.update.0)
            .put(self.image.0)
            .put(self.failed.0)
            .put([self.places.keys, self.places.base | if self.places.older { OLDER } else { 0 }]);
    }

    pub(crate) fn decode(body: &[u8; MAX_BODY]) -> Option<Self> {
        let mut fields = Fields(body);
        let [_, _] = fields.take();
        let start = u16::from_le_bytes(*fields.take());
        let security_counter = u32::from_le_bytes(*fields.take());
        let next_counter = u32::from_le_bytes(*fields.take());
        let [phase, slot] = fields.take();
        let phase = Phase::of(*phase)?;
        let slot = match slot {
            0 => Slot::A,
            1 => Slot::B,
            _ => return None,
        };
        let step = u16::from_le_bytes(*fields.take());
        let extent = u32::from_le_bytes(*fields.take());
        let [limit, reason] = fields.take();
        let (limit, reason) = (*limit, Reason::of(*reason)?);
        let (update, image, failed) = (fields.take(), fields.take(), fields.take());
        let [keys, base] = *fields.take();
        let (base, older) = (base & !OLDER, base & OLDER != 0);
        if keys > PLACES || base > PLACES {
            return None;
        }
        Some(Self {
            start,
            security_counter,
            next_counter,
            phase,
            slot,
            step,
            extent,
            limit,
            reason,
            update: Digest(*update),
            image: ImageId(*image),
            failed: ImageId(*failed),
            places: Places { keys, base, older },
        })
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    const PHASES: [Phase; 6] =
        [Phase::Confirmed, Phase::Receiving, Phase::Pending, Phase::Swapping, Phase::Trial, Phase::Reverting];
    const REASONS: [Option<Reason>; 6] = [
        None,
        Some(Reason::NotConfirmed),
        Some(Reason::Invalid),
        Some(Reason::Rejected),
        Some(Reason::Fallback),
        Some(Reason::Foreign),
    ];

    fn encoded(encode: impl FnOnce(&mut [u8; MAX_BODY])) -> [u8; MAX_BODY] {
        let mut body = [0; MAX_BODY];
        encode(&mut body);
        body
    }

    #[test]
    fn a_state_reads_as_it_was_written() {
        for (number, (phase, reason)) in PHASES.into_iter().zip(REASONS).enumerate() {
            let state = State {
                start: 0x1234,
                security_counter: 0xDEAD_BEEF,
                next_counter: 7,
                phase,
                slot: Slot::B,
                step: 300,
                extent: 0x0102_0304,
                limit: 3,
                reason,
                update: Digest([1; 32]),
                image: ImageId([2; 16]),
                failed: ImageId([3; 16]),
                places: Places { keys: 3, base: 1, older: true },
            };
            let body = encoded(|body| state.encode(2, body));
            assert_eq!((State::decode(&body), body[12], body[21]), (Some(state), number as u8, number as u8));
        }
    }

    #[test]
    fn values_out_of_their_tables_are_no_state() {
        let good = encoded(|body| State::new(Slot::A, 1).encode(2, body));
        for (at, value) in [(12, 6), (13, 2), (21, 6), (86, 4), (87, 4)] {
            let mut bad = good;
            bad[at] = value;
            assert_eq!(State::decode(&bad), None, "byte {at}");
        }
    }
}
