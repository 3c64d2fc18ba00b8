//! Packages from a server, over HTTPS.

mod config;
mod ethernet;
mod tcp;

use core::cell::Cell;

use board::clock::cycles;
use board::random::Random;
use board::{say, text, watchdog, Text};
use embedded_io::{BufRead, Write};
use https::{Connection, Error as HttpsError, Fragment, Now, Refusal, Server};
use lockgate::{Error, Verified};
use rand_core::RngCore;
use smoltcp::wire::{EthernetAddress, HardwareAddress};

use crate::update::{Ended, Failure, Update};
use ethernet::{Ethernet, MAC};
use tcp::{Network, Storage, TcpError};

/// Bytes that the slot holds already are read and passed over up to this number; for more, a new connection with a Range is made.
const WORTH_A_CONNECTION: u32 = 64 * 1024;

#[cfg(not(feature = "large-fragments"))]
const FRAGMENT: Fragment = Fragment::Bytes1024;
#[cfg(feature = "large-fragments")]
const FRAGMENT: Fragment = Fragment::Bytes4096;

/// ClientHello with this server's name: see `https::WRITE_BUFFER`.
const WRITE: usize = 192 + config::NAME.len();

/// Milliseconds that a server has to prove who it is, and to send a package. Whoever sends a byte now and then is not silent, and is not
/// waited for either.
const HANDSHAKE: u64 = 30_000;
const TRANSFER: u64 = 15 * 60_000;

/// What goes wrong on the way.
#[derive(Debug)]
pub(crate) enum LinkError {
    Tcp(TcpError),
    Https(HttpsError),
}

impl From<HttpsError> for LinkError {
    fn from(error: HttpsError) -> Self {
        Self::Https(error)
    }
}

impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Self {
        Self::Transport(error)
    }
}

impl LinkError {
    /// Whether trying again soon can help: not if the server is another, or answers what it should not.
    pub(crate) fn may_pass(&self) -> bool {
        use HttpsError::{Closed, NotHttp, Record, Stream, Tls, Truncated};
        matches!(self, Self::Tcp(_) | Self::Https(Stream(_) | Closed | Truncated { .. } | Record | Tls(_) | NotHttp))
    }

    /// What it is, in a few words.
    pub(crate) fn why(&self) -> Text {
        match self {
            Self::Tcp(TcpError::Refused) => text!("server does not answer"),
            Self::Tcp(_) => text!("connection lost"),
            Self::Https(error) => match error {
                HttpsError::Stream(_) | HttpsError::Closed | HttpsError::Truncated { .. } => text!("connection lost"),
                HttpsError::Refused(Refusal::Expired { .. }) => text!("server's certificate has expired"),
                HttpsError::Refused(Refusal::Name) => text!("server's certificate is for another name"),
                HttpsError::Refused(_) => text!("server's certificate is not trusted"),
                HttpsError::Anonymous => text!("server does not say who it is"),
                HttpsError::RecordTooLarge => text!("server's TLS records are too large"),
                HttpsError::Tls(_) | HttpsError::Record => text!("server does not speak TLS 1.3 as it should"),
                HttpsError::Redirect(_) => text!("server redirects, which is not followed"),
                HttpsError::Chunked => text!("server sends chunks, which are not taken"),
                HttpsError::Status(_) | HttpsError::RangeNotSatisfiable => text!("server has no such package"),
                HttpsError::NotHttp => text!("server does not speak HTTP"),
                _ => text!("server's answer is not understood"),
            },
        }
    }
}

/// The network, and what a connection needs.
pub(crate) struct Link<'l> {
    network: Network<'l, Ethernet>,
    random: Random,
    read: &'l mut [u8; FRAGMENT.read_buffer()],
    write: &'l mut [u8; WRITE],
}

