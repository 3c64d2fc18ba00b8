//! Messages for people, through `defmt`, `log`, both or neither.

macro_rules! message {
    ($level:ident, $text:literal $(, $value:expr)*) => {{
        #[cfg(feature = "defmt")]
        defmt::$level!($text $(, $value)*);
        #[cfg(feature = "log")]
        log::$level!($text $(, $value)*);
        #[cfg(not(any(feature = "defmt", feature = "log")))]
        {
            $(let _ = &$value;)*
        }
    }};
}
pub(crate) use message;
