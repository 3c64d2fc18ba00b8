//! What an updater tells about itself.

use crate::device::Running;
use crate::id::Version;
use crate::layout::Slot;

/// How far an update is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Progress {
    /// Bytes of the package that need not be sent again.
    pub received: u32,
    /// Bytes of the whole package, once its manifest is accepted.
    pub package: Option<u32>,
    /// Bytes of the image that are in the slot, read back.
    pub written: u32,
    /// Bytes of the whole image, once its manifest is accepted.
    pub image: Option<u32>,
}

/// What an updater is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Stage {
    /// It waits for a package, or reads its manifest and signatures.
    Waiting,
    /// An authenticated manifest waits for the application's decision.
    Offered,
    /// Blocks arrive and are written.
    Receiving,
    /// Every block is in the slot; the final hash may be under way.
    Stored,
    /// The receipt is ready.
    Verified,
}

/// What runs, what arrives and how far it is: for a report to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// What runs now.
    pub running: Running,
    /// The slot that updates are written to.
    pub target: Slot,
    /// What the updater is at.
    pub stage: Stage,
    /// The version that arrives, once its manifest is accepted.
    pub incoming: Option<Version>,
    /// How far it is.
    pub progress: Progress,
}
