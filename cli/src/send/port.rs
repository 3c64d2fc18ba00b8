//! Lines: a serial device, or a socket that stands for one.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// How long a read waits.
const TICK: Duration = Duration::from_millis(100);
/// How long a device, a server or the system may refuse to take bytes.
const STUCK: Duration = Duration::from_secs(10);

/// A line that is open.
pub(crate) struct Port {
    name: String,
    /// Of a serial device.
    baud: Option<u32>,
    link: Box<dyn Link>,
}

trait Link: Read + Write {}
impl<L: Read + Write> Link for L {}

impl Port {
    /// Opens what `name` says: `tcp:HOST:PORT`, `unix:PATH`, or else a serial device.
    pub(crate) fn open(name: &str, baud: u32) -> Result<Self, Failure> {
        let cannot = |what: &str, why: String| Failure::Io(format!("{name}: cannot be {what}: {why}"));
        let (baud, link): (_, Box<dyn Link>) = if let Some(address) = name.strip_prefix("tcp:") {
            (None, Box::new(connect(address).map_err(|error| cannot("reached", error.to_string()))?))
        } else if let Some(path) = name.strip_prefix("unix:") {
            (None, unix(path).map_err(|error| cannot("reached", error.to_string()))?)
        } else {
            let port = serialport::new(name, baud)
                .timeout(TICK)
                .open()
                .map_err(|error| cannot("opened", error.description))?;
            // What the device said before is of no interest, its questions least of all.
            _ = port.clear(serialport::ClearBuffer::All);
            (Some(baud), Box::new(port))
        };
        Ok(Self { name: name.into(), baud, link })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn baud(&self) -> Option<u32> {
        self.baud
    }

    /// How many bytes came; 0 if none did within a tenth of a second. An error if none will come any more.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        match self.link.read(buffer) {
            Ok(0) => Err("the other end has closed it".into()),
            Ok(read) => Ok(read),
            Err(error) if waits(&error) => Ok(0),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Sends all of them.
    pub(super) fn send(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        let start = Instant::now();
        while !bytes.is_empty() {
            match self.link.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if waits(&error) && start.elapsed() < STUCK => {}
                Err(error) if waits(&error) => return Err("nothing can be sent".into()),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }
}

fn waits(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "no such host");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, STUCK) {
            Ok(stream) => {
                // A question and its answer are a packet each.
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(TICK))?;
                stream.set_write_timeout(Some(TICK))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(unix)]
fn unix(path: &str) -> io::Result<Box<dyn Link>> {
    let stream = std::os::unix::net::UnixStream::connect(path)?;
    stream.set_read_timeout(Some(TICK))?;
    stream.set_write_timeout(Some(TICK))?;
    Ok(Box::new(stream))
}

#[cfg(not(unix))]
fn unix(_: &str) -> io::Result<Box<dyn Link>> {
    Err(io::Error::new(ErrorKind::Unsupported, "this system has no such sockets"))
}
