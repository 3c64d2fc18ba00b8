//! Where a package comes from: a file, standard input, a server. Each can begin at a later byte, or says that
//! it did not.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::header;
use ureq::tls::{parse_pem, Certificate, PemItem, RootCerts, TlsConfig};

use crate::failure::Failure;
use crate::files;
use crate::index::{Index, MAX_SIZE};
use crate::serve::encoded;

/// Bytes of a package, from `offset` on.
pub(crate) struct Stream {
    pub(crate) offset: u32,
    pub(crate) reader: Box<dyn Read>,
    /// Nothing says that it ends with the package: it may be a link that stays open.
    pub(crate) endless: bool,
}

/// Why there is no stream.
pub(crate) struct NoStream {
    pub(crate) why: String,
    /// Asking again may help.
    pub(crate) again: bool,
}

impl NoStream {
    fn final_(why: impl Into<String>) -> Self {
        Self { why: why.into(), again: false }
    }
}

/// A transport.
pub(crate) enum Transport {
    File(PathBuf),
    /// Standard input; gone once it was opened.
    Stdin {
        opened: bool,
    },
    Http {
        agent: ureq::Agent,
        url: String,
    },
}

impl Transport {
    /// The transport that `source` names: `-`, a URL, or else a file. `ca` holds the certificates to trust
    /// instead of the public ones.
    pub(crate) fn new(source: &str, ca: Option<&Path>) -> Result<Self, Failure> {
        if source == "-" {
            return Ok(Self::Stdin { opened: false });
        }
        if source.starts_with("http://") || source.starts_with("https://") {
            let roots = ca.map(certificates).transpose()?;
            return Ok(Self::Http { agent: agent(roots, true), url: source.into() });
        }
        Ok(Self::File(source.into()))
    }

    /// A server on this machine, under the CA whose certificate is `ca`, in PEM.
    pub(crate) fn loopback(url: String, ca: &str) -> Self {
        Self::Http { agent: agent(Some(read_certificates(ca)), false), url }
    }

    /// What to call it in messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin { .. } => "standard input".into(),
            Self::Http { url, .. } => url.clone(),
        }
    }

    /// Whether a second try can bring other bytes than the first.
    pub(crate) fn can_change(&self) -> bool {
        matches!(self, Self::Http { .. })
    }

    /// Whether it can leave bytes out that are not wanted.
    pub(crate) fn can_seek(&self) -> bool {
        !matches!(self, Self::Stdin { .. })
    }

    /// The way to a file of this name, beside this one.
    pub(crate) fn beside(self, name: &str) -> Self {
        match self {
            Self::File(path) => Self::File(path.with_file_name(name)),
            Self::Http { agent, url } => {
                let (url, _) = url.split_once(['?', '#']).unwrap_or((&url, ""));
                let directory = url.rsplit_once('/').map_or(url, |(directory, _)| directory);
                Self::Http { agent, url: format!("{directory}/{}", encoded(name)) }
            }
            stdin => stdin,
        }
    }

    /// All of it, as an index of packages.
    pub(crate) fn index(&mut self) -> Result<Index, Failure> {
        let name = self.name();
        let io = |why: String| Failure::Io(format!("{name}: {why}"));
        let stream = self.open(0).map_err(|NoStream { why, .. }| io(why))?;
        let mut bytes = Vec::new();
        stream.reader.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(|error| io(error.to_string()))?;
        let text = String::from_utf8(bytes).ok().filter(|text| text.len() as u64 <= MAX_SIZE);
        let text = text.ok_or_else(|| Failure::refused(&name, "not an index: too long, or not UTF-8"))?;
        Index::parse(&text).map_err(|why| Failure::refused(&name, why))
    }

    /// The package from `position` on, or from an earlier byte if the transport cannot do better.
    pub(crate) fn open(&mut self, position: u32) -> Result<Stream, NoStream> {
        match self {
            Self::File(path) => {
                let cannot = |error: io::Error| NoStream::final_(error.to_string());
                let mut file = File::open(path).map_err(cannot)?;
                file.seek(SeekFrom::Start(position.into())).map_err(cannot)?;
                Ok(Stream { offset: position, reader: Box::new(file), endless: false })
            }
            Self::Stdin { opened } => {
                if std::mem::replace(opened, true) {
                    return Err(NoStream::final_("standard input cannot be read a second time"));
                }
                Ok(Stream { offset: 0, reader: Box::new(io::stdin()), endless: true })
            }
            Self::Http { agent, url } => get(agent, url, position),
        }
    }
}

