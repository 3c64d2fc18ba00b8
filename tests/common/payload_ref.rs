//! Encoded payloads decoded as plainly as can be, from `docs/payload.md` alone: what the device's decoder is judged by.
#![allow(unreachable_pub)]

use lockgate::manifest::Encoding;

/// The image, if the payload is good.
pub fn decode(encoding: Encoding, payload: &[u8], base: &[u8], size: usize) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Raw => (payload.len() == size).then(|| payload.to_vec()),
        Encoding::Heatshrink(window) => {
            let mut tokens = Tokens::new(payload, window.window, window.lookahead);
            while tokens.out.len() < size {
                tokens.token()?;
            }
            (tokens.out.len() == size && tokens.padded()).then_some(tokens.out)
        }
        Encoding::Delta(window) => {
            let (&kind, rest) = payload.split_first()?;
            let mut plain = rest.iter();
            let same = number(&mut || plain.next().copied())? == size as i64;
            let mut ended = false;
            let image = if let Some(window) = window {
                let parameters = *plain.next()?;
                let (w, l) = (window.window, window.lookahead);
                let mut tokens = Tokens::new(plain.as_slice(), w, l);
                let mut at = 0;
                let image = chunks(base, size, &mut || {
                    while at == tokens.out.len() {
                        tokens.token()?;
                    }
                    at += 1;
                    Some(tokens.out[at - 1])
                });
                ended |= at == tokens.out.len() && tokens.padded() && parameters == ((w - 4) << 4 | (l - 3));
                image
            } else {
                let image = chunks(base, size, &mut || plain.next().copied());
                ended |= plain.next().is_none();
                image
            };
            image.filter(|_| same && ended && kind == if window.is_some() { 4 } else { 0 })
        }
    }
}

fn chunks(base: &[u8], size: usize, next: &mut dyn FnMut() -> Option<u8>) -> Option<Vec<u8>> {
    let (mut image, mut from) = (Vec::new(), 0_i64);
    if number(next)? != 0 {
        return None;
    }
    while image.len() < size {
        let near = usize::try_from(number(next)?).ok().filter(|near| near + image.len() <= size)?;
        let bytes = base.get(usize::try_from(from).ok()?..)?.get(..near)?;
        for byte in bytes {
            image.push(byte.wrapping_add(next()?));
        }
        let extra = usize::try_from(number(next)?).ok().filter(|extra| extra + image.len() <= size)?;
        for _ in 0..extra {
            image.push(next()?);
        }
        from += near as i64 + number(next)?;
        if from < 0 || from > base.len() as i64 {
            return None;
        }
    }
    Some(image)
}

fn number(next: &mut dyn FnMut() -> Option<u8>) -> Option<i64> {
    let first = next()?;
    let (mut value, mut shift, mut last, mut count) = (i64::from(first & 0x3F), 6, first, 1);
    while last & 0x80 != 0 {
        last = next()?;
        value |= i64::from(last & 0x7F) << shift;
        (shift, count) = (shift + 7, count + 1);
        if count > 5 {
            return None;
        }
    }
    let negative = first & 0x40 != 0;
    let shortest = (count == 1 || last != 0) && !(negative && value == 0);
    (shortest && value < 1 << 31).then_some(if negative { -value } else { value })
}

struct Tokens<'p> {
    payload: &'p [u8],
    bit: usize,
    window: u8,
    lookahead: u8,
    out: Vec<u8>,
}

impl<'p> Tokens<'p> {
    fn new(payload: &'p [u8], window: u8, lookahead: u8) -> Self {
        Self { payload, bit: 0, window, lookahead, out: Vec::new() }
    }

    fn bits(&mut self, count: u8) -> Option<usize> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.payload.get(self.bit / 8)?;
            value = value << 1 | usize::from(byte >> (7 - self.bit % 8) & 1);
            self.bit += 1;
        }
        Some(value)
    }

    fn token(&mut self) -> Option<()> {
        if self.bits(1)? == 1 {
            let byte = self.bits(8)?;
            self.out.push(byte as u8);
            return Some(());
        }
        let distance = self.bits(self.window)? + 1;
        for _ in 0..=self.bits(self.lookahead)? {
            let byte = self.out.len().checked_sub(distance).map_or(0, |at| self.out[at]);
            self.out.push(byte);
        }
        Some(())
    }

    /// Whether less than a byte is left, and all of it 0.
    fn padded(&mut self) -> bool {
        let left = 8 * self.payload.len() - self.bit;
        left < 8 && self.bits(left as u8) == Some(0)
    }
}
