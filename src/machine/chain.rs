//! The chain of blocks: which block comes next, how long it is, and whether it is the one that was signed.

use core::num::NonZeroU8;

use crate::block::Buffer;
use crate::digest::{Digest, Sha256};
use crate::error::Stop;
use crate::manifest::{block_size, Manifest};
use crate::refusal::Refusal;
use crate::wire::{block_prefix, LINK_SIZE};

#[derive(Debug)]
pub(crate) struct Chain {
    payload_length: u32,
    /// 8 to 16.
    exponent: NonZeroU8,
    /// Payload bytes in front of this block.
    offset: u32,
    expected: Digest,
}

impl Chain {
    pub(crate) fn new(manifest: &Manifest) -> Self {
        Self {
            payload_length: manifest.payload_length,
            exponent: NonZeroU8::new(manifest.block_exponent).unwrap_or(NonZeroU8::MIN),
            offset: 0,
            expected: manifest.first_block_hash,
        }
    }

    /// The hash of the block that comes next.
    pub(crate) fn expected(&self) -> Digest {
        self.expected
    }

    /// Goes on at payload byte `payload`, in the block whose hash is `expected`. Gives the bytes of that block in front of
    /// it.
    pub(crate) fn resume(&mut self, payload: u32, expected: Digest) -> u32 {
        let within = payload & self.block_size().wrapping_sub(1);
        (self.offset, self.expected) = (payload.saturating_sub(within), expected);
        within
    }

    /// Every block is through.
    pub(crate) fn complete(&mut self) {
        self.offset = self.payload_length;
    }

    fn block_size(&self) -> u32 {
        block_size(self.exponent.get())
    }

    /// Blocks that begin in front of payload byte `offset`.
    fn blocks(&self, offset: u32) -> u32 {
        offset.saturating_add(self.block_size().wrapping_sub(1)) >> (self.exponent.get() & 31)
    }

    fn left(&self) -> u32 {
        self.payload_length.saturating_sub(self.offset)
    }

    /// Whether every block is through.
    pub(crate) fn is_complete(&self) -> bool {
        self.left() == 0
    }

    /// Payload bytes in front of this block.
    pub(crate) fn offset(&self) -> u32 {
        self.offset
    }

    /// Package bytes in front of this block, counted from the end of the signatures.
    pub(crate) fn position(&self) -> u32 {
        // The last block has no link.
        let links = self.blocks(self.offset).saturating_sub(u32::from(self.is_complete()));
        self.offset.saturating_add(links.saturating_mul(LINK_SIZE))
    }

    /// Bytes of the whole payload, links not counted.
    pub(crate) fn length(&self) -> u32 {
        self.payload_length
    }

    /// Bytes of the whole payload, links counted.
    pub(crate) fn size_of_payload(&self) -> u32 {
        let links = self.blocks(self.payload_length).saturating_sub(1);
        self.payload_length.saturating_add(links.saturating_mul(LINK_SIZE))
    }

    /// Data bytes of this block; 0 once the chain is complete.
    pub(crate) fn data(&self) -> u32 {
        self.left().min(self.block_size())
    }

    /// Whether this is the last block, which has no link.
    pub(crate) fn is_last(&self) -> bool {
        self.left() <= self.block_size()
    }

    /// Bytes of this block, its link included.
    pub(crate) fn size(&self) -> u32 {
        self.data().saturating_add(if self.is_last() { 0 } else { LINK_SIZE })
    }

    /// Whether the block in `buffer` is the one that was signed.
    pub(crate) fn authenticate<H: Sha256>(&self, buffer: &Buffer<'_>) -> Result<(), Stop> {
        let index = self.blocks(self.offset);
        let mut hash = H::new();
        hash.update(&block_prefix(index, self.data(), self.is_last()));
        hash.update(buffer.bytes(0, self.data())?);
        if !self.is_last() {
            hash.update(buffer.link());
        }
        if hash.finish() == self.expected {
            Ok(())
        } else {
            Err(Refusal::BlockHash { index }.into())
        }
    }

    /// The block is in the slot: the next is due, and `link` is its hash.
    pub(crate) fn advance(&mut self, link: &[u8; 32]) {
        self.expected = Digest(*link);
        self.offset = self.offset.saturating_add(self.data());
    }
}
