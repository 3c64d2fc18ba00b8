//! Whom a device believes: public keys, how many must have signed, and the proof that a signature was
//! checked.
//!
//! The arithmetic is behind [`Verify`], so that a hardware unit or an assembly back end can do it;
//! [`P256`](crate::P256) is the default.

use core::fmt;

use crate::digest::{digest, Digest, Sha256};

/// Keys a device can trust at once.
pub const MAX_KEYS: usize = 8;

/// A P-256 public key: x || y, 32 bytes each, big-endian.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 64]);

impl PublicKey {
    /// First 8 bytes of the SHA-256 of the uncompressed SEC1 point.
    #[must_use]
    pub fn id<H: Sha256>(&self) -> KeyId {
        let Digest([k0, k1, k2, k3, k4, k5, k6, k7, ..]) = digest::<H>(&[&[4], &self.0]);
        KeyId([k0, k1, k2, k3, k4, k5, k6, k7])
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// The short name of a public key. It picks a key; it proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The keys that may sign updates, and how many of them must.
///
/// `lockgate keygen` prints one as a Rust `const`.
#[derive(Clone, Copy, Debug)]
pub struct KeySet<'k> {
    threshold: u8,
    keys: &'k [PublicKey],
}

impl<'k> KeySet<'k> {
    /// `keys`, of which `threshold` must have signed.
    ///
    /// # Panics
    ///
    /// In a `const`, these do not compile: no key or more than 8; a threshold of 0 or above the number of
    /// keys; a key given twice.
    #[must_use]
    #[allow(clippy::panic)] // in a `const`: a compile error
    pub const fn new(threshold: u8, keys: &'k [PublicKey]) -> Self {
        match Self::checked(threshold, keys) {
            Some(set) => set,
            None => panic!("key set: 1 to 8 different keys and a threshold of 1 to their number"),
        }
    }

    /// As [`new`](Self::new), for keys that are not constants: `None` instead of a panic.
    #[must_use]
    #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // const: no iterators
    pub const fn checked(threshold: u8, keys: &'k [PublicKey]) -> Option<Self> {
        if keys.is_empty() || keys.len() > MAX_KEYS || threshold == 0 || threshold as usize > keys.len() {
            return None;
        }
        let mut i = 0;
        while i < keys.len() {
            let mut j = 0;
            while j < i {
                let mut k = 0;
                while k < 64 && keys[i].0[k] == keys[j].0[k] {
                    k += 1;
                }
                if k == 64 {
                    return None;
                }
                j += 1;
            }
            i += 1;
        }
        Some(Self { threshold, keys })
    }

    /// A part of a set that was [checked](Self::checked), or read strictly, as a whole.
    #[cfg(feature = "rotation")]
    pub(crate) const fn trusted(threshold: u8, keys: &'k [PublicKey]) -> Self {
        Self { threshold, keys }
    }

    /// How many keys must have signed.
    #[must_use]
    pub const fn threshold(&self) -> u8 {
        self.threshold
    }

    /// The keys.
    #[must_use]
    pub const fn keys(&self) -> &'k [PublicKey] {
        self.keys
    }
}

/// Signature arithmetic: one method (two, for keys that change). Wrap [`P256`](crate::P256) to feed a watchdog before and after each
/// check: it may take a second on a small chip, and is a step of its own so that a
/// watchdog can be fed before it.
pub trait Verify {
    /// Whether `signature` (r || s, big-endian) over `digest` is `key`'s, by ECDSA on P-256 (FIPS 186-5,
    /// section 6.4.2). High s is accepted; r or s of 0 or not below the group order, and a key that is no
    /// point of the curve, are not.
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool;

    /// Whether `key` is a point of the curve, both coordinates below p: asked for the keys of a key set that is about to be
    /// taken. The default says no, with which none ever is ([`Refusal::KeyPoint`](crate::Refusal::KeyPoint)): a wrapper passes it on.
    fn is_point(&mut self, key: &PublicKey) -> bool {
        let _ = key;
        false
    }
}

