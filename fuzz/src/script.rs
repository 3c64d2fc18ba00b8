//! The fuzzer's bytes as a script.

/// Reads it; zeros when it runs out.
pub(crate) struct Script<'s>(pub(crate) &'s [u8]);

impl<'s> Script<'s> {
    pub(crate) fn byte(&mut self) -> usize {
        let (&first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        usize::from(first)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.byte() << 8 | self.byte()) % limit.max(1)
    }

    /// The next bytes, as many as there are up to `count`.
    pub(crate) fn bytes(&mut self, count: usize) -> &'s [u8] {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
