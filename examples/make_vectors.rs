//! Writes the test vectors: `cargo run --example make_vectors --features pack`. They are in the repository,
//! and `tests/vectors.rs`, which shares this code, says when they differ from what this would write.
//!
//! Every byte is made by hand from `docs/format.md`: of the crate it uses SHA-256, P-256 and the reader of
//! PEM files, nothing that knows the format. A bad vector breaks one rule. Where that rule is about signed
//! bytes, the signature is right.
#![allow(dead_code)] // the test uses a part of it

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use lockgate::pack::{public_key_pem, Signer, SigningKey};
use lockgate::{Digest, Sha2, Sha256};

/// What a device takes; what it refuses; what keeps every rule and is not for the device of
/// `tests/vectors.rs`.
pub(crate) const FOLDERS: [&str; 3] = ["good", "bad", "format-only"];
pub(crate) const VENDOR: &str = "6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4";
pub(crate) const CLASS: &str = "0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80";
/// What the device in `tests/vectors.rs` runs and has room for.
pub(crate) const RUNNING_IMAGE: &[u8] = b"the image that runs";
pub(crate) const RUNNING_COUNTER: u32 = 5;
pub(crate) const SLOT_CAPACITY: u32 = 2 * 1024;
/// Bytes of its block buffer.
pub(crate) const BUFFER: usize = 1024;

const CRITICAL: u16 = 0x8000;
/// Where elements of the vendor's own begin; not critical, one of them fills bodies up to their least length.
const PRIVATE: u16 = 0x7000;
const ES256: u16 = 1;

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    for folder in FOLDERS {
        let folder = root.join(folder);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(folder)?;
    }
    let (mut count, mut bytes) = (0, 0);
    for (path, content) in files() {
        fs::write(root.join(path), &content)?;
        (count, bytes) = (count + 1, bytes + content.len());
    }
    println!("{count} files, {bytes} bytes");
    Ok(())
}

/// A file and what is to become of it.
pub(crate) struct Vector {
    pub(crate) folder: &'static str,
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    /// Whether it is bad, or ends, in front of block 0.
    pub(crate) is_head: bool,
    /// Where the update begins.
    pub(crate) update: usize,
    /// The image that was packed.
    pub(crate) image: Vec<u8>,
    pub(crate) threshold: u8,
    /// The keys that are trusted: letters.
    pub(crate) keys: &'static str,
    /// The refusal, as Rust's `Debug` writes it (its name alone in `format-only`); empty if there is none.
    pub(crate) refusal: String,
    pub(crate) what: &'static str,
    pub(crate) fields: Option<Fields>,
}

/// What a manifest says, as it stands in the `.json` beside a vector.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) vendor: String,
    pub(crate) class: String,
    pub(crate) component: u16,
    pub(crate) version: String,
    pub(crate) security_counter: u32,
    pub(crate) image_size: u32,
    pub(crate) image_digest: String,
    pub(crate) block_size: u32,
    pub(crate) payload_length: u32,
    pub(crate) first_block_hash: String,
    /// In JSON.
    pub(crate) encoding: String,
    pub(crate) base_image: Option<(u32, String)>,
    pub(crate) load_address: Option<u32>,
    pub(crate) manifest_digest: String,
    pub(crate) blocks: u32,
    pub(crate) key_ids: Vec<String>,
    pub(crate) key_sets: usize,
}

impl Fields {
    /// One field a line, ending with whom the vector asks to trust.
    pub(crate) fn json(&self, threshold: u8, keys: &str) -> String {
        let quoted =
            |values: &[String]| values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(", ");
        let or_null = |value: Option<String>| value.unwrap_or_else(|| "null".into());
        let base =
            self.base_image.as_ref().map(|(size, digest)| format!("{{\"size\": {size}, \"digest\": \"{digest}\"}}"));
        let keys: Vec<String> = keys.chars().map(|key| format!("test-key-{key}")).collect();
        let mut json = String::from("{\n");
        let mut put = |name: &str, value: &dyn std::fmt::Display| _ = writeln!(json, "  \"{name}\": {value},");
        put("vendor", &format_args!("\"{}\"", self.vendor));
        put("class", &format_args!("\"{}\"", self.class));
        put("component", &self.component);
        put("version", &format_args!("\"{}\"", self.version));
        put("security_counter", &self.security_counter);
        put("image_size", &self.image_size);
        put("image_digest", &format_args!("\"{}\"", self.image_digest));
        put("block_size", &self.block_size);
        put("payload_length", &self.payload_length);
        put("first_block_hash", &format_args!("\"{}\"", self.first_block_hash));
        put("encoding", &self.encoding);
        put("base_image", &or_null(base));
        put("load_address", &or_null(self.load_address.map(|address| address.to_string())));
        put("manifest_digest", &format_args!("\"{}\"", self.manifest_digest));
        put("blocks", &self.blocks);
        put("key_ids", &format_args!("[{}]", quoted(&self.key_ids)));
        put("key_sets", &self.key_sets);
        let _ = write!(json, "  \"trust\": {{\"threshold\": {threshold}, \"keys\": [{}]}}\n}}\n", quoted(&keys));
        json
    }
}

/// Every generated file, by its path under `tests/vectors`.
pub(crate) fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (name, key) in ['a', 'b', 'c'].map(|name| (name, Key::test(name))) {
        let public = public_key_pem(&key.0.public_key()).expect("a point of the curve");
        files.insert(format!("test-key-{name}.pem"), key.0.to_pem().as_ref().into());
        files.insert(format!("test-key-{name}.pub.pem"), public.into_bytes());
    }
    for vector in all() {
        let path = format!("{}/{}", vector.folder, vector.name);
        if let Some(fields) = &vector.fields {
            files.insert(format!("{path}.json"), fields.json(vector.threshold, vector.keys).into_bytes());
        }
        if !vector.refusal.is_empty() {
            let list = files
                .entry(format!("{}/LIST.tsv", vector.folder))
                .or_insert_with(|| b"file\tthreshold\tkeys\trefusal\twhat\n".into());
            let Vector { name, threshold, keys, refusal, what, .. } = &vector;
            list.extend(format!("{name}.lgu\t{threshold}\t{keys}\t{refusal}\t{what}\n").bytes());
        }
        let twice = files.insert(format!("{path}.lgu"), vector.bytes);
        assert!(twice.is_none(), "two vectors are called {path}");
    }
    files
}

/// Every vector.
pub(crate) fn all() -> Vec<Vector> {
    let mut all = Vec::new();
    good(&mut all);
    format_only(&mut all);
    bad_preludes(&mut all);
    bad_elements(&mut all);
    bad_encodings(&mut all);
    bad_sections(&mut all);
    bad_signatures(&mut all);
    bad_payloads(&mut all);
    bad_sequences(&mut all);
    all
}

// ---- keys ----

struct Key(SigningKey);

