//! One TCP connection at a time, by smoltcp, over any network device.

use core::cell::Cell;

use board::clock::Clock;
use board::watchdog;
use embedded_io::{ErrorKind, ErrorType, Read, Write};
use smoltcp::iface::{Config, Interface, PollIngressSingleResult, SocketHandle, SocketSet, SocketStorage};
use smoltcp::phy::Device;
use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpCidr, Ipv4Address};

/// Bytes of the receive window, and of what is sent at once: a request, and TLS's part of a handshake.
const RECEIVE: usize = 1024;
const SEND: usize = 256;

/// Frames that are taken at once, before the watchdog is fed and the time looked at: a network can be flooded.
const FRAMES: usize = 8;

/// Milliseconds without a byte after which a connection is given up.
const SILENCE: u64 = 20_000;

/// What happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TcpError {
    /// The server does not answer, or refuses.
    Refused,
    /// The server fell silent, or takes too long.
    Slow,
    /// The connection was cut.
    Cut,
}

impl embedded_io::Error for TcpError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused => ErrorKind::ConnectionRefused,
            Self::Slow => ErrorKind::TimedOut,
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
    /// `address` is this end's, `gateway` the way to all that is not near. From `seed` come the numbers that TCP begins with: nobody else
    /// knows it.
    pub(super) fn new(
        mut device: D,
        mac: HardwareAddress,
        (address, gateway): (IpCidr, Ipv4Address),
        seed: u64,
        storage: &'a mut Storage<'a>,
    ) -> Self {
        let mut config = Config::new(mac);
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut device, Instant::ZERO);
        // The one place there is, for each.
        interface.update_ip_addrs(|addresses| _ = addresses.push(address));
        _ = interface.routes_mut().add_default_ipv4_route(gateway);
        let mut sockets = SocketSet::new(&mut storage.socket[..]);
        let [receive, send] = [&mut storage.receive[..], &mut storage.send[..]].map(SocketBuffer::new);
        let handle = sockets.add(Socket::new(receive, send));
        Self { device, interface, sockets, handle, clock: Clock::new() }
    }

    /// Lets the network do its work; gives the time in milliseconds.
    pub(super) fn poll(&mut self) -> u64 {
        watchdog::feed();
        let now = self.clock.ms();
        let instant = Instant::from_millis(now.cast_signed());
        self.interface.poll_maintenance(instant);
        for _ in 0..FRAMES {
            let taken = self.interface.poll_ingress_single(instant, &mut self.device, &mut self.sockets);
            if taken == PollIngressSingleResult::None {
                break;
            }
        }
        self.interface.poll_egress(instant, &mut self.device, &mut self.sockets);
        now
    }

    fn socket(&mut self) -> &mut Socket<'a> {
        self.sockets.get_mut(self.handle)
    }

    /// Connects to a server. `local` is this end's port: another each time. So many milliseconds from now as `limit` holds the connection is
    /// given up, whatever it is at.
    pub(super) fn connect<'n>(
        &'n mut self,
        (server, port): (Ipv4Address, u16),
        local: u16,
        limit: &'n Cell<u64>,
    ) -> Result<Stream<'n, 'a, D>, TcpError> {
        let socket: &mut Socket<'a> = self.sockets.get_mut(self.handle);
        socket.abort();
        let begun = self.poll();
        let socket: &mut Socket<'a> = self.sockets.get_mut(self.handle);
        socket.connect(self.interface.context(), (server, port), local).map_err(|_| TcpError::Refused)?;
        while !self.socket().may_send() {
            let now = self.poll();
            if !self.socket().is_open() || now.saturating_sub(begun) > SILENCE {
                return Err(TcpError::Refused);
            }
        }
        Ok(Stream { network: self, begun, limit })
    }
}

/// A connection.
pub(super) struct Stream<'n, 'a, D: Device> {
    network: &'n mut Network<'a, D>,
    begun: u64,
    limit: &'n Cell<u64>,
}

impl<D: Device> Stream<'_, '_, D> {
    /// Waits until `ready` says what to do; gives up after [`SILENCE`], or when the connection's time is over.
    fn wait<T>(
        &mut self,
        mut ready: impl FnMut(&mut Socket<'_>) -> Option<Result<T, TcpError>>,
    ) -> Result<T, TcpError> {
        let begun = self.network.poll();
        let mut now = begun;
        while now.saturating_sub(begun) <= SILENCE && now.saturating_sub(self.begun) <= self.limit.get() {
            if let Some(outcome) = ready(self.network.socket()) {
                self.network.poll();
                return outcome;
            }
            now = self.network.poll();
        }
        Err(TcpError::Slow)
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
        self.network.poll();
        Ok(())
    }
}

impl<D: Device> Drop for Stream<'_, '_, D> {
    fn drop(&mut self) {
        self.network.socket().abort();
        self.network.poll();
    }
}
