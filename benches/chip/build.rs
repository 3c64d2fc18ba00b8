//! Makes what the programs work on: an image, its package, and the signatures that are checked. Always the same, so that
//! two runs can be compared.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use ed25519_dalek::Signer as _;
use lockgate::pack::{Signer, Update};
use lockgate::{Digest, PublicKey, Uuid, Version};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use sha2::Digest as _;

const IMAGE_SIZE: usize = 256 * 1024;
const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
const CLASS: Uuid = Uuid::new("5f0a1c9e-7b42-4e36-9c58-2d1be07a6f43");

/// Everybody's private key, for both curves. Nothing but these programs trusts it.
const SECRET: [u8; 32] = [0x42; 32];

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);

    // Found by `link.x` of cortex-m-rt.
    fs::copy("memory.x", out.join("memory.x"))?;
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rerun-if-changed=build.rs");

    let block_size = if env::var_os("CARGO_FEATURE_LARGE_BLOCKS").is_some() { 4096 } else { 1024 };
    let image = noise(IMAGE_SIZE);
    let mut key = Known(p256::ecdsa::SigningKey::from_slice(&SECRET)?);
    let package = Update::new(VENDOR, CLASS, Version::new(1, 2, 3, 0), 7)
        .block_size(block_size)?
        .build(&image, &mut [&mut key])?;

    let digest = Digest(sha2::Sha256::digest(&image).into());
    let signature = key.sign(&digest).map_err(|error| error as Box<dyn Error>)?;

    // As embassy-boot wants it: a signature over the SHA-512 of the image.
    let ed25519 = ed25519_dalek::SigningKey::from_bytes(&SECRET);
    let ed25519_signature = ed25519.sign(&sha2::Sha512::digest(&image)).to_bytes();

    write(&out, "image", &image)?;
    write(&out, "package", package.bytes())?;
    write(&out, "digest", &digest.0)?;
    write(&out, "signature", &signature)?;
    write(&out, "key", &key.public_key().0)?;
    write(&out, "ed25519_key", ed25519.verifying_key().as_bytes())?;
    write(&out, "ed25519_signature", &ed25519_signature)?;
    fs::write(
        out.join("sizes.rs"),
        format!(
            "/// Bytes of the image.\npub const IMAGE_SIZE: usize = {IMAGE_SIZE};\n\
             /// Bytes of its package.\npub const PACKAGE_SIZE: usize = {};\n\
             /// Bytes of its blocks.\npub const BLOCK_SIZE: usize = {block_size};\n",
            package.bytes().len()
        ),
    )?;
    Ok(())
}

fn write(out: &Path, name: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    Ok(fs::write(out.join(name), bytes)?)
}

/// Bytes without a pattern: xorshift32 (Marsaglia, "Xorshift RNGs", 2003).
fn noise(size: usize) -> Vec<u8> {
    let mut state: u32 = 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()[0]
    };
    (0..size).map(|_| next()).collect()
}

/// Signs with a private key that everybody knows.
struct Known(p256::ecdsa::SigningKey);

impl Signer for Known {
    fn public_key(&self) -> PublicKey {
        let point = self.0.verifying_key().to_encoded_point(false);
        let mut bytes = [0; 64];
        bytes.copy_from_slice(&point.as_bytes()[1..]);
        PublicKey(bytes)
    }

    fn sign(&mut self, digest: &Digest) -> Result<[u8; 64], Box<dyn Error + Send + Sync>> {
        let signature: p256::ecdsa::Signature = self.0.sign_prehash(&digest.0)?;
        Ok(signature.to_bytes().into())
    }
}
