//! Where packages come from.

use lockgate::{KeySet, PublicKey};
use smoltcp::wire::{IpCidr, Ipv4Address, Ipv4Cidr};

// `const KEYS: KeySet` with the key of the certificate authority, as `lockgate keygen --print` writes it: see build.rs.
include!(concat!(env!("OUT_DIR"), "/ca.rs"));

/// The authority that signs the server's certificate: pinned, so no other can.
pub(super) const CA: KeySet<'static> = KEYS;

/// The name in the server's certificate.
pub(super) const NAME: &str = "updates.lockgate.test";
/// Where the package is.
pub(super) const PATH: &str = "/esp8266.lgu";
/// The server. A name server is not asked: the answer would prove nothing, the certificate does.
pub(super) const SERVER: Ipv4Address = Ipv4Address::new(10, 0, 2, 100);
pub(super) const PORT: u16 = 8443;

/// This device, in QEMU's user network. On Wi-Fi, what DHCP says.
pub(super) const ADDRESS: IpCidr = IpCidr::Ipv4(Ipv4Cidr::new(Ipv4Address::new(10, 0, 2, 15), 24));
/// The way to a server elsewhere.
pub(super) const GATEWAY: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);

/// It is at least the second this image was built: a certificate that had expired by then is refused. A board with a clock says
/// `Now::Exact`.
pub(super) const BUILD_TIME: u64 = seconds(env!("BUILD_TIME"));

const fn seconds(text: &str) -> u64 {
    let (digits, mut value, mut i) = (text.as_bytes(), 0, 0);
    while i < digits.len() {
        value = value * 10 + (digits[i] - b'0') as u64;
        i += 1;
    }
    value
}
