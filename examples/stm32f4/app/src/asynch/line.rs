//! The serial protocol's device end (`docs/serial.md`, section 4) for an async UART.
//!
//! `lockgate::serial::Receiver` is blocking; this is made of the same frames (`lockgate::serial::Frame`, `Decoder`), and is
//! an `embedded_io_async` reader that can seek. Dropping a read loses nothing: the next one asks again.

use core::fmt::{self, Write};

use embedded_io_async::{ErrorType, Read, Seek, SeekFrom};
use heapless::{String, Vec};
use lockgate::serial::{Decoded, Decoder, Error, Frame, Outcome, MAX_TEXT};

use crate::FRAME;

/// Bytes of the longest body: type, offset, size, data, check.
const BODY: usize = 1 + 4 + 4 + FRAME + 4;
/// Bytes in front of a body's data.
const HEAD: usize = 9;
/// How long the host may take to begin an answer, in milliseconds.
const ANSWER_MS: u32 = 1000;
/// After how much silence inside an answer it is asked again, in milliseconds.
const GAP_MS: u32 = 50;
/// Bytes without a frame that is of use, after which it is asked again though the line is not silent.
const MOST_NOISE: u32 = 4096;
/// How often the end is told: nobody says that he heard it.
const TELLINGS: u8 = 3;
/// Bytes handed to the port at once.
const PIECE: usize = 32;

/// An async UART; the blocking twin is `lockgate::serial::Port`.
#[allow(async_fn_in_trait, reason = "the example's own executors need no Send")]
pub trait Port {
    /// What ends the use of the line. Noise does not.
    type Error: fmt::Debug;

    /// The next byte, or `None` if none came within so many milliseconds. With 0 it does not wait.
    async fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, Self::Error>;

    /// Sends all of them.
    async fn send(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

impl<P: Port + ?Sized> Port for &mut P {
    type Error = P::Error;

    async fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, Self::Error> {
        (**self).receive(timeout_ms).await
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        (**self).send(bytes).await
    }
}

/// Reads a package over a serial line, by asking a host for it.
pub struct Line<P> {
    port: P,
    decoder: Decoder,
    body: Vec<u8, BODY>,
    /// The frame that arrives is longer than any that is waited for.
    overlong: bool,
    /// Offset of the next byte to give.
    position: u32,
    /// Offset and number of the bytes that are held in `body`.
    held: (u32, usize),
    size: Option<u32>,
    wants: u16,
}

impl<P: Port> Line<P> {
    /// A reader at the package's first byte. Nothing is sent before it is read.
    pub const fn new(port: P) -> Self {
        Self {
            port,
            decoder: Decoder::new(),
            body: Vec::new(),
            overlong: false,
            position: 0,
            held: (0, 0),
            size: None,
            wants: 30,
        }
    }

    /// How often it asks for the same bytes before a read fails.
    #[must_use]
    pub const fn wants(mut self, wants: u16) -> Self {
        self.wants = wants;
        self
    }

    /// Tells the host how the update ended, with a text for people.
    ///
    /// # Errors
    ///
    /// The port's.
    pub async fn finish(&mut self, outcome: Outcome, text: impl fmt::Display) -> Result<(), Error<P::Error>> {
        // What comes next may be another package.
        self.held = (0, 0);
        let mut line = Text(String::new());
        // An error says that the rest is cut off.
        _ = write!(line, "{text}");
        for _ in 0..TELLINGS {
            self.send(&Frame::Done { outcome, text: line.0.as_bytes() }).await?;
        }
        Ok(())
    }

    fn at_hand(&self) -> &[u8] {
        let (offset, bytes) = self.held;
        let held = self.body.get(HEAD..).and_then(|data| data.get(..bytes)).unwrap_or_default();
        let skip = self.position.checked_sub(offset).and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| held.get(skip..)).unwrap_or_default()
    }

    /// Asks for the bytes at `position` until they are there, or none are.
    async fn fetch(&mut self) -> Result<(), Error<P::Error>> {
        self.held = (0, 0);
        self.clear();
        self.decoder = Decoder::new();
        // What came while nobody listened has holes.
        for _ in 0..MOST_NOISE {
            if self.port.receive(0).await.map_err(Error::Port)?.is_none() {
                break;
            }
        }
        for _ in 0..self.wants {
            self.send(&Frame::Want { offset: self.position, length: FRAME as u16 }).await?;
            if self.listen().await? {
                return Ok(());
            }
        }
        Err(Error::NoAnswer { offset: self.position })
    }

    /// Waits for the answer until the line is silent.
    async fn listen(&mut self) -> Result<bool, Error<P::Error>> {
        let mut patience = ANSWER_MS;
        for _ in 0..MOST_NOISE {
            let Some(byte) = self.port.receive(patience).await.map_err(Error::Port)? else { return Ok(false) };
            patience = GAP_MS;
            match self.decoder.push(byte) {
                Decoded::Nothing => {}
                Decoded::Byte(byte) => self.overlong |= self.body.push(byte).is_err(),
                Decoded::End { whole } => {
                    let arrived = match Frame::parse(&self.body) {
                        Ok(Frame::Data { offset, size, bytes }) if whole && !self.overlong => {
                            Some((offset, size, bytes.len()))
                        }
                        _ => None,
                    };
                    match arrived {
                        Some((offset, size, bytes)) if offset == self.position => {
                            self.held = (offset, bytes);
                            self.size = Some(size);
                            return Ok(true);
                        }
                        // The answer to an earlier question: the host is there, and this one's is to come.
                        Some(_) => patience = ANSWER_MS,
                        None => {}
                    }
                    self.clear();
                }
            }
        }
        Ok(false)
    }

    fn clear(&mut self) {
        self.body.clear();
        self.overlong = false;
    }

    async fn send(&mut self, frame: &Frame<'_>) -> Result<(), Error<P::Error>> {
        let mut wire = frame.wire();
        loop {
            let piece: Vec<u8, PIECE> = wire.by_ref().take(PIECE).collect();
            if piece.is_empty() {
                return Ok(());
            }
            self.port.send(&piece).await.map_err(Error::Port)?;
        }
    }
}

impl<P: Port> ErrorType for Line<P> {
    type Error = Error<P::Error>;
}

/// 0 at the package's end, else at least one byte.
impl<P: Port> Read for Line<P> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.at_hand().is_empty() {
            self.fetch().await?;
        }
        let held = self.at_hand();
        let count = held.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), held.get(..count)) {
            to.copy_from_slice(from);
        }
        self.position = self.position.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        Ok(count)
    }
}

/// Costs nothing on the line.
impl<P: Port> Seek for Line<P> {
    async fn seek(&mut self, to: SeekFrom) -> Result<u64, Self::Error> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => u64::from(self.position).checked_add_signed(by),
            SeekFrom::End(by) => self.size.and_then(|size| u64::from(size).checked_add_signed(by)),
        };
        self.position = position.and_then(|position| u32::try_from(position).ok()).ok_or(Error::Seek)?;
        Ok(u64::from(self.position))
    }
}

/// As much as fits, in whole characters.
struct Text(String<MAX_TEXT>);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| self.0.push(character).map_err(|_| fmt::Error))
    }
}