impl Key {
    /// A key that anyone can make again and nobody may trust. The number is the first whose key id begins
    /// with `dddd`, by which tools tell a bench key.
    fn test(name: char) -> Self {
        let number = match name {
            'a' => 52924,
            'b' => 58573,
            _ => 79438,
        };
        let scalar = sha256(format!("lockgate test key {name}, never to be trusted: {number}").as_bytes());
        // PKCS#8: version, id-ecPublicKey on prime256v1, ECPrivateKey of version 1.
        let mut der = b"\x30\x41\x02\x01\0\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01".to_vec();
        der.extend(b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x04\x27\x30\x25\x02\x01\x01\x04\x20");
        der.extend(scalar);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", base64(&der));
        Self(SigningKey::from_pem(&pem).expect("a private key"))
    }

    fn point(&self) -> [u8; 64] {
        self.0.public_key().0
    }

    fn id(&self) -> [u8; 8] {
        sha256(&[&[4], &self.point()[..]].concat())[..8].try_into().expect("8 bytes")
    }

    /// r || s over domain, prelude and body.
    fn sign(&self, domain: &str, signed: &[u8]) -> [u8; 64] {
        self.sign_digest(sha256(&[&padded(domain), signed].concat()))
    }

    fn sign_digest(&self, digest: [u8; 32]) -> [u8; 64] {
        self.0.clone().sign(&Digest(digest)).expect("a signature")
    }
}

/// In lines of 64, as PEM has it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<char> = bytes
        .chunks(3)
        .flat_map(|chunk| {
            let word = chunk.iter().fold(0, |word, byte| word << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
            [18, 12, 6, 0].into_iter().enumerate().map(move |(i, shift)| {
                if i > chunk.len() {
                    '='
                } else {
                    DIGITS[word >> shift & 63].into()
                }
            })
        })
        .collect();
    digits.chunks(64).map(|line| line.iter().collect::<String>()).collect::<Vec<_>>().join("\n")
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha2::new();
    hash.update(bytes);
    hash.finish().0
}

fn padded(domain: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..domain.len()].copy_from_slice(domain.as_bytes());
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn uuid(text: &str) -> Vec<u8> {
    let digits = text.replace('-', "");
    (0..16).map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).expect("a UUID")).collect()
}

fn uuid_text(bytes: &[u8]) -> String {
    [0..4, 4..6, 6..8, 8..10, 10..16].map(|range| hex(&bytes[range])).join("-")
}

/// Bytes that look like nothing in particular.
fn noise(len: usize) -> Vec<u8> {
    (0..len.div_ceil(32)).flat_map(|i| sha256(format!("lockgate noise {i}").as_bytes())).take(len).collect()
}

// ---- objects ----

const UPDATE_DOMAIN: &str = "lockgate update ES256 v1";
const KEY_SET_DOMAIN: &str = "lockgate key set ES256 v1";
const MAGIC: [u8; 8] = [0x89, 0x4C, 0x47, 0x55, 0x0D, 0x0A, 0x1A, 0x0A];

fn prelude(object: u8, body: usize) -> Vec<u8> {
    let length = (body as u16).to_le_bytes();
    [&MAGIC[..], &[1, object, 0, 0], &length, &[0, 0]].concat()
}

fn element(kind: u16, value: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(value.len() as u16).to_le_bytes(), value].concat()
}

fn entry(algorithm: u16, id: &[u8; 8], signature: &[u8]) -> Vec<u8> {
    [&algorithm.to_le_bytes()[..], id, &(signature.len() as u16).to_le_bytes(), signature].concat()
}

/// A signature section of these entries, in this order.
fn section(entries: &[Vec<u8>]) -> Vec<u8> {
    let entries = entries.concat();
    [&(entries.len() as u16).to_le_bytes()[..], &entries].concat()
}

/// How the chain's hashes are made; the page's way, or one that is wrong in one thing.
#[derive(Clone, Copy, PartialEq)]
enum Chain {
    Right,
    Mark,
    IndexFromOne,
    Length,
    NeverLast,
    AlwaysLast,
    Reserved,
    LastLinked,
    WithoutLink,
}

/// The payload with its links, and the hash of block 0.
fn chain(payload: &[u8], block: usize, how: Chain) -> (Vec<u8>, [u8; 32]) {
    let (mut parts, mut next) = (Vec::new(), None);
    for (index, data) in payload.chunks(block).enumerate().rev() {
        let link: Vec<u8> = match next {
            Some(hash) => <[u8; 32]>::into(hash),
            None if how == Chain::LastLinked => vec![0; 32],
            None => Vec::new(),
        };
        let last = match how {
            Chain::NeverLast => false,
            Chain::AlwaysLast => true,
            _ => next.is_none(),
        };
        let mut hashed = if how == Chain::Mark { b"LGB2".to_vec() } else { b"LGB1".to_vec() };
        hashed.extend((index as u32 + u32::from(how == Chain::IndexFromOne)).to_le_bytes());
        let linked = if how == Chain::Length { link.len() } else { 0 };
        hashed.extend(((data.len() + linked) as u32).to_le_bytes());
        hashed.extend([u8::from(last), 0, 0, u8::from(how == Chain::Reserved)]);
        hashed.extend(data);
        if how != Chain::WithoutLink {
            hashed.extend(&link);
        }
        next = Some(sha256(&hashed));
        parts.push([data, &link].concat());
    }
    parts.reverse();
    (parts.concat(), next.unwrap_or([0; 32]))
}

/// An update in the making.
#[derive(Clone)]
struct Update {
    elements: Vec<(u16, Vec<u8>)>,
    /// Bytes of the body behind the elements.
    tail: Vec<u8>,
    image: Vec<u8>,
    payload: Vec<u8>,
}

impl Update {
    /// The elements that every update has.
    fn new(image: &[u8], block: usize) -> Self {
        Self::chained(image, block, Chain::Right)
    }

    fn chained(image: &[u8], block: usize, how: Chain) -> Self {
        let (payload, first) = chain(image, block, how);
        let size = (image.len() as u32).to_le_bytes();
        Self { elements: Vec::new(), tail: Vec::new(), image: image.into(), payload }
            .set(1, &uuid(VENDOR))
            .set(2, &uuid(CLASS))
            .set(4, &[1, 2, 3, 0, 0, 0, 0, 0])
            .set(5, &7u32.to_le_bytes())
            .set(6, &size)
            .set(7, &sha256(image))
            .set(8, &[block.trailing_zeros() as u8])
            .set(9, &size)
            .set(10, &first)
    }

    /// What most bad vectors start from: one small block.
    fn victim() -> Self {
        Self::new(&noise(4), 256)
    }

    /// The element, in its place and critical.
    fn set(self, number: u16, value: &[u8]) -> Self {
        self.put(CRITICAL | number, value)
    }

    /// The element of this type, in its number's place, instead of one that may be there.
    fn put(mut self, kind: u16, value: &[u8]) -> Self {
        self = self.without(kind & !CRITICAL);
        self.elements.push((kind, value.into()));
        self.elements.sort_by_key(|(kind, _)| kind & !CRITICAL);
        self
    }

    fn without(mut self, number: u16) -> Self {
        self.elements.retain(|(kind, _)| kind & !CRITICAL != number);
        self
    }

    /// With bytes behind the last element.
    fn tail(mut self, tail: &[u8]) -> Self {
        self.tail = tail.into();
        self
    }

    /// The body filled up to `bytes`.
    fn fill(self, bytes: usize) -> Self {
        let filler = bytes - self.clone().without(PRIVATE).body().len() - 4;
        self.put(PRIVATE, &vec![0xAA; filler])
    }

    fn body(&self) -> Vec<u8> {
        self.elements.iter().flat_map(|(kind, value)| element(*kind, value)).chain(self.tail.clone()).collect()
    }

    fn signed(&self) -> Vec<u8> {
        let body = self.body();
        [prelude(2, body.len()), body].concat()
    }

    /// The entry of a test key.
    fn by(&self, name: char) -> Vec<u8> {
        self.entry(name, &Key::test(name).sign(UPDATE_DOMAIN, &self.signed()))
    }

    fn entry(&self, name: char, signature: &[u8]) -> Vec<u8> {
        entry(ES256, &Key::test(name).id(), signature)
    }

    /// The package, signed by these keys.
    fn signed_by(&self, names: &str) -> Vec<u8> {
        self.with(&names.chars().map(|name| self.by(name)).collect::<Vec<_>>())
    }

