//! Who the server has to be, and when it is.

/// The server to talk to.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    /// Its DNS name, in ASCII (an internationalised name as its A-label). Not an IP address: those stand elsewhere in a
    /// certificate.
    pub name: &'a str,
    /// Its TCP port: it goes into the Host field if it is not 443.
    pub port: u16,
    /// The P-256 public key, x || y, that has to have signed its certificate.
    pub ca: &'a [u8; 64],
    /// What is known of the time.
    pub now: Now,
}

/// What a device knows of the time, in seconds since 1970-01-01 UTC. Few have a clock that an attacker cannot set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now {
    /// Nothing: a certificate's validity is not looked at.
    Unknown,
    /// It is this or later, as when the running image was built: a certificate that had expired by then is refused.
    NotBefore(u64),
    /// It is this.
    Exact(u64),
}

impl Server<'_> {
    /// Whether the name can be a host's (RFC 1123, section 2.1): it goes into the ClientHello and the request.
    pub(crate) fn is_named(&self) -> bool {
        let label = |label: &str| {
            !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        self.name.len() <= MAX_NAME && self.name.split('.').all(label)
    }
}

/// Bytes of the longest name.
pub(crate) const MAX_NAME: usize = 253;
