//! Payloads of every encoding, made and undone.

use std::vec::Vec;
use std::{error, fmt, vec};

use super::{delta, heatshrink, PackError};
use crate::decode::{Decoder, Fault, Need, Progress};
use crate::digest::{digest, Digest, Sha2};
use crate::manifest::{BaseImage, Encoding, Window, MAX_SIZE};

/// A payload, and what the manifest says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    bytes: Vec<u8>,
    encoding: Encoding,
    base: Option<BaseImage>,
    image_size: u32,
    image_digest: Digest,
}

impl Payload {
    /// The image as it is.
    ///
    /// # Errors
    ///
    /// [`PackError::ImageSize`] if it is empty or too large.
    pub fn raw(image: &[u8]) -> Result<Self, PackError> {
        let image_size = size(image)?;
        Ok(Self {
            bytes: image.to_vec(),
            encoding: Encoding::Raw,
            base: None,
            image_size,
            image_digest: digest::<Sha2>(&[image]),
        })
    }

    /// The image compressed. A lookahead of 4 suits images best (patches, which are mostly zeros, 7 or more).
    ///
    /// # Errors
    ///
    /// As [`raw`](Self::raw).
    pub fn heatshrink(image: &[u8], window: Window) -> Result<Self, PackError> {
        let image_size = size(image)?;
        Ok(Self {
            bytes: heatshrink(image, window)?,
            encoding: Encoding::Heatshrink(window),
            base: None,
            image_size,
            image_digest: digest::<Sha2>(&[image]),
        })
    }

    /// The image as a patch of `base`.
    ///
    /// # Errors
    ///
    /// As [`raw`](Self::raw), for both.
    pub fn delta(base: &[u8], image: &[u8], window: Option<Window>) -> Result<Self, PackError> {
        let image_size = size(image)?;
        let bytes = delta(base, image, window)?;
        Ok(Self {
            bytes,
            encoding: Encoding::Delta(window),
            base: Some(base_image(base)?),
            image_size,
            image_digest: digest::<Sha2>(&[image]),
        })
    }

    /// A patch that another tool made of `base` (`detools create_patch`), and the image that it makes.
    ///
    /// # Errors
    ///
    /// [`PayloadError`] if a device could not apply it.
    pub fn patch(base: &[u8], patch: Vec<u8>) -> Result<(Self, Vec<u8>), PayloadError> {
        let (encoding, image_size) = head(&patch)?;
        let base_image = base_image(base)?;
        let image = unpack(encoding, &patch, base, image_size)?;
        let image_digest = digest::<Sha2>(&[&image]);
        Ok((Self { bytes: patch, encoding, base: Some(base_image), image_size, image_digest }, image))
    }

    /// With other bytes: for tests of what a device makes of a payload that was signed and is none.
    #[doc(hidden)]
    #[must_use]
    pub fn meddled(&self, meddle: impl Fn(&mut Vec<u8>)) -> Self {
        let mut other = self.clone();
        meddle(&mut other.bytes);
        other
    }

    /// Its bytes, without blocks.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How it becomes the image.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// What it is a patch of.
    #[must_use]
    pub const fn base_image(&self) -> Option<BaseImage> {
        self.base
    }

    /// SHA-256 of the image.
    #[must_use]
    pub const fn image_digest(&self) -> Digest {
        self.image_digest
    }

    /// Bytes of the image.
    #[must_use]
    pub const fn image_size(&self) -> u32 {
        self.image_size
    }
}

/// Decodes a payload with the device's own decoder. `base` is empty but for deltas.
///
/// # Errors
///
/// [`PayloadError::Refused`] says which rule it breaks.
pub fn unpack(encoding: Encoding, payload: &[u8], base: &[u8], image_size: u32) -> Result<Vec<u8>, PayloadError> {
    let mut image = Vec::new();
    decode(encoding, payload, base, image_size, &mut image)?;
    Ok(image)
}

/// As [`unpack`], for a payload that is not all there, or not all good: the image as far as it goes.
#[must_use]
pub fn unpack_front(encoding: Encoding, payload: &[u8], base: &[u8], image_size: u32) -> Vec<u8> {
    let mut image = Vec::new();
    // What stops it is no matter: the image ends there.
    let _ = decode(encoding, payload, base, image_size, &mut image);
    image
}

