//! TLS over the loopback: against rustls, against OpenSSL, and against a server that breaks the rules.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;

use common::rogue::{play, Move};
use common::tcp::{serve, Client, CLIENT};
use common::{leaf, leaf_key, pair, Ca, NAME, NOT_AFTER};
use https::{Connection, Error, Fragment, Now, Refusal, Server, WRITE_BUFFER};
use p256::pkcs8::EncodePrivateKey;
use rustls::pki_types::PrivatePkcs8KeyDer;

fn body() -> Vec<u8> {
    (0..50_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn certificate() -> Vec<u8> {
    Ca::new(7).certify(&leaf(), &pair(&leaf_key()))
}

/// A web server by rustls, with records of at most `fragment` bytes: what it was asked, if anything.
fn rustls(stream: TcpStream, chain: Vec<Vec<u8>>, fragment: usize) -> String {
    let key = leaf_key().to_pkcs8_der().unwrap();
    let key = PrivatePkcs8KeyDer::from(key.as_bytes().to_vec());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.into_iter().map(Into::into).collect(), key.into())
        .unwrap();
    config.max_fragment_size = Some(fragment + 5); // rustls counts the header
    let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
    let mut tls = rustls::StreamOwned::new(connection, stream);
    let mut request = vec![];
    let mut chunk = [0; 512];
    while !request.ends_with(b"\r\n\r\n") {
        match tls.read(&mut chunk) {
            Ok(0) | Err(_) => return String::from_utf8(request).unwrap(),
            Ok(read) => request.extend(&chunk[..read]),
        }
    }
    let request = String::from_utf8(request).unwrap();
    let body = body();
    let (status, body) = match request.split_once("Range: bytes=") {
        None => ("200 OK".to_string(), &body[..]),
        Some((_, range)) => {
            let from: usize = range.split_once('-').unwrap().0.parse().unwrap();
            let range = format!("Content-Range: bytes {from}-{}/{}", body.len() - 1, body.len());
            (format!("206 Partial Content\r\n{range}"), &body[from..])
        }
    };
    let _ = write!(tls, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
    let _ = tls.write_all(body);
    tls.conn.send_close_notify();
    let _ = tls.flush();
    request
}

/// The outcome for a client of such a server, and what the server was asked.
fn fetch(client: &Client, chain: Vec<Vec<u8>>) -> (Result<(u32, Vec<u8>), Error>, String) {
    let fragment = client.fragment.read_buffer() - 17;
    let (address, server) = serve(move |stream| rustls(stream, chain, fragment));
    let outcome = client.fetch(address);
    (outcome, server.join().unwrap())
}

fn refused(client: &Client, chain: Vec<Vec<u8>>) -> Refusal {
    let (outcome, request) = fetch(client, chain);
    assert_eq!(request, "", "nothing was asked");
    match outcome {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_resource_comes_whole() {
    for fragment in [Fragment::Bytes1024, Fragment::Bytes2048, Fragment::Bytes4096, Fragment::Bytes16384] {
        let (outcome, request) = fetch(&Client { fragment, ..CLIENT }, vec![certificate()]);
        assert_eq!(outcome.unwrap(), (0, body()));
        assert!(request.starts_with("GET /fw HTTP/1.1\r\nHost: updates.example:"), "{request}");
    }
}

#[test]
fn a_resource_comes_from_an_offset_on() {
    let (outcome, request) = fetch(&Client { from: 12_345, ..CLIENT }, vec![certificate()]);
    assert_eq!(outcome.unwrap(), (12_345, body()[12_345..].to_vec()));
    assert!(request.contains("\r\nRange: bytes=12345-\r\n"), "{request}");
}

#[test]
fn another_ca_is_refused() {
    assert_eq!(refused(&Client { ca: 8, ..CLIENT }, vec![certificate()]), Refusal::Signature);
}

#[test]
fn another_name_is_refused() {
    assert_eq!(refused(&Client { name: "other.example", ..CLIENT }, vec![certificate()]), Refusal::Name);
}

#[test]
fn an_expired_certificate_is_refused() {
    let late = Now::NotBefore(NOT_AFTER + 1);
    let expired = Refusal::Expired { not_after: NOT_AFTER, now: NOT_AFTER + 1 };
    assert_eq!(refused(&Client { now: late, ..CLIENT }, vec![certificate()]), expired);
}

#[test]
fn a_chain_through_an_intermediate_is_refused() {
    let mut ca = leaf();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let intermediate = Ca::new(8);
    let chain =
        vec![intermediate.certify(&leaf(), &pair(&leaf_key())), Ca::new(7).certify(&ca, &pair(&intermediate.key))];
    assert_eq!(refused(&Client { fragment: Fragment::Bytes2048, ..CLIENT }, chain), Refusal::Intermediate);
}

#[test]
fn a_server_that_takes_no_notice_of_the_fragment_is_found_out() {
    let (address, server) = serve(|stream| rustls(stream, vec![certificate()], 4096));
    assert!(matches!(CLIENT.fetch(address), Err(Error::RecordTooLarge)));
    server.join().unwrap();
}

#[test]
fn openssl_keeps_to_the_fragment_it_is_asked_for() {
    let directory = std::env::temp_dir().join(format!("https-s-server-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("leaf.key"), leaf_key().to_pkcs8_der().unwrap().as_bytes()).unwrap();
    std::fs::write(directory.join("leaf.der"), certificate()).unwrap();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body().len());
    std::fs::write(directory.join("fw"), [head.as_bytes(), &body()].concat()).unwrap();
    for fragment in [Fragment::Bytes512, Fragment::Bytes1024, Fragment::Bytes4096, Fragment::Bytes16384] {
        let mut server = Command::new("openssl")
            .current_dir(&directory)
            .args(["s_server", "-tls1_3", "-accept", "127.0.0.1:0", "-HTTP", "-naccept", "1"])
            .args(["-cert", "leaf.der", "-certform", "DER", "-key", "leaf.key", "-keyform", "DER"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut output, mut byte) = (String::new(), [0]);
        let stdout = server.stdout.as_mut().unwrap();
        // "ACCEPT 127.0.0.1:port"
        while !(output.contains("ACCEPT ") && output.ends_with('\n')) {
            stdout.read_exact(&mut byte).expect("a line of s_server's");
            output.push(char::from(byte[0]));
        }
        let address = output.trim().rsplit_once(' ').unwrap().1.parse().unwrap();
        // A certificate of some 430 bytes fits 512, without another one.
        let outcome = Client { fragment, ..CLIENT }.fetch(address);
        server.kill().unwrap();
        server.wait().unwrap();
        assert_eq!(outcome.unwrap(), (0, body()), "{fragment:?}");
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

/// What a client makes of `moves`, and the records it sent after its ClientHello.
fn rogue(moves: &[Move]) -> (Error, usize) {
    let moves = moves.to_vec();
    let (address, server) = serve(move |stream| play(stream, moves));
    let outcome = CLIENT.fetch(address);
    (outcome.expect_err("an error"), server.join().unwrap())
}

fn certify() -> Move {
    Move::Certificate(vec![certificate()])
}

fn verify() -> Move {
    Move::Verify(leaf_key(), 0x0403, true)
}

#[test]
fn a_server_that_does_not_say_who_it_is_gets_no_byte_of_a_request() {
    let answer = Move::Protected(23, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil".to_vec());
    // One record: the client's Finished, which embedded-tls sends before it asks anyone.
    let anonymous = [Move::Extensions, Move::Finished, answer.clone()];
    assert!(matches!(rogue(&anonymous), (Error::Anonymous, 1)));
    // A certificate anyone can copy, and no proof that the key to it is held.
    assert!(matches!(rogue(&[Move::Extensions, certify(), Move::Finished, answer]), (Error::Anonymous, 1)));
}

#[test]
fn a_server_without_the_certificates_key_is_refused() {
    let outcome = |proof| rogue(&[Move::Extensions, certify(), proof, Move::Finished]);
    let other = common::Ca::new(3).key;
    assert!(matches!(outcome(Move::Verify(other, 0x0403, true)), (Error::Refused(Refusal::Possession), 0)));
    assert!(matches!(outcome(Move::Verify(leaf_key(), 0x0403, false)), (Error::Refused(Refusal::Possession), 0)));
    for scheme in [0x0503, 0x0804, 0x0807, 0x0203] {
        assert!(matches!(outcome(Move::Verify(leaf_key(), scheme, true)), (Error::Refused(Refusal::Scheme), 0)));
    }
}

#[test]
fn certificate_and_signature_come_once_each_in_this_order() {
    let order = |moves: &[Move]| matches!(rogue(moves), (Error::Refused(Refusal::Order), 0));
    assert!(order(&[Move::Extensions, verify(), certify(), Move::Finished]));
    assert!(order(&[Move::Extensions, verify(), Move::Finished]));
    assert!(order(&[Move::Extensions, certify(), certify(), verify(), Move::Finished]));
    assert!(order(&[Move::Extensions, certify(), verify(), verify(), Move::Finished]));
    assert!(order(&[Move::Extensions, certify(), verify(), certify(), Move::Finished]));
    let none = [Move::Extensions, Move::Certificate(vec![]), verify(), Move::Finished];
    assert!(matches!(rogue(&none), (Error::Refused(Refusal::Missing), 0)));
}

/// A handshake as it should be.
fn honest(then: &[Move]) -> Vec<Move> {
    [&[Move::Extensions, certify(), verify(), Move::Finished], then].concat()
}

#[test]
fn the_rogue_server_can_be_honest() {
    let answer = Move::Protected(23, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood".to_vec());
    let (address, server) = serve(move |stream| play(stream, honest(&[answer])));
    assert_eq!(CLIENT.fetch(address).unwrap(), (0, b"good".to_vec()));
    assert!(server.join().unwrap() >= 2, "a Finished and a request");
}

#[test]
fn a_body_cut_short_is_noticed_with_and_without_a_goodbye() {
    let half = Move::Protected(23, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec());
    let goodbye = Move::Protected(21, vec![1, 0]);
    assert!(matches!(rogue(&honest(&[half.clone(), goodbye])).0, Error::Truncated { missing: 5 }));
    // Without one the server would wait for the client to go: an alert in the clear, which proves nothing.
    let forged = Move::Raw(vec![21, 3, 3, 0, 2, 1, 0]);
    assert!(matches!(rogue(&honest(&[half, forged])).0, Error::Record));
}

#[test]
fn records_in_the_clear_do_not_reach_the_state_machine() {
    // The first, fourth and fifth make embedded-tls 0.19 panic; of the rest it believes what anyone can send.
    let finished = Move::Raw([&[22, 3, 3, 0, 36, 20, 0, 0, 32][..], &[0; 32]].concat());
    assert!(matches!(rogue(&honest(std::slice::from_ref(&finished))).0, Error::Record));
    assert!(matches!(rogue(&[Move::Extensions, finished]).0, Error::Record));
    assert!(matches!(rogue(&[Move::Raw(vec![21, 3, 3, 0, 2, 2, 40])]).0, Error::Record));
    assert!(matches!(rogue(&[Move::Empty]).0, Error::Record));
    assert!(matches!(rogue(&honest(&[Move::Empty])).0, Error::Record));
    assert!(matches!(rogue(&[Move::Raw(vec![23, 3, 3, 0, 0])]).0, Error::Record));
}

#[test]
fn a_servers_alert_is_passed_on() {
    let (address, server) = serve(|mut stream| {
        let _ = stream.read(&mut [0; 512]);
        stream.write_all(&[21, 3, 3, 0, 2, 2, 40]).unwrap();
    });
    assert!(matches!(CLIENT.fetch(address), Err(Error::Tls(_))));
    server.join().unwrap();
    let (address, server) = serve(drop);
    assert!(matches!(CLIENT.fetch(address), Err(Error::Closed | Error::Stream(_))));
    server.join().unwrap();
}

#[test]
fn a_mistake_of_the_callers_is_named_before_a_byte_is_sent() {
    #[derive(Debug)]
    struct Nowhere;
    impl embedded_io::ErrorType for Nowhere {
        type Error = embedded_io::ErrorKind;
    }
    impl embedded_io::Read for Nowhere {
        fn read(&mut self, _: &mut [u8]) -> Result<usize, Self::Error> {
            Ok(0)
        }
    }
    impl embedded_io::Write for Nowhere {
        fn write(&mut self, _: &[u8]) -> Result<usize, Self::Error> {
            panic!("something was sent")
        }
        fn flush(&mut self) -> Result<(), Self::Error> {
            Ok(())
        }
    }
    let open = |name: &str, read: usize, write: usize| {
        let (mut read, mut write) = (vec![0; read], vec![0; write]);
        let server = Server { name, port: 443, ca: &[0; 64], now: Now::Unknown };
        let mut connection = Connection::new(Nowhere, &mut read, &mut write);
        let outcome = connection.open(&server, Fragment::Bytes512, &mut rand_core::OsRng).map(|_| ());
        outcome.unwrap_err()
    };
    assert!(matches!(open(NAME, 528, WRITE_BUFFER), Error::Buffer { needed: 529, have: 528 }));
    assert!(matches!(open(NAME, 529, 206), Error::Buffer { needed: 207, have: 206 }));
    for name in ["", "a..b", ".a", "a.", "a b", "a\r\n", "*.a", "ä", &"a".repeat(64), &"a.".repeat(130)] {
        assert!(matches!(open(name, 529, WRITE_BUFFER), Error::ServerName), "{name}");
    }
}

#[test]
fn the_smallest_write_buffer_will_do() {
    let (address, server) = serve(|stream| rustls(stream, vec![certificate()], 1024));
    let mut stream = common::tcp::Tcp(common::tcp::patient(TcpStream::connect(address).unwrap()));
    let (mut read, mut write) = ([0; Fragment::Bytes1024.read_buffer()], [0; 192 + NAME.len()]);
    let ca = Ca::new(7).public();
    let at = Server { name: NAME, port: 443, ca: &ca, now: Now::Unknown };
    let mut connection = Connection::new(&mut stream, &mut read, &mut write);
    let path = format!("/{}", "x".repeat(700));
    let response = connection.open(&at, Fragment::Bytes1024, &mut rand_core::OsRng).unwrap().get(&path, 7).unwrap();
    assert_eq!(response.start(), 7);
    let again = connection.open(&at, Fragment::Bytes1024, &mut rand_core::OsRng).map(|_| ());
    assert!(matches!(again, Err(Error::Reopened)));
    drop(stream);
    assert!(server.join().unwrap().starts_with(&format!("GET {path} HTTP/1.1\r\nHost: {NAME}\r\n")));
}
