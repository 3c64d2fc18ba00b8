//! What may be wrong with a payload, once it is decoded.

use core::fmt;

/// Which rule a payload breaks (`docs/payload.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Fault {
    /// It ends before the image is complete.
    Truncated,
    /// Something follows the image.
    Trailing,
    /// The bits behind the last token are not 0.
    Padding,
    /// A part runs over the end of the image.
    TooLong,
    /// The patch's first byte is not that of the manifest's encoding.
    PatchType,
    /// The patch's image size is not the manifest's.
    ImageSize,
    /// The patch's window or lookahead is not the manifest's.
    Parameters,
    /// The patch has a patch of a data format in front.
    DataFormat,
    /// A number is not in its shortest form, or has more than 31 bits.
    Number,
    /// A size is negative.
    Negative,
    /// Bytes outside the base image are asked for.
    Base,
    /// The lent window is too small.
    Workspace,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "payload: it ends before the image is complete",
            Self::Trailing => "payload: something follows the image",
            Self::Padding => "payload: the padding is not zero",
            Self::TooLong => "payload: a part runs over the end of the image",
            Self::PatchType => "patch: its type or compression is not the manifest's",
            Self::ImageSize => "patch: its image size is not the manifest's",
            Self::Parameters => "patch: its window or lookahead is not the manifest's",
            Self::DataFormat => "patch: data formats are not supported",
            Self::Number => "patch: a number is not in its shortest form or out of range",
            Self::Negative => "patch: a size is negative",
            Self::Base => "patch: bytes outside the base image are asked for",
            Self::Workspace => "payload: the window lent is too small",
        })
    }
}

impl core::error::Error for Fault {}
