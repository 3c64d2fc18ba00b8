//! Packages that `lockgate pack` made (`run.sh`), whole and damaged on their way.

use core::convert::Infallible;

use embedded_io::{ErrorType, Read};

use lockgate::{KeySet, PublicKey};

/// Whom the device trusts.
pub const TRUSTED: KeySet<'static> = KEYS;

// `const KEYS: KeySet`, as `lockgate keygen --print` writes it.
include!(concat!(env!("LOCKGATE_PACKAGES"), "/keys.rs"));

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!(env!("LOCKGATE_PACKAGES"), "/", $name))
    };
}

/// An image, and the package it comes in.
pub struct Build {
    /// What has to be in the slot.
    pub image: &'static [u8],
    /// What is received.
    pub package: &'static [u8],
}

/// Version 1.0.0, security counter 1.
pub const ONE: Build = Build { image: file!("one.bin"), package: file!("one.lgu") };
/// Version 1.1.0, security counter 2.
pub const TWO: Build = Build { image: file!("two.bin"), package: file!("two.lgu") };
/// Version 1.2.0, security counter 3.
pub const THREE: Build = Build { image: file!("three.bin"), package: file!("three.lgu") };
/// As ONE, but for another class of devices.
pub const OTHER_CLASS: &[u8] = file!("other-class.lgu");
/// As ONE, but signed with a key that nobody trusts.
pub const OTHER_KEY: &[u8] = file!("other-key.lgu");

/// A package on its way.
pub struct Link {
    bytes: &'static [u8],
    at: usize,
    /// Where a bit is inverted.
    flaw: Option<usize>,
}

impl Link {
    /// As it was made.
    #[must_use]
    pub const fn whole(bytes: &'static [u8]) -> Self {
        Self { bytes, at: 0, flaw: None }
    }

    /// With one bit inverted, so many bytes before its end.
    #[must_use]
    pub const fn flawed(bytes: &'static [u8], before_end: usize) -> Self {
        Self { bytes, at: 0, flaw: Some(bytes.len() - before_end) }
    }

    /// Without its last bytes.
    #[must_use]
    pub const fn short(bytes: &'static [u8], missing: usize) -> Self {
        Self { bytes: bytes.split_at(bytes.len() - missing).0, at: 0, flaw: None }
    }
}

impl ErrorType for Link {
    type Error = Infallible;
}

impl Read for Link {
    fn read(&mut self, to: &mut [u8]) -> Result<usize, Infallible> {
        // Odd pieces, as a radio brings them.
        let piece = to.len().min(self.bytes.len() - self.at).min(97);
        to[..piece].copy_from_slice(&self.bytes[self.at..self.at + piece]);
        if let Some(flaw) = self.flaw.filter(|flaw| (self.at..self.at + piece).contains(flaw)) {
            to[flaw - self.at] ^= 1;
        }
        self.at += piece;
        Ok(piece)
    }
}
