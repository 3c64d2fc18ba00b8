//! The chain of blocks: which block comes next, how long it is, and whether it is the one that was signed.

use core::num::NonZeroU8;

use crate::block::Buffer;
use crate::digest::{Digest, Sha256};
use crate::error::{Refusal, Stop};
use crate::manifest::{block_size, Manifest};
use crate::wire::{block_prefix, LINK_SIZE};

#[derive(Debug)]
pub(crate) struct Chain {
    payload_length: u32,
    /// 8 to 16.
    exponent: NonZeroU8,
    index: u32,
    expected: Digest,
}

impl Chain {
    pub(crate) fn new(manifest: &Manifest) -> Self {
        Self {
            payload_length: manifest.payload_length,
            exponent: NonZeroU8::new(manifest.block_exponent).unwrap_or(NonZeroU8::MIN),
            index: 0,
            expected: manifest.first_block_hash,
        }
    }

    /// The number of the block that comes next, and its hash.
    pub(crate) fn place(&self) -> (u32, Digest) {
        (self.index, self.expected)
    }

    /// Goes on at payload byte `payload`, in the block whose hash is `expected`. Gives the bytes of that block in front of
    /// it.
    pub(crate) fn resume(&mut self, payload: u32, expected: Digest) -> u32 {
        self.index = payload >> (self.exponent.get() & 31);
        self.expected = expected;
        payload.saturating_sub(self.offset())
    }

    /// Every block is through.
    pub(crate) fn complete(&mut self) {
        self.index = self.payload_length.div_ceil(self.block_size());
    }

    fn block_size(&self) -> u32 {
        block_size(self.exponent.get())
    }

    /// Whether every block is through.
    pub(crate) fn is_complete(&self) -> bool {
        self.offset() >= self.payload_length
    }

    /// Payload bytes in front of this block.
    pub(crate) fn offset(&self) -> u32 {
        self.index.saturating_mul(self.block_size())
    }

    /// Package bytes in front of this block, counted from the end of the signatures.
    pub(crate) fn position(&self) -> u32 {
        if self.is_complete() {
            let links = self.index.saturating_sub(1).saturating_mul(LINK_SIZE);
            return self.payload_length.saturating_add(links);
        }
        self.index.saturating_mul(self.block_size().saturating_add(LINK_SIZE))
    }

    /// Bytes of the whole payload, links counted.
    pub(crate) fn size_of_payload(&self) -> u32 {
        let blocks = self.payload_length.div_ceil(self.block_size());
        self.payload_length.saturating_add(blocks.saturating_sub(1).saturating_mul(LINK_SIZE))
    }

    /// Data bytes of this block; 0 once the chain is complete.
    pub(crate) fn data(&self) -> u32 {
        self.payload_length.saturating_sub(self.offset()).min(self.block_size())
    }

    /// Whether this is the last block, which has no link.
    pub(crate) fn is_last(&self) -> bool {
        self.payload_length.saturating_sub(self.offset()) <= self.block_size()
    }

    /// Bytes of this block, its link included.
    pub(crate) fn size(&self) -> u32 {
        self.data().saturating_add(if self.is_last() { 0 } else { LINK_SIZE })
    }

    /// Whether the block in `buffer` is the one that was signed.
    pub(crate) fn authenticate<H: Sha256>(&self, buffer: &Buffer<'_>) -> Result<(), Stop> {
        let mut hash = H::new();
        hash.update(&block_prefix(self.index, self.data(), self.is_last()));
        hash.update(buffer.bytes(0, self.data())?);
        if !self.is_last() {
            hash.update(buffer.link());
        }
        if hash.finish() == self.expected {
            Ok(())
        } else {
            Err(Refusal::BlockHash { index: self.index }.into())
        }
    }

    /// The block is in the slot: the next is due, and `link` is its hash.
    pub(crate) fn advance(&mut self, link: &[u8; 32]) {
        self.expected = Digest(*link);
        self.index = self.index.saturating_add(1);
    }
}
