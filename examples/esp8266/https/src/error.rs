//! What can go wrong between the stream and the body.

use core::fmt;

use embedded_io::ErrorKind;
use embedded_tls::TlsError;

use crate::certificate::Refusal;

/// Why there is no connection, no response, or no more of its body.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The stream failed.
    Stream(ErrorKind),
    /// The stream ended before the server had answered.
    Closed,
    /// A buffer is too small.
    Buffer {
        /// Bytes it must have.
        needed: usize,
        /// Bytes it has.
        have: usize,
    },
    /// The server's name is not a host's.
    ServerName,
    /// The path does not begin with `/`, or has a byte in it that has to be escaped.
    Path,
    /// A connection is opened once: make a new one.
    Reopened,
    /// A record has no place where it stands: in the clear after the ServerHello, or without content.
    Record,
    /// The server's record is larger than the read buffer: the server takes no notice of the fragment's size.
    RecordTooLarge,
    /// The handshake failed, or a record is not authentic. (A message that is split over records is not put together again:
    /// the server's certificates have to fit one fragment.)
    Tls(TlsError),
    /// The server's certificate or signature is refused.
    Refused(Refusal),
    /// The server finished the handshake without saying who it is.
    Anonymous,
    /// The answer does not begin with a status line of HTTP/1.
    NotHttp,
    /// Status line and header fields are larger than 4 KiB.
    HeadTooLarge,
    /// A header line is not a field.
    Field,
    /// The server points elsewhere: only the pinned server is asked.
    Redirect(u16),
    /// The resource ends before the offset that was asked for (416).
    RangeNotSatisfiable,
    /// The server answers by another status than 200 and 206.
    Status(u16),
    /// The body has a transfer coding.
    Chunked,
    /// The body has a content coding.
    ContentEncoding,
    /// The length of the body is missing, given twice, not a number, or beyond 32 bits.
    ContentLength,
    /// A partial body's range is missing, given twice, not one of bytes, or does not agree with the body's length.
    ContentRange,
    /// A partial body begins elsewhere.
    WrongRange {
        /// The offset that was asked for.
        asked: u32,
        /// The offset the body begins at.
        got: u32,
    },
    /// The body ended early.
    Truncated {
        /// Bytes that did not come.
        missing: u32,
    },
}

impl From<TlsError> for Error {
    fn from(error: TlsError) -> Self {
        match error {
            // The kind that `records` keeps for itself.
            TlsError::Io(ErrorKind::InvalidData) => Self::Record,
            TlsError::Io(kind) => Self::Stream(kind),
            TlsError::IoError | TlsError::ConnectionClosed | TlsError::MissingHandshake => Self::Closed,
            TlsError::InsufficientSpace => Self::RecordTooLarge,
            other => Self::Tls(other),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(kind) => write!(f, "stream: {kind:?}"),
            Self::Closed => f.write_str("the stream ended before the server had answered"),
            Self::Buffer { needed, have } => write!(f, "buffer of {have} bytes, needed are {needed}"),
            Self::ServerName => f.write_str("the server's name is not a host's"),
            Self::Path => f.write_str("the path does not begin with /, or is not escaped"),
            Self::Reopened => f.write_str("the connection was opened before"),
            Self::Record => f.write_str("tls: a record has no place where it stands"),
            Self::RecordTooLarge => f.write_str("tls: a record is larger than the read buffer"),
            Self::Tls(error) => write!(f, "tls: {error:?}"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Anonymous => f.write_str("the server did not say who it is"),
            Self::NotHttp => f.write_str("http: the answer is not http"),
            Self::HeadTooLarge => f.write_str("http: header fields of more than 4 KiB"),
            Self::Field => f.write_str("http: a header line is not a field"),
            Self::Redirect(status) => write!(f, "http: redirect (status {status}), which is not followed"),
            Self::RangeNotSatisfiable => {
                f.write_str("http: the resource ends before the offset asked for (status 416)")
            }
            Self::Status(status) => write!(f, "http: status {status}"),
            Self::Chunked => f.write_str("http: the body has a transfer coding"),
            Self::ContentEncoding => f.write_str("http: the body has a content coding"),
            Self::ContentLength => f.write_str("http: content-length is missing or wrong"),
            Self::ContentRange => f.write_str("http: content-range is missing or wrong"),
            Self::WrongRange { asked, got } => write!(f, "http: the body begins at byte {got}, asked for was {asked}"),
            Self::Truncated { missing } => write!(f, "http: the body ended {missing} bytes early"),
        }
    }
}

impl core::error::Error for Error {}

impl embedded_io::Error for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Stream(kind) => *kind,
            Self::Buffer { .. } | Self::ServerName | Self::Path | Self::Reopened => ErrorKind::InvalidInput,
            Self::Closed | Self::Truncated { .. } => ErrorKind::ConnectionAborted,
            _ => ErrorKind::InvalidData,
        }
    }
}
