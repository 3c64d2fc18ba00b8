//! A TLS 1.3 connection, and the proof that its other end is the server: a [`Session`].

use embedded_io::{BufRead, ErrorType, Read, Write};
use embedded_tls::blocking::{Aes128GcmSha256, MaxFragmentLength, TlsConfig, TlsConnection, TlsContext};
use embedded_tls::TlsError;
use rand_core::CryptoRngCore;

use crate::error::Error;
use crate::http::{self, Host, Response};
use crate::records::Records;
use crate::server::{Server, MAX_NAME};
use crate::verifier::{Judge, Provider, Verdict};

type Tls<'b, S> = TlsConnection<'b, Records<S>, Aes128GcmSha256>;

/// Bytes that `embedded-tls` keeps free in the write buffer.
const OVERHEAD: usize = 128;
/// Bytes of a ClientHello's record, without the server's name.
const CLIENT_HELLO: usize = 192;
/// Bytes of a write buffer that is large enough for every server's name. `CLIENT_HELLO` and the length of the name, so
/// 192 bytes and the name, are enough for one.
pub const WRITE_BUFFER: usize = CLIENT_HELLO + MAX_NAME;

/// The most plaintext in one of the server's records (RFC 6066, section 4). The server is asked to keep to it; one that does
/// not is found out ([`Error::RecordTooLarge`]). The messages with the server's certificates have to fit one: 512 bytes
/// are few for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// 512 bytes.
    Bytes512,
    /// 1024 bytes.
    Bytes1024,
    /// 2048 bytes.
    Bytes2048,
    /// 4096 bytes.
    Bytes4096,
    /// 16384 bytes: what every server keeps to.
    Bytes16384,
}

impl Fragment {
    /// Bytes of the read buffer: a fragment, its content type, its tag (RFC 8446, section 5.2).
    #[must_use]
    #[allow(clippy::arithmetic_side_effects)] // small constants
    pub const fn read_buffer(self) -> usize {
        17 + match self {
            Self::Bytes512 => 512,
            Self::Bytes1024 => 1024,
            Self::Bytes2048 => 2048,
            Self::Bytes4096 => 4096,
            Self::Bytes16384 => 16_384,
        }
    }

    fn ask(self, config: TlsConfig<'_>) -> TlsConfig<'_> {
        let length = match self {
            Self::Bytes512 => MaxFragmentLength::Bits9,
            Self::Bytes1024 => MaxFragmentLength::Bits10,
            Self::Bytes2048 => MaxFragmentLength::Bits11,
            Self::Bytes4096 => MaxFragmentLength::Bits12,
            Self::Bytes16384 => return config,
        };
        config.with_max_fragment_length(length)
    }
}

/// A connection, at first to anyone.
pub struct Connection<'b, S: Read + Write + 'b> {
    /// `None` when it was closed.
    tls: Option<Tls<'b, S>>,
    state: State,
    /// Bytes of the buffers.
    read: usize,
    write: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Failed,
    Proven,
}

impl<'b, S: Read + Write + 'b> Connection<'b, S> {
    /// A connection over `stream`, which leads to the server. Pass `&mut stream` to have it back afterwards.
    ///
    /// `read` holds one record of the server's: [`Fragment::read_buffer`] bytes. `write` holds [`WRITE_BUFFER`] bytes.
    #[inline(never)] // a frame of its own, that is given back before the handshake
    pub fn new(stream: S, read: &'b mut [u8], write: &'b mut [u8]) -> Self {
        let (reads, writes) = (read.len(), write.len());
        Self { tls: Some(Tls::new(Records::new(stream), read, write)), state: State::New, read: reads, write: writes }
    }

