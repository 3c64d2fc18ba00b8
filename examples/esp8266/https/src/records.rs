//! A stream whose incoming TLS records are looked at before `embedded-tls` sees them.
//!
//! `embedded-tls` 0.19 panics on a protected record without content, and on a handshake record in the clear that comes when
//! the handshake is over; it also believes an alert in the clear at any time. Whoever can write into the connection could
//! reset the device. Such records are not TLS 1.3 (RFC 8446, sections 5 and 5.2), and end the connection here.
//!
//! What a proven server protects is not looked at. One that sends handshake messages other than tickets and KeyUpdate can
//! still cause a panic.

use embedded_io::{ErrorKind, ErrorType, Read, Write};

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// Bytes of the smallest protected record: a content type and the tag of AES-GCM.
const MIN_PROTECTED: u16 = 17;

pub(crate) struct Records<S> {
    stream: S,
    /// The header of the record that is being read.
    header: [u8; 5],
    /// Bytes of it that came.
    held: usize,
    /// Bytes of the record that are still to come.
    left: u16,
    /// The ServerHello came: from here on, records are protected.
    protected: bool,
}

impl<S> Records<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, header: [0; 5], held: 0, left: 0, protected: false }
    }

    /// Whether the record may be passed on; the message that follows is not looked at.
    fn admit(&mut self) -> bool {
        let [content, _, _, high, low] = self.header;
        self.left = u16::from_be_bytes([high, low]);
        self.held = 0;
        match content {
            APPLICATION_DATA => self.protected && self.left >= MIN_PROTECTED,
            // For the sake of old middleboxes, and of no meaning (section 5).
            CHANGE_CIPHER_SPEC => self.left == 1,
            // ServerHello, the only message in the clear; or an alert in its place.
            _ if self.protected => false,
            HANDSHAKE => {
                self.protected = true;
                true
            }
            _ => true,
        }
    }
}

/// The stream's error, or `InvalidData` for a record that is refused: a stream's own `InvalidData` becomes `Other`.
#[derive(Debug)]
pub(crate) struct Failed(ErrorKind);

impl Failed {
    fn stream(error: impl embedded_io::Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidData => Self(ErrorKind::Other),
            kind => Self(kind),
        }
    }
}

impl core::fmt::Display for Failed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("tls records")
    }
}

impl core::error::Error for Failed {}

impl embedded_io::Error for Failed {
    fn kind(&self) -> ErrorKind {
        self.0
    }
}

impl<S> ErrorType for Records<S> {
    type Error = Failed;
}

impl<S: Read> Read for Records<S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failed> {
        if self.left == 0 {
            // `embedded-tls` asks for a header's bytes and no more. Over a reader that asks otherwise, a header would be
            // handed on in pieces of its own.
            let rest = self.header.get_mut(self.held..).unwrap_or_default();
            let asked = buffer.len().min(rest.len());
            let (Some(rest), Some(buffer)) = (rest.get_mut(..asked), buffer.get_mut(..asked)) else { return Ok(0) };
            let read = self.stream.read(rest).map_err(Failed::stream)?;
            buffer.copy_from_slice(rest);
            self.held = self.held.saturating_add(read);
            if self.held == self.header.len() && !self.admit() {
                return Err(Failed(ErrorKind::InvalidData));
            }
            return Ok(read);
        }
        let asked = buffer.len().min(usize::from(self.left));
        let Some(buffer) = buffer.get_mut(..asked) else { return Ok(0) };
        let read = self.stream.read(buffer).map_err(Failed::stream)?;
        self.left = self.left.saturating_sub(u16::try_from(read).unwrap_or(u16::MAX));
        Ok(read)
    }
}

impl<S: Write> Write for Records<S> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Failed> {
        match self.stream.write(bytes).map_err(Failed::stream)? {
            // `write_all` would panic.
            0 if !bytes.is_empty() => Err(Failed(ErrorKind::WriteZero)),
            written => Ok(written),
        }
    }

    fn flush(&mut self) -> Result<(), Failed> {
        self.stream.flush().map_err(Failed::stream)
    }
}
