//! heatshrink, a byte at a time: bits in, bytes out (`docs/payload.md`, section 1).
//!
//! Tokens are taken whole: bits of one that is not complete wait in `bits`. So what is kept between two calls is 8 bytes
//! and the window, which the caller lends.

use crate::manifest::Window;

/// A decoder between two bytes of its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heatshrink {
    /// Sizes as powers of two.
    window: u8,
    lookahead: u8,
    /// How many bits are in `bits`: never a whole token.
    have: u8,
    /// Where the next byte goes in the window.
    head: u16,
    /// Bytes that a reference still gives, and how far back they are.
    left: u16,
    distance: u16,
    bits: u32,
}

impl Heatshrink {
    pub(super) const fn new(Window { window, lookahead }: Window) -> Self {
        Self { window, lookahead, have: 0, head: 0, left: 0, distance: 0, bits: 0 }
    }

    /// Bytes of the window.
    pub(super) fn size(&self) -> usize {
        1_usize.wrapping_shl(self.window.into())
    }

    /// The byte in a patch that says the same parameters.
    pub(super) fn parameters(&self) -> u8 {
        (self.window.wrapping_sub(4) << 4) | (self.lookahead.wrapping_sub(3) & 15)
    }

    /// Fills `out` from `input`, as far as that goes; tells how far. Where `keep` is 0xFF a byte is added to the one that is
    /// there, where it is 0 it takes its place.
    pub(super) fn pull(&mut self, ring: &mut [u8], input: &mut &[u8], out: &mut [u8], keep: u8) -> usize {
        let mask = ring.len().wrapping_sub(1);
        let mut done = 0_usize;
        for slot in out {
            if self.left == 0 && !self.token(ring, input) {
                break;
            }
            let head = usize::from(self.head);
            let byte = ring.get(head.wrapping_sub(self.distance.into()) & mask).copied().unwrap_or(0);
            if let Some(place) = ring.get_mut(head) {
                *place = byte;
            }
            self.head = (head.wrapping_add(1) & mask) as u16;
            self.left = self.left.wrapping_sub(1);
            *slot = (*slot & keep).wrapping_add(byte);
            done = done.wrapping_add(1);
        }
        done
    }

    /// The bits of the token that begins with the bits in hand.
    fn needed(&self) -> u8 {
        match self.have.checked_sub(1) {
            None => 1,
            Some(first) if self.bits.wrapping_shr(first.into()) & 1 == 1 => 9,
            Some(_) => self.window.wrapping_add(self.lookahead).wrapping_add(1),
        }
    }

    /// Takes a token. A literal becomes a reference to the byte at the head itself, where it is put.
    fn token(&mut self, ring: &mut [u8], input: &mut &[u8]) -> bool {
        let mut needed = self.needed();
        while self.have < needed {
            let Some((&byte, rest)) = input.split_first() else { return false };
            *input = rest;
            self.bits = (self.bits << 8) | u32::from(byte);
            self.have = self.have.wrapping_add(8);
            needed = self.needed();
        }
        self.have = self.have.wrapping_sub(needed);
        let token = self.bits.wrapping_shr(self.have.into());
        self.bits ^= token.wrapping_shl(self.have.into());
        if needed == 9 {
            if let Some(place) = ring.get_mut(usize::from(self.head)) {
                *place = token as u8;
            }
            (self.left, self.distance) = (1, 0);
        } else {
            let count = token & low(self.lookahead);
            self.left = (count as u16).wrapping_add(1);
            self.distance = (token.wrapping_shr(self.lookahead.into()) as u16).wrapping_add(1);
        }
        true
    }

    /// Whether a reference goes on.
    pub(super) fn gives(&self) -> bool {
        self.left > 0
    }

    /// Whether a reference gives more than `lacks` bytes.
    pub(super) fn beyond(&self, lacks: u32) -> bool {
        u32::from(self.left) > lacks
    }

    /// Whether the bits behind the last token are such as an encoder leaves.
    pub(super) fn padded(&self) -> bool {
        self.have < 8 && self.bits == 0
    }

    /// What is kept: bits and how many, left and distance.
    pub(super) fn save(&self) -> [u32; 2] {
        let distance = if self.gives() { self.distance } else { 0 };
        [self.bits | u32::from(self.have) << 24, u32::from(self.left) | u32::from(distance) << 16]
    }

    /// From a decoder at the first byte to the one that `bits` and `reference` were saved of, its window turned so that the
    /// next byte goes to the front; `None` if there can be none, or if it gives more than `most` bytes.
    pub(super) fn load(&mut self, bits: u32, reference: u32, most: u32) -> Option<()> {
        (self.bits, self.have) = (bits & low(24), (bits >> 24) as u8);
        (self.left, self.distance) = (reference as u16, (reference >> 16) as u16);
        let part = self.have == 0 || (self.have <= 21 && self.have < self.needed());
        let fits = self.bits.wrapping_shr(self.have.into()) == 0;
        let refers = if self.gives() {
            let distance = u32::from(self.distance).wrapping_sub(1);
            self.have < 8 && u32::from(self.left) <= low(self.lookahead) && distance <= low(self.window)
        } else {
            self.distance == 0
        };
        (part && fits && refers && !self.beyond(most)).then_some(())
    }
}

/// `count` bits, all set.
fn low(count: u8) -> u32 {
    1_u32.wrapping_shl(count.into()).wrapping_sub(1)
}
