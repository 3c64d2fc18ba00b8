//! Host side: makes packages. Needs `std`; the device never links it.
//!
//! Uses the device's own types for every field, so that what is packed here is what is parsed there.
//!
//! ```
//! use lockgate::pack::{SigningKey, Update};
//! use lockgate::{Uuid, Version};
//!
//! let mut key = SigningKey::generate();
//! let vendor = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
//! let class = Uuid::new("0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80");
//! let package = Update::new(vendor, class, Version::new(1, 2, 3, 0), 7).build(b"the image", &mut [&mut key])?;
//! assert_eq!(package.manifest().image_size, 9);
//! # Ok::<(), lockgate::pack::PackError>(())
//! ```

mod bench;
mod delta;
mod heatshrink;
mod inspect;
mod key_set;
mod keys;
mod matches;
mod payload;
mod update;

pub use crate::decode::Fault;
pub use bench::{is_bench, BENCH_PREFIX};
pub use delta::delta;
pub use heatshrink::heatshrink;
pub use inspect::{inspect, Inspection};
pub use key_set::{Keys, RoleKey, SignedKeys};
pub use keys::{public_key_pem, read_public_key, signature_from_bytes, KeyError, Signer, SigningKey};
pub use payload::{unpack, unpack_front, Payload, PayloadError};
pub use update::{PackError, Package, Update};