    /// The package with these signature entries, put in order.
    fn with(&self, entries: &[Vec<u8>]) -> Vec<u8> {
        let mut entries = entries.to_vec();
        entries.sort_by_key(|entry| (u16::from_le_bytes([entry[0], entry[1]]), entry[2..10].to_vec()));
        self.with_section(&section(&entries))
    }

    fn with_section(&self, section: &[u8]) -> Vec<u8> {
        [&self.signed()[..], section, &self.payload].concat()
    }

    fn value(&self, number: u16) -> Option<&[u8]> {
        self.elements.iter().find(|(kind, _)| kind & !CRITICAL == number).map(|(_, value)| &value[..])
    }

    fn number(&self, number: u16) -> Option<u32> {
        let mut bytes = [0; 4];
        let value = self.value(number)?;
        bytes[..value.len()].copy_from_slice(value);
        Some(u32::from_le_bytes(bytes))
    }

    fn fields(&self, section: &[u8], key_sets: usize) -> Fields {
        let part = |number: u16| self.value(number).unwrap_or_default();
        let number = |element: u16| self.number(element).unwrap_or_default();
        let version = part(4);
        let build = u32::from_le_bytes(version[4..].try_into().expect("4 bytes"));
        let (block_size, payload_length) = (1 << part(8)[0], number(9));
        Fields {
            vendor: uuid_text(part(1)),
            class: uuid_text(part(2)),
            component: number(3) as u16,
            version: format!("{}.{}.{}", version[0], version[1], u16::from_le_bytes([version[2], version[3]]))
                + &if build > 0 { format!("+{build}") } else { String::new() },
            security_counter: number(5),
            image_size: number(6),
            image_digest: hex(part(7)),
            block_size,
            payload_length,
            first_block_hash: hex(part(10)),
            encoding: match *part(11) {
                [1, window, lookahead] => {
                    format!("{{\"name\": \"heatshrink\", \"window\": {window}, \"lookahead\": {lookahead}}}")
                }
                [2, 0] => "{\"name\": \"delta\"}".into(),
                [2, 1, window, lookahead] => {
                    format!("{{\"name\": \"delta\", \"window\": {window}, \"lookahead\": {lookahead}}}")
                }
                _ => "\"raw\"".into(),
            },
            base_image: self
                .value(12)
                .map(|base| (u32::from_le_bytes(base[..4].try_into().expect("4 bytes")), hex(&base[4..]))),
            load_address: self.number(13),
            manifest_digest: hex(&sha256(&self.signed())),
            blocks: payload_length.div_ceil(block_size),
            key_ids: key_ids(section),
            key_sets,
        }
    }
}

/// The key ids of a well-formed section.
fn key_ids(section: &[u8]) -> Vec<String> {
    let (mut ids, mut rest) = (Vec::new(), &section[2..]);
    while !rest.is_empty() {
        ids.push(hex(&rest[2..10]));
        rest = &rest[12 + usize::from(u16::from_le_bytes([rest[10], rest[11]]))..];
    }
    ids
}

/// A key set that holds the test key a with both roles, signed by it.
fn key_set(version: u32) -> Vec<u8> {
    let key = [&[3][..], &Key::test('a').point()].concat();
    let body = [
        element(0x8001, &uuid(VENDOR)),
        element(0x8002, &uuid(CLASS)),
        element(0x8003, &version.to_le_bytes()),
        element(0x8004, &[1]),
        element(0x8005, &[1]),
        element(0x8006, &key),
    ]
    .concat();
    signed_key_set(&body)
}

fn signed_key_set(body: &[u8]) -> Vec<u8> {
    let signed = [&prelude(1, body.len())[..], body].concat();
    let key = Key::test('a');
    let section = section(&[entry(ES256, &key.id(), &key.sign(KEY_SET_DOMAIN, &signed))]);
    [signed, section].concat()
}

// ---- packages that a device takes ----

struct Good<'v> {
    all: &'v mut Vec<Vector>,
    folder: &'static str,
}

impl Good<'_> {
    /// Adds `update` behind `front` (key sets), with these entries.
    #[allow(clippy::too_many_arguments)]
    fn add(
        &mut self,
        name: &'static str,
        what: &'static str,
        update: &Update,
        entries: &[Vec<u8>],
        front: &[Vec<u8>],
        (threshold, keys): (u8, &'static str),
        refusal: &str,
    ) {
        let (key_sets, front) = (front.len(), front.concat());
        let package = update.with(entries);
        let head = package.len() - update.payload.len();
        let section = &package[update.signed().len()..head];
        self.all.push(Vector {
            folder: self.folder,
            name,
            is_head: false,
            update: front.len(),
            image: update.image.clone(),
            threshold,
            keys,
            refusal: refusal.into(),
            what,
            fields: Some(update.fields(section, key_sets)),
            bytes: [front, package].concat(),
        });
    }

    fn raw(&mut self, name: &'static str, update: &Update) {
        self.add(name, "", update, &[update.by('a')], &[], (1, "a"), "");
    }
}

fn good(all: &mut Vec<Vector>) {
    let mut good = Good { all, folder: "good" };
    good.raw("one-byte", &Update::new(&[0x5A], 256));
    good.raw("one-block-less-a-byte", &Update::new(&noise(255), 256));
    good.raw("one-block-exactly", &Update::new(&noise(256), 256));
    good.raw("one-block-and-a-byte", &Update::new(&noise(257), 256));
    good.raw("blocks-of-256", &Update::new(&noise(1100), 256));
    good.raw("blocks-of-512", &Update::new(&noise(1100), 512));
    good.raw("blocks-of-1024", &Update::new(&noise(1100), 1024));
    good.raw("two-blocks-exactly-and-alike", &Update::new(&[0xFF; 512], 256));

    let small = Update::new(&noise(40), 256);
    good.raw("component", &small.clone().set(3, &[3, 0]));
    good.raw("component-greatest", &small.clone().set(3, &[0xFF, 0xFF]));
    good.raw("load-address", &small.clone().set(13, &0x0802_0000u32.to_le_bytes()));
    good.raw("load-address-zero", &small.clone().set(13, &[0; 4]));
    good.raw("build-number", &small.clone().set(4, &[1, 2, 3, 0, 10, 0, 0, 0]));
    good.raw("version-and-counter-greatest", &small.clone().set(4, &[0xFF; 8]).set(5, &[0xFF; 4]));
    good.raw("private-element", &small.clone().put(0x7001, b"for the application"));
    good.raw("private-elements-at-both-ends", &small.clone().put(0x7000, &[]).put(0x7FFF, b"last"));
    good.raw("text", &small.clone().put(17, "caf\u{e9} \u{2603}".as_bytes()));
    good.raw("unknown-elements", &small.clone().put(18, &[1; 5]).put(0x6FFF, &[]));
    good.raw("manifest-least", &small);
    good.raw("manifest-greatest", &small.clone().fill(512));

    let mut add = |name, what, update: &Update, entries: &[Vec<u8>], front: &[Vec<u8>], trust| {
        good.add(name, what, update, entries, front, trust, "");
    };
    let (a, b, c) = (small.by('a'), small.by('b'), small.by('c'));
    add("two-signers", "", &small, &[a.clone(), b.clone()], &[], (2, "ab"));
    add("two-signers-one-needed", "", &small, &[a.clone(), b.clone()], &[], (1, "ab"));
    add("one-signer-of-two-trusted", "", &small, std::slice::from_ref(&b), &[], (1, "ab"));
    add("three-signers-one-stranger", "", &small, &[a.clone(), b, c], &[], (2, "ab"));
    let wrong = |name| small.entry(name, &[0x11; 64]);
    add("stranger-whose-signature-is-wrong", "", &small, &[a.clone(), wrong('c')], &[], (1, "a"));
    let a_id = Key::test('a').id();
    add("algorithm-unknown", "", &small, &[a.clone(), entry(0x0200, &[7; 8], &[0x22; 100])], &[], (1, "a"));
    add("algorithm-zero", "", &small, &[entry(0, &[0xFF; 8], &[0x22]), a.clone()], &[], (1, "a"));
    add("algorithm-unknown-trusted-id", "", &small, &[a.clone(), entry(2, &a_id, &[0; 64])], &[], (1, "a"));
    let mut many: Vec<_> = (0..31).map(|i| entry(0xFF00, &[i; 8], &[i])).collect();
    many.push(a.clone());
    add("entries-most", "", &small, &many, &[], (1, "a"));
    let (low, high) = low_and_high(&Key::test('a').sign(UPDATE_DOMAIN, &small.signed()));
    add("signature-low-s", "", &small, &[small.entry('a', &low)], &[], (1, "a"));
    add("signature-high-s", "", &small, &[small.entry('a', &high)], &[], (1, "a"));
    add("key-set-in-front", "", &small, std::slice::from_ref(&a), &[key_set(1)], (1, "a"));
    add("key-sets-in-front", "", &small, std::slice::from_ref(&a), &[key_set(1), key_set(2)], (1, "a"));
    let sets: Vec<_> = (1..=16).map(key_set).collect();
    add("key-sets-most", "", &small, &[a], &sets, (1, "a"));
}

