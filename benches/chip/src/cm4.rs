//! [`Verify`] by `p256-cortex-m4`: Emill's P-256 for Cortex-M4, C around field arithmetic in assembly.
//!
//! Not `p256-cm4`, the same in Rust: version 0.4 has `ldm` of a single register in `mul288x288`, which the Armv7-M
//! Architecture Reference Manual (A7.7.41, encoding T2) leaves unpredictable, and which QEMU takes for an undefined
//! instruction.

use lockgate::{Digest, PublicKey, Verify};

/// Signature checks in assembly.
pub struct Cm4;

impl Verify for Cm4 {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        // Refuses a key that is no point of the curve. (r and s are looked at once more by the check itself.)
        let Ok(key) = p256_cortex_m4::PublicKey::from_untagged_bytes(&key.0) else { return false };
        let Ok(signature) = p256_cortex_m4::Signature::from_untagged_bytes(signature) else { return false };
        key.verify_prehashed(&digest.0, &signature)
    }
}
