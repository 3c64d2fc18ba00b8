//! Bench keys: keys to lie about on desks and in repositories, known by how their ids begin.
//!
//! One is found by trying: about 65,536 keys for two given bytes, each the sum of the one before and the generator. It
//! takes a few seconds, once for a bench.

use p256::elliptic_curve::rand_core::OsRng;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::elliptic_curve::zeroize::Zeroizing;
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

/// A new secret key whose key id begins with [`BENCH_PREFIX`].
pub(super) fn generate() -> SecretKey {
    let mut scalar = Zeroizing::new(*NonZeroScalar::random(&mut OsRng));
    let mut point = ProjectivePoint::GENERATOR * *scalar;
    loop {
        if let (true, Some(found)) = (is_bench(&id(&point)), NonZeroScalar::new(*scalar).into_option()) {
            return found.into();
        }
        *scalar += Scalar::ONE;
        point += ProjectivePoint::GENERATOR;
    }
}

fn id(point: &ProjectivePoint) -> KeyId {
    let encoded = point.to_affine().to_encoded_point(false);
    // The neutral point has no coordinates, and is no key.
    let coordinates = encoded.as_bytes().get(1..).and_then(|bytes| bytes.try_into().ok());
    PublicKey(coordinates.unwrap_or([0; 64])).id::<Sha2>()
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
}