/// A package whose signature section has so many bytes, most of them in an unknown entry. (Not among the
/// files: it is large.)
pub(crate) fn with_section_of(bytes: usize) -> Vec<u8> {
    let update = Update::new(&noise(40), 256);
    let a = update.by('a');
    let long = entry(0x0300, &[0; 8], &vec![0; bytes - a.len() - 12]);
    update.with(&[a, long])
}

/// The signature with s and n - s, the smaller first.
fn low_and_high(signature: &[u8; 64]) -> ([u8; 64], [u8; 64]) {
    let (mut other, mut borrow) = (*signature, 0);
    for i in (0..32).rev() {
        let difference = i16::from(ORDER[i]) - i16::from(signature[32 + i]) - borrow;
        borrow = i16::from(difference < 0);
        other[32 + i] = difference as u8;
    }
    (*signature.min(&other), *signature.max(&other))
}

/// n, the order of P-256.
const ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, //
    0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

// ---- packages that keep every rule of the format, and that this device refuses ----

fn format_only(all: &mut Vec<Vector>) {
    let mut only = Good { all, folder: "format-only" };
    let mut add = |name, what, update: &Update, refusal: &str| {
        only.add(name, what, update, &[update.by('a')], &[], (1, "a"), refusal);
    };
    let small = Update::new(&noise(300), 256);
    // The image such a payload is said to decode to: nobody looks, its bytes are arbitrary.
    let decoded = small.clone().set(6, &1000u32.to_le_bytes()).set(7, &sha256(&noise(1000)));
    let base = [&500u32.to_le_bytes()[..], &sha256(&noise(500))].concat();
    let delta = decoded.clone().set(12, &base);
    let mut encoding = |name, update: &Update, value: &[u8]| {
        add(name, "an encoding whose streams are not defined yet", &update.clone().set(11, value), "Encoding");
    };
    encoding("heatshrink-least", &decoded, &[1, 8, 3]);
    encoding("heatshrink-greatest", &decoded, &[1, 11, 10]);
    encoding("heatshrink-lookahead-next-to-window", &decoded, &[1, 8, 7]);
    encoding("heatshrink-image-as-long-as-payload", &small, &[1, 9, 4]);
    encoding("delta", &delta, &[2, 0]);
    encoding("delta-heatshrink-least", &delta, &[2, 1, 8, 3]);
    encoding("delta-heatshrink-greatest", &delta, &[2, 1, 11, 10]);
    encoding("delta-base-greatest", &delta.clone().set(12, &[&[0xFF, 0xFF, 0xFF, 0x7F], &base[4..]].concat()), &[2, 0]);

    let other = uuid("ffffffff-3f5b-4a51-9d2c-6a3f5d1e7b80");
    add("device-vendor", "another vendor's devices", &small.clone().set(1, &other), "WrongVendor");
    add("device-class", "another class of devices", &small.clone().set(2, &other), "WrongClass");
    let counter = small.clone().set(5, &(RUNNING_COUNTER - 1).to_le_bytes()).set(4, &[0xFF; 8]);
    add("device-security-counter", "below the device's", &counter, "SecurityCounter");
    let equal = small.set(5, &RUNNING_COUNTER.to_le_bytes());
    let version = equal.clone().set(4, &[0, 9, 0, 0, 0, 0, 0, 0]);
    add("device-version", "below the running one, counter equal", &version, "Downgrade");
    let build = equal.set(4, &[1, 0, 0, 0, 0, 0, 0, 0]);
    add("device-build", "build number below the running one, counter equal", &build, "Downgrade");
    let running = Update::new(RUNNING_IMAGE, 256).set(5, &RUNNING_COUNTER.to_le_bytes());
    add("device-running", "the image that runs, counter equal", &running, "AlreadyRunning");
    let large = Update::new(&noise(SLOT_CAPACITY as usize + 1), 1024);
    add("device-slot", "an image one byte too large", &large, "ImageTooLarge");
    add("device-buffer", "blocks too large", &Update::new(&noise(40), 2048), "BlockTooLarge");
    add("block-size-greatest", "blocks too large", &Update::new(&noise(40), 65_536), "BlockTooLarge");
}

// ---- packages that break a rule ----

/// Bad vectors that a device with key a refuses.
struct Bad<'v>(&'v mut Vec<Vector>);

impl Bad<'_> {
    /// One that is refused in front of the payload.
    fn head(&mut self, name: &'static str, what: &'static str, bytes: Vec<u8>, refusal: impl Into<String>) {
        self.trust(name, what, bytes, (1, "a"), &refusal.into());
    }

    /// One whose elements are bad; its signature is right.
    fn body(&mut self, name: &'static str, what: &'static str, update: &Update, refusal: impl Into<String>) {
        self.head(name, what, update.signed_by("a"), refusal);
    }

    /// One of another trust.
    fn trust(
        &mut self,
        name: &'static str,
        what: &'static str,
        bytes: Vec<u8>,
        trust: (u8, &'static str),
        refusal: &str,
    ) {
        self.push(name, what, bytes, None, trust, refusal);
    }

    /// One with a right head and a wrong payload.
    fn payload(&mut self, name: &'static str, what: &'static str, update: &Update, payload: Vec<u8>, refusal: &str) {
        let package = update.signed_by("a");
        let head = package.len() - update.payload.len();
        let bytes = [&package[..head], &payload].concat();
        self.push(name, what, bytes, Some(&update.image), (1, "a"), refusal);
    }

    fn push(
        &mut self,
        name: &'static str,
        what: &'static str,
        bytes: Vec<u8>,
        image: Option<&Vec<u8>>,
        (threshold, keys): (u8, &'static str),
        refusal: &str,
    ) {
        self.0.push(Vector {
            folder: "bad",
            name,
            bytes,
            is_head: image.is_none(),
            update: 0,
            image: image.cloned().unwrap_or_default(),
            threshold,
            keys,
            refusal: refusal.into(),
            what,
            fields: None,
        });
    }
}

fn element_fault(number: u16) -> String {
    format!("Malformed(Element {{ number: {number} }})")
}

fn unknown(number: u16) -> String {
    format!("UnknownElement {{ number: {number} }}")
}

fn missing(number: u16) -> String {
    format!("Malformed(Missing {{ number: {number} }})")
}

/// A name that lives as long as the program, for vectors made in loops.
fn text(text: String) -> &'static str {
    text.leak()
}