fn decode(
    encoding: Encoding,
    payload: &[u8],
    base: &[u8],
    image_size: u32,
    image: &mut Vec<u8>,
) -> Result<(), PayloadError> {
    let base_size = u32::try_from(base.len()).map_err(|_| PackError::ImageSize(base.len()))?;
    let mut window = vec![0; Decoder::window_size(encoding)];
    let mut decoder = Decoder::new(encoding, image_size, base_size, &mut window)?;
    let mut chunk = [0; 4096];
    let (mut input, mut ready) = (payload, 0);
    loop {
        let Progress { consumed, produced, need } = decoder.step(&mut window, input, &mut chunk, ready)?;
        image.extend(&chunk[..produced]);
        // Base bytes that were not used are read again.
        ready = 0;
        input = &input[consumed..];
        match need {
            Need::Input => break,
            Need::Again => {}
            Need::Base { at, len } => {
                chunk[..len].copy_from_slice(&base[at as usize..][..len]);
                ready = len;
            }
        }
    }
    Ok(decoder.finish()?)
}

/// Encoding and image size of a patch, from its first bytes.
fn head(patch: &[u8]) -> Result<(Encoding, u32), PayloadError> {
    let compressed = match patch.first() {
        Some(0) => false,
        Some(4) => true,
        Some(&found) => return Err(PayloadError::PatchType { found }),
        None => return Err(PayloadError::Refused(Fault::Truncated)),
    };
    let mut value = 0_u64;
    let mut parts = patch.iter().skip(1);
    for (shift, byte) in [0, 6, 13, 20, 27].into_iter().zip(&mut parts) {
        value |= u64::from(byte & if shift == 0 { 0x3F } else { 0x7F }) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let size = u32::try_from(value).ok().filter(|size| (1..=MAX_SIZE).contains(size));
    let size = size.ok_or(PackError::ImageSize(value as usize))?;
    if !compressed {
        return Ok((Encoding::Delta(None), size));
    }
    let &parameters = parts.next().ok_or(Fault::Truncated)?;
    let (window, lookahead) = ((parameters >> 4) + 4, (parameters & 15) + 3);
    let window = Window::new(window, lookahead).ok_or(PayloadError::Window { window, lookahead })?;
    Ok((Encoding::Delta(Some(window)), size))
}

fn size(image: &[u8]) -> Result<u32, PackError> {
    let size = u32::try_from(image.len()).ok().filter(|size| (1..=MAX_SIZE).contains(size));
    size.ok_or(PackError::ImageSize(image.len()))
}

fn base_image(base: &[u8]) -> Result<BaseImage, PackError> {
    Ok(BaseImage { size: size(base)?, digest: digest::<Sha2>(&[base]) })
}

/// Why a payload is none.
#[derive(Debug)]
#[non_exhaustive]
pub enum PayloadError {
    /// An image or base cannot be packed.
    Pack(PackError),
    /// The patch is of a type or compression that devices do not take: sequential, with none or heatshrink, is what they do.
    PatchType {
        /// Its first byte.
        found: u8,
    },
    /// The patch is compressed with a window or lookahead that devices do not take.
    Window {
        /// Its window.
        window: u8,
        /// Its lookahead.
        lookahead: u8,
    },
    /// A device would refuse it.
    Refused(Fault),
}

impl From<PackError> for PayloadError {
    fn from(error: PackError) -> Self {
        Self::Pack(error)
    }
}

impl From<Fault> for PayloadError {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault)
    }
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pack(error) => error.fmt(f),
            Self::PatchType { found } => {
                write!(f, "patch type {found:#04x}: sequential patches with compression none or heatshrink are taken")
            }
            Self::Window { window, lookahead } => write!(
                f,
                "patch with window {window} and lookahead {lookahead}: 8 to 11 and 3 to 10 are taken, lookahead below window"
            ),
            Self::Refused(fault) => fault.fmt(f),
        }
    }
}

impl error::Error for PayloadError {}
