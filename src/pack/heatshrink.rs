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

/// For every byte the longest match that ends before the window does, as count and distance; count 0 if there is none of
/// two bytes or more. The zeros in front of the data are matched too.
fn longest(data: &[u8], window: usize, most: usize) -> Vec<(u32, u32)> {
    let mut text = vec![0; window];
    text.extend(data);
    let pair = |at: usize| usize::from(u16::from_le_bytes([text[at], text[at + 1]]));
    let mut last = vec![NONE; 1 << 16];
    let mut before = vec![NONE; text.len()];
    let mut found = vec![(0, 0); data.len()];
    for at in 0..text.len().saturating_sub(1) {
        before[at] = last[pair(at)];
        last[pair(at)] = at as u32;
        if at < window {
            continue;
        }
        let room = most.min(text.len() - at);
        let (mut count, mut distance, mut place) = (1, 0, before[at]);
        while place != NONE && at - place as usize <= window && count < room {
            let from = place as usize;
            if text[from + count] == text[at + count] {
                let same = (0..room).take_while(|i| text[from + i] == text[at + i]).count();
                if same > count {
                    (count, distance) = (same, at - from);
                }
            }
            place = before[from];
        }
        if distance > 0 {
            found[at - window] = (count as u32, distance as u32);
        }
    }
    found
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
