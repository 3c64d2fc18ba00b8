//! HTTP over a scripted stream, in pieces of every size.

use embedded_io::{BufRead, ErrorType, Read, Write};
use https::http::{self, Host, Response, MAX_HEAD};
use https::Error;

/// Says `script` in pieces of `piece` bytes, and keeps what it is told.
#[derive(Debug)]
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

const HOST: Host<'_> = Host { name: "updates.example", port: 443 };

fn get(peer: &mut Peer<'_>, from: u32) -> Result<(u32, Vec<u8>), Error> {
    let mut response = http::get(peer, HOST, "/fw", from)?;
    let (start, length) = (response.start(), response.missing());
    let body = read_all(&mut response)?;
    assert_eq!(body.len(), length as usize);
    Ok((start, body))
}

fn read_all<C: Read + ErrorType<Error = Error>>(response: &mut Response<C>) -> Result<Vec<u8>, Error> {
    let (mut body, mut chunk) = (vec![], [0; 7]);
    loop {
        match response.read(&mut chunk)? {
            0 => return Ok(body),
            read => body.extend(&chunk[..read]),
        }
    }
}

/// The outcome of an answer, which has to be the same in pieces of every size.
fn outcome(from: u32, script: &str) -> String {
    let text = |outcome: Result<(u32, Vec<u8>), Error>| match outcome {
        Ok((start, body)) => format!("{} from {start}", String::from_utf8_lossy(&body)),
        Err(error) => format!("{error:?}"),
    };
    let peer = |piece| text(get(&mut Peer { script: script.as_bytes(), piece, told: vec![] }, from));
    let whole = peer(usize::MAX);
    for piece in 1..script.len().min(400) {
        assert_eq!(peer(piece), whole, "in pieces of {piece}");
    }
    whole
}

#[test]
fn a_whole_body_starts_at_0_whatever_was_asked() {
    let answer = "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(outcome(0, answer), "hello from 0");
    assert_eq!(outcome(3, answer), "hello from 0");
    assert_eq!(outcome(0, "HTTP/1.0 200\ncontent-LENGTH:5\n\nhello"), "hello from 0");
    assert_eq!(outcome(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), " from 0");
}

#[test]
fn a_partial_body_starts_where_it_was_asked_to() {
    for size in ["8", "*", "4294967295"] {
        let answer = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 3-7/{size}\r\nContent-Length: 5\r\n\r\nhello"
        );
        assert_eq!(outcome(3, &answer), "hello from 3");
        assert_eq!(outcome(4, &answer), "WrongRange { asked: 4, got: 3 }");
    }
    let last =
        "HTTP/1.1 206 x\r\ncontent-range: Bytes 4294967290-4294967294/4294967295\r\ncontent-length: 5\r\n\r\nhello";
    assert_eq!(outcome(4_294_967_290, last), "hello from 4294967290");
}

#[test]
fn a_partial_body_without_a_sound_range_is_refused() {
    for range in [
        "",
        "Content-Range: bytes 3-7\r\n",
        "Content-Range: bytes 3-7/7\r\n",
        "Content-Range: bytes 7-3/8\r\n",
        "Content-Range: bytes 3-8/9\r\n",
        "Content-Range: bytes */8\r\n",
        "Content-Range: lines 3-7/8\r\n",
        "Content-Range: bytes +3-7/8\r\n",
        "Content-Range: bytes 3-7/8 \t and more that does not fit a line of sixty-four\r\n",
        "Content-Range: bytes 3-4294967296/*\r\n",
        "Content-Range: bytes 0-4294967295/*\r\n",
        "Content-Range: bytes 3-7/8\r\nContent-Range: bytes 3-7/8\r\n",
    ] {
        let answer = format!("HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\n{range}\r\nhello");
        assert_eq!(outcome(3, &answer), "ContentRange", "{range}");
    }
}

#[test]
fn a_body_without_a_length_is_refused() {
    for field in [
        "",
        "Content-Length: \r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 4294967296\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length:                                                          5\r\n",
    ] {
        assert_eq!(outcome(0, &format!("HTTP/1.1 200 OK\r\n{field}\r\nhello")), "ContentLength", "{field}");
    }
}

