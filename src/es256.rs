//! ES256 by RustCrypto `p256`: the default for [`Verify`].

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::EncodedPoint;

use crate::digest::Digest;
use crate::trust::{PublicKey, Verify};

/// Signature checks in software.
#[derive(Clone, Copy, Debug, Default)]
pub struct P256;

impl Verify for P256 {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        let (Some(key), Ok(signature)) = (point(key), Signature::from_bytes(signature.into())) else { return false };
        key.verify_prehash(&digest.0, &signature).is_ok()
    }

    fn is_point(&mut self, key: &PublicKey) -> bool {
        point(key).is_some()
    }
}

/// The key, if it is a point of the curve.
#[inline(never)] // what the check of that needs is not on the stack of the arithmetic, the deepest there is
fn point(key: &PublicKey) -> Option<VerifyingKey> {
    VerifyingKey::from_encoded_point(&EncodedPoint::from_untagged_bytes(&key.0.into())).ok()
}
