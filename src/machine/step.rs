//! What the machine asks for, and how it is answered.

use crate::device::Decision;
use crate::trust::{CheckedSignature, SignatureJob};

/// What is to be done next.
#[derive(Debug)]
pub enum Step<'m> {
    /// Feed the package from [`position`](super::Machine::position) on.
    Receive,
    /// Check a signature (it may take a second), then `ack(Ack::Signature(job.check(..)))`.
    Verify(SignatureJob<'m>),
    /// Ask the application about the machine's [`offer`](super::Machine::offer), then `ack(Ack::Decision(..))`. Nothing is
    /// erased yet.
    Offer,
    /// Erase one sector, then `ack(Ack::Done)`.
    Erase {
        /// Its first address.
        from: u32,
        /// The address after its last byte.
        to: u32,
    },
    /// Program erased flash, then `ack(Ack::Done)`. Given once: stepping again without an acknowledgement is
    /// [`Error::Interrupted`](crate::Error::Interrupted).
    Write {
        /// Address, on a write unit.
        at: u32,
        /// Whole write units.
        bytes: &'m [u8],
    },
    /// Read up to `len` bytes (whole write units, as much as suits; up to 128 bytes all of them, since records are read as
    /// they lie) and `ack(Ack::Read(..))` them.
    Read {
        /// Address, on a write unit.
        at: u32,
        /// Bytes still wanted.
        len: u32,
    },
    /// Every block is in the slot: call [`finish`](super::Machine::finish).
    Stored,
    /// Proven: [`receipt`](super::Machine::receipt) gives the receipt, once.
    Complete,
}

/// The answer to a [`Step`].
#[derive(Debug)]
pub enum Ack<'r> {
    /// To [`Step::Verify`].
    Signature(&'r CheckedSignature),
    /// To [`Step::Offer`].
    Decision(Decision),
    /// To [`Step::Erase`] and [`Step::Write`]: it succeeded.
    Done,
    /// To [`Step::Read`]: the bytes that the flash holds.
    Read(&'r [u8]),
    /// To any flash operation: it failed. An erase or a read will be asked for again; after a write its
    /// sector will be erased again.
    Failed,
}