fn bad_preludes(all: &mut Vec<Vector>) {
    let mut bad = Bad(all);
    let update = Update::victim();
    // The prelude is signed: it is changed first.
    let changed = |at: usize, value: u8| {
        let mut signed = update.signed();
        signed[at] = value;
        let signature = Key::test('a').sign(UPDATE_DOMAIN, &signed);
        [signed, section(&[update.entry('a', &signature)]), update.payload.clone()].concat()
    };
    bad.head("prelude-magic-first", "first byte without bit 7", changed(0, 0x09), "NotAPackage");
    bad.head("prelude-magic-last", "last byte of the magic", changed(7, 0x0B), "NotAPackage");
    let package = update.signed_by("a");
    let text_mode = [&package[..4], &package[5..]].concat();
    bad.head("prelude-magic-text-mode", "CR LF became LF", text_mode, "NotAPackage");
    bad.head("prelude-version-0", "format version 0", changed(8, 0), "FormatVersion { found: 0 }");
    bad.head("prelude-version-2", "format version 2", changed(8, 2), "FormatVersion { found: 2 }");
    bad.head("prelude-type-0", "object type 0", changed(9, 0), "ObjectType { found: 0 }");
    bad.head("prelude-type-3", "object type 3, an index", changed(9, 3), "ObjectType { found: 3 }");
    bad.head("prelude-type-255", "object type 255", changed(9, 255), "ObjectType { found: 255 }");
    for at in [10, 11, 14, 15] {
        let name = text(format!("prelude-reserved-{at}"));
        bad.head(name, "a reserved byte is 1", changed(at, 1), "Malformed(Reserved)");
    }
    let body = |bytes: Vec<u8>| {
        let signed = [prelude(2, bytes.len()), bytes].concat();
        let signature = Key::test('a').sign(UPDATE_DOMAIN, &signed);
        [signed, section(&[update.entry('a', &signature)]), update.payload.clone()].concat()
    };
    let full = Update::new(&update.image, 256).body();
    let length = "Malformed(BodyLength)";
    bad.head("body-empty", "body of 0 bytes", body(Vec::new()), length);
    bad.head(
        "body-152",
        "body of 152 bytes: the last byte of its last element is not there",
        body(full[..152].into()),
        length,
    );
    bad.head("body-513", "body of 513 bytes", body(update.clone().fill(513).body()), length);
}

fn bad_elements(all: &mut Vec<Vector>) {
    let mut bad = Bad(all);
    // A value of the vendor's own keeps bodies from being too short where another is missing.
    let victim = Update::victim().put(PRIVATE, &[0xAA; 32]);
    let base = [&500u32.to_le_bytes()[..], &sha256(&noise(500))].concat();
    // Every known element, with the update that it belongs into.
    let heatshrink = victim.clone().set(11, &[1, 8, 4]);
    let delta = victim.clone().set(11, &[2, 0]).set(12, &base);
    let known: Vec<(u16, Update)> = (1..=13)
        .map(|number| {
            let update = match number {
                3 => victim.clone().set(3, &[3, 0]),
                11 => heatshrink.clone(),
                12 => delta.clone(),
                13 => victim.clone().set(13, &[0; 4]),
                _ => victim.clone(),
            };
            (number, update)
        })
        .collect();
    for (number, update) in &known {
        let value = update.value(*number).expect("present").to_vec();
        let name = |how: &str| text(format!("element-{number:02}-{how}"));
        if ![3, 11, 12, 13].contains(number) {
            bad.body(
                name("missing"),
                "a mandatory element is missing",
                &update.clone().without(*number),
                missing(*number),
            );
        }
        let fault = element_fault(*number);
        bad.body(name("not-critical"), "without its critical bit", &update.clone().put(*number, &value), &fault[..]);
        let short = &value[..value.len() - 1];
        bad.body(name("short"), "a value one byte too short", &update.clone().set(*number, short), &fault[..]);
        let long = [&value[..], &[0]].concat();
        bad.body(name("long"), "a value one byte too long", &update.clone().set(*number, &long), &fault[..]);
        let mut twice = update.clone();
        let at = twice.elements.iter().position(|(kind, _)| kind & !CRITICAL == *number).expect("present");
        twice.elements.insert(at, twice.elements[at].clone());
        bad.body(name("twice"), "the same element again", &twice, "Malformed(ElementOrder)");
        let mut swapped = update.clone();
        swapped.elements.swap(at, at + 1);
        let refusal =
            if [3, 11, 12, 13].contains(number) { "Malformed(ElementOrder)".into() } else { missing(*number) };
        bad.body(name("behind-its-next"), "changed places with the next element", &swapped, refusal);
    }

    let fault = |bad: &mut Bad<'_>, name, what, update: &Update, number| {
        bad.body(name, what, update, element_fault(number));
    };
    let too_large = 0x8000_0000u32.to_le_bytes();
    fault(&mut bad, "component-zero", "component 0 on the wire", &victim.clone().set(3, &[0, 0]), 3);
    fault(&mut bad, "image-size-zero", "image of 0 bytes", &heatshrink.clone().set(6, &[0; 4]), 6);
    fault(&mut bad, "image-size-2-31", "image of 2^31 bytes", &heatshrink.clone().set(6, &too_large), 6);
    for exponent in [0, 7, 17, 255] {
        let name = text(format!("block-size-{exponent}"));
        fault(&mut bad, name, "block size exponent out of range", &victim.clone().set(8, &[exponent]), 8);
    }
    let mut empty = heatshrink.clone().set(9, &[0; 4]);
    empty.payload.clear();
    fault(&mut bad, "payload-length-zero", "payload of 0 bytes", &empty, 9);
    fault(
        &mut bad,
        "payload-length-2-31",
        "payload of 2^31 bytes (not all there)",
        &heatshrink.clone().set(9, &too_large),
        9,
    );
    fault(&mut bad, "payload-length-raw-less", "raw, image size one more", &victim.clone().set(6, &[5, 0, 0, 0]), 9);
    fault(&mut bad, "payload-length-raw-more", "raw, image size one less", &victim.clone().set(6, &[3, 0, 0, 0]), 9);
    fault(&mut bad, "base-image-with-raw", "base image, and raw", &victim.clone().set(12, &base), 12);
    fault(&mut bad, "base-image-with-heatshrink", "base image, and no delta", &heatshrink.clone().set(12, &base), 12);
    fault(&mut bad, "base-image-missing", "delta without base image", &delta.clone().without(12), 12);
    let compressed = victim.clone().set(11, &[2, 1, 8, 4]);
    fault(&mut bad, "base-image-missing-compressed", "compressed delta without base image", &compressed, 12);
    let sized = |size: [u8; 4]| delta.clone().set(12, &[&size, &base[4..]].concat());
    fault(&mut bad, "base-image-size-zero", "base image of 0 bytes", &sized([0; 4]), 12);
    fault(&mut bad, "base-image-size-2-31", "base image of 2^31 bytes", &sized(too_large), 12);

    for number in [14, 15, 16] {
        for (bit, how) in [(0, "not-critical"), (CRITICAL, "critical")] {
            let name = text(format!("element-{number}-{how}"));
            bad.body(name, "a reserved element", &victim.clone().put(bit | number, &[1]), unknown(number));
        }
    }
    bad.body("element-17-critical", "text that must be understood", &victim.clone().set(17, b"text"), unknown(17));
    for number in [18, 0x6FFF, 0x7001, 0x7FFF] {
        let name = text(format!("element-{number:#x}-critical"));
        bad.body(name, "unknown and critical", &victim.clone().set(number, &[1]), unknown(number));
    }
    let order = "Malformed(ElementOrder)";
    // In front of element 1 it would be read as element 1 that is missing.
    bad.body("element-0-last", "number 0, at the end", &victim.clone().tail(&element(0, &[1])), order);
    let mut zero = victim.clone();
    zero.elements.insert(0, (0, vec![1]));
    bad.body("element-0-first", "number 0, at the front", &zero, order);
    zero.elements[0].0 = CRITICAL;
    bad.body("element-0-first-critical", "number 0 and critical", &zero, order);
    let tail = element(PRIVATE, &[1]);
    bad.body("element-private-twice", "a private element again", &victim.clone().tail(&tail), order);
    let tail = element(0x6FFF, &[1]);
    bad.body("element-private-order", "an unknown element behind a greater one", &victim.clone().tail(&tail), order);
    for bytes in 1..=3 {
        let name = text(format!("element-header-cut-{bytes}"));
        let tail = &element(0x7001, &[])[..bytes];
        bad.body(name, "the body ends in an element's header", &victim.clone().tail(tail), "Malformed(ElementLength)");
    }
    let tail = &element(0x7001, &[1, 2, 3])[..6];
    bad.body("element-value-cut", "a value runs over the end", &victim.clone().tail(tail), "Malformed(ElementLength)");
    let mut tail = element(0x7001, &[1]);
    tail[2..4].copy_from_slice(&[0xFF, 0xFF]);
    bad.body("element-value-65535", "a value of 65535 bytes", &victim.clone().tail(&tail), "Malformed(ElementLength)");
    let cut = Update::new(&victim.image, 256).tail(&[0]);
    bad.body("element-body-and-a-byte", "one byte behind the last element", &cut, "Malformed(ElementLength)");
}

