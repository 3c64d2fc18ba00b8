//! A device's life with power cuts, held against a model of a few lines.
//!
//! `world` is what there is, `model` what must be true, `life` and `download` what the device does between two resets, `cuts`
//! where power and flash fail.

#![allow(unreachable_pub)]
#![allow(dead_code)] // each program uses a part of it

pub mod cuts;
pub mod download;
pub mod life;
pub mod model;
pub mod world;

/// Small seeded random numbers (splitmix64).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}
