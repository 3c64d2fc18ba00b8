//! The package as it was received, for those who judge what the device made of it. Bytes that need not be sent after a
//! reset are missing; they follow from the slot, and the signed chain of blocks says whether rightly.

use std::ops::Range;

use lockgate::pack::{self, Inspection};
use lockgate::wire::{block_prefix, LINK_SIZE};

use crate::slots::sha256;

#[derive(Default)]
pub(crate) struct Received {
    bytes: Vec<u8>,
    /// Package bytes that were passed over, from the end of the head on.
    gap: Option<Range<usize>>,
}

impl Received {
    /// Keeps what the device does not hold yet, that is from `wanted` on; what it holds is not replaced by what a second
    /// try brings.
    pub(super) fn keep(&mut self, at: u32, bytes: &[u8], wanted: u32) {
        let (at, wanted) = (at as usize, wanted as usize);
        let held = self.bytes.len().min(wanted).max(at);
        self.bytes.resize(held, 0);
        self.bytes.extend(bytes.get(held - at..).unwrap_or_default());
    }

    pub(super) fn inspect(&self) -> Option<Inspection<'_>> {
        pack::inspect(&self.bytes).ok()
    }

    /// The device goes on at `position`, right behind the head of `head` bytes as far as the transport is concerned.
    pub(super) fn passed_over(&mut self, head: usize, position: u32) {
        self.gap = Some(head..position as usize);
    }

    /// The whole package as far as it is known: what was passed over is made again from `slot`, where the device says it
    /// is. A block's link is the hash of the one behind it, so the first block that was received leads back to all
    /// in front of it, and nothing is taken for granted: the hash of block 0 is in the signed manifest.
    pub(crate) fn with(mut self, slot: &[u8]) -> Vec<u8> {
        if let Some(gap) = self.gap.take() {
            let blocks = self.missing(&gap, slot).unwrap_or_default();
            self.bytes.get_mut(gap).unwrap_or_default().iter_mut().zip(blocks).for_each(|(byte, block)| *byte = block);
        }
        self.bytes
    }

    fn missing(&self, gap: &Range<usize>, slot: &[u8]) -> Option<Vec<u8>> {
        let manifest = self.inspect()?.manifest;
        let (data, link) = (manifest.block_size() as usize, LINK_SIZE as usize);
        let index = gap.len() / (data + link);
        let rest = self.bytes.get(gap.end..)?;
        let length = (manifest.payload_length as usize).checked_sub(index * data)?.min(data);
        let last = index + 1 == manifest.blocks() as usize;
        let block = rest.get(..if last { length } else { length + link })?;
        let mut hash = sha256(&[&block_prefix(index as u32, length as u32, last), block].concat());
        let mut blocks: Vec<Vec<u8>> = Vec::new();
        for index in (0..index).rev() {
            let block = [slot.get(index * data..)?.get(..data)?, &hash.0].concat();
            hash = sha256(&[&block_prefix(index as u32, data as u32, false)[..], &block].concat());
            blocks.push(block);
        }
        Some(blocks.into_iter().rev().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use lockgate::pack::{Signer, SigningKey, Update};
    use lockgate::{KeySet, Uuid, Version};

    use super::*;

    #[test]
    fn bytes_that_were_not_sent_follow_from_the_slot() {
        let mut key = SigningKey::generate();
        let image: Vec<u8> = (0..=250).cycle().take(9000).collect();
        let any = Uuid([7; 16]);
        let package = Update::new(any, any, Version::new(1, 0, 0, 0), 0).build(&image, &mut [&mut key]).unwrap();
        let (bytes, head) = (package.bytes(), package.head().len());
        for block in [1, 5, 8] {
            let position = head + block * (1024 + 32);
            let resumed = || {
                let mut received = Received::default();
                received.keep(0, &bytes[..head + 300], 0);
                received.passed_over(head, position as u32);
                received.keep(position as u32, &bytes[position..], position as u32);
                received
            };
            assert!(resumed().with(&image) == bytes, "block {block}");
            // Another byte in the slot: the chain does not hold.
            let mut spoilt = image.clone();
            spoilt[block * 1024 - 1] ^= 1;
            let all = resumed().with(&spoilt);
            let found = pack::inspect(&all).unwrap();
            let keys = [key.public_key()];
            assert!(found.verify(&KeySet::new(1, &keys)).is_ok());
            assert!(found.blocks().any(|block| block.is_err()), "block {block}");
        }
    }
}
