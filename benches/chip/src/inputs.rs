//! What the programs work on, as `build.rs` made it. In a section of its own (`memory.x`): it is not counted as theirs.

use lockgate::{Digest, PublicKey};

include!(concat!(env!("OUT_DIR"), "/sizes.rs"));

/// Room for bytes, aligned as firmware in flash is.
#[repr(C, align(4))]
pub struct Aligned<const N: usize>(pub [u8; N]);

/// An image without a pattern.
#[link_section = ".inputs.image"]
pub static IMAGE: Aligned<IMAGE_SIZE> = Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/image")));

/// Its package, one signature.
#[link_section = ".inputs.package"]
pub static PACKAGE: Aligned<PACKAGE_SIZE> = Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/package")));

/// The image's SHA-256.
#[link_section = ".inputs.digest"]
pub static DIGEST: Digest = Digest(*include_bytes!(concat!(env!("OUT_DIR"), "/digest")));

/// An ECDSA signature over it.
#[link_section = ".inputs.signature"]
pub static SIGNATURE: [u8; 64] = *include_bytes!(concat!(env!("OUT_DIR"), "/signature"));

/// An Ed25519 signature over the image's SHA-512.
#[link_section = ".inputs.ed25519_signature"]
pub static ED25519_SIGNATURE: [u8; 64] = *include_bytes!(concat!(env!("OUT_DIR"), "/ed25519_signature"));

/// Whom the device trusts: part of its firmware, and so counted.
pub const KEY: PublicKey = PublicKey(*include_bytes!(concat!(env!("OUT_DIR"), "/key")));

/// The same, for Ed25519.
pub const ED25519_KEY: [u8; 32] = *include_bytes!(concat!(env!("OUT_DIR"), "/ed25519_key"));