#[test]
fn coded_bodies_are_refused() {
    let answer = |field: &str| outcome(0, &format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n{field}\r\n\r\nhello"));
    assert_eq!(answer("Transfer-Encoding: chunked"), "Chunked");
    assert_eq!(answer("transfer-encoding: identity"), "Chunked");
    assert_eq!(answer("Content-Encoding: gzip"), "ContentEncoding");
    assert_eq!(answer(&format!("Content-Encoding: {}", "identity,".repeat(9))), "ContentEncoding");
    assert_eq!(answer("Content-Encoding: Identity"), "hello from 0");
}

#[test]
fn other_statuses_are_told_apart() {
    let answer = |status| outcome(9, &format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nhello"));
    for status in ["301 Moved", "302 Found", "307 x", "308 x"] {
        assert_eq!(answer(status), format!("Redirect({})", &status[..3]));
    }
    assert_eq!(answer("416 Range Not Satisfiable"), "RangeNotSatisfiable");
    for status in ["404 Not Found", "500 x", "204 No Content", "503"] {
        assert_eq!(answer(status), format!("Status({})", &status[..3]));
    }
}

#[test]
fn interim_answers_are_skipped_and_bounded() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: 9\r\n\r\n";
    let answer = format!("HTTP/1.1 100 Continue\r\n\r\n{interim}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(outcome(0, &answer), "hello from 0");
    assert_eq!(outcome(0, &interim.repeat(100)), "HeadTooLarge");
}

#[test]
fn what_is_not_http_is_not_read_as_http() {
    for answer in [
        "hello\r\n",
        "\r\nHTTP/1.1 200 OK\r\n",
        "xHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "SSH-2.0-OpenSSH_9\r\n",
    ] {
        assert_eq!(outcome(0, answer), "NotHttp", "{answer}");
    }
    assert_eq!(outcome(0, &"x".repeat(5000)), "NotHttp");
}

#[test]
fn a_head_of_4_kib_is_read_and_one_byte_more_is_not() {
    let head = |size: usize| {
        let fixed = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: \r\n\r\n".len();
        let filler = "x".repeat(size - fixed);
        outcome(0, &format!("HTTP/1.1 200 OK\r\nX: {filler}\r\nContent-Length: 5\r\n\r\nhello"))
    };
    assert_eq!(head(MAX_HEAD), "hello from 0");
    assert_eq!(head(MAX_HEAD + 1), "HeadTooLarge");
    assert_eq!(outcome(0, &format!("HTTP/1.1 200 {}", "x".repeat(5000))), "HeadTooLarge");
}

#[test]
fn header_lines_of_every_length_around_the_line_buffer_are_skipped() {
    for length in 1..130 {
        let answer = |name: &str| format!("HTTP/1.1 200 OK\r\n{name}\r\nContent-Length: 5\r\n\r\nhello");
        let value = answer(&format!("X:{}", "y".repeat(length)));
        let name = answer(&format!("{}: y", "x".repeat(length)));
        for script in [value, name] {
            let peer = &mut Peer { script: script.as_bytes(), piece: 3, told: vec![] };
            assert_eq!(get(peer, 0).unwrap().1, b"hello", "{length}");
        }
    }
}

#[test]
fn lines_that_are_no_fields_are_refused() {
    for line in ["no colon", " folded: line", "\tfolded: line", "Content-Length : 5", ": no name"] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n{line}\r\n\r\nhello");
        assert_eq!(outcome(0, &answer), "Field", "{line}");
    }
}

#[test]
fn an_early_end_is_noticed_wherever_it_comes() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let head = answer.len() - 5;
    for end in 0..answer.len() {
        let expected = match end.checked_sub(head) {
            None => "Closed".into(),
            Some(read) => format!("Truncated {{ missing: {} }}", 5 - read),
        };
        assert_eq!(outcome(0, &answer[..end]), expected);
    }
}

#[test]
fn nothing_is_read_behind_the_body() {
    let script = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellogoodbye";
    for piece in 1..script.len() {
        let mut peer = Peer { script: script.as_bytes(), piece, told: vec![] };
        assert_eq!(get(&mut peer, 0).unwrap().1, b"hello");
        assert_eq!(peer.script, b"goodbye");
    }
}

#[test]
fn a_body_can_be_read_where_it_lies() {
    let script = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellogoodbye";
    for piece in 1..script.len() {
        let peer = Peer { script, piece, told: vec![] };
        let mut response = http::get(peer, HOST, "/fw", 0).unwrap();
        let mut body: Vec<u8> = vec![];
        loop {
            let bytes = response.fill_buf().unwrap();
            if bytes.is_empty() {
                break;
            }
            let read = bytes.len();
            body.extend(bytes);
            response.consume(read);
        }
        assert_eq!(body, b"hello");
        response.consume(1);
        assert_eq!(response.fill_buf().unwrap(), b"");
    }
    let mut short = http::get(Peer { script: &script[..40], piece: 9, told: vec![] }, HOST, "/fw", 0).unwrap();
    let bytes = short.fill_buf().unwrap().len();
    short.consume(bytes);
    assert!(matches!(short.fill_buf(), Err(Error::Truncated { missing: 3 })));
}

#[test]
fn the_request_says_what_is_asked_for() {
    let told = |from, host| {
        let mut peer = Peer { script: b"HTTP/1.1 404 x\r\n", piece: 99, told: vec![] };
        assert!(matches!(http::get(&mut peer, host, "/a/fw?x=1", from), Err(Error::Status(404))));
        String::from_utf8(peer.told).unwrap()
    };
    assert_eq!(
        told(0, HOST),
        "GET /a/fw?x=1 HTTP/1.1\r\nHost: updates.example\r\nUser-Agent: lockgate\r\nConnection: close\r\n\r\n"
    );
    for from in [1, 9, 10, 305, u32::MAX] {
        assert_eq!(
            told(from, Host { name: "a.example", port: 8443 }),
            format!(
                "GET /a/fw?x=1 HTTP/1.1\r\nHost: a.example:8443\r\nRange: bytes={from}-\r\nUser-Agent: lockgate\r\n\
                 Connection: close\r\n\r\n"
            )
        );
    }
}

#[test]
fn a_path_cannot_smuggle_a_second_request() {
    for path in ["", "fw", "/a b", "/a\r\nHost: x", "/a\n", "/ä", "/a#b", "http://x/"] {
        let peer = Peer { script: b"", piece: 1, told: vec![] };
        assert!(matches!(http::get(peer, HOST, path, 0), Err(Error::Path)), "{path}");
    }
}

#[test]
fn random_answers_do_no_harm() {
    let mut random = 0x2545_F491_4F6C_DD15_u64;
    let words =
        ["HTTP/1.1 ", "200", "206", " ", "\r\n", "\n", "Content-Length:", "5", "Content-Range: bytes ", "0-4/5", "\0"];
    for _ in 0..20_000 {
        let mut script = String::from("HTTP/1.1 206 x\r\n");
        for _ in 0..12 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            script.push_str(words[random as usize % words.len()]);
        }
        let _ = get(&mut Peer { script: script.as_bytes(), piece: 1 + random as usize % 9, told: vec![] }, 0);
    }
}
