//! Oracles for the HTTP client of the ESP8266 example: the outcome does not depend on how the answer is cut into pieces; what is
//! taken for a body is what the crate `httparse` and a few lines of our own say it is; a request is one request.

use embedded_io::{BufRead, ErrorType, Read, Write};
use https::http::{self, Host};
use https::Error;

use crate::script::Script;

struct Peer<'s> {
    script: &'s [u8],
    piece: usize,
    told: Vec<u8>,
}

impl ErrorType for Peer<'_> {
    type Error = Error;
}

impl Read for Peer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let bytes = self.fill_buf()?;
        let read = bytes.len().min(buffer.len());
        buffer[..read].copy_from_slice(&bytes[..read]);
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Peer<'_> {
    fn fill_buf(&mut self) -> Result<&[u8], Error> {
        Ok(&self.script[..self.piece.min(self.script.len())])
    }

    fn consume(&mut self, bytes: usize) {
        self.script = &self.script[bytes..];
    }
}

impl Write for Peer<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.told.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Where the body begins, its length, and what of it came.
type Answer = Result<(u32, u32, Vec<u8>, bool), String>;

fn get(answer: &[u8], piece: usize, path: &str, from: u32) -> (Answer, Vec<u8>) {
    let mut peer = Peer { script: answer, piece, told: vec![] };
    let mut response = match http::get(&mut peer, Host { name: "updates.example", port: 443 }, path, from) {
        Ok(response) => response,
        Err(error) => return (Err(format!("{error:?}")), peer.told),
    };
    let (start, length) = (response.start(), response.missing());
    let (mut body, mut room) = (vec![], [0; 97]);
    let whole = loop {
        match response.read(&mut room) {
            Ok(0) => break true,
            Ok(read) => body.extend(&room[..read]),
            Err(Error::Truncated { missing }) => {
                assert_eq!(body.len() as u32 + missing, length);
                break false;
            }
            Err(error) => panic!("{error:?} in a body"),
        }
    };
    (Ok((start, length, body, whole)), peer.told)
}

/// An answer to a request for the bytes from some offset on.
pub fn http(data: &[u8]) {
    let mut script = Script(data);
    let (from, piece) = (script.below(1 << 16) as u32, script.byte() + 1);
    let path_length = script.byte() % 16;
    let path = format!("/{}", String::from_utf8_lossy(script.bytes(path_length)));
    let answer = script.bytes(usize::MAX);
    let (outcome, told) = get(answer, usize::MAX, &path, from);
    for piece in [1, 2, piece] {
        assert_eq!(get(answer, piece, &path, from), (outcome.clone(), told.clone()), "in pieces of {piece}");
    }
    asks_once(&told, &path, from);
    if let Ok((start, length, body, whole)) = outcome {
        judge(answer, from, start, length, &body, whole);
    }
}

/// What was sent is one request, by another parser.
fn asks_once(told: &[u8], path: &str, from: u32) {
    if told.is_empty() {
        return;
    }
    let mut headers = [httparse::EMPTY_HEADER; 8];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(told).expect("a request");
    assert_eq!(parsed, httparse::Status::Complete(told.len()), "nothing behind it");
    assert_eq!((request.method, request.path, request.version), (Some("GET"), Some(path), Some(1)));
    let range = request.headers.iter().find(|header| header.name == "Range").map(|header| header.value.to_vec());
    assert_eq!(range, (from > 0).then(|| format!("bytes={from}-").into_bytes()));
}

/// The lines of a head, and how many bytes they take.
fn head(answer: &[u8]) -> (Vec<&[u8]>, usize) {
    let (mut lines, mut used) = (vec![], 0);
    for line in answer.split_inclusive(|&byte| byte == b'\n') {
        used += line.len();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    (lines, used)
}

fn judge(mut answer: &[u8], from: u32, start: u32, length: u32, body: &[u8], whole: bool) {
    // Interim answers first.
    let (lines, used) = loop {
        let (lines, used) = head(answer);
        if lines.first().is_some_and(|line| line.get(9) == Some(&b'1')) {
            answer = &answer[used..];
            continue;
        }
        break (lines, used);
    };
    let status = &lines[0][9..12];
    assert!(status == b"200" || status == b"206", "{}", String::from_utf8_lossy(lines[0]));
    let behind = &answer[used..];
    assert_eq!(body, &behind[..body.len()], "the body is what stands behind the head");
    assert_eq!(body.len(), behind.len().min(length as usize));
    assert_eq!(whole, body.len() == length as usize);
    assert_eq!(start, if status == b"206" { from } else { 0 });
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    if let Ok(httparse::Status::Complete(size)) = response.parse(answer) {
        assert_eq!(size, used, "another parser ends the head elsewhere");
        let named = |name: &str| {
            let found = response.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
            found.map(|header| String::from_utf8_lossy(header.value).into_owned()).collect::<Vec<_>>()
        };
        let lengths = named("content-length");
        assert_eq!(lengths.len(), 1, "{lengths:?}");
        assert_eq!(lengths[0].trim().parse(), Ok(length));
        assert_eq!(named("transfer-encoding"), [] as [String; 0]);
        if status == b"206" {
            let range = named("content-range").pop().expect("a range");
            let range = range.trim().to_ascii_lowercase();
            let (first, rest) = range.strip_prefix("bytes ").and_then(|range| range.split_once('-')).expect("of bytes");
            let (last, size) = rest.split_once('/').expect("a size");
            assert_eq!(first.parse(), Ok(from));
            assert_eq!(last.parse::<u64>().map(|last| last + 1), Ok(u64::from(from) + u64::from(length)));
            assert!(size == "*" || size.parse::<u64>().is_ok_and(|size| size >= u64::from(from) + u64::from(length)));
        }
    }
}
