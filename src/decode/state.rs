//! A decoder kept over a reset (`docs/payload.md`, section 4). What is loaded comes from flash: nothing of it is believed.

use super::{Decoder, Part};
use crate::records::Token;

impl Decoder {
    /// The token in hand, if the image itself is compressed and some of it is out. (A delta begins anew: its window is
    /// nowhere in flash.)
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        let source = self.source.as_ref().filter(|_| !self.delta && self.position > 0)?;
        Some(source.save())
    }

    /// Takes a fresh decoder to where `token` was in hand, when `position` bytes of the image were out; `None` if there can
    /// be no such state. Its window is to be [rebuilt](Self::rebuilt) then.
    #[must_use]
    pub fn resumed(mut self, position: u32, token: Token) -> Option<Self> {
        let lacks = self.image_size.checked_sub(position).filter(|_| position > 0 && !self.delta)?;
        let [bits, reference] = token;
        // Bytes of a reference that lie beyond the image were refused when they were seen.
        self.source.as_mut()?.load(bits, reference, lacks)?;
        (self.position, self.value) = (position, lacks);
        self.part = if lacks == 0 { Part::Nothing } else { Part::Image };
        Some(self)
    }

    /// Where the window ends, and how many bytes in front of that are to be those of the image in front of the position,
    /// before the first step after [`resumed`](Self::resumed). What is in front of them is 0.
    #[must_use]
    pub fn rebuilt(&self) -> (usize, u32) {
        let size = self.source.as_ref().map_or(0, |source| source.size());
        (size, self.position.min(size as u32))
    }
}
