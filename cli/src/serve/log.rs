//! One line for each request, when its last byte is on its way: who, what, which bytes, how many.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::http::{header, HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};

use crate::print;
use crate::style::count;

pub(super) async fn log(request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| *address);
    let peer = peer.map_or_else(|| "?".into(), |address| address.to_string());
    // Escaped: a path is anything that a client sends.
    let asked = format!("{} {}", request.method(), request.uri().path().escape_debug());
    let head = request.method() == axum::http::Method::HEAD;
    let response = next.run(request).await;
    let range = text(response.headers(), &header::CONTENT_RANGE).map(|range| format!("  {range}")).unwrap_or_default();
    let line = format!("{peer}  {asked}  {}{range}", response.status().as_u16());
    let announced = text(response.headers(), &header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    let announced = announced.filter(|_| !head);
    response.map(|body| Body::new(Counted { body, sent: 0, announced, line }))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A body that counts its bytes and writes the line when it is dropped: at its end, or when the client left.
struct Counted {
    body: Body,
    sent: u64,
    announced: Option<u64>,
    line: String,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            self.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Self { sent, announced, line, .. } = self;
        match announced {
            Some(announced) if *sent < *announced => {
                _ = print::line(format_args!(
                    "{line}  {sent} of {}, then the client left",
                    count(*announced, "byte", "bytes")
                ));
            }
            _ => _ = print::line(format_args!("{line}  {}", count(*sent, "byte", "bytes"))),
        }
    }
}
