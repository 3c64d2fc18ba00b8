//! The slot writer: what to erase, program and read back, and in which order. It does none of it itself.
//!
//! ```text
//!  slot start                    at         erased_to              tail            slot end
//!  |  written and read back      |  erased  |   not erased yet     |  erased first |
//!  |######## image ##############|..........|??????????????????????|.......|trailer|
//! ```
//!
//! Sectors are erased just before they are filled. The sectors of the trailer (the *tail*) come first,
//! because the signatures are at hand only at the start. How the stream was cut into calls has no effect
//! here: only whole blocks arrive.

use crate::error::Stop;
use crate::layout::{Layout, Slot};
use crate::wire::TRAILER_SIZE;

/// Bytes of the block buffer that belong into flash.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Job {
    /// Address in flash.
    pub(crate) at: u32,
    /// Offset in the block buffer.
    pub(crate) from: u32,
    /// Bytes, whole write units.
    pub(crate) len: u32,
}

/// The flash operation under way: it is the job's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Idle,
    /// The sector that begins there.
    Erase(u32),
    /// So many bytes.
    Write(u32),
    /// `done` bytes of `len` are compared.
    Read {
        len: u32,
        done: u32,
    },
}

#[derive(Debug)]
pub(crate) struct Writer {
    unit: u8,
    /// The slot's first address, its trailer's, and that of the first sector that holds some of the trailer: the tail.
    start: u32,
    trailer: u32,
    tail: u32,
    erased_to: u32,
    tail_erased_to: u32,
    job: Job,
    operation: Operation,
}

impl Writer {
    /// A writer for `slot` that writes whole units of `unit` bytes, a power of two.
    pub(crate) fn new(layout: &Layout, slot: Slot, unit: u32) -> Self {
        let range = layout.slot_range(slot);
        let trailer = range.end.saturating_sub(TRAILER_SIZE);
        let tail = layout.sector(trailer).start;
        Self {
            unit: unit as u8,
            start: range.start,
            trailer,
            tail,
            erased_to: range.start,
            tail_erased_to: tail,
            job: Job::default(),
            operation: Operation::Idle,
        }
    }

    /// Goes on at `offset` of the slot, a sector edge: that sector is erased again, and the trailer's.
    pub(crate) fn resume(&mut self, offset: u32) {
        self.erased_to = self.address(offset);
        self.tail_erased_to = self.tail;
        self.operation = Operation::Idle;
    }

    /// Bytes written at once.
    pub(crate) fn unit(&self) -> u32 {
        self.unit.into()
    }

    /// `len` rounded up to whole units.
    pub(crate) fn padded(&self, len: u32) -> u32 {
        let mask = self.unit().saturating_sub(1);
        len.saturating_add(mask) & !mask
    }

    /// Begins the trailer: `len` bytes at the front of the block buffer.
    pub(crate) fn begin_trailer(&mut self, len: u32) {
        self.job = Job { at: self.trailer, from: 0, len: self.padded(len) };
    }

    /// Begins something outside the slot: `len` bytes at the front of the block buffer, for sectors from `at` on, which are
    /// erased first. [`resume`](Self::resume) leads back to the slot.
    #[cfg(feature = "rotation")]
    pub(crate) fn begin_at(&mut self, at: u32, len: u32) {
        (self.erased_to, self.tail_erased_to) = (at, at);
        self.job = Job { at, from: 0, len: self.padded(len) };
    }

    /// Begins image bytes: `len` from `from` in the block buffer, for `offset` in the slot.
    pub(crate) fn begin_image(&mut self, offset: u32, from: u32, len: u32) -> Result<(), Stop> {
        let at = self.address(offset);
        let len = self.padded(len);
        if at.saturating_add(len) > self.trailer {
            return Err(Stop::Misuse("lockgate: image bytes beyond the slot (please report this)"));
        }
        self.job = Job { at, from, len };
        Ok(())
    }

    /// The job's bytes are in flash already: they are compared, and not written.
    #[cfg(feature = "decode")]
    pub(crate) fn compare(&mut self) {
        self.operation = Operation::Read { len: self.job.len, done: 0 };
    }

    /// What is being written.
    pub(crate) fn job(&self) -> Job {
        self.job
    }

    /// What is to be done next; [`Operation::Idle`] once the job is done. Repeats itself until it is
    /// acknowledged.
    pub(crate) fn operation(&mut self) -> Operation {
        if self.operation == Operation::Idle && self.job.len > 0 {
            let Job { at, len, .. } = self.job;
            let limit = if at >= self.tail { self.tail_erased_to } else { self.erased_to };
            self.operation =
                if at >= limit { Operation::Erase(limit) } else { Operation::Write(len.min(limit.saturating_sub(at))) };
        }
        self.operation
    }

    /// The operation under way, without beginning one.
    pub(crate) fn under_way(&self) -> Operation {
        self.operation
    }

    /// An erase or a write is done.
    pub(crate) fn done(&mut self, layout: &Layout) {
        self.operation = match self.operation {
            Operation::Erase(start) => {
                let end = layout.sector(start).end();
                if start >= self.tail {
                    self.tail_erased_to = end;
                } else {
                    self.erased_to = end;
                }
                Operation::Idle
            }
            Operation::Write(len) => Operation::Read { len, done: 0 },
            other => other,
        };
    }

    /// `bytes` more bytes were read back and are right.
    pub(crate) fn compared(&mut self, bytes: u32) {
        if let Operation::Read { len, done } = self.operation {
            let done = done.saturating_add(bytes);
            self.operation = if done < len {
                Operation::Read { len, done }
            } else {
                self.job.at = self.job.at.saturating_add(len);
                self.job.from = self.job.from.saturating_add(len);
                self.job.len = self.job.len.saturating_sub(len);
                Operation::Idle
            };
        }
    }

    /// The offset in the slot, and in the block buffer, if nothing is under way and the next image bytes are the first
    /// of a sector.
    pub(crate) fn at_edge(&self) -> Option<(u32, u32)> {
        let Job { at, from, len } = self.job;
        let waits = len > 0 && self.operation == Operation::Idle;
        let edge = at < self.trailer && (at == self.erased_to || at == self.tail);
        (waits && edge).then_some((at.saturating_sub(self.start), from))
    }

    /// The address of `offset` in the slot.
    pub(crate) fn address(&self, offset: u32) -> u32 {
        self.start.saturating_add(offset)
    }
}
