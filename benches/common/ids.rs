//! Who the devices of all benches are.

use lockgate::Uuid;

pub const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
pub const CLASS: Uuid = Uuid::new("5f0a1c9e-7b42-4e36-9c58-2d1be07a6f43");
