//! The device's end: a reader that asks for what it is to give.

use core::fmt::{self, Write};

use embedded_io::{ErrorType, Read, Seek, SeekFrom};
use heapless::{String, Vec};

use super::cobs::{Decoded, Decoder};
use super::frame::{Frame, Outcome, MAX_DATA, MAX_TEXT};
use super::inbox::{Arrived, Inbox};
use super::{Error, Port};

/// Bytes handed to a port at once. A `want` is one of them.
const PIECE: usize = 32;
/// Bytes without a frame that is of use, after which it is asked again though the line is not silent.
const MOST_NOISE: u32 = 4096;
/// How often the end is told: nobody says that he heard it.
const TELLINGS: u8 = 3;

/// Reads a package over a serial line, by asking a host for it: `lockgate send`, or another that keeps to
/// `docs/serial.md`.
///
/// `N` is how many bytes it asks for at once, 64 to 1024, and about what RAM it takes. It is an
/// [`embedded_io::Read`] and [`embedded_io::Seek`], made for
/// [`Updater::install_seekable`](crate::Updater::install_seekable), and asks only when it is read: while the caller writes
/// flash or checks a signature nothing is on its way that could be lost.
///
/// What is lost or damaged on the line is asked for again. The read fails once the host did not answer
/// [`wants`](Self::wants) times in a row; another read begins to ask anew.
pub struct Receiver<P, const N: usize = 256> {
    port: P,
    decoder: Decoder,
    inbox: Inbox<N>,
    /// Offset of the next byte to give.
    position: u32,
    /// The bytes of the package that are in `inbox`: the first's offset, and how many.
    held: (u32, usize),
    size: Option<u32>,
    again: u32,
    wants: u16,
    answer_ms: u32,
    gap_ms: u32,
}

impl<P: Port, const N: usize> Receiver<P, N> {
    /// A reader at the package's first byte. Nothing is sent before it is read.
    pub const fn new(port: P) -> Self {
        const { assert!(N >= 64 && N <= MAX_DATA, "a receiver asks for 64 to 1024 bytes at once") }
        Self {
            port,
            decoder: Decoder::new(),
            inbox: Inbox::new(),
            position: 0,
            held: (0, 0),
            size: None,
            again: 0,
            wants: 30,
            answer_ms: 1000,
            gap_ms: 50,
        }
    }

    /// How often it asks for the same bytes before a read fails; 30 without this, which is half a minute on a
    /// line that nobody listens to.
    #[must_use]
    pub fn wants(mut self, wants: u16) -> Self {
        self.wants = wants.max(1);
        self
    }

    /// How long the host may take to begin an answer, in milliseconds; 1000 without this.
    #[must_use]
    pub fn answer_timeout(mut self, ms: u32) -> Self {
        self.answer_ms = ms.max(1);
        self
    }

    /// After how much silence inside an answer, or after a damaged one, it asks again, in milliseconds; 50 without this.
    /// An answer that goes on after a longer pause still counts.
    #[must_use]
    pub fn gap(mut self, ms: u32) -> Self {
        self.gap_ms = ms.max(1);
        self
    }

    /// Bytes of the whole package, as the host says with each answer. It is not authenticated.
    pub fn package_size(&self) -> Option<u32> {
        self.size
    }

    /// How often it had to ask again so far.
    pub fn asked_again(&self) -> u32 {
        self.again
    }

    /// The line, for messages to people between two reads. They must hold no zero byte.
    pub fn port(&mut self) -> &mut P {
        &mut self.port
    }

    /// Gives the line back.
    pub fn release(self) -> P {
        self.port
    }

    /// Tells the host how the update ended, with a text for people, which is cut to [`MAX_TEXT`] bytes. `lockgate send` ends
    /// with it.
    ///
    /// Nobody acknowledges it. It is sent three times, so that noise hardly takes it away; a host that missed it gives up
    /// after its own timeout. The update stands in either case.
    ///
    /// # Errors
    ///
    /// [`Error::Port`].
    pub fn finish(&mut self, outcome: Outcome, text: impl fmt::Display) -> Result<(), Error<P::Error>> {
        // What comes next may be another package.
        (self.held, self.size) = ((0, 0), None);
        let mut line = Text(String::new());
        // An error says that the rest is cut off.
        _ = write!(line, "{text}");
        let frame = Frame::Done { outcome, text: line.0.as_bytes() };
        self.send(&frame)?;
        for _ in 1..TELLINGS {
            // A port that fails now may be one whose other end has heard it and left.
            _ = self.send(&frame);
        }
        Ok(())
    }

