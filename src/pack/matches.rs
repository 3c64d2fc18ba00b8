//! Where in the base the bytes of the image come from: the search of bsdiff (Colin Percival, *Naive differences of
//! executable code*, 2003), over a suffix array.

use std::vec;
use std::vec::Vec;

/// A match that an earlier alignment explains but for so many bytes is no reason for another one.
const WORTH: usize = 8;

/// Bytes of the image that are near bytes of the base, and the bytes behind them that are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where the first part begins in the base.
    pub(super) from: usize,
    /// Where it begins in the image.
    pub(super) to: usize,
    /// Its bytes.
    pub(super) near: usize,
    /// Bytes behind it that come from nowhere.
    pub(super) extra: usize,
}

/// Cuts `image` into pieces, in its order.
pub(super) fn pieces(base: &[u8], image: &[u8]) -> Vec<Piece> {
    let suffixes = Suffixes::new(base);
    let mut pieces = Vec::new();
    // What is being explained by the alignment (`to` in the image is `from` in the base).
    let (mut to, mut from) = (0, 0);
    let (mut scan, mut length) = (0, 0);
    while scan < image.len() {
        scan += length;
        let (mut explained, mut seen, mut place) = (0_usize, scan, 0);
        length = 0;
        while scan < image.len() {
            (place, length) = suffixes.longest(&image[scan..]);
            let same = |at: usize| (at + from).checked_sub(to).and_then(|at| base.get(at)) == Some(&image[at]);
            while seen < scan + length {
                explained += usize::from(same(seen));
                seen += 1;
            }
            if (length == explained && length > 0) || length > explained + WORTH {
                break;
            }
            explained = explained.saturating_sub(usize::from(seen > scan && same(scan)));
            seen = seen.max(scan + 1);
            scan += 1;
        }
        if length == explained && scan < image.len() {
            continue;
        }
        let last = scan >= image.len();
        let mut near = forward(&base[from..], &image[to..scan]);
        let mut back = if last { 0 } else { backward(&base[..place], &image[to..scan]) };
        let overlap = (near + back).saturating_sub(scan - to);
        if overlap > 0 {
            let kept = split(
                &image[scan - back..][..overlap],
                &base[from + near - overlap..][..overlap],
                &base[place - back..][..overlap],
            );
            near -= overlap - kept;
            back -= kept;
        }
        pieces.push(Piece { from, to, near, extra: scan - back - to - near });
        if !last {
            (to, from) = (scan - back, place - back);
        }
    }
    pieces
}

/// How many bytes from the front on are near: more than half of them equal, as far as that grows.
fn forward(base: &[u8], image: &[u8]) -> usize {
    best(base.iter().zip(image).map(|(a, b)| a == b))
}

/// How many bytes from the end back.
fn backward(base: &[u8], image: &[u8]) -> usize {
    best(base.iter().rev().zip(image.iter().rev()).map(|(a, b)| a == b))
}

fn best(equal: impl Iterator<Item = bool>) -> usize {
    let (mut score, mut most, mut count) = (0_i64, 0, 0);
    for (at, equal) in equal.enumerate() {
        score += if equal { 1 } else { -1 };
        if score > most {
            (most, count) = (score, at + 1);
        }
    }
    count
}

/// How many of the bytes that both alignments claim the first one keeps.
fn split(image: &[u8], first: &[u8], second: &[u8]) -> usize {
    let (mut score, mut most, mut kept) = (0_i64, 0, 0);
    for at in 0..image.len() {
        score += i64::from(image[at] == first[at]) - i64::from(image[at] == second[at]);
        if score > most {
            (most, kept) = (score, at + 1);
        }
    }
    kept
}

/// All suffixes of the base, sorted.
struct Suffixes<'b> {
    base: &'b [u8],
    sorted: Vec<i32>,
}

impl<'b> Suffixes<'b> {
    fn new(base: &'b [u8]) -> Self {
        let mut sorted = vec![0; base.len()];
        divsufsort::sort_in_place(base, &mut sorted);
        Self { base, sorted }
    }

    /// Where the longest match with the front of `wanted` is, and its length.
    fn longest(&self, wanted: &[u8]) -> (usize, usize) {
        // The neighbours of the place where it would be sorted in; what both edges share is not compared again.
        let behind = self.sorted.partition_point(|&at| self.base[at as usize..] < *wanted);
        let matched = |index: usize| {
            let at = self.sorted.get(index).map_or(self.base.len(), |&at| at as usize);
            (at, self.base[at..].iter().zip(wanted).take_while(|(a, b)| a == b).count())
        };
        let (after, before) = (matched(behind), matched(behind.wrapping_sub(1)));
        if before.1 > after.1 {
            before
        } else {
            after
        }
    }
}
