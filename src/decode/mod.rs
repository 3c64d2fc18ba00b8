//! From the payload to the image: heatshrink and deltas, a piece at a time (`docs/payload.md`).
//!
//! Sans-IO: input and output are slices of any size, the window is lent, base bytes are asked for. Only authenticated
//! bytes come here, and no size in them is believed all the same.
//!
//! ```text
//!  new / resumed -> step -> Need::Input: the next block      -> step ... -> finish
//!                     -> Need::Again: with room in output -> step
//!                     -> Need::Base:  those bytes of the base into the output's front -> step
//! ```

mod fault;
mod heatshrink;
mod state;

pub use fault::Fault;

use crate::manifest::Encoding;
use heatshrink::Heatshrink;

/// Bytes between the parts that one step takes at most: chunks may be empty, and a step has to end.
const CONTROL: u8 = 64;

/// What comes next in the payload. Of a patch all but the last three are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// The image itself: no delta.
    Image,
    DiffSize,
    Diff,
    ExtraSize,
    Extra,
    Adjustment,
    Nothing,
    DataFormat,
    Type,
    ImageSize,
    Parameters,
}

/// What a step waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The input is used up.
    Input,
    /// Another call with what is left of the input, and with room in the output.
    Again,
    /// `len` bytes of the base image from `at` on, in front of what is left of the output.
    Base {
        /// Offset in the base image.
        at: u32,
        /// As many as fit the output and may be used at once.
        len: usize,
    },
}

/// What a step has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes taken from the front of the input.
    pub consumed: usize,
    /// Bytes put to the front of the output.
    pub produced: usize,
    /// What the next step waits for.
    pub need: Need,
}

/// A payload being decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoder {
    part: Part,
    /// Of a number: bits of its magnitude in `value`, and [`NEGATIVE`].
    taken: u8,
    /// Of a number what is known of it; of bytes how many are left.
    value: u32,
    /// Position in the base image.
    from: u32,
    /// Position in the image.
    position: u32,
    image_size: u32,
    base_size: u32,
    delta: bool,
    source: Option<Heatshrink>,
}

/// In `taken`: the number is below 0.
const NEGATIVE: u8 = 0x80;

impl Decoder {
    /// Stands for none: all zeros, so that what holds it costs no flash.
    pub(crate) const NONE: Self = Self {
        part: Part::Image,
        taken: 0,
        value: 0,
        from: 0,
        position: 0,
        image_size: 0,
        base_size: 0,
        delta: false,
        source: None,
    };

    /// Whether it is one.
    pub(crate) const fn is_some(&self) -> bool {
        self.image_size > 0
    }

    /// A decoder at the payload's first byte. `base_size` counts for deltas only; `window` is cleared, and has to be lent to
    /// every step.
    ///
    /// # Errors
    ///
    /// [`Fault::Workspace`] if it has less than [`window_size`](Self::window_size) bytes.
    pub fn new(encoding: Encoding, image_size: u32, base_size: u32, window: &mut [u8]) -> Result<Self, Fault> {
        window.get_mut(..Self::window_size(encoding)).ok_or(Fault::Workspace)?.fill(0);
        let (part, window) = match encoding {
            Encoding::Raw => (Part::Image, None),
            Encoding::Heatshrink(window) => (Part::Image, Some(window)),
            Encoding::Delta(window) => (Part::Type, window),
        };
        Ok(Self {
            part,
            taken: 0,
            value: if part == Part::Image { image_size } else { 0 },
            from: 0,
            position: 0,
            image_size,
            base_size,
            delta: part == Part::Type,
            source: window.map(Heatshrink::new),
        })
    }

    /// Bytes of the window: 256 to 2048, or none.
    #[must_use]
    pub fn window_size(encoding: Encoding) -> usize {
        match encoding {
            Encoding::Heatshrink(window) | Encoding::Delta(Some(window)) => Heatshrink::new(window).size(),
            Encoding::Raw | Encoding::Delta(None) => 0,
        }
    }

