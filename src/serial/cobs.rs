//! Consistent overhead byte stuffing, byte by byte: frames without a zero in them. See `docs/serial.md`, section 2.
//!
//! Not the crate `cobs`, though the tests compare the two: this decoder refuses the second encoding that some frames
//! have there, and needs no buffer of its own.

/// Bytes of the longest group without its code.
const GROUP: u8 = 254;

/// What stands in front of the next code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// The frame's beginning.
    Start,
    /// A group that ends with a zero, if anything follows.
    Zero,
    /// A group of 254 bytes, which has no zero behind it.
    Full,
}

/// Bytes that are looked at more than once.
pub(super) trait Bytes {
    /// The byte at `index`, if there are so many.
    fn byte(&self, index: usize) -> Option<u8>;
}

/// Encodes a frame's body; without the delimiters around it.
#[derive(Clone, Debug)]
pub(super) struct Encoder<B> {
    body: B,
    /// Bytes of the body in front of what is still to come.
    at: usize,
    /// Bytes of the group that are still to come.
    left: u8,
    before: Before,
}

impl<B: Bytes> Encoder<B> {
    pub(super) fn new(body: B) -> Self {
        Self { body, at: 0, left: 0, before: Before::Start }
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.body.byte(self.at);
        self.at = self.at.saturating_add(1);
        byte
    }
}

impl<B: Bytes> Iterator for Encoder<B> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return self.take();
        }
        match self.before {
            Before::Start => {}
            Before::Zero => _ = self.take()?,
            Before::Full => _ = self.body.byte(self.at)?,
        }
        let mut group = 0;
        while group < GROUP && self.body.byte(self.at.saturating_add(group.into())).is_some_and(|byte| byte != 0) {
            group = group.saturating_add(1);
        }
        self.left = group;
        self.before = if group == GROUP { Before::Full } else { Before::Zero };
        Some(group.saturating_add(1))
    }
}

/// What a byte from the line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Nothing yet.
    Nothing,
    /// The next byte of the body.
    Byte(u8),
    /// A frame ends. `whole` is false if what came is no encoding of any body, or nothing.
    End {
        /// The bytes since the last end are a body.
        whole: bool,
    },
}

/// Takes the bytes of a line and gives those of the frames' bodies.
#[derive(Clone, Debug)]
pub struct Decoder {
    left: u8,
    before: Before,
    /// The last group is empty and follows a full one: superfluous, unless another follows.
    superfluous: bool,
}

impl Decoder {
    /// A decoder that waits for a frame.
    #[must_use]
    pub const fn new() -> Self {
        Self { left: 0, before: Before::Start, superfluous: false }
    }

    /// Takes the next byte of the line.
    pub fn push(&mut self, byte: u8) -> Decoded {
        if byte == 0 {
            let whole = self.left == 0 && self.before != Before::Start && !self.superfluous;
            *self = Self::new();
            return Decoded::End { whole };
        }
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return Decoded::Byte(byte);
        }
        let before = self.before;
        self.left = byte.saturating_sub(1);
        self.before = if self.left == GROUP { Before::Full } else { Before::Zero };
        self.superfluous = before == Before::Full && self.left == 0;
        match before {
            Before::Zero => Decoded::Byte(0),
            Before::Start | Before::Full => Decoded::Nothing,
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}