/// The certificates in a PEM file.
fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Failure> {
    let certificates = read_certificates(&files::read_text(path)?);
    match certificates.is_empty() {
        true => Err(Failure::usage(path.display(), "no certificate in PEM (expected CERTIFICATE)")),
        false => Ok(certificates),
    }
}

fn read_certificates(pem: &str) -> Vec<Certificate<'static>> {
    parse_pem(pem.as_bytes())
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect()
}

/// An HTTP client that trusts `roots`, or the public CAs if there are none.
fn agent(roots: Option<Vec<Certificate<'static>>>, proxies: bool) -> ureq::Agent {
    let mut tls = TlsConfig::builder();
    if let Some(roots) = roots {
        tls = tls.root_certs(RootCerts::new_with_certs(&roots));
    }
    let mut config = ureq::Agent::config_builder()
        .tls_config(tls.build())
        .user_agent(concat!("lockgate/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        // For each read, not for the body: a slow link is no reason to give up, a dead one is.
        .timeout_per_read(Some(Duration::from_secs(30)));
    if !proxies {
        config = config.proxy(None);
    }
    config.build().new_agent()
}

/// Asks for the bytes from `position` on and looks at what the server really sends.
fn get(agent: &ureq::Agent, url: &str, position: u32) -> Result<Stream, NoStream> {
    let mut request = agent.get(url);
    if position > 0 {
        request = request.header(header::RANGE, format!("bytes={position}-"));
    }
    let response = request.call().map_err(|error| no_response(&error))?;
    let status = response.status();
    let offset = match status.as_u16() {
        200 => 0,
        206 => {
            let range = response.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
            let start = range.and_then(range_start);
            if start != Some(position) {
                let range = range.unwrap_or("none");
                return Err(NoStream::final_(format!(
                    "asked for the bytes from {position} on, the server's Content-Range is {range:?}"
                )));
            }
            position
        }
        416 => {
            return Err(NoStream::final_(format!(
                "the server's package ends before byte {position}, and is not complete ({status})"
            )))
        }
        code => {
            // Overloaded and restarting servers come back; a missing file does not.
            let again = code >= 500 || code == 429 || code == 408;
            return Err(NoStream { why: format!("the server answers {status}"), again });
        }
    };
    Ok(Stream { offset, reader: Box::new(response.into_body().into_reader()), endless: false })
}

/// Why a request brought no response, and whether it may succeed another time.
fn no_response(error: &ureq::Error) -> NoStream {
    use ureq::Error;
    let why = error.to_string();
    let why = why.strip_prefix("io: ").unwrap_or(&why);
    if let Some((_, which)) = why.split_once("invalid peer certificate: ") {
        return NoStream::final_(format!("the server's certificate is not trusted ({which})"));
    }
    let again = matches!(
        error,
        Error::Io(_) | Error::Timeout(_) | Error::ConnectionFailed | Error::HostNotFound | Error::Protocol(_)
    );
    NoStream { why: why.into(), again }
}

/// The first byte of `bytes 1024-4095/4096` (RFC 9110, section 14.4).
fn range_start(text: &str) -> Option<u32> {
    let (start, rest) = text.strip_prefix("bytes ")?.split_once('-')?;
    let (end, _) = rest.split_once('/')?;
    let start = start.parse().ok()?;
    (u64::from(start) <= end.parse::<u64>().ok()?).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_range_is_read_strictly() {
        assert_eq!(range_start("bytes 1024-4095/4096"), Some(1024));
        assert_eq!(range_start("bytes 1024-4095/*"), Some(1024));
        for text in ["", "bytes */4096", "bytes 9-4/10", "items 0-1/2", "bytes 0-1", "bytes x-1/2"] {
            assert_eq!(range_start(text), None, "{text}");
        }
    }
}