    /// Bytes of the image that are out.
    #[must_use]
    pub const fn position(&self) -> u32 {
        self.position
    }

    /// Bytes of the image that are not out yet.
    #[must_use]
    pub const fn lacks(&self) -> u32 {
        self.image_size.wrapping_sub(self.position)
    }

    /// Goes on as far as `input`, `output` and the base bytes allow; takes at most 64 bytes that give no output.
    ///
    /// `window` is the same lent bytes every time. The first `base` bytes of `output` are those of the
    /// base image that were asked for; 0 if none were read.
    ///
    /// # Errors
    ///
    /// The rule that the payload breaks. What was produced before is lost; the install is void.
    pub fn step(
        &mut self,
        window: &mut [u8],
        input: &[u8],
        output: &mut [u8],
        mut base: usize,
    ) -> Result<Progress, Fault> {
        let ring = match &self.source {
            Some(source) => window.get_mut(..source.size()).ok_or(Fault::Workspace)?,
            None => &mut [],
        };
        let mut rest = input;
        let mut room = &mut output[..];
        let (mut produced, mut control) = (0_usize, CONTROL);
        let need = loop {
            match self.part {
                Part::Nothing => {
                    if rest.is_empty() {
                        break Need::Input;
                    }
                    return Err(Fault::Trailing);
                }
                Part::Image | Part::Diff | Part::Extra => {
                    let adding = self.part == Part::Diff;
                    let mut want = room.len().min(self.value as usize);
                    if want == 0 {
                        break Need::Again;
                    }
                    if adding && base == 0 {
                        if self.source.is_none() {
                            want = want.min(rest.len());
                        } else if rest.is_empty() && !self.gives() {
                            want = 0;
                        }
                        break if want == 0 { Need::Input } else { Need::Base { at: self.from, len: want } };
                    }
                    if adding {
                        want = want.min(base);
                    }
                    let (now, _) = room.split_at_mut_checked(want).ok_or(Fault::Workspace)?;
                    let got = self.pull(ring, &mut rest, now, if adding { 0xFF } else { 0 });
                    room = room.get_mut(got..).unwrap_or_default();
                    produced = produced.wrapping_add(got);
                    self.position = self.position.wrapping_add(got as u32);
                    self.value = self.value.wrapping_sub(got as u32);
                    if self.part == Part::Image && self.gives_beyond() {
                        return Err(Fault::TooLong);
                    }
                    if adding {
                        base = base.wrapping_sub(got);
                        self.from = self.from.wrapping_add(got as u32);
                    }
                    if self.value == 0 {
                        base = 0;
                        self.advance()?;
                    } else if got < want {
                        break Need::Input;
                    }
                }
                _ => {
                    if control == 0 {
                        break Need::Again;
                    }
                    control = control.wrapping_sub(1);
                    let mut byte = [0];
                    if self.pull(ring, &mut rest, &mut byte, 0) == 0 {
                        break Need::Input;
                    }
                    let [byte] = byte;
                    self.control(byte)?;
                }
            }
        };
        Ok(Progress { consumed: input.len().wrapping_sub(rest.len()), produced, need })
    }

    /// The payload is at its end.
    ///
    /// # Errors
    ///
    /// [`Fault::Truncated`] if the image is not complete, [`Fault::Padding`] if the last byte is not as encoders leave it.
    pub fn finish(&self) -> Result<(), Fault> {
        if self.part != Part::Nothing {
            return Err(Fault::Truncated);
        }
        let padded = self.source.as_ref().is_none_or(Heatshrink::padded);
        padded.then_some(()).ok_or(Fault::Padding)
    }

    /// Whether a reference of heatshrink goes on.
    fn gives(&self) -> bool {
        self.source.as_ref().is_some_and(Heatshrink::gives)
    }