    /// Shakes hands, and gives a session if the other end has proved that it is `server`.
    ///
    /// It takes three multiplications on the curve and two checks of a signature: seconds on a small chip.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] and [`Error::Anonymous`] if the other end is not the server; not one byte of a request was sent then.
    /// After any error the connection is of no further use.
    #[inline(never)]
    pub fn open<'c, R: CryptoRngCore + ?Sized>(
        &'c mut self,
        server: &Server<'c>,
        fragment: Fragment,
        rng: &mut R,
    ) -> Result<Session<'c, 'b, S>, Error> {
        let Some(tls) = self.tls.as_mut().filter(|_| self.state == State::New) else { return Err(Error::Reopened) };
        if !server.is_named() {
            return Err(Error::ServerName);
        }
        enough(self.read, fragment.read_buffer())?;
        enough(self.write, CLIENT_HELLO.saturating_add(server.name.len()))?;
        self.state = State::Failed;
        let mut judge = Judge::new(server);
        let done = shake_hands(tls, server, fragment, Provider { rng, judge: &mut judge });
        match (judge.verdict, done) {
            (Verdict::Refused(refusal), _) => Err(Error::Refused(refusal)),
            (_, Err(error)) => Err(error.into()),
            (Verdict::Proven, Ok(())) => {
                self.state = State::Proven;
                Ok(Session { tls, host: Host { name: server.name, port: server.port } })
            }
            (Verdict::Nothing | Verdict::Certified { .. }, Ok(())) => Err(Error::Anonymous),
        }
    }

    /// Says goodbye (RFC 8446, section 6.1), to a proven server only, and is of no further use. The server may have gone already: nothing is made of that.
    #[inline(never)] // it moves the connection
    pub fn close(&mut self) {
        if let Some(tls) = self.tls.take().filter(|_| self.state == State::Proven) {
            let _ = tls.close();
        }
    }
}

#[inline(never)]
fn shake_hands<'b, S: Read + Write + 'b, R: CryptoRngCore + ?Sized>(
    tls: &mut Tls<'b, S>,
    server: &Server<'_>,
    fragment: Fragment,
    provider: Provider<'_, '_, R>,
) -> Result<(), TlsError> {
    let config = fragment.ask(TlsConfig::new().with_server_name(server.name));
    tls.open(TlsContext::new(&config, provider))
}

fn enough(have: usize, needed: usize) -> Result<(), Error> {
    if have < needed {
        return Err(Error::Buffer { needed, have });
    }
    Ok(())
}

/// A connection to the server: its certificate and its signature of this handshake were verified. [`Connection::open`] is
/// the only maker of it.
pub struct Session<'c, 'b, S: Read + Write + 'b> {
    tls: &'c mut Tls<'b, S>,
    host: Host<'c>,
}

impl<'c, 'b, S: Read + Write + 'b> Session<'c, 'b, S> {
    /// Asks for the resource at `path`, from its byte `from` on. One session is good for one request.
    ///
    /// # Errors
    ///
    /// Those of [`http::get`].
    pub fn get(self, path: &str, from: u32) -> Result<Response<Channel<'c, 'b, S>>, Error> {
        http::get(Channel(self.tls), self.host, path, from)
    }
}

/// What is said to the server and by it, in the clear.
pub struct Channel<'c, 'b, S: Read + Write + 'b>(&'c mut Tls<'b, S>);

impl<'b, S: Read + Write + 'b> ErrorType for Channel<'_, 'b, S> {
    type Error = Error;
}

/// Whether the stream ended. A goodbye makes no difference: a body is whole when it has all its bytes.
fn is_end(error: TlsError) -> Result<(), Error> {
    match Error::from(error) {
        Error::Closed => Ok(()),
        other => Err(other),
    }
}

impl<'b, S: Read + Write + 'b> Read for Channel<'_, 'b, S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.0.read(buffer).or_else(|error| is_end(error).map(|()| 0))
    }
}

impl<'b, S: Read + Write + 'b> BufRead for Channel<'_, 'b, S> {
    fn fill_buf(&mut self) -> Result<&[u8], Error> {
        self.0.fill_buf().or_else(|error| is_end(error).map(|()| &[][..]))
    }

    fn consume(&mut self, bytes: usize) {
        // Of no bytes, `embedded-tls` would index an empty range; of too many, it takes what there is.
        if bytes > 0 {
            self.0.consume(bytes);
        }
    }
}

impl<'b, S: Read + Write + 'b> Write for Channel<'_, 'b, S> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        Ok(self.0.write(bytes)?)
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(self.0.flush()?)
    }
}

const _: () = assert!(CLIENT_HELLO > OVERHEAD + 5, "a record needs room for content");
