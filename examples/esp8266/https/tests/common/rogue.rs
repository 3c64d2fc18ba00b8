//! A TLS 1.3 server that sends what it is told to, right or wrong (RFC 8446).

use std::io::{Read, Write};
use std::net::TcpStream;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::Aes128Gcm;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use p256::ecdh::EphemeralSecret;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::PublicKey;
use sha2::{Digest, Sha256};

/// What the server does after its ServerHello.
#[derive(Clone)]
pub enum Move {
    /// EncryptedExtensions, with nothing in them.
    Extensions,
    /// A Certificate message with these.
    Certificate(Vec<Vec<u8>>),
    /// A CertificateVerify by this key, under this scheme, its signature's bit flipped or not.
    Verify(SigningKey, u16, bool),
    Finished,
    /// A protected record of this content.
    Protected(u8, Vec<u8>),
    /// A protected record without even a content type.
    Empty,
    /// Bytes as they are.
    Raw(Vec<u8>),
}

struct Keys {
    key: Aes128Gcm,
    iv: Vec<u8>,
    count: u64,
}

impl Keys {
    fn new(secret: &[u8]) -> Self {
        let key = Aes128Gcm::new_from_slice(&expand(secret, "key", &[], 16)).unwrap();
        Self { key, iv: expand(secret, "iv", &[], 12), count: 0 }
    }

    fn seal(&mut self, content: &[u8], kind: Option<u8>) -> Vec<u8> {
        let mut nonce = self.iv.clone();
        for (byte, count) in nonce[4..].iter_mut().zip(self.count.to_be_bytes()) {
            *byte ^= count;
        }
        self.count += 1;
        let inner: Vec<_> = content.iter().copied().chain(kind).collect();
        let header = [23, 3, 3, ((inner.len() + 16) >> 8) as u8, (inner.len() + 16) as u8];
        let sealed = self.key.encrypt(nonce[..].into(), Payload { msg: &inner, aad: &header }).unwrap();
        [&header[..], &sealed].concat()
    }
}

fn expand(secret: &[u8], label: &str, context: &[u8], length: usize) -> Vec<u8> {
    let label = [b"tls13 ", label.as_bytes()].concat();
    let info =
        [&(length as u16).to_be_bytes()[..], &[label.len() as u8], &label, &[context.len() as u8], context].concat();
    let mut output = vec![0; length];
    Hkdf::<Sha256>::from_prk(secret).unwrap().expand(&info, &mut output).unwrap();
    output
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0, (body.len() >> 8) as u8, body.len() as u8][..], body].concat()
}

fn record(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut header = [0; 5];
    stream.read_exact(&mut header).ok()?;
    let mut body = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
    stream.read_exact(&mut body).ok()?;
    Some((header[0], body))
}

/// The client's point: in the only key_share extension there is.
fn point(hello: &[u8]) -> PublicKey {
    let at = hello.windows(8).position(|bytes| bytes == [0, 51, 0, 71, 0, 69, 0, 23]).expect("a share of P-256");
    PublicKey::from_sec1_bytes(&hello[at + 10..at + 75]).unwrap()
}

/// Plays `moves` over `stream`, and counts the records that come back until the client goes. Its Finished is one.
pub fn play(mut stream: TcpStream, moves: Vec<Move>) -> usize {
    let (_, hello) = record(&mut stream).unwrap();
    let secret = EphemeralSecret::random(&mut rand_core::OsRng);
    let share = p256::EncodedPoint::from(secret.public_key());
    let extensions = [&[0, 43, 0, 2, 3, 4, 0, 51, 0, 69, 0, 23, 0, 65][..], share.as_bytes()].concat();
    let size = (extensions.len() as u16).to_be_bytes();
    let answer = message(2, &[&[3, 3][..], &[5; 32], &[0, 0x13, 1, 0], &size, &extensions].concat());
    stream.write_all(&[&[22, 3, 3, 0, answer.len() as u8], &answer[..]].concat()).unwrap();

    // Section 7.1, as far as a server's traffic goes.
    let mut transcript = Sha256::new().chain_update(&hello).chain_update(&answer);
    let extract = |salt: &[u8], secret: &[u8]| Hkdf::<Sha256>::extract(Some(salt), secret).0;
    let derive = |secret: &[u8], label, transcript: &Sha256| expand(secret, label, &transcript.clone().finalize(), 32);
    let early = derive(&extract(&[0; 32], &[0; 32]), "derived", &Sha256::new());
    let handshake = extract(&early, secret.diffie_hellman(&point(&hello)).raw_secret_bytes());
    let traffic = derive(&handshake, "s hs traffic", &transcript);
    let mut keys = Keys::new(&traffic);

    for step in moves {
        let message = match step {
            Move::Extensions => message(8, &[0, 0]),
            Move::Certificate(list) => {
                let entry = |der: Vec<u8>| [&u24(der.len())[..], &der, &[0, 0]].concat();
                let list: Vec<u8> = list.into_iter().flat_map(entry).collect();
                message(11, &[&[0][..], &u24(list.len()), &list].concat())
            }
            Move::Verify(key, scheme, good) => {
                let context = b"TLS 1.3, server CertificateVerify\0";
                let content = [&[0x20; 64][..], context, &transcript.clone().finalize()].concat();
                let signature: DerSignature = key.sign(&content);
                let mut signature = signature.as_bytes().to_vec();
                *signature.last_mut().unwrap() ^= u8::from(!good);
                message(15, &[&scheme.to_be_bytes()[..], &[0, signature.len() as u8], &signature].concat())
            }
            Move::Finished => {
                let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&expand(&traffic, "finished", &[], 32)).unwrap();
                Mac::update(&mut mac, &transcript.clone().finalize());
                message(20, &mac.finalize().into_bytes())
            }
            Move::Protected(kind, content) => {
                let _ = stream.write_all(&keys.seal(&content, Some(kind)));
                continue;
            }
            Move::Empty => {
                let _ = stream.write_all(&keys.seal(&[], None));
                continue;
            }
            Move::Raw(bytes) => {
                let _ = stream.write_all(&bytes);
                continue;
            }
        };
        transcript.update(&message);
        // A client that has seen enough may be gone.
        let _ = stream.write_all(&keys.seal(&message, Some(22)));
        if message[0] == 20 {
            let main = extract(&derive(&handshake, "derived", &Sha256::new()), &[0; 32]);
            keys = Keys::new(&derive(&main, "s ap traffic", &transcript));
        }
    }
    std::iter::from_fn(|| record(&mut stream)).count()
}

fn u24(length: usize) -> [u8; 3] {
    [0, (length >> 8) as u8, length as u8]
}
