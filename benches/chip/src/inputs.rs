//! What the programs work on, as `build.rs` made it. In a section of its own (`link/`): it is not counted as theirs.

use lockgate::{Digest, PublicKey};

include!(concat!(env!("OUT_DIR"), "/sizes.rs"));

/// Room for bytes, aligned as firmware in flash is.
#[repr(C, align(4))]
pub struct Aligned<const N: usize>(pub [u8; N]);

macro_rules! made {
    ($name:literal) => {
        *include_bytes!(concat!(env!("OUT_DIR"), "/", $name))
    };
}

/// An image without a pattern.
#[link_section = ".inputs.image"]
pub static IMAGE: Aligned<IMAGE_SIZE> = Aligned(made!("image"));

/// Its package, one signature.
#[link_section = ".inputs.package"]
pub static PACKAGE: Aligned<PACKAGE_SIZE> = Aligned(made!("package"));

/// The image's SHA-256.
#[link_section = ".inputs.digest"]
pub static DIGEST: Digest = Digest(made!("digest"));

/// An ECDSA signature over it.
#[link_section = ".inputs.signature"]
pub static SIGNATURE: [u8; 64] = made!("signature");

/// An Ed25519 signature over the image's SHA-512.
#[link_section = ".inputs.ed25519_signature"]
pub static ED25519_SIGNATURE: [u8; 64] = made!("ed25519_signature");

/// Whom the device trusts: part of its firmware, and so counted.
pub const KEY: PublicKey = PublicKey(made!("key"));

/// The same, for Ed25519.
pub const ED25519_KEY: [u8; 32] = made!("ed25519_key");

/// An image like machine code.
#[cfg(feature = "decode")]
#[link_section = ".inputs.code"]
pub static CODE: Aligned<IMAGE_SIZE> = Aligned(made!("code"));

/// It, compressed.
#[cfg(feature = "decode")]
#[link_section = ".inputs.heatshrink"]
pub static HEATSHRINK: Aligned<HEATSHRINK_SIZE> = Aligned(made!("heatshrink"));

/// It, as a patch of [`BASE`].
#[cfg(feature = "decode")]
#[link_section = ".inputs.delta"]
pub static DELTA: Aligned<DELTA_SIZE> = Aligned(made!("delta"));

/// The image before it, which runs.
#[cfg(feature = "decode")]
#[link_section = ".inputs.base"]
pub static BASE: Aligned<IMAGE_SIZE> = Aligned(made!("base"));

/// Its SHA-256.
#[cfg(feature = "decode")]
pub const BASE_DIGEST: Digest = Digest(made!("base_digest"));