    /// The bytes at hand from `position` on.
    fn at_hand(&self) -> &[u8] {
        let (offset, bytes) = self.held;
        let skip = self.position.checked_sub(offset).and_then(|skip| usize::try_from(skip).ok());
        let held = self.inbox.data().get(..bytes).unwrap_or_default();
        skip.and_then(|skip| held.get(skip..)).unwrap_or_default()
    }

    /// Asks for the bytes at `position` until they are there, or none are.
    fn fetch(&mut self) -> Result<(), Error<P::Error>> {
        self.held = (0, 0);
        self.discard()?;
        for asked in 0..self.wants {
            self.again = self.again.saturating_add(u32::from(asked > 0));
            self.send(&Frame::Want { offset: self.position, length: N as u16 })?;
            if let Some(arrived) = self.listen()? {
                self.held = (arrived.offset, arrived.bytes);
                self.size = Some(arrived.size);
                return Ok(());
            }
        }
        Err(Error::NoAnswer { offset: self.position })
    }

    /// What came while nobody listened has holes, and answers no question that is still open.
    fn discard(&mut self) -> Result<(), Error<P::Error>> {
        self.decoder = Decoder::new();
        self.inbox.clear();
        for _ in 0..MOST_NOISE {
            if self.port.receive(0).map_err(Error::Port)?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Waits for the answer until the line is silent. A damaged frame is no reason to ask at once: the answer may be right
    /// behind it, and two answers on the line are one too many.
    fn listen(&mut self) -> Result<Option<Arrived>, Error<P::Error>> {
        let mut patience = self.answer_ms;
        for _ in 0..MOST_NOISE {
            let Some(byte) = self.port.receive(patience).map_err(Error::Port)? else { break };
            patience = self.gap_ms;
            match self.decoder.push(byte) {
                Decoded::Nothing => {}
                Decoded::Byte(byte) => self.inbox.push(byte),
                Decoded::End { whole } => {
                    let arrived = self.inbox.arrived().filter(|_| whole);
                    self.inbox.clear();
                    match arrived {
                        Some(arrived) if arrived.offset == self.position => return Ok(Some(arrived)),
                        // The answer to an earlier question: the host is there, and this one's is to come.
                        Some(_) => patience = self.answer_ms,
                        None => {}
                    }
                }
            }
        }
        Ok(None)
    }

    fn send(&mut self, frame: &Frame<'_>) -> Result<(), Error<P::Error>> {
        let mut wire = frame.wire();
        loop {
            let mut piece = Vec::<u8, PIECE>::new();
            while let Some(byte) = if piece.is_full() { None } else { wire.next() } {
                _ = piece.push(byte);
            }
            if piece.is_empty() {
                return Ok(());
            }
            self.port.send(&piece).map_err(Error::Port)?;
        }
    }
}

impl<P: Port, const N: usize> ErrorType for Receiver<P, N> {
    type Error = Error<P::Error>;
}

/// 0 at the package's end, else at least one byte.
impl<P: Port, const N: usize> Read for Receiver<P, N> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.at_hand().is_empty() {
            self.fetch()?;
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

/// Costs nothing on the line. From the end it is possible once an answer has told where that is.
impl<P: Port, const N: usize> Seek for Receiver<P, N> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64, Self::Error> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => u64::from(self.position).checked_add_signed(by),
            SeekFrom::End(by) => self.size.and_then(|size| u64::from(size).checked_add_signed(by)),
        };
        self.position = position.and_then(|position| u32::try_from(position).ok()).ok_or(Error::Seek)?;
        Ok(u64::from(self.position))
    }
}

impl<P: fmt::Debug, const N: usize> fmt::Debug for Receiver<P, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("port", &self.port).field("position", &self.position).finish_non_exhaustive()
    }
}

/// As much as fits, in whole characters.
struct Text(String<MAX_TEXT>);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| self.0.push(character).map_err(|_| fmt::Error))
    }
}