    /// Whether it goes on beyond the bytes that the image lacks.
    fn gives_beyond(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.beyond(self.value))
    }

    /// Bytes from the payload, decompressed where it is compressed.
    fn pull(&mut self, ring: &mut [u8], input: &mut &[u8], out: &mut [u8], keep: u8) -> usize {
        match &mut self.source {
            Some(source) if self.part <= Part::DataFormat => source.pull(ring, input, out, keep),
            _ => {
                let count = input.len().min(out.len());
                let (now, later) = input.split_at_checked(count).unwrap_or((input, &[]));
                for (slot, byte) in out.iter_mut().zip(now) {
                    *slot = (*slot & keep).wrapping_add(*byte);
                }
                *input = later;
                count
            }
        }
    }

    /// Takes a byte that is neither the image's nor added to one.
    fn control(&mut self, byte: u8) -> Result<(), Fault> {
        let parameters = self.source.as_ref().map(Heatshrink::parameters);
        let part = self.part;
        match part {
            Part::Type if byte != if parameters.is_some() { 4 } else { 0 } => Err(Fault::PatchType),
            Part::Parameters if Some(byte) != parameters => Err(Fault::Parameters),
            Part::Type | Part::Parameters => self.advance(),
            _ if !self.number(byte)? => Ok(()),
            _ => self.meant(),
        }
    }

    /// Takes a byte of a number; tells whether it was the last.
    fn number(&mut self, byte: u8) -> Result<bool, Fault> {
        let shift = self.taken & !NEGATIVE;
        let first = shift == 0;
        let bits = byte & if first { 0x3F } else { 0x7F };
        if (shift == 27 && byte > 0x0F) || (!first && byte == 0) || (first && byte == 0x40) {
            return Err(Fault::Number);
        }
        if first && byte & 0x40 != 0 {
            if self.part != Part::Adjustment {
                return Err(Fault::Negative);
            }
            self.taken = NEGATIVE;
        }
        self.value |= u32::from(bits).wrapping_shl(shift.into());
        self.taken = self.taken.wrapping_add(if first { 6 } else { 7 });
        Ok(byte & 0x80 == 0)
    }

    /// Does what the number in `value` asks for, if it may.
    fn meant(&mut self) -> Result<(), Fault> {
        let lacks = self.lacks();
        let behind = self.base_size.wrapping_sub(self.from);
        match self.part {
            Part::ImageSize if self.value != self.image_size => Err(Fault::ImageSize),
            Part::DataFormat if self.value != 0 => Err(Fault::DataFormat),
            Part::DiffSize | Part::ExtraSize if self.value > lacks => Err(Fault::TooLong),
            Part::DiffSize if self.value > behind => Err(Fault::Base),
            Part::Adjustment if self.taken & NEGATIVE != 0 && self.value > self.from => Err(Fault::Base),
            Part::Adjustment if self.taken & NEGATIVE == 0 && self.value > behind => Err(Fault::Base),
            Part::Adjustment => {
                let down = self.taken & NEGATIVE != 0;
                let by = if down { self.value.wrapping_neg() } else { self.value };
                self.from = self.from.wrapping_add(by);
                self.advance()
            }
            _ => self.advance(),
        }
    }

    /// Goes to the next part that has a byte.
    fn advance(&mut self) -> Result<(), Fault> {
        let sized = self.value > 0;
        self.taken = 0;
        self.part = match self.part {
            Part::Type => Part::ImageSize,
            Part::ImageSize if self.source.is_some() => Part::Parameters,
            Part::ImageSize | Part::Parameters => Part::DataFormat,
            Part::DataFormat => Part::DiffSize,
            Part::DiffSize if sized => Part::Diff,
            Part::DiffSize | Part::Diff => Part::ExtraSize,
            Part::ExtraSize if sized => Part::Extra,
            Part::ExtraSize | Part::Extra => Part::Adjustment,
            Part::Adjustment if self.position < self.image_size => Part::DiffSize,
            Part::Adjustment if self.gives() => return Err(Fault::Trailing),
            Part::Adjustment | Part::Image | Part::Nothing => Part::Nothing,
        };
        if !matches!(self.part, Part::Diff | Part::Extra) {
            self.value = 0;
        }
        Ok(())
    }
}
