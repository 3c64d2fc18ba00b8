//! heatshrink, the smallest stream there is for given parameters.
//!
//! A reference costs the same whatever its length and distance, and what is left never costs more with a byte less of it.
//! So the longest match is the only one worth a look, and one pass from the end finds the best choice at every byte.

use std::vec;
use std::vec::Vec;

use super::update::PackError;
use crate::manifest::{Window, MAX_SIZE};

/// Bits of a literal.
const LITERAL: u32 = 9;
/// No earlier place.
const NONE: u32 = u32::MAX;

/// Compresses `image` as the payload of encoding 1 (`docs/payload.md`): no stream of these parameters is shorter.
///
/// # Errors
///
/// [`PackError::ImageSize`] if it is empty or too large.
pub fn heatshrink(image: &[u8], window: Window) -> Result<Vec<u8>, PackError> {
    if !(1..=MAX_SIZE as usize).contains(&image.len()) {
        return Err(PackError::ImageSize(image.len()));
    }
    let mut bits = Bits::default();
    compress(image, window, &mut bits);
    Ok(bits.bytes)
}

/// Appends the stream for `data` to `bits`.
pub(super) fn compress(data: &[u8], window: Window, bits: &mut Bits) {
    let (w, l) = (u32::from(window.window), u32::from(window.lookahead));
    let found = longest(data, 1 << w, 1 << l);
    // Bits from here to the end, at most; from the end on.
    let mut cost = vec![0_u32; data.len() + 1];
    for at in (0..data.len()).rev() {
        let reference = (1 + w + l).saturating_add(cost[at + found[at].0 as usize]);
        let literal = LITERAL.saturating_add(cost[at + 1]);
        cost[at] = if found[at].0 > 0 { literal.min(reference) } else { literal };
    }
    let mut at = 0;
    while at < data.len() {
        let (count, distance) = found[at];
        if cost[at] == LITERAL.saturating_add(cost[at + 1]) {
            bits.put(1, 1);
            bits.put(data[at].into(), 8);
            at += 1;
        } else {
            bits.put(0, 1);
            bits.put(distance - 1, w);
            bits.put(count - 1, l);
            at += count as usize;
        }
    }
}

/// For every byte the longest match, as count and distance; count 0 if there is none of two bytes or more. The zeros in
/// front of the data are matched too.
fn longest(data: &[u8], window: usize, most: usize) -> Vec<(u32, u32)> {
    let mut text = vec![0; window];
    text.extend(data);
    let mut trees = Trees { roots: vec![NONE; 1 << 16], sons: vec![[NONE; 2]; text.len()], window, most };
    let mut found = Vec::with_capacity(data.len());
    for at in 0..text.len() {
        let (count, distance) = trees.insert(&text, at);
        if at >= window {
            found.push(if count >= 2 { (count as u32, distance as u32) } else { (0, 0) });
        }
    }
    found
}

/// The places of the window as binary trees, sorted by what is there, the newest at the roots: one for each pair of first
/// bytes. (Igor Pavlov's match finder BT2 in LZMA.) So runs and patterns cost no more than anything else.
struct Trees {
    roots: Vec<u32>,
    /// What is sorted before, and behind.
    sons: Vec<[u32; 2]>,
    window: usize,
    most: usize,
}

impl Trees {
    /// Puts `at` in; gives the longest match with a place before it, as count and distance.
    fn insert(&mut self, text: &[u8], at: usize) -> (usize, usize) {
        let (Some(&[a, b]), room) = (text[at..].first_chunk(), self.most.min(text.len() - at)) else { return (0, 0) };
        let root = usize::from(u16::from_le_bytes([a, b]));
        let mut place = core::mem::replace(&mut self.roots[root], at as u32);
        // Where the next place that is sorted before and behind belongs, and what all of those there share.
        let (mut before, mut behind) = ((at, 0), (at, 1));
        let (mut before_shares, mut behind_shares) = (0, 0);
        let (mut count, mut distance) = (0, 0);
        while place != NONE && at - place as usize <= self.window {
            let from = place as usize;
            let known = before_shares.min(behind_shares);
            let same = known
                + text[from + known..].iter().zip(&text[at + known..at + room]).take_while(|(a, b)| a == b).count();
            if same > count {
                (count, distance) = (same, at - from);
            }
            let [lesser, greater] = self.sons[from];
            if same == room {
                // As good as the older one, which goes.
                self.sons[before.0][before.1] = lesser;
                self.sons[behind.0][behind.1] = greater;
                return (count, distance);
            }
            if text[from + same] < text[at + same] {
                self.sons[before.0][before.1] = place;
                (before, before_shares, place) = ((from, 1), same, greater);
            } else {
                self.sons[behind.0][behind.1] = place;
                (behind, behind_shares, place) = ((from, 0), same, lesser);
            }
        }
        self.sons[before.0][before.1] = NONE;
        self.sons[behind.0][behind.1] = NONE;
        (count, distance)
    }
}

/// Bits, the highest first, in bytes that are padded with zeros.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits {
    pub(super) bytes: Vec<u8>,
    free: u32,
}

impl Bits {
    /// A stream that begins behind `bytes`.
    pub(super) fn behind(bytes: Vec<u8>) -> Self {
        Self { bytes, free: 0 }
    }

    fn put(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if let Some(byte) = self.bytes.last_mut() {
                *byte |= ((value >> bit & 1) as u8) << self.free;
            }
        }
    }
}