/// Runs the application with a network.
pub(crate) fn with(run: impl FnOnce(&mut Link<'_>)) {
    let mut storage = Storage::new();
    let (mut read, mut write) = ([0; FRAGMENT.read_buffer()], [0; WRITE]);
    let mac = HardwareAddress::Ethernet(EthernetAddress(MAC));
    let mut random = Random::new();
    let seed = random.next_u64();
    let network = Network::new(Ethernet::new(), mac, (config::ADDRESS, config::GATEWAY), seed, &mut storage);
    run(&mut Link { network, random, read: &mut read, write: &mut write });
}

impl Link<'_> {
    /// Whether the server can be reached, proves who it is, and has a package.
    pub(crate) fn works(&mut self) -> Result<(), LinkError> {
        self.get(0, |_, package| match package.fill_buf()? {
            [] => Err(LinkError::Https(HttpsError::Closed)),
            _ => Ok(()),
        })
    }

    /// Fetches and installs the package, from where the updater is on.
    pub(crate) fn fetch(&mut self, updater: &mut Update<'_>) -> Result<Verified, Failure> {
        loop {
            let from = updater.position();
            if let Some(verified) = self.get(from, |start, package| install(updater, from, start, package))? {
                return Ok(verified);
            }
        }
    }

    /// Connects, and hands the resource from byte `from` on to `take`, with the offset at which it really begins.
    #[inline(never)]
    fn get<T, E: From<LinkError>>(
        &mut self,
        from: u32,
        take: impl FnOnce(u32, &mut dyn BufRead<Error = HttpsError>) -> Result<T, E>,
    ) -> Result<T, E> {
        let begun = cycles();
        let local = 0xC000 | (self.random.next_u32() & 0x3FFF) as u16;
        let limit = Cell::new(HANDSHAKE);
        let server = (config::SERVER, config::PORT);
        let tcp = self.network.connect(server, local, &limit).map_err(LinkError::Tcp)?;
        watchdog::feed();
        let [ca] = config::CA.keys() else { return Err(LinkError::Https(HttpsError::Path).into()) };
        let server =
            Server { name: config::NAME, port: config::PORT, ca: &ca.0, now: Now::NotBefore(config::BUILD_TIME) };
        let mut connection = Connection::new(tcp, &mut self.read[..], &mut self.write[..]);
        let session = connection.open(&server, FRAGMENT, &mut self.random).map_err(LinkError::Https)?;
        say!("app: server authenticated, ", cycles().wrapping_sub(begun), " cycles");
        limit.set(HANDSHAKE + TRANSFER);
        let mut package = session.get(config::PATH, from).map_err(LinkError::Https)?;
        let begun = cycles();
        let outcome = take(package.start(), &mut package)?;
        say!("app: package read from byte ", from, " on, ", cycles().wrapping_sub(begun), " cycles");
        connection.close();
        Ok(outcome)
    }

    /// Nobody waits to be told.
    pub(crate) fn end(&mut self, _: Ended, _: Text) {}

    /// Milliseconds since the start.
    pub(crate) fn now(&mut self) -> u64 {
        self.network.poll()
    }

    /// Waits, and lets the network do its work meanwhile.
    pub(crate) fn pause(&mut self, ms: u64) {
        let begun = self.now();
        while self.now().saturating_sub(begun) < ms {}
    }
}

/// Feeds the updater from a body that begins at `start`, and was asked to begin at `from`. `None`: the slot holds so much already that the
/// rest is better fetched by another connection.
fn install(
    updater: &mut Update<'_>,
    from: u32,
    start: u32,
    package: &mut dyn BufRead<Error = HttpsError>,
) -> Result<Option<Verified>, Failure> {
    updater.stream_at(start).map_err(|error| error.map(|never| match never {}, |never| match never {}))?;
    let mut at = start;
    loop {
        // Where they were decrypted: no buffer of one's own.
        let bytes = package.fill_buf().map_err(|error| Error::Transport(LinkError::Https(error)))?;
        if bytes.is_empty() {
            return updater.finish().map(Some).map_err(Error::reading);
        }
        updater.write_all(bytes).map_err(Error::reading)?;
        let taken = bytes.len();
        package.consume(taken);
        at = at.saturating_add(taken as u32);
        // A server that knows no ranges would begin at 0 again.
        if start == from && updater.position().saturating_sub(at) > WORTH_A_CONNECTION {
            return Ok(None);
        }
    }
}
