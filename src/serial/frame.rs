//! The three frames and their bytes. See `docs/serial.md`, sections 2 and 3.

use crc::{Crc, Digest, NoTable, CRC_32_ISO_HDLC};

use super::cobs::{Bytes, Encoder};

/// Most bytes of a package in one frame.
pub const MAX_DATA: usize = 1024;
/// Most bytes of text in one frame.
pub const MAX_TEXT: usize = 100;
/// Bytes of the longest body that a device sends: `done` with all its text, the check included.
pub const MAX_FROM_DEVICE: usize = 2 + MAX_TEXT + CHECK;

/// Bytes of `data` in front of the package's.
pub(super) const HEAD: usize = 9;
/// Bytes of the check at the end of each body.
pub(super) const CHECK: usize = 4;

const WANT: u8 = 1;
const DATA: u8 = 2;
const DONE: u8 = 3;

// Without a table: it would cost 1 KiB, and a byte of the line takes longer than eight shifts.
static CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// The check of a body, while its bytes come.
pub(super) const fn check() -> Digest<'static, u32, NoTable> {
    CRC.digest()
}

/// Whether this is the check of a body with its own check behind it.
pub(super) fn is_good(check: &Digest<'static, u32, NoTable>) -> bool {
    check.clone().finalize() == CRC_32_ISO_HDLC.residue ^ CRC_32_ISO_HDLC.xorout
}

/// How an update ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Outcome {
    /// The image is verified and in its slot.
    Verified,
    /// The device does not take this package.
    Refused,
    /// The device could not complete it: the same package may succeed another time.
    Failed,
}

impl Outcome {
    const fn number(self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Refused => 1,
            Self::Failed => 2,
        }
    }

    const fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Verified),
            1 => Some(Self::Refused),
            2 => Some(Self::Failed),
            _ => None,
        }
    }
}

/// What goes over the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'f> {
    /// From the device: send these bytes of the package.
    Want {
        /// Offset of the first byte in the package.
        offset: u32,
        /// How many, 1 to [`MAX_DATA`].
        length: u16,
    },
    /// From the host: bytes of the package.
    Data {
        /// Offset of the first byte in the package, as it was asked for.
        offset: u32,
        /// Bytes of the whole package.
        size: u32,
        /// The bytes, at most as many as were asked for. None only if the package has none at `offset`.
        bytes: &'f [u8],
    },
    /// From the device: the update has ended.
    Done {
        /// How.
        outcome: Outcome,
        /// For people: UTF-8, at most [`MAX_TEXT`] bytes.
        text: &'f [u8],
    },
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAFrame {
    /// The check does not hold: noise, or text.
    Noise,
    /// A frame of a type that this version does not know.
    Type(u8),
    /// A frame of a known type breaks a rule.
    Malformed,
}

impl<'f> Frame<'f> {
    /// Reads a body, the check at its end included, as a [`Decoder`](super::Decoder) gives it.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(body: &'f [u8]) -> Result<Self, NotAFrame> {
        let mut digest = check();
        digest.update(body);
        let (Some((&[kind], fields)), true) =
            (body.split_last_chunk::<CHECK>().and_then(|(body, _)| body.split_first_chunk()), is_good(&digest))
        else {
            return Err(NotAFrame::Noise);
        };
        let frame = match kind {
            WANT => want(fields),
            DATA => data(body, fields),
            DONE => done(fields),
            other => return Err(NotAFrame::Type(other)),
        };
        frame.ok_or(NotAFrame::Malformed)
    }

    /// The frame's bytes on the line, delimiters and all.
    pub fn wire(&self) -> Wire<'f> {
        let (head, used, rest): ([u8; HEAD], usize, &[u8]) = match *self {
            Self::Want { offset, length } => {
                let ([o0, o1, o2, o3], [l0, l1]) = (offset.to_le_bytes(), length.to_le_bytes());
                ([WANT, o0, o1, o2, o3, l0, l1, 0, 0], 7, &[])
            }
            Self::Data { offset, size, bytes } => {
                let ([o0, o1, o2, o3], [s0, s1, s2, s3]) = (offset.to_le_bytes(), size.to_le_bytes());
                ([DATA, o0, o1, o2, o3, s0, s1, s2, s3], HEAD, bytes)
            }
            Self::Done { outcome, text } => ([DONE, outcome.number(), 0, 0, 0, 0, 0, 0, 0], 2, text),
        };
        let mut digest = check();
        digest.update(head.get(..used).unwrap_or_default());
        digest.update(rest);
        let check = digest.finalize().to_le_bytes();
        Wire { encoder: Encoder::new(Body { head, used, rest, check }), place: Place::Front }
    }
}

fn want(fields: &[u8]) -> Option<Frame<'static>> {
    let &[o0, o1, o2, o3, l0, l1] = fields else { return None };
    let (offset, length) = (u32::from_le_bytes([o0, o1, o2, o3]), u16::from_le_bytes([l0, l1]));
    (1..=MAX_DATA).contains(&usize::from(length)).then_some(Frame::Want { offset, length })
}

fn data<'f>(body: &'f [u8], fields: &'f [u8]) -> Option<Frame<'f>> {
    let head = body.first_chunk()?;
    let (_, bytes) = fields.split_at_checked(HEAD.saturating_sub(1))?;
    let (offset, size) = data_head(head, bytes.len())?;
    (bytes.len() <= MAX_DATA).then_some(Frame::Data { offset, size, bytes })
}

/// Offset and size of a `data` with so many bytes, if that is what it is and they agree.
pub(super) fn data_head(head: &[u8; HEAD], bytes: usize) -> Option<(u32, u32)> {
    let &[DATA, o0, o1, o2, o3, s0, s1, s2, s3] = head else { return None };
    let (offset, size) = (u32::from_le_bytes([o0, o1, o2, o3]), u32::from_le_bytes([s0, s1, s2, s3]));
    let end = offset.checked_add(u32::try_from(bytes).ok()?)?;
    let agrees = if bytes == 0 { offset >= size } else { end <= size };
    agrees.then_some((offset, size))
}

fn done(fields: &[u8]) -> Option<Frame<'_>> {
    let (&outcome, text) = fields.split_first()?;
    let outcome = Outcome::of(outcome)?;
    (text.len() <= MAX_TEXT).then_some(Frame::Done { outcome, text })
}

/// A body in its parts.
#[derive(Clone, Debug)]
struct Body<'f> {
    head: [u8; HEAD],
    /// Bytes of `head` that belong to it.
    used: usize,
    rest: &'f [u8],
    check: [u8; CHECK],
}

impl Bytes for Body<'_> {
    fn byte(&self, index: usize) -> Option<u8> {
        let Some(index) = index.checked_sub(self.used) else { return self.head.get(index).copied() };
        let Some(index) = index.checked_sub(self.rest.len()) else { return self.rest.get(index).copied() };
        self.check.get(index).copied()
    }
}

/// The bytes of a frame on the line, first to last. Made by [`Frame::wire`].
#[derive(Clone, Debug)]
pub struct Wire<'f> {
    encoder: Encoder<Body<'f>>,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Front,
    Inside,
    Behind,
}

impl Iterator for Wire<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        match self.place {
            Place::Front => {
                self.place = Place::Inside;
                Some(0)
            }
            Place::Inside => self.encoder.next().or_else(|| {
                self.place = Place::Behind;
                Some(0)
            }),
            Place::Behind => None,
        }
    }
}

impl core::iter::FusedIterator for Wire<'_> {}
