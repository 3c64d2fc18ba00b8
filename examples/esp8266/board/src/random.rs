//! Random numbers: the chip's generator, conditioned by SHA-256.
//!
//! The register gives real noise while the radio is on; with it off the words are of little worth (Espressif FAQ, "random number
//! generator"), so 64 of them, read with uneven pauses, and the cycle counter make 32 bytes. Whoever needs keys with the radio off
//! must bring a seed of their own.

use rand_core::{CryptoRng, Error, RngCore};
use sha2::{Digest, Sha256};

use crate::{clock, rom};

/// A word of hardware noise (`RANDOM_REG`, Non-OS SDK `os_random`).
const REGISTER: u32 = 0x3FF2_0E44;
const WORDS: u32 = 64;

/// The generator.
#[derive(Debug)]
pub struct Random {
    pool: [u8; 32],
}

impl Random {
    /// A generator that has collected once.
    #[must_use]
    pub fn new() -> Self {
        let mut random = Self { pool: [0; 32] };
        random.collect(0);
        random
    }

    #[inline(never)]
    fn collect(&mut self, domain: u8) {
        let mut hash = Sha256::new();
        hash.update([domain]);
        hash.update(self.pool);
        for _ in 0..WORDS {
            let word = rom::read(REGISTER);
            hash.update(word.to_le_bytes());
            hash.update(clock::cycles().to_le_bytes());
            for _ in 0..word & 15 {
                core::hint::spin_loop();
            }
        }
        self.pool = hash.finalize().into();
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}

impl RngCore for Random {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            self.collect(1);
            // What is given away does not tell the pool.
            let given = Sha256::new().chain_update([2]).chain_update(self.pool).finalize();
            chunk.iter_mut().zip(given).for_each(|(byte, random)| *byte = random);
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Random {}
