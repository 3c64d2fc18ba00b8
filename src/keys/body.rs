//! What a key set says, read strictly (`docs/format.md`, section 4.3).

use crate::digest::Sha256;
use crate::id::Uuid;
use crate::manifest::Elements;
use crate::refusal::{Malformed, Refusal};
use crate::trust::{KeyId, PublicKey};

/// Element numbers of a key set's body.
#[allow(missing_docs)]
pub(crate) mod number {
    pub(crate) const VENDOR: u16 = 1;
    pub(crate) const CLASS: u16 = 2;
    pub(crate) const VERSION: u16 = 3;
    pub(crate) const SIGN_THRESHOLD: u16 = 4;
    pub(crate) const ROTATE_THRESHOLD: u16 = 5;
    pub(crate) const KEYS: u16 = 6;
}

/// The role of a key that signs updates.
pub(crate) const SIGN: u8 = 1;
/// The role of a key that signs key sets.
pub(crate) const ROTATE: u8 = 2;

/// Bytes of a key: its roles, and its point.
const KEY_SIZE: usize = 65;

/// The body of a key set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<'b> {
    pub(crate) vendor: Uuid,
    pub(crate) class: Uuid,
    /// 1 or more.
    pub(crate) version: u32,
    pub(crate) sign_threshold: u8,
    pub(crate) rotate_threshold: u8,
    keys: &'b [u8],
}

impl<'b> Body<'b> {
    /// Reads a body and checks every rule of the format, but that its keys are points of the curve.
    ///
    /// # Errors
    ///
    /// [`Refusal::UnknownElement`] or [`Refusal::Malformed`].
    pub(crate) fn parse<H: Sha256>(body: &'b [u8]) -> Result<Self, Refusal> {
        let mut elements = Elements::new(body);
        let vendor = Uuid(value(&mut elements, number::VENDOR)?);
        let class = Uuid(value(&mut elements, number::CLASS)?);
        let version = u32::from_le_bytes(value(&mut elements, number::VERSION)?);
        let [sign_threshold] = value(&mut elements, number::SIGN_THRESHOLD)?;
        let [rotate_threshold] = value(&mut elements, number::ROTATE_THRESHOLD)?;
        let keys = elements.value(number::KEYS)?.ok_or(Malformed::Missing { number: number::KEYS })?;
        for element in elements {
            let element = element?;
            if element.critical {
                return Err(Refusal::UnknownElement { number: element.number });
            }
        }
        let set = Self { vendor, class, version, sign_threshold, rotate_threshold, keys };
        set.judge::<H>()?;
        Ok(set)
    }

    fn judge<H: Sha256>(&self) -> Result<(), Malformed> {
        let wrong = |number| Err(Malformed::Element { number });
        let (count, rest) = (self.keys.len().checked_div(KEY_SIZE), self.keys.len().checked_rem(KEY_SIZE));
        if !matches!((count, rest), (Some(1..=crate::MAX_KEYS), Some(0))) {
            return wrong(number::KEYS);
        }
        let (mut previous, mut counts) = (None, [0u8; 2]);
        for (roles, key) in self.keys() {
            let id = key.id::<H>();
            if !(SIGN..=SIGN | ROTATE).contains(&roles) || previous.is_some_and(|previous: KeyId| previous >= id) {
                return wrong(number::KEYS);
            }
            previous = Some(id);
            let [sign, rotate] = &mut counts;
            *sign = sign.saturating_add(roles & SIGN);
            *rotate = rotate.saturating_add((roles & ROTATE) >> 1);
        }
        let [sign, rotate] = counts;
        if self.version == 0 {
            return wrong(number::VERSION);
        }
        if !(1..=sign).contains(&self.sign_threshold) {
            return wrong(number::SIGN_THRESHOLD);
        }
        if !(1..=rotate).contains(&self.rotate_threshold) {
            return wrong(number::ROTATE_THRESHOLD);
        }
        Ok(())
    }

    /// Roles and points, in the order of the key ids.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (u8, PublicKey)> + 'b {
        split(self.keys)
    }

    /// The key of this id, if it may sign key sets.
    pub(crate) fn rotate_key<H: Sha256>(&self, id: &KeyId) -> Option<PublicKey> {
        self.keys().find(|(roles, key)| roles & ROTATE != 0 && key.id::<H>() == *id).map(|(_, key)| key)
    }
}

/// The keys of a body that keeps the rules; none of another.
pub(crate) fn keys(body: &[u8]) -> impl Iterator<Item = (u8, PublicKey)> + '_ {
    let keys = Elements::new(body).flatten().find(|element| element.number == number::KEYS);
    split(keys.map_or(&[], |element| element.value))
}

fn split(keys: &[u8]) -> impl Iterator<Item = (u8, PublicKey)> + '_ {
    keys.chunks_exact(KEY_SIZE).filter_map(|key| {
        let (&[roles], point) = key.split_first_chunk()?;
        Some((roles, PublicKey(*point.first_chunk()?)))
    })
}

fn value<const N: usize>(elements: &mut Elements<'_>, number: u16) -> Result<[u8; N], Malformed> {
    let value = elements.value(number)?.ok_or(Malformed::Missing { number })?;
    value.try_into().map_err(|_| Malformed::Element { number })
}
