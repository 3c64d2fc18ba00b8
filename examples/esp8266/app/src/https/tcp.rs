//! One TCP connection at a time, by smoltcp, over any network device.

use board::clock::{cycles, Clock};
use board::watchdog;
use embedded_io::{ErrorKind, ErrorType, Read, Write};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet, SocketStorage};
use smoltcp::phy::Device;
use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpCidr, Ipv4Address};

/// Bytes of the receive window, and of what is sent at once: a request, and TLS's part of a handshake.
const RECEIVE: usize = 1024;
const SEND: usize = 256;

/// Milliseconds without a byte after which a connection is given up.
const SILENCE: u32 = 10_000;

/// What happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TcpError {
    /// The server does not answer, or refuses.
    Refused,
    /// The server fell silent.
    Silence,
    /// The connection was cut.
    Cut,
}

impl embedded_io::Error for TcpError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused => ErrorKind::ConnectionRefused,
            Self::Silence => ErrorKind::TimedOut,
            Self::Cut => ErrorKind::ConnectionReset,
        }
    }
}

impl core::fmt::Display for TcpError {
    fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        Ok(())
    }
}

impl core::error::Error for TcpError {}

/// Memory of a [`Network`].
pub(super) struct Storage<'a> {
    receive: [u8; RECEIVE],
    send: [u8; SEND],
    socket: [SocketStorage<'a>; 1],
}

impl Storage<'_> {
    pub(super) const fn new() -> Self {
        Self { receive: [0; RECEIVE], send: [0; SEND], socket: [SocketStorage::EMPTY; 1] }
    }
}

/// A network device, its addresses, and a socket.
pub(super) struct Network<'a, D: Device> {
    device: D,
    interface: Interface,
    sockets: SocketSet<'a>,
    handle: SocketHandle,
    clock: Clock,
}

impl<'a, D: Device> Network<'a, D> {
    pub(super) fn new(mut device: D, mac: HardwareAddress, address: IpCidr, storage: &'a mut Storage<'a>) -> Self {
        let mut config = Config::new(mac);
        config.random_seed = u64::from(cycles());
        let mut interface = Interface::new(config, &mut device, Instant::ZERO);
        // The one place there is.
        interface.update_ip_addrs(|addresses| _ = addresses.push(address));
        let mut sockets = SocketSet::new(&mut storage.socket[..]);
        let [receive, send] = [&mut storage.receive[..], &mut storage.send[..]].map(SocketBuffer::new);
        let handle = sockets.add(Socket::new(receive, send));
        Self { device, interface, sockets, handle, clock: Clock::new() }
    }

    /// Lets the network do its work; gives the time in milliseconds.
    pub(super) fn poll(&mut self) -> u32 {
        watchdog::feed();
        let now = self.clock.ms();
        self.interface.poll(Instant::from_millis(now), &mut self.device, &mut self.sockets);
        now
    }

    fn socket(&mut self) -> &mut Socket<'a> {
        self.sockets.get_mut(self.handle)
    }

    /// Connects to a server. `port` is this end's: another each time.
    pub(super) fn connect(
        &mut self,
        server: Ipv4Address,
        port: u16,
        local: u16,
    ) -> Result<Stream<'_, 'a, D>, TcpError> {
        let socket: &mut Socket<'a> = self.sockets.get_mut(self.handle);
        socket.abort();
        let begun = self.poll();
        let socket: &mut Socket<'a> = self.sockets.get_mut(self.handle);
        socket.connect(self.interface.context(), (server, port), local).map_err(|_| TcpError::Refused)?;
        while !self.socket().may_send() {
            let now = self.poll();
            if !self.socket().is_open() || now.wrapping_sub(begun) > SILENCE {
                return Err(TcpError::Refused);
            }
        }
        Ok(Stream(self))
    }
}

/// A connection.
pub(super) struct Stream<'n, 'a, D: Device>(&'n mut Network<'a, D>);

impl<D: Device> Stream<'_, '_, D> {
    /// Waits until `ready` says what to do; gives up after [`SILENCE`].
    fn wait<T>(
        &mut self,
        mut ready: impl FnMut(&mut Socket<'_>) -> Option<Result<T, TcpError>>,
    ) -> Result<T, TcpError> {
        let begun = self.0.poll();
        loop {
            if let Some(outcome) = ready(self.0.socket()) {
                self.0.poll();
                return outcome;
            }
            if self.0.poll().wrapping_sub(begun) > SILENCE {
                return Err(TcpError::Silence);
            }
        }
    }
}

impl<D: Device> ErrorType for Stream<'_, '_, D> {
    type Error = TcpError;
}

impl<D: Device> Read for Stream<'_, '_, D> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, TcpError> {
        self.wait(|socket| {
            if socket.can_recv() {
                return Some(socket.recv_slice(bytes).map_err(|_| TcpError::Cut));
            }
            // The server has ended the connection, or it broke.
            (!socket.may_recv()).then_some(Ok(0))
        })
    }
}

impl<D: Device> Write for Stream<'_, '_, D> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, TcpError> {
        self.wait(|socket| {
            if !socket.may_send() {
                return Some(Err(TcpError::Cut));
            }
            socket.can_send().then(|| socket.send_slice(bytes).map_err(|_| TcpError::Cut))
        })
    }

    fn flush(&mut self) -> Result<(), TcpError> {
        self.0.poll();
        Ok(())
    }
}

impl<D: Device> Drop for Stream<'_, '_, D> {
    fn drop(&mut self) {
        self.0.socket().abort();
        self.0.poll();
    }
}
