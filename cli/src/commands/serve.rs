//! `lockgate serve`: packages over HTTP or HTTPS, for development.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
#[cfg(unix)]
use std::task::Poll;

use crate::failure::Failure;
use crate::files;
use crate::install::line;
use crate::serve::{self, Server};
use crate::style::{count, Style};

/// Serve the packages (*.lgu) of a directory, and indexes of them (*.lgi), for development.
///
/// HTTPS with Range, one line for each request. Files of other kinds are not served: a directory of packages
/// often holds keys as well. Without another choice the server makes a small CA and a certificate for this
/// run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The directory
    directory: PathBuf,

    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,

    /// No TLS: trust never rests on it, but anyone can see what is sent
    #[arg(long, group = "security")]
    http_only: bool,

    /// The server's certificate chain, in PEM
    #[arg(long, value_name = "PEM", group = "security", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert, in PEM
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Make a CA and a certificate on P-256 for this run (the default)
    #[arg(long, group = "security")]
    self_signed: bool,

    /// A further host name or address for the certificate, besides localhost and 127.0.0.1; may be repeated
    #[arg(long = "name", value_name = "NAME", conflicts_with_all = ["http_only", "tls_cert"])]
    names: Vec<String>,

    /// Where the certificate of the CA goes, for clients
    #[arg(long, value_name = "FILE", default_value = "lockgate-dev-ca.pem")]
    ca_out: PathBuf,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    if !args.directory.is_dir() {
        return Err(Failure::io(&args.directory, "not a directory"));
    }
    let mut made = None;
    let tls = match (args.http_only, &args.tls_cert, &args.tls_key) {
        (true, ..) => None,
        (false, Some(certificate), Some(key)) => Some(serve::from_files(certificate, key)?),
        _ => {
            let mut names = vec!["localhost".into(), "127.0.0.1".into()];
            if !args.listen.ip().is_loopback() && !args.listen.ip().is_unspecified() {
                names.push(args.listen.ip().to_string());
            }
            names.extend(args.names.iter().cloned());
            let (config, ca) = serve::self_signed(names)?;
            made = Some(ca);
            Some(config)
        }
    };
    let listen = args.listen;
    let server = Server::bind(listen, &args.directory, tls)
        .map_err(|error| Failure::Io(format!("cannot listen on {listen}: {error}")))?
        .logged();
    let style = Style::stdout();
    if let Some(ca) = made {
        files::write(&args.ca_out, ca.as_bytes())?;
        let path = args.ca_out.display();
        line(style, "CA", &format!("{path}, for this run: `lockgate install --ca {path}`, `curl --cacert {path}`"));
    }
    let packages = count(serve::packages(&args.directory).len() as u64, "package", "packages");
    let url = server.url();
    let ready = || {
        let stop = stop();
        line(style, "serving", &format!("{packages} of {} at {url}/ (ctrl-c ends it)", args.directory.display()));
        stop
    };
    server.run(ready).map_err(|error| Failure::Io(format!("the server failed: {error}")))?;
    line(style, "stopped", "no connection is open");
    Ok(())
}

/// Done when the user, or the system, asks the program to end. Asking counts from the call on.
fn stop() -> impl Future<Output = ()> + Send + 'static {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{signal, SignalKind};
        let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        let mut signals: Vec<_> = signals.into_iter().flatten().collect();
        std::future::poll_fn(move |context| {
            match signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
    }
    #[cfg(not(unix))]
    async {
        drop(tokio::signal::ctrl_c().await);
    }
}
