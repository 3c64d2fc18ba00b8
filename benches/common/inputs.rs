//! What is installed, and who signs it. Always the same, so that two runs can be compared.

use std::error::Error;

use lockgate::pack::{Signer, Update};
use lockgate::{Digest, PublicKey, Version};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};

use super::ids::{CLASS, VENDOR};

/// Everybody's private key. Nothing but the benches trusts it.
pub const SECRET: [u8; 32] = [0x42; 32];

/// What the package says, but for the image.
pub fn update(block_size: u32) -> Update {
    let update = Update::new(VENDOR, CLASS, Version::new(1, 2, 3, 0), 7);
    update.block_size(block_size).expect("a size that blocks may have")
}

/// Random numbers, always the same: xorshift32 (Marsaglia, "Xorshift RNGs", 2003).
pub struct Random(u32);

impl Random {
    pub const fn new() -> Self {
        Self(1)
    }

    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}

/// Bytes without a pattern.
pub fn noise(size: usize) -> Vec<u8> {
    let mut random = Random::new();
    (0..size).map(|_| random.next().to_be_bytes()[0]).collect()
}

/// Signs with the key that everybody knows.
pub struct Known(SigningKey);

impl Known {
    pub fn new() -> Self {
        Self(SigningKey::from_slice(&SECRET).expect("a scalar below the order of the curve"))
    }
}

impl Signer for Known {
    fn public_key(&self) -> PublicKey {
        let point = self.0.verifying_key().to_encoded_point(false);
        let mut bytes = [0; 64];
        bytes.copy_from_slice(&point.as_bytes()[1..]);
        PublicKey(bytes)
    }

    fn sign(&mut self, digest: &Digest) -> Result<[u8; 64], Box<dyn Error + Send + Sync>> {
        let signature: Signature = self.0.sign_prehash(&digest.0)?;
        Ok(signature.to_bytes().into())
    }
}
