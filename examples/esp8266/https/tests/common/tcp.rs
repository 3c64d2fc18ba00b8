//! The loopback, as the crate wants its stream.
#![allow(dead_code)] // each test uses a part

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use embedded_io::{ErrorKind, ErrorType, Read, Write};
use https::{Connection, Error, Fragment, Now, Server, WRITE_BUFFER};

use super::{Ca, NAME, NOT_BEFORE};

pub struct Tcp(pub TcpStream);

impl ErrorType for Tcp {
    type Error = ErrorKind;
}

fn kind(error: io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::ConnectionReset => ErrorKind::ConnectionReset,
        _ => ErrorKind::Other,
    }
}

impl Read for Tcp {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.read(buffer).map_err(kind)
    }
}

impl Write for Tcp {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.0.write(bytes).map_err(kind)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.0.flush().map_err(kind)
    }
}

pub fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// One connection, served by `serve`.
pub fn serve<T: Send + 'static>(serve: impl FnOnce(TcpStream) -> T + Send + 'static) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, thread::spawn(move || serve(patient(listener.accept().unwrap().0))))
}

/// What a client asks for.
pub struct Client {
    pub name: &'static str,
    pub ca: u8,
    pub now: Now,
    pub fragment: Fragment,
    pub from: u32,
}

pub const CLIENT: Client =
    Client { name: NAME, ca: 7, now: Now::Exact(NOT_BEFORE), fragment: Fragment::Bytes1024, from: 0 };

impl Client {
    /// The body of `/fw`, and where it starts.
    pub fn fetch(&self, address: SocketAddr) -> Result<(u32, Vec<u8>), Error> {
        let mut stream = Tcp(patient(TcpStream::connect(address).unwrap()));
        let (mut read, mut write) = (vec![0; self.fragment.read_buffer()], [0; WRITE_BUFFER]);
        let ca = Ca::new(self.ca).public();
        let server = Server { name: self.name, port: address.port(), ca: &ca, now: self.now };
        let mut connection = Connection::new(&mut stream, &mut read, &mut write);
        let mut response = connection.open(&server, self.fragment, &mut rand_core::OsRng)?.get("/fw", self.from)?;
        let (start, mut body, mut chunk) = (response.start(), vec![], [0; 700]);
        loop {
            match response.read(&mut chunk)? {
                0 => break,
                bytes => body.extend(&chunk[..bytes]),
            }
        }
        connection.close();
        Ok((start, body))
    }
}
