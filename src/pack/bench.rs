//! Bench keys: keys to lie about on desks and in repositories, known by how their ids begin.
//!
//! One is found by trying: about 65,536 keys for two given bytes. From a random key on, the next 256 are its
//! sums with 1 to 256 times the generator, and one inversion serves all of them (Montgomery's trick).
//! So a try costs two hash blocks and nine multiplications, and all of it a tenth of a second.

use std::vec::Vec;

use p256::elliptic_curve::bigint::modular::constant_mod::{Residue, ResidueParams};
use p256::elliptic_curve::bigint::{impl_modulus, Encoding, U256};
use p256::elliptic_curve::rand_core::OsRng;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::{NonZeroScalar, ProjectivePoint, Scalar, SecretKey};

use crate::digest::Sha2;
use crate::trust::{KeyId, PublicKey};

/// How the key id of a bench key begins.
pub const BENCH_PREFIX: [u8; 2] = [0xDD, 0xDD];

/// Whether this is the id of a bench key: one that no device in the field should trust. Tools say so wherever
/// they show a key.
#[must_use]
pub fn is_bench(id: &KeyId) -> bool {
    id.0.starts_with(&BENCH_PREFIX)
}

const BATCH: usize = 256;

/// A new secret key whose key id begins with [`BENCH_PREFIX`].
pub(super) fn generate() -> SecretKey {
    let multiples = multiples_of_generator();
    loop {
        let mut scalar = *NonZeroScalar::random(&mut OsRng);
        let mut point = Point::from(ProjectivePoint::GENERATOR * scalar);
        // Ends when two coordinates are equal, which no random key lives to see.
        while let Some(sums) = point.plus_each(&multiples) {
            for sum in &sums {
                scalar += Scalar::ONE;
                if is_bench(&sum.public_key().id::<Sha2>()) {
                    if let Some(found) = NonZeroScalar::new(scalar).into_option() {
                        return found.into();
                    }
                }
            }
            let Some(last) = sums.into_iter().last() else { break };
            point = last;
        }
    }
}

impl_modulus!(Field, U256, "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
type Element = Residue<Field, { Field::LIMBS }>;

/// A point of the curve other than its neutral one.
#[derive(Clone, Copy)]
struct Point {
    x: Element,
    y: Element,
}

impl From<ProjectivePoint> for Point {
    fn from(point: ProjectivePoint) -> Self {
        let point = point.to_affine().to_encoded_point(false);
        let [x, y] = [1..33, 33..65].map(|range| Element::new(&U256::from_be_slice(&point.as_bytes()[range])));
        Self { x, y }
    }
}

/// 1 to [`BATCH`] times the generator.
fn multiples_of_generator() -> Vec<Point> {
    let mut multiple = ProjectivePoint::IDENTITY;
    let next = || {
        multiple += ProjectivePoint::GENERATOR;
        Point::from(multiple)
    };
    core::iter::repeat_with(next).take(BATCH).collect()
}

impl Point {
    /// The sums with each of `others`; `None` if one of them has the same x.
    fn plus_each(&self, others: &[Self]) -> Option<Vec<Self>> {
        // Each product of all differences before it, and then its inverse, from the last to the first.
        let mut product = Element::ONE;
        let mut before = Vec::with_capacity(others.len());
        for other in others {
            before.push(product);
            product *= other.x - self.x;
        }
        let (mut inverse, exists) = product.invert();
        let mut sums = Vec::with_capacity(others.len());
        for (other, before) in others.iter().zip(&before).rev() {
            let slope = (other.y - self.y) * inverse * *before;
            inverse *= other.x - self.x;
            let x = slope.square() - self.x - other.x;
            sums.push(Self { x, y: slope * (self.x - x) - self.y });
        }
        sums.reverse();
        bool::from(exists).then_some(sums)
    }

    fn public_key(&self) -> PublicKey {
        let mut bytes = [0; 64];
        let (x, y) = bytes.split_at_mut(32);
        x.copy_from_slice(&self.x.retrieve().to_be_bytes());
        y.copy_from_slice(&self.y.retrieve().to_be_bytes());
        PublicKey(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Signer, SigningKey};
    use super::*;
    use crate::digest::Digest;
    use crate::es256::P256;
    use crate::trust::Verify;

    #[test]
    fn a_bench_key_is_known_by_its_id_and_signs() {
        let mut key = SigningKey::generate_bench();
        assert!(is_bench(&key.public_key().id::<Sha2>()));
        let digest = Digest([7; 32]);
        let signature = key.sign(&digest).expect("a key in memory signs");
        assert!(P256.verify(&key.public_key(), &digest, &signature));
    }

    #[test]
    fn sums_are_those_of_the_curve() {
        let multiples = multiples_of_generator();
        let five = ProjectivePoint::GENERATOR * Scalar::from(5_u32);
        let sums = Point::from(five).plus_each(&multiples[..4]).expect("no sum doubles a point");
        for (sum, multiple) in sums.iter().zip(&multiples[5..]) {
            assert_eq!(sum.public_key(), multiple.public_key());
        }
        assert!(Point::from(five).plus_each(&multiples).is_none(), "5 and 5 have the same x");
    }
}