fn bad_encodings(all: &mut Vec<Vector>) {
    let mut bad = Bad(all);
    let victim = Update::victim();
    let base = [&500u32.to_le_bytes()[..], &sha256(&noise(500))].concat();
    let mut add = |name, what, value: &[u8]| {
        let update = if value[0] == 2 { victim.clone().set(12, &base) } else { victim.clone() };
        bad.body(name, what, &update.set(11, value), element_fault(11));
    };
    add("encoding-0", "raw is said by absence", &[0, 0]);
    add("encoding-0-long", "raw is said by absence", &[0, 8, 4]);
    add("encoding-3", "first byte 3", &[3, 8, 4]);
    add("encoding-255", "first byte 255", &[255, 0]);
    add("encoding-heatshrink-2-bytes", "no lookahead", &[1, 8]);
    add("encoding-heatshrink-4-bytes", "a byte too many", &[1, 8, 4, 0]);
    add("encoding-heatshrink-window-7", "window 7", &[1, 7, 4]);
    add("encoding-heatshrink-window-12", "window 12", &[1, 12, 4]);
    add("encoding-heatshrink-lookahead-2", "lookahead 2", &[1, 8, 2]);
    add("encoding-heatshrink-lookahead-8", "lookahead as large as the window", &[1, 8, 8]);
    add("encoding-heatshrink-lookahead-9", "lookahead larger than the window", &[1, 8, 9]);
    add("encoding-heatshrink-lookahead-11", "lookahead 11", &[1, 11, 11]);
    add("encoding-delta-1-byte", "no second byte", &[2]);
    add("encoding-delta-3-bytes", "not compressed, a byte too many", &[2, 0, 0]);
    add("encoding-delta-4-bytes", "not compressed, with parameters", &[2, 0, 8, 4]);
    add("encoding-delta-2", "second byte 2", &[2, 2]);
    add("encoding-delta-2-long", "second byte 2, with parameters", &[2, 2, 8, 4]);
    add("encoding-delta-heatshrink-2-bytes", "no parameters", &[2, 1]);
    add("encoding-delta-heatshrink-3-bytes", "no lookahead", &[2, 1, 8]);
    add("encoding-delta-heatshrink-window-7", "window 7", &[2, 1, 7, 4]);
    add("encoding-delta-heatshrink-window-12", "window 12", &[2, 1, 12, 4]);
    add("encoding-delta-heatshrink-lookahead-2", "lookahead 2", &[2, 1, 8, 2]);
    add("encoding-delta-heatshrink-lookahead-8", "lookahead as large as the window", &[2, 1, 8, 8]);
    add("encoding-delta-heatshrink-lookahead-11", "lookahead 11", &[2, 1, 11, 11]);
}

fn bad_sections(all: &mut Vec<Vector>) {
    let mut bad = Bad(all);
    // A payload of some length, so that who reads a whole entry header before he judges it finds one.
    let update = Update::new(&noise(40), 256);
    let (a, b) = (update.by('a'), update.by('b'));
    let mut ordered = [a.clone(), b.clone()];
    ordered.sort();
    let mut add = |name, what, entries: &[Vec<u8>], refusal: &str| {
        bad.head(name, what, update.with_section(&section(entries)), refusal);
    };
    add("section-0", "no entry", &[], "Malformed(SectionLength)");
    add("section-12", "12 bytes: an entry without a signature", &[entry(2, &[0; 8], &[])], "Malformed(SectionLength)");
    let length = "Malformed(EntryLength)";
    add("entry-length-0", "an unknown entry without a signature", &[a.clone(), entry(2, &[0; 8], &[])], length);
    add("entry-es256-63", "63 bytes of a trusted signature", &[entry(1, &Key::test('a').id(), &a[12..75])], length);
    let signature = [&a[12..], &[0]].concat();
    add("entry-es256-65", "a trusted signature and a byte", &[entry(1, &Key::test('a').id(), &signature)], length);
    let mut stranger = [a.clone(), entry(1, &[0; 8], &[0x11; 63])];
    stranger.reverse();
    add("entry-es256-63-untrusted", "63 bytes of an untrusted signature", &stranger, length);
    let mut der = [a.clone(), entry(1, &[0; 8], &[0x30; 72])];
    der.reverse();
    add("entry-es256-72-untrusted", "72 bytes of an untrusted signature", &der, length);
    for bytes in [1, 11, 12] {
        let name = text(format!("section-entry-cut-{bytes}"));
        let cut = entry(2, &[0; 8], &[0x11])[..bytes].to_vec();
        add(name, "the section ends in an entry's header or in front of its signature", &[a.clone(), cut], length);
    }
    let cut = entry(2, &[0; 8], &[0x11; 20])[..31].to_vec();
    add("section-signature-cut", "a signature runs over the section's end", &[a.clone(), cut], length);
    let mut over = entry(2, &[0; 8], &[0x11]);
    over[10..12].copy_from_slice(&[0xFF, 0xFF]);
    add("section-signature-65535", "a signature of 65535 bytes", &[a.clone(), over], length);
    let cut = update.by('a')[..75].to_vec();
    add("section-trusted-cut", "the section ends a byte before its trusted entry", &[cut], length);

    let order = "Malformed(EntryOrder)";
    let reversed = [ordered[1].clone(), ordered[0].clone()];
    add("entry-order-key", "key ids not ascending", &reversed, order);
    let unknown = entry(2, &[0; 8], &[0x11]);
    add("entry-order-algorithm", "algorithms not ascending", &[unknown.clone(), a.clone()], order);
    let (low, high) = (entry(0x00FF, &[0; 8], &[1]), entry(0x0100, &[0; 8], &[1]));
    add("entry-order-algorithm-bytes", "algorithms ascending as bytes, not as numbers", &[a.clone(), high, low], order);
    let low = entry(2, &[1, 0, 0, 0, 0, 0, 0, 0], &[1]);
    let high = entry(2, &[0, 0, 0, 0, 0, 0, 0, 1], &[1]);
    add("entry-order-key-bytes", "key ids ascending from the last byte", &[a.clone(), low, high], order);
    add("entry-twice", "a trusted entry again", &[a.clone(), a.clone()], order);
    let s = low_and_high(a[12..].try_into().expect("64 bytes"));
    let both = [s.0, s.1].map(|signature| update.entry('a', &signature));
    add("entry-twice-other-s", "one key, both its signatures", &both, order);
    let other = Key::test('c').id();
    let (stranger, again) = (entry(1, &other, &[1; 64]), entry(1, &other, &[2; 64]));
    let twice = if other < Key::test('a').id() { [stranger, again, a.clone()] } else { [a.clone(), stranger, again] };
    add("entry-twice-untrusted", "an untrusted key id again", &twice, order);
    add("entry-twice-unknown", "an unknown algorithm's key id again", &[a.clone(), unknown.clone(), unknown], order);
    let mut many = vec![a.clone()];
    many.extend((0..32).map(|i| entry(0xFF00, &[i; 8], &[i])));
    add("entries-33", "33 entries", &many, "Malformed(TooManyEntries)");
}

