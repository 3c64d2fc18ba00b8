//! The frame that arrives, in no more room than its data needs.

use crc::{Digest, NoTable};

use super::frame::{check, data_head, is_good, CHECK, HEAD};

/// Collects the body of a `data` frame with at most `N` bytes of the package.
#[derive(Clone)]
pub(super) struct Inbox<const N: usize> {
    head: [u8; HEAD],
    data: [u8; N],
    /// Bytes of the body so far, or one more than the longest has.
    length: usize,
    check: Digest<'static, u32, NoTable>,
}

/// A frame that is whole, and holds `bytes` bytes of the package.
#[derive(Clone, Copy)]
pub(super) struct Arrived {
    pub(super) offset: u32,
    pub(super) size: u32,
    pub(super) bytes: usize,
}

impl<const N: usize> Inbox<N> {
    /// Bytes of the longest body.
    const ROOM: usize = N.saturating_add(HEAD).saturating_add(CHECK);

    pub(super) const fn new() -> Self {
        Self { head: [0; HEAD], data: [0; N], length: 0, check: check() }
    }

    /// Makes room for the next frame. The data stays until its first byte comes.
    pub(super) fn clear(&mut self) {
        self.length = 0;
        self.check = check();
    }

    pub(super) fn push(&mut self, byte: u8) {
        if self.length >= Self::ROOM {
            // Longer than any that is waited for: `length` says so until its end.
            self.length = Self::ROOM.saturating_add(1);
            return;
        }
        self.check.update(&[byte]);
        let place = match self.length.checked_sub(HEAD) {
            None => self.head.get_mut(self.length),
            // The check behind a full frame needs no place: it went into `check`.
            Some(index) => self.data.get_mut(index),
        };
        if let Some(place) = place {
            *place = byte;
        }
        self.length = self.length.saturating_add(1);
    }

    /// The frame, if its check holds and it is one for a device.
    pub(super) fn arrived(&self) -> Option<Arrived> {
        let bytes = self.length.checked_sub(HEAD)?.checked_sub(CHECK).filter(|&bytes| bytes <= N)?;
        let (offset, size) = data_head(&self.head, bytes).filter(|_| is_good(&self.check))?;
        Some(Arrived { offset, size, bytes })
    }

    pub(super) const fn data(&self) -> &[u8; N] {
        &self.data
    }
}
