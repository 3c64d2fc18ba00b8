//! SHA-256, behind a trait of three methods so that a chip's own hash unit can do it.

use core::fmt;

/// A SHA-256 value (FIPS 180-4).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Digest {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=[u8]:02x}", self.0);
    }
}

/// A running SHA-256. Implement it for a hardware hash unit; [`Sha2`] is the default.
pub trait Sha256 {
    /// Starts a hash.
    fn new() -> Self;
    /// Adds `bytes`; any split of a message into calls gives the same digest.
    fn update(&mut self, bytes: &[u8]);
    /// Ends the hash.
    fn finish(self) -> Digest;
}

/// SHA-256 in software, by RustCrypto `sha2`.
#[derive(Clone)]
pub struct Sha2(sha2::Sha256);

impl Sha256 for Sha2 {
    fn new() -> Self {
        Self(sha2::Digest::new())
    }

    fn update(&mut self, bytes: &[u8]) {
        sha2::Digest::update(&mut self.0, bytes);
    }

    fn finish(self) -> Digest {
        Digest(sha2::Digest::finalize(self.0).into())
    }
}

/// The digest of `parts` put together.
pub(crate) fn digest<H: Sha256>(parts: &[&[u8]]) -> Digest {
    let mut hash = H::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finish()
}