fn bad_signatures(all: &mut Vec<Vector>) {
    let mut bad = Bad(all);
    let update = Update::victim();
    let (key, b) = (Key::test('a'), Key::test('b'));
    let right = key.sign(UPDATE_DOMAIN, &update.signed());
    let refused = format!("BadSignature {{ key: {} }}", hex(&key.id()));
    let mut add = |name, what, signature: [u8; 64]| {
        bad.head(name, what, update.with(&[update.entry('a', &signature)]), &refused[..]);
    };
    let half = |r: &[u8], s: &[u8]| -> [u8; 64] { [r, s].concat().try_into().expect("64 bytes") };
    let (r, s) = right.split_at(32);
    add("signature-r-zero", "r = 0", half(&[0; 32], s));
    add("signature-s-zero", "s = 0", half(r, &[0; 32]));
    add("signature-zero", "r = s = 0", [0; 64]);
    add("signature-r-order", "r = n", half(&ORDER, s));
    add("signature-s-order", "s = n", half(r, &ORDER));
    add("signature-r-above", "r = 2^256 - 1", half(&[0xFF; 32], s));
    add("signature-s-above", "s = 2^256 - 1", half(r, &[0xFF; 32]));
    add("signature-halves-swapped", "s || r", half(s, r));
    let reversed = |bytes: &[u8]| bytes.iter().rev().copied().collect::<Vec<_>>();
    add("signature-little-endian", "r and s little-endian", half(&reversed(r), &reversed(s)));
    let mut flipped = right;
    flipped[63] ^= 1;
    add("signature-bit", "the last bit of s", flipped);
    add("signature-by-another", "key b's signature under key a's id", b.sign(UPDATE_DOMAIN, &update.signed()));
    add("signature-key-set-domain", "signed as a key set", key.sign(KEY_SET_DOMAIN, &update.signed()));
    add("signature-other-domain", "domain of another version", key.sign("lockgate update ES256 v2", &update.signed()));
    add("signature-domain-unpadded", "domain not padded", {
        key.sign_digest(sha256(&[UPDATE_DOMAIN.as_bytes(), &update.signed()].concat()))
    });
    add("signature-no-domain", "no domain: over the manifest digest", key.sign_digest(sha256(&update.signed())));
    add("signature-no-prelude", "prelude not signed", key.sign(UPDATE_DOMAIN, &update.body()));
    add("signature-hashed-twice", "the digest hashed again", {
        key.sign_digest(sha256(&sha256(&[&padded(UPDATE_DOMAIN), &update.signed()[..]].concat())))
    });
    let other = update.clone().set(5, &[8, 0, 0, 0]);
    add("signature-of-another-update", "of an update that differs in a bit", key.sign(UPDATE_DOMAIN, &other.signed()));

    let few = |valid, needed| format!("TooFewSignatures {{ valid: {valid}, needed: {needed} }}");
    let unknown = entry(2, &key.id(), &right);
    bad.trust("signers-stranger", "signed by a key that is not trusted", update.signed_by("c"), (1, "a"), &few(0, 1));
    bad.trust(
        "signers-strangers",
        "signed by two keys that are not trusted",
        update.signed_by("bc"),
        (1, "a"),
        &few(0, 1),
    );
    bad.trust(
        "signers-unknown-algorithm",
        "no entry of a known algorithm",
        update.with(&[unknown]),
        (1, "a"),
        &few(0, 1),
    );
    bad.trust("signers-one-of-two", "one signature, two needed", update.signed_by("a"), (2, "ab"), &few(1, 2));
    let one = "one trusted and one stranger, two needed";
    bad.trust("signers-one-and-a-stranger", one, update.signed_by("ac"), (2, "ab"), &few(1, 2));
    let third = "two signatures, three needed";
    bad.trust("signers-two-of-three", third, update.signed_by("ab"), (3, "abc"), &few(2, 3));
    let wrong = update.entry('b', &right);
    let b_refused = format!("BadSignature {{ key: {} }}", hex(&b.id()));
    let entries = [update.by('a'), wrong];
    let beside = "one right, one wrong, both trusted, one needed";
    bad.trust("signers-wrong-beside-right", beside, update.with(&entries), (1, "ab"), &b_refused);
    let entries = [update.entry('a', &flipped), update.by('b')];
    bad.trust("signers-right-behind-wrong", beside, update.with(&entries), (1, "ab"), &refused);
    let entries = [update.by('a'), update.by('b'), update.entry('c', &right)];
    let c_refused = format!("BadSignature {{ key: {} }}", hex(&Key::test('c').id()));
    let beyond = "two right and one wrong, all trusted, two needed";
    bad.trust("signers-wrong-beyond-threshold", beyond, update.with(&entries), (2, "abc"), &c_refused);
}

