//! What the device is: names and keys.

use lockgate::{Device, KeySet, PublicKey, Uuid};

use crate::layout::LAYOUT;

// `const KEYS: KeySet`, as `lockgate keygen --print` writes it: see build.rs.
include!(concat!(env!("OUT_DIR"), "/keys.rs"));

const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
const CLASS: Uuid = Uuid::new("f405a1de-2c84-4b0f-9d15-7e3b6a90c4f8");

/// This device.
pub const DEVICE: Device<'static> = Device::new(&LAYOUT, VENDOR, CLASS, KEYS);
