//! Patches in the sequential format of detools (`docs/payload.md`, section 2).

use std::vec::Vec;

use super::heatshrink::{compress, Bits};
use super::matches::pieces;
use super::update::PackError;
use crate::manifest::{Window, MAX_SIZE};

/// Makes the patch from `base` to `image`, compressed by heatshrink where a window is given. `detools apply_patch` applies
/// it too.
///
/// # Errors
///
/// [`PackError::ImageSize`] if one of them is empty or too large.
pub fn delta(base: &[u8], image: &[u8], window: Option<Window>) -> Result<Vec<u8>, PackError> {
    for size in [base.len(), image.len()] {
        if !(1..=MAX_SIZE as usize).contains(&size) {
            return Err(PackError::ImageSize(size));
        }
    }
    let chunks = chunks(base, image);
    let mut patch = Vec::new();
    patch.push(if window.is_some() { 4 } else { 0 });
    number(&mut patch, image.len() as i64);
    let Some(window) = window else {
        patch.extend(chunks);
        return Ok(patch);
    };
    patch.push(((window.window - 4) << 4) | (window.lookahead - 3));
    let mut bits = Bits::behind(patch);
    compress(&chunks, window, &mut bits);
    Ok(bits.bytes)
}

/// What is compressed: no patch of a data format, then the chunks.
fn chunks(base: &[u8], image: &[u8]) -> Vec<u8> {
    let pieces = pieces(base, image);
    let mut out = Vec::new();
    number(&mut out, 0);
    // A patch begins at the base's first byte. Where the first piece does not, an empty chunk goes there.
    let start = pieces.first().map_or(0, |piece| piece.from);
    if start != 0 {
        number(&mut out, 0);
        number(&mut out, 0);
        number(&mut out, start as i64);
    }
    for (index, piece) in pieces.iter().enumerate() {
        let (near, extra) = image[piece.to..][..piece.near + piece.extra].split_at(piece.near);
        number(&mut out, near.len() as i64);
        out.extend(near.iter().zip(&base[piece.from..]).map(|(to, from)| to.wrapping_sub(*from)));
        number(&mut out, extra.len() as i64);
        out.extend(extra);
        let at = piece.from + piece.near;
        number(&mut out, pieces.get(index + 1).map_or(0, |next| next.from as i64 - at as i64));
    }
    out
}

/// Appends a number in its shortest form.
fn number(out: &mut Vec<u8>, value: i64) {
    let mut rest = value.unsigned_abs();
    let sign = if value < 0 { 0x40 } else { 0 };
    let mut byte = sign | (rest & 0x3F) as u8;
    rest >>= 6;
    while rest > 0 {
        out.push(byte | 0x80);
        byte = (rest & 0x7F) as u8;
        rest >>= 7;
    }
    out.push(byte);
}
