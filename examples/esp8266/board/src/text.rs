//! Texts that stay in flash. The chip loads only whole words from there, so a text is kept, and read, in words; as an ordinary constant
//! it would be loaded into RAM before the program starts.

use core::fmt;

/// A text in flash, made by [`text!`](crate::text).
#[derive(Clone, Copy, Debug)]
pub struct Text {
    words: &'static [u32],
    length: usize,
}

impl Text {
    /// The first `length` bytes of `words`.
    #[must_use]
    pub const fn new(words: &'static [u32], length: usize) -> Self {
        Self { words, length }
    }

    /// Its bytes.
    pub fn bytes(self) -> impl Iterator<Item = u8> {
        let words = self.words.iter().flat_map(|word| {
            // SAFETY: a reference is readable. Volatile, so that no compiler makes a load of a byte of it.
            unsafe { core::ptr::from_ref(word).read_volatile() }.to_le_bytes()
        });
        words.take(self.length)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().try_for_each(|byte| fmt::Write::write_char(f, char::from(byte)))
    }
}

/// `text` in words, the last filled up with zeros.
///
/// # Panics
///
/// In a constant it does not compile: a text that is not ASCII, or of another length.
#[must_use]
pub const fn words<const N: usize>(text: &str) -> [u32; N] {
    let bytes = text.as_bytes();
    assert!(N == bytes.len().div_ceil(4) && text.is_ascii());
    let (mut words, mut i) = ([0; N], 0);
    while i < bytes.len() {
        words[i / 4] |= (bytes[i] as u32) << (8 * (i % 4));
        i += 1;
    }
    words
}

/// A constant text that stays in flash.
#[macro_export]
macro_rules! text {
    ($text:expr) => {{
        const TEXT: &str = $text;
        #[link_section = ".irom0.text.texts"]
        static WORDS: [u32; TEXT.len().div_ceil(4)] = $crate::text::words(TEXT);
        $crate::text::Text::new(&WORDS, TEXT.len())
    }};
}
