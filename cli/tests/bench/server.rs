//! An HTTP server on loopback that does what it is told, for each request in turn, and remembers what it was
//! asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What becomes of one request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// 200 or 206 as asked, but the connection drops after this many bytes of the body.
    Drop(usize),
    /// As asked.
    Right,
    /// 200 with everything, whatever was asked.
    IgnoreRange,
    /// 206 with a Content-Range of this text.
    ContentRange(&'static str),
    /// This status line, no body.
    Status(&'static str),
    /// Bytes that are no HTTP.
    Garbage,
    /// Another file, as asked.
    Instead(Vec<u8>),
}

pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Option<u64>>>>,
}

impl Server {
    /// Serves `body`; the last of `answers` is given from then on.
    pub(crate) fn start(body: Vec<u8>, answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/firmware.lgu", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Option<u64>>>> = Arc::default();
        let record = Arc::clone(&asked);
        // Ends with the test's process.
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let answer = &answers[number.min(answers.len() - 1)];
                // A client may leave at any time.
                _ = stream.and_then(|stream| serve(stream, &body, answer, &record));
            }
        });
        Self { url, asked }
    }

    /// Where each request wanted to begin, if it had a Range.
    pub(crate) fn asked(&self) -> Vec<Option<u64>> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, body: &[u8], answer: &Answer, record: &Mutex<Vec<Option<u64>>>) -> std::io::Result<()> {
    let mut start = None;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            start = range.trim_end_matches('-').parse().ok();
        }
    }
    record.lock().unwrap().push(start);
    let body = match answer {
        Answer::Instead(other) => other,
        _ => body,
    };
    let total = body.len();
    let from = start.unwrap_or(0) as usize;
    let rest = body.get(from..).unwrap_or_default();
    let (status, rest) = match (answer, start) {
        (Answer::Garbage, _) => return stream.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n"),
        (Answer::Status(status), _) => ((*status).to_string(), &[][..]),
        (Answer::ContentRange(range), _) => (format!("206 Partial Content\r\ncontent-range: {range}"), rest),
        (Answer::IgnoreRange, _) | (_, None) => ("200 OK".into(), body),
        (_, Some(_)) => (format!("206 Partial Content\r\ncontent-range: bytes {from}-{}/{total}", total - 1), rest),
    };
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", rest.len())?;
    match answer {
        Answer::Drop(after) => stream.write_all(&rest[..rest.len().min(*after)]),
        _ => stream.write_all(rest),
    }
}
