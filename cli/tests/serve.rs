//! `lockgate serve`: what it serves, what it does not, and that its TLS holds.

mod bench;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bench::{ends, Bench};

/// The tool as a server; killed with the test.
struct Serving {
    child: Child,
    url: String,
    lines: mpsc::Receiver<String>,
}

impl Serving {
    fn start(bench: &Bench, options: &[&str]) -> Self {
        let mut command = bench.lockgate(&["serve", ".", "--listen", "127.0.0.1:0"]);
        let mut child = command.args(options).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut serving = Self { child, url: String::new(), lines };
        let line = serving.line("serving");
        let start = line.find("http").unwrap();
        serving.url = line[start..].split("/ ").next().unwrap().into();
        serving
    }

    /// The next line that has `part` in it.
    fn line(&self, part: &str) -> String {
        loop {
            let line =
                self.lines.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("no line has {part:?}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Status line, headers and body of a plain HTTP request.
    fn get(&self, path: &str, header: &str) -> (String, Vec<u8>) {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{header}\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        (String::from_utf8_lossy(&answer[..end]).to_lowercase(), answer[end + 4..].to_vec())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[test]
fn ranges_are_served_and_told() {
    let bench = Bench::new();
    let package = bench.package((1, 2), 3, 9_000);
    bench.file("fw.lgu", &package);
    let serving = Serving::start(&bench, &["--http-only"]);

    let (head, body) = serving.get("/fw.lgu", "");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("accept-ranges: bytes"), "{head}");
    assert_eq!(body, package);
    assert!(serving.line("200").contains("GET /fw.lgu"));

    let (head, body) = serving.get("/fw.lgu", "range: bytes=1000-1999\r\n");
    assert!(head.starts_with("http/1.1 206"), "{head}");
    assert!(head.contains(&format!("content-range: bytes 1000-1999/{}", package.len())), "{head}");
    assert_eq!(body, package[1000..2000]);
    let line = serving.line("206");
    assert!(line.contains("bytes 1000-1999/") && line.contains("1 000 bytes"), "{line}");

    let (head, body) = serving.get("/fw.lgu", &format!("range: bytes={}-\r\n", package.len() - 7));
    assert!(head.starts_with("http/1.1 206"), "{head}");
    assert_eq!(body, package[package.len() - 7..]);
    assert!(serving.get("/fw.lgu", "range: bytes=900000-\r\n").0.starts_with("http/1.1 416"));
}

#[test]
fn only_packages_are_served() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 2), 3, 9_000));
    bench.file("signing.pem", b"private");
    bench.file(".hidden.lgu", b"private");
    fs::create_dir(bench.path("x.lgu")).unwrap();
    fs::create_dir(bench.path(".git")).unwrap();
    bench.file(".git/a.lgu", b"private");
    let outside = bench.path("../outside.lgu");
    fs::write(&outside, b"private").unwrap();
    let serving = Serving::start(&bench, &["--http-only"]);
    for path in [
        "/signing.pem",
        "/key.pem",
        "/.hidden.lgu",
        "/%2ehidden.lgu",
        "/.git/a.lgu",
        "/../outside.lgu",
        "/%2e%2e/outside.lgu",
        "/..%2foutside.lgu",
        "/x.lgu/../../outside.lgu",
        "/x.lgu",
        "/x.lgu/",
        "//etc/passwd",
        "/signing.pem?.lgu",
        "/signing.pem%00.lgu",
    ] {
        let (head, body) = serving.get(path, "");
        assert!(head.starts_with("http/1.1 4"), "{path}: {head}");
        assert!(!body.windows(7).any(|window| window == b"private"), "{path}");
    }
    fs::remove_file(outside).unwrap();

    // An index is served too, as text.
    bench.file("fw.lgi", b"lockgate index 1\n");
    bench.file(".hidden.lgi", b"private");
    let (head, body) = serving.get("/fw.lgi", "");
    assert!(head.starts_with("http/1.1 200") && head.contains("text/plain"), "{head}");
    assert_eq!(body, b"lockgate index 1\n");
    assert!(serving.get("/.hidden.lgi", "").0.starts_with("http/1.1 4"));

    // Names that need escapes are names all the same.
    bench.file("grün 2.lgu", &bench.package((2, 0), 3, 900));
    assert!(serving.get("/gr%C3%BCn%202.lgu", "").0.starts_with("http/1.1 200"));

    let page = String::from_utf8(serving.get("/", "").1).unwrap();
    assert!(page.contains("<a href=\"/fw.lgu\">fw.lgu</a></td><td>1.2.0, counter 3</td>"), "{page}");
    assert!(!page.contains("signing") && !page.contains("hidden"), "{page}");
}

#[test]
fn a_client_trusts_the_certificate_of_this_run_and_no_other() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 0), 0, 9_000));
    let serving = Serving::start(&bench, &["--self-signed", "--ca-out", "ca.pem"]);
    let url = format!("{}/fw.lgu", serving.url);
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    ends(bench.install(&url, &["--retries", "0"]), 3, &["certificate", "nothing of it reached flash"]);
    fs::copy(bench.path("ca.pem"), bench.path("first.pem")).unwrap();
    let other = Serving::start(&bench, &["--ca-out", "ca.pem"]);
    let other_url = format!("{}/fw.lgu", other.url);
    ends(bench.install(&other_url, &["--ca", "first.pem"]), 3, &["certificate"]);
    ends(bench.install(&url, &["--ca", "first.pem"]), 0, &["image intact"]);
    let by_name = other_url.replace("127.0.0.1", "localhost");
    bench.file("fw.lgu", &bench.package((1, 1), 0, 9_000));
    ends(bench.install(&by_name, &["--ca", "ca.pem"]), 0, &["version 1.1.0"]);
}

#[test]
fn certificates_from_files_are_used() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 0), 0, 9_000));
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
    bench.file("cert.pem", made.cert.pem().as_bytes());
    bench.file("cert-key.pem", made.signing_key.serialize_pem().as_bytes());
    let serving = Serving::start(&bench, &["--tls-cert", "cert.pem", "--tls-key", "cert-key.pem"]);
    ends(bench.install(&format!("{}/fw.lgu", serving.url), &["--ca", "cert.pem"]), 0, &["image intact"]);
    let swapped = bench.lockgate(&["serve", ".", "--tls-cert", "cert-key.pem", "--tls-key", "cert.pem"]);
    ends(swapped, 2, &["no certificate in PEM"]);
    ends(bench.lockgate(&["serve", ".", "--tls-cert", "cert.pem"]), 2, &["--tls-key"]);
    ends(bench.lockgate(&["serve", "nowhere", "--http-only"]), 3, &["nowhere"]);
}

#[cfg(unix)]
#[test]
fn it_ends_when_asked_to() {
    let bench = Bench::new();
    for signal in ["-INT", "-TERM"] {
        let mut serving = Serving::start(&bench, &["--http-only"]);
        let id = serving.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        serving.line("stopped");
        assert!(serving.child.wait().unwrap().success());
    }
}
