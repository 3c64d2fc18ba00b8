//! ES256 in assembly, for cores with the DSP extension (Cortex-M4, M7, M33): Emill's P-256, by `p256-cortex-m4`. A fourteenth
//! of the instructions of [`P256`](crate::P256). Building it takes a C compiler for ARM.

use crate::digest::Digest;
use crate::trust::{PublicKey, Verify};

/// The order of the group (SEC 2, section 2.4.2), big-endian.
const ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA,
    0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

/// Signature checks in assembly.
#[derive(Clone, Copy, Debug, Default)]
pub struct P256CortexM4;

impl Verify for P256CortexM4 {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        // Here, since version 0.1 of the crate looks at r twice and never at s.
        if !signature.chunks_exact(32).all(is_scalar) {
            return false;
        }
        // Refuses a key that is no point of the curve.
        let Ok(key) = p256_cortex_m4::PublicKey::from_untagged_bytes(&key.0) else { return false };
        let Ok(signature) = p256_cortex_m4::Signature::from_untagged_bytes(signature) else { return false };
        key.verify_prehashed(&digest.0, &signature)
    }

    fn is_point(&mut self, key: &PublicKey) -> bool {
        p256_cortex_m4::PublicKey::from_untagged_bytes(&key.0).is_ok()
    }
}

/// Whether it is 1 to the order less 1.
fn is_scalar(number: &[u8]) -> bool {
    number < ORDER.as_slice() && number.iter().any(|&byte| byte != 0)
}
