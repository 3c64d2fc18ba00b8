//! Keys that change in the field: key sets as packages bring them (`docs/format.md`, section 4.3), and as the key store
//! keeps them (`docs/keys.md`).
//!
//! ```text
//!   package ──> Body (what a set says) ──> Head (thresholds of both sets) ──> a place of the key store ──> the state names it
//!                                                                                      │
//!                                             Keyring (what updates are judged by) <───┘ at each start
//! ```

mod body;
mod place;
mod ring;

pub(crate) use body::{keys, Body};
#[cfg(feature = "pack")]
pub(crate) use body::{number, ROTATE, SIGN};
pub(crate) use place::{check, size_of, Stored, CHECK_SIZE, MAX_STORED};
pub use ring::Keyring;
