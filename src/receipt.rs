//! The proof that a slot holds a verified image.

use crate::digest::Digest;
use crate::id::Version;
use crate::layout::Slot;

/// A receipt: the slot holds, complete and read back, the image that the trusted keys signed. It speaks of the moment it is
/// given: feeding another package, or writing to the slot, makes it worthless, and whoever activates the image looks again.
/// With [`FinalHash::BootStage`](crate::FinalHash::BootStage) the boot stage hashes the whole image, not `finish`.
///
/// Only verification makes one, and activation asks for one: code that skips verification does not compile.
///
/// ```compile_fail
/// use lockgate::{Slot, Verified};
/// let forged = Verified { slot: Slot::B };
/// ```
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a verified image runs only after it is activated with its receipt"]
pub struct Verified {
    slot: Slot,
    manifest: Digest,
    image: Digest,
    image_size: u32,
    version: Version,
    security_counter: u32,
    start: u16,
}

impl Verified {
    pub(crate) const fn new(
        slot: Slot,
        manifest: Digest,
        image: Digest,
        image_size: u32,
        version: Version,
        security_counter: u32,
        start: u16,
    ) -> Self {
        Self { slot, manifest, image, image_size, version, security_counter, start }
    }

    /// Where the image is.
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// The update's manifest digest.
    pub const fn manifest_digest(&self) -> Digest {
        self.manifest
    }

    /// SHA-256 of the image.
    pub const fn image_digest(&self) -> Digest {
        self.image
    }

    /// Bytes of the image.
    pub const fn image_size(&self) -> u32 {
        self.image_size
    }

    /// The image's version.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The number of the start it belongs to: one that was started later makes it worthless.
    pub(crate) const fn start(&self) -> u16 {
        self.start
    }

    /// The security counter the device will have once the image is confirmed.
    pub const fn security_counter(&self) -> u32 {
        self.security_counter
    }
}