/// A signature that waits to be checked.
#[derive(Debug)]
pub struct SignatureJob<'m> {
    pub(crate) key: &'m PublicKey,
    pub(crate) id: &'m KeyId,
    pub(crate) digest: &'m Digest,
    pub(crate) signature: &'m [u8; 64],
    /// The body of the key set that it signs, whose keys are looked at as well; empty for an update.
    #[cfg(feature = "rotation")]
    pub(crate) set: &'m [u8],
}

impl SignatureJob<'_> {
    /// Checks it: the only way to make a [`CheckedSignature`].
    pub fn check(self, verifier: &mut impl Verify) -> CheckedSignature {
        let verdict = Verdict::of(verifier.verify(self.key, self.digest, self.signature));
        CheckedSignature {
            key: *self.id,
            digest: *self.digest,
            signature: *self.signature,
            #[cfg(feature = "rotation")]
            points: crate::keys::keys(self.set).all(|(_, key)| verifier.is_point(&key)),
            verdict,
        }
    }
}

/// Proof that a [`SignatureJob`] was checked, and its outcome. It counts for that very signature only.
#[derive(Debug)]
pub struct CheckedSignature {
    key: KeyId,
    digest: Digest,
    signature: [u8; 64],
    /// The keys of the set that it signs are points of the curve.
    #[cfg(feature = "rotation")]
    pub(crate) points: bool,
    pub(crate) verdict: Verdict,
}

/// What came of a check, or of several added up: a number that no single flipped bit or skipped branch makes right.
///
/// A decision is made twice: where an outcome comes in, by a branch, and before anything is done for it, by the sum, to which an
/// outcome is added whatever the branch did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict(u32);

impl Verdict {
    pub(crate) const NONE: Self = Self(0);
    const VALID: u32 = 0x3C5A_96E1;

    fn of(valid: bool) -> Self {
        Self(Self::VALID.wrapping_mul(valid.into()))
    }

    pub(crate) fn is_valid(self) -> bool {
        self.0 == Self::VALID
    }

    /// With another outcome.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// Whether it is the sum of so many checks that came out well.
    pub(crate) fn is_of(self, checks: u8) -> bool {
        // Nor is it left out by a compiler that follows the branch before.
        core::hint::black_box(self.0) == Self::VALID.wrapping_mul(checks.into())
    }
}

/// Keys of a set whose signatures are valid. A key counts once, however often its signature comes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signers(u8);

impl Signers {
    /// The key of this number is one of them.
    pub(crate) fn add(&mut self, number: u8) {
        self.0 |= 1u8.checked_shl(number.into()).unwrap_or(0);
    }

    pub(crate) fn count(self) -> u8 {
        self.0.count_ones() as u8
    }
}

impl CheckedSignature {
    pub(crate) fn is_for(&self, key: &KeyId, digest: &Digest, signature: &[u8; 64]) -> bool {
        self.key == *key && self.digest == *digest && self.signature == *signature
    }
}

#[cfg(test)]
mod tests {
    use super::{Signers, Verdict};

    #[test]
    fn a_key_counts_once_as_a_signer() {
        let mut signers = Signers::default();
        for (number, count) in [(0, 1), (0, 1), (7, 2), (7, 2), (3, 3), (8, 3), (u8::MAX, 3), (0, 3)] {
            signers.add(number);
            assert_eq!(signers.count(), count, "with key {number}");
        }
    }

    #[test]
    fn a_sum_of_outcomes_is_right_for_that_many_good_checks_alone() {
        let (good, bad) = (Verdict::of(true), Verdict::of(false));
        assert!(good.is_valid() && !bad.is_valid());
        assert!(Verdict::NONE.is_of(0) && good.is_of(1) && good.and(good).is_of(2));
        for (sum, checks) in [(good.and(bad), 2), (bad, 1), (good, 2), (good.and(good), 1), (Verdict::NONE, 1)] {
            assert!(!sum.is_of(checks), "{sum:?} of {checks}");
        }
        for bit in 0..32 {
            let flipped = |verdict: Verdict| Verdict(verdict.0 ^ 1 << bit);
            assert!(!flipped(good).is_valid() && !flipped(bad).is_valid(), "bit {bit}");
            assert!((0..=32).all(|checks| !flipped(good.and(good)).is_of(checks)), "bit {bit}");
        }
    }
}