fn bad_payloads(all: &mut Vec<Vector>) {
    let mut bad = Bad(all);
    let (block, linked) = (256, 256 + 32);
    let update = Update::new(&noise(530), block);
    let right = update.payload.clone();
    let wrong = |index| format!("BlockHash {{ index: {index} }}");
    let flip = |at: usize| {
        let mut payload = right.clone();
        payload[at] ^= 1;
        payload
    };
    for (name, what, at) in [
        ("block-first-bit", "first bit of the payload", 0),
        ("block-0-last-byte", "last byte of block 0's data", 255),
        ("block-0-link", "first byte of block 0's link", 256),
        ("block-0-link-end", "last byte of block 0's link", 287),
        ("block-1-bit", "in block 1", 300),
        ("block-1-link", "in block 1's link", 288 + 260),
        ("block-2-bit", "first byte of the last block", 2 * 288),
        ("block-last-byte", "last byte of the package", right.len() - 1),
    ] {
        bad.payload(name, what, &update, flip(at), &wrong(at / linked));
    }
    let part = |i: usize| &right[i * linked..((i + 1) * linked).min(right.len())];
    let swapped = |i: usize, j: usize| {
        let mut parts: Vec<_> = (0..3).map(part).collect();
        parts.swap(i, j);
        parts.concat()
    };
    bad.payload("block-swap-0-1", "blocks 0 and 1 changed places", &update, swapped(0, 1), &wrong(0));
    bad.payload("block-swap-1-2", "blocks 1 and 2 changed places", &update, swapped(1, 2), &wrong(1));
    bad.payload("block-swap-0-2", "the first and the last changed places", &update, swapped(0, 2), &wrong(0));
    let four = Update::new(&noise(800), block);
    let without = [&four.payload[..linked], &four.payload[2 * linked..]].concat();
    bad.payload("block-missing", "block 1 left out", &four, without, &wrong(1));
    let twice = [part(0), part(0), part(1), part(2)].concat();
    bad.payload("block-twice", "block 0 again", &update, twice, &wrong(1));
    let inserted = [part(0), &[0x55; 288], part(1), part(2)].concat();
    bad.payload("block-inserted", "a block between 0 and 1", &update, inserted, &wrong(1));
    // The attacker's block is rightly linked to, but the link is signed for.
    let forged = {
        let mut payload = flip(288);
        let prefix = [&b"LGB1"[..], &[1, 0, 0, 0], &256u32.to_le_bytes(), &[0; 4]].concat();
        let hash = sha256(&[&prefix, &payload[288..576]].concat());
        payload[256..288].copy_from_slice(&hash);
        payload
    };
    bad.payload("block-relinked", "a forged block 1, and block 0 linked to it", &update, forged, &wrong(0));

    // Signed, and chained by another rule.
    for (name, what, how, index) in [
        ("chain-mark", "LGB2 instead of LGB1", Chain::Mark, 0),
        ("chain-index", "blocks numbered from 1", Chain::IndexFromOne, 0),
        ("chain-length", "the data length counts the link", Chain::Length, 0),
        ("chain-last-never", "the last block hashed as one that is not", Chain::NeverLast, 2),
        ("chain-last-always", "every block hashed as the last", Chain::AlwaysLast, 0),
        ("chain-reserved", "a reserved byte is 1", Chain::Reserved, 0),
        ("chain-without-link", "links not hashed", Chain::WithoutLink, 0),
    ] {
        let update = Update::chained(&update.image, block, how);
        let payload = update.payload.clone();
        bad.payload(name, what, &update, payload, &wrong(index));
    }
    let linked_last = Update::chained(&update.image, block, Chain::LastLinked);
    let payload = linked_last.payload.clone();
    bad.payload("chain-last-linked", "the last block has a link", &linked_last, payload, &wrong(2));
    // A link that leads nowhere, hashed as it stands.
    let (tail, second) = chain(&update.image[block..], block, Chain::Right);
    let prefix = [&b"LGB1"[..], &[0; 4], &256u32.to_le_bytes(), &[0; 4]].concat();
    let first = [&update.image[..block], &second].concat();
    let renumbered = update.clone().set(10, &sha256(&[&prefix[..], &first].concat()));
    bad.payload(
        "chain-link",
        "block 0 links to a block 1 that is numbered 0",
        &renumbered,
        [first, tail].concat(),
        &wrong(1),
    );
    let first_hash = update.clone().set(10, &[0x11; 32]);
    bad.payload("first-block-hash", "not the hash of block 0", &first_hash, right.clone(), &wrong(0));
    let one = Update::chained(&noise(40), block, Chain::NeverLast);
    let payload = one.payload.clone();
    bad.payload(
        "chain-only-block-not-last",
        "an only block hashed as one that is not the last",
        &one,
        payload,
        &wrong(0),
    );

    let digest = update.clone().set(7, &sha256(&noise(529)));
    bad.payload("image-digest", "not the digest of the image", &digest, right.clone(), "ImageDigest");
    for (name, extra) in [("trailing-byte", &[0][..]), ("trailing-erased", &[0xFF]), ("trailing-link", &[0; 32])] {
        let payload = [&right[..], extra].concat();
        bad.payload(name, "bytes behind the last block", &update, payload, "Trailing");
    }

    let package = update.signed_by("a");
    let head = package.len() - right.len();
    let mut cut = |name, what, at: usize| {
        let refusal = format!("Truncated {{ position: {at} }}");
        if at < head {
            bad.head(name, what, package[..at].into(), refusal);
        } else {
            bad.payload(name, what, &update, right[..at - head].into(), &refusal);
        }
    };
    cut("cut-empty", "nothing", 0);
    cut("cut-1", "one byte", 1);
    cut("cut-prelude", "a byte of the prelude is missing", 15);
    cut("cut-behind-prelude", "nothing but the prelude", 16);
    cut("cut-manifest", "a byte of the manifest is missing", 168);
    cut("cut-behind-manifest", "nothing behind the manifest", 169);
    cut("cut-section-length", "half of the section's length", 170);
    cut("cut-entry", "in the signature's header", 175);
    cut("cut-signature", "a byte of the signature is missing", head - 1);
    cut("cut-behind-head", "no block", head);
    cut("cut-block-0", "in block 0", head + 100);
    cut("cut-link", "in front of block 0's link", head + 256);
    cut("cut-behind-block-0", "nothing behind block 0", head + 288);
    cut("cut-last-block", "no last block", head + 2 * 288);
    cut("cut-last-byte", "the last byte is missing", package.len() - 1);
}

fn bad_sequences(all: &mut Vec<Vector>) {
    let mut bad = Bad(all);
    let update = Update::new(&noise(40), 256);
    let package = update.signed_by("a");
    let sets: Vec<u8> = (1..=17).flat_map(key_set).collect();
    let behind = |front: Vec<u8>| [&front[..], &package].concat();
    bad.head("key-sets-17", "17 key sets", behind(sets), "TooManyKeySets");
    let set = key_set(1);
    let position = format!("Truncated {{ position: {} }}", set.len());
    bad.head("key-set-alone", "no update behind the key set", set.clone(), position);
    let changed = |at: usize, value: u8| {
        let mut set = set.clone();
        set[at] = value;
        behind(set)
    };
    bad.head("key-set-magic", "a key set's magic", changed(3, 0), "NotAPackage");
    bad.head("key-set-version", "a key set's format version", changed(8, 2), "FormatVersion { found: 2 }");
    bad.head("key-set-reserved", "a key set's reserved byte", changed(10, 1), "Malformed(Reserved)");
    bad.head("key-set-type-3", "an index in front", changed(9, 3), "ObjectType { found: 3 }");
    let sized = |body: usize| behind(signed_key_set(&[&set[16..143], &vec![0; body][..]].concat()[..body]));
    bad.head("key-set-body-0", "a key set's body of 0 bytes", sized(0), "Malformed(BodyLength)");
    bad.head("key-set-body-126", "a key set's body of 126 bytes", sized(126), "Malformed(BodyLength)");
    bad.head("key-set-body-1025", "a key set's body of 1025 bytes", sized(1025), "Malformed(BodyLength)");
    let with_section = |section: &[u8]| behind([&set[..set.len() - 78], section].concat());
    let length = "Malformed(SectionLength)";
    bad.head("key-set-section-0", "a key set without signatures", with_section(&[0, 0]), length);
    bad.head(
        "key-set-section-12",
        "a key set's section of 12 bytes",
        with_section(&[&[12, 0][..], &[0; 12]].concat()),
        length,
    );
    let broken = [&set[..], &Update::victim().set(18, &[1]).signed_by("a")].concat();
    bad.head("key-set-then-bad-update", "a critical unknown element behind a key set", broken, unknown(18));

    let payload = |bytes: &[u8]| [&update.payload[..], bytes].concat();
    bad.payload("update-twice", "an update behind the update", &update, payload(&package), "Trailing");
    bad.payload("key-set-behind", "a key set behind the update", &update, payload(&set), "Trailing");
}
