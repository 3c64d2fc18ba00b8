//! A small server for packages: HTTP or HTTPS, with Range. For development; used by `lockgate serve` and
//! `lockgate demo`.
//!
//! It serves the `*.lgu` files of one directory, indexes of them (`*.lgi`), and a page that lists the packages, and nothing else: a directory of
//! packages often holds keys as well.

mod log;
mod page;
mod tls;

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{header, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::Router;
use axum_server::tls_rustls::RustlsConfig;
use axum_server::Handle;
use rustls::ServerConfig;
use tower_http::services::ServeDir;

pub(crate) use page::{encoded, packages};
pub(crate) use tls::{from_files, self_signed};

/// How long connections that are under way may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// A server that listens, and does not answer yet.
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    directory: PathBuf,
    tls: Option<Arc<ServerConfig>>,
    log: bool,
}

impl Server {
    /// Listens. Port 0 takes a free one.
    pub(crate) fn bind(listen: SocketAddr, directory: &Path, tls: Option<Arc<ServerConfig>>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        Ok(Self { address: listener.local_addr()?, listener, directory: directory.into(), tls, log: false })
    }

    /// One line on standard output for each request.
    pub(crate) fn logged(mut self) -> Self {
        self.log = true;
        self
    }

    /// What clients ask for.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Answers until what `stop` returns is done, then lets connections end. `stop` is called when the server is
    /// ready, before it answers: whoever learns from it that there is a server can also end it.
    pub(crate) fn run<F: Future<Output = ()> + Send + 'static>(self, stop: impl FnOnce() -> F) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let handle = Handle::new();
            let stopper = handle.clone();
            let stop = stop();
            tokio::spawn(async move {
                stop.await;
                stopper.graceful_shutdown(Some(GRACE));
            });
            let service = router(self.directory, self.log).into_make_service_with_connect_info::<SocketAddr>();
            match self.tls {
                Some(config) => {
                    let config = RustlsConfig::from_config(config);
                    axum_server::from_tcp_rustls(self.listener, config)?.handle(handle).serve(service).await
                }
                None => axum_server::from_tcp(self.listener)?.handle(handle).serve(service).await,
            }
        })
    }
}

fn router(directory: PathBuf, logged: bool) -> Router {
    let files = ServeDir::new(&directory).append_index_html_on_directories(false);
    let router = Router::new()
        .route("/", get(move || async move { Html(page::html(&directory)) }))
        .fallback_service(files)
        .layer(middleware::from_fn(packages_only));
    match logged {
        true => router.layer(middleware::from_fn(log::log)),
        false => router,
    }
}

/// Lets through what asks for a package, an index, or the page.
async fn packages_only(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let name = path.strip_prefix('/').and_then(page::decoded).unwrap_or_default();
    let kind = match (page::is_package(&name), page::is_index(&name)) {
        (true, _) => Some("application/octet-stream"),
        (_, true) => Some("text/plain; charset=utf-8"),
        _ => None,
    };
    if path != "/" && kind.is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let mut response = next.run(request).await;
    if let Some(kind) = kind.filter(|_| response.status().is_success()) {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        // A package that was built again under the same name is another package.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    response
}
