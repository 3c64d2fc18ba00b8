#![no_std]
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

#[cfg(any(feature = "pack", feature = "sim"))]
extern crate std;

/// The constants of `docs/porting.md` compile.
#[cfg(doctest)]
#[doc = include_str!("../docs/porting.md")]
struct Porting;

#[cfg(feature = "async")]
pub mod asynch;
mod block;
mod blocking;
pub mod boot;
pub mod control;
#[cfg(all(feature = "p256-cortex-m4", target_arch = "arm", target_os = "none"))]
mod cortex_m4;
#[cfg(not(feature = "decode"))]
#[allow(dead_code, unreachable_pub)] // but for the faults' names
mod decode;
#[cfg(feature = "decode")]
#[doc(hidden)]
pub mod decode;
mod device;
mod digest;
mod error;
#[cfg(feature = "p256")]
mod es256;
pub mod foreign;
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::panic)]
// evaluated while the program compiles
pub mod geometry;
mod id;
#[cfg(feature = "rotation")]
mod keys;
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::panic)]
// evaluated while the program compiles
pub mod layout;
pub mod machine;
pub mod manifest;
mod message;
#[cfg(feature = "pack")]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::expect_used)] // host side
pub mod pack;
mod receipt;
mod records;
mod refusal;
#[cfg(feature = "serial")]
pub mod serial;
#[cfg(feature = "sim")]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)] // host side
pub mod sim;
mod status;
mod trust;
mod updater;
pub mod wire;

pub use block::{Block, Buffer};
pub use control::{BootReason, BootStatus, Control, Handover, UpdateState};
#[cfg(all(feature = "p256-cortex-m4", target_arch = "arm", target_os = "none"))]
pub use cortex_m4::P256CortexM4;
pub use decode::Fault;
pub use device::{Decision, Device, FinalHash, Offer, Running};
pub use digest::{Digest, Sha2, Sha256};
pub use error::{Error, ErrorKind};
#[cfg(feature = "p256")]
pub use es256::P256;
pub use id::{Uuid, Version};
#[cfg(feature = "rotation")]
pub use keys::Keyring;
pub use layout::{Layout, LayoutBuilder, Slot, Strategy};
#[cfg(feature = "decode")]
pub use machine::Workspace;
pub use machine::{Ack, Machine, Step};
pub use manifest::Manifest;
pub use receipt::Verified;
pub use records::{ImageId, Reason};
pub use refusal::{Malformed, Refusal};
pub use status::{Progress, Stage, Status};
pub use trust::{CheckedSignature, KeyId, KeySet, PublicKey, SignatureJob, Verify, MAX_KEYS};
pub use updater::{Blocking, Driver, Updater};
