//! Private keys: their files are their owner's alone and never written over, and no message holds a piece of one.

mod desk;

use desk::{Desk, Said, CLASS, IDENTITY, VENDOR};

#[test]
fn a_private_key_is_its_owners_alone_and_never_overwritten() {
    let desk = Desk::new();
    desk.run(&["keygen", "-o", "new.pem"]).good();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |name: &str| desk.path(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("new.pem"), mode("new.pub.pem") & 0o400), (0o600, 0o400));
    }
    // One of them behind a certificate's worth of other text.
    desk.write("bundle.pem", &[&b"# the vendor's\n".repeat(400)[..], &desk.read("a.pem")].concat());
    let keys = ["new.pem", "a.pem", "b.pem", "encrypted.pem", "bundle.pem"];
    let before = keys.map(|key| desk.read(key));
    // By whatever writes a file: another key, a package, the public half of a key with an odd name.
    let exists = desk.run(&["keygen", "-o", "new.pem"]).bad(3);
    assert_eq!(exists, "error: new.pem: exists already: choose another name\n");
    desk.package();
    for key in keys {
        let said = desk.run(&[&["pack", "image.bin", "-o", key, "--key", "bench.pem"], &IDENTITY[..]].concat()).bad(3);
        assert!(said.contains(key) && said.contains("holds a private key"), "{said}");
        let board = ["--geometry", "esp8266", "--vendor", VENDOR, "--class", CLASS];
        let flash = ["install", "fw.lgu", "--flash", key, "--key", "a.pub.pem"];
        assert_ne!(desk.run(&[&flash[..], &board].concat()).code, Some(0), "a key for a flash image");
    }
    // The demo leaves a key behind, and takes a bench key for one of its own; no other.
    std::fs::create_dir(desk.path("mine")).unwrap();
    desk.write("mine/vendor.pem", &desk.read("a.pem"));
    let said = desk.run(&["demo", "--dir", "mine"]);
    assert!(said.err.contains("no bench key: choose another directory"), "{said:?}");
    assert_eq!(desk.read("mine/vendor.pem"), before[1]);
    assert_eq!(keys.map(|key| desk.read(key)), before);
}

#[test]
fn a_package_of_code_that_reads_keys_is_written_over() {
    let desk = Desk::new();
    desk.write("image.bin", b"\0\x20\x01\x08-----BEGIN EC PRIVATE KEY-----\0-----BEGIN PRIVATE KEY-----\0");
    for _ in 0..2 {
        desk.package();
    }
}

#[test]
fn a_private_key_given_for_an_image_is_not_packed() {
    let desk = Desk::new();
    for key in ["a.pem", "b.pem"] {
        let said = desk.run(&[&["pack", key, "-o", "out.lgu", "--key", "b.pem"], &IDENTITY[..]].concat()).bad(1);
        assert!(said.contains("a PEM file, not a raw binary"), "{said}");
        assert!(!desk.path("out.lgu").exists());
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_never_ends_is_not_read_to_the_end_in_a_short_ones_place() {
    let desk = Desk::new();
    let new = format!("keys new -o x.json --vendor {VENDOR} --class {CLASS} --sign /dev/zero --rotate b.pem");
    let rotate = "keys rotate /dev/zero --add-sign c.pub.pem --key b.pem -o x.lgk";
    for line in [&new, rotate, "map --geometry /dev/zero"] {
        let said = desk.run(&line.split(' ').collect::<Vec<_>>()).bad(2);
        assert_eq!(said, "error: /dev/zero: longer than 1 MiB: not a text file of the expected kind\n");
    }
}

/// Base64 lines of a PEM, in pieces of eight characters, and the secret number in them.
struct Secret {
    pieces: Vec<String>,
    /// Behind 36 bytes that say which kind of key it is (PKCS#8).
    number: Vec<u8>,
}

impl Secret {
    fn of(pem: &str) -> Self {
        let body: String = pem.lines().filter(|line| !line.contains(['-', ' '])).collect();
        // Front and end are what every key of this kind has in common, or public.
        let pieces = (40..100.min(body.len() - 8)).map(|at| body[at..at + 8].to_string()).collect();
        Self { pieces, number: base64(&body)[36..68].to_vec() }
    }

    /// Neither as it is nor in hexadecimal.
    #[track_caller]
    fn is_not_in_file(&self, name: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        assert!(!bytes.windows(8).any(|window| window == &self.number[..8]), "{name} holds the key");
        let hexadecimal: String = self.number.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!text.to_lowercase().contains(&hexadecimal[..16]), "{name} holds the key");
        self.is_not_in(&Said { code: None, out: text, err: String::new() });
    }

    #[track_caller]
    fn is_not_in(&self, said: &Said) {
        let text = format!("{}{}", said.out, said.err);
        for piece in &self.pieces {
            assert!(!text.contains(piece.as_str()), "a piece of the key is shown: {text}");
        }
    }
}

fn base64(text: &str) -> Vec<u8> {
    let digit =
        |c: u8| b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".iter().position(|&d| d == c);
    let digits: Vec<usize> = text.bytes().filter_map(digit).collect();
    let group = |four: &[usize]| four.iter().fold(0, |bits, digit| bits << 6 | digit) as u32;
    digits.chunks_exact(4).flat_map(|four| group(four).to_be_bytes()[1..].to_vec()).collect()
}

#[test]
fn no_message_holds_a_piece_of_a_private_key() {
    let desk = Desk::new();
    desk.package();
    desk.key_set();
    let pem = String::from_utf8(desk.read("a.pem")).unwrap();
    let secret = Secret::of(&pem);
    assert!(secret.pieces.len() > 40 && secret.number.starts_with(&[0xBB, 0x6C, 0xD4, 0x71]));
    let body = pem.lines().find(|line| !line.contains(['-', ' '])).unwrap();
    let spoilt = [
        pem.replacen(&body[10..14], "!!!!", 1),
        pem.replacen("-----END", "-----ENDE", 1),
        pem.lines().take(4).collect::<Vec<_>>().join("\n"),
        pem.replace("PRIVATE KEY", "EC PRIVATE KEY"),
        pem.replace("PRIVATE KEY", "PUBLIC KEY"),
        pem.replace("PRIVATE KEY", "CERTIFICATE"),
        pem.replace('\n', " "),
        pem.clone() + &pem,
        pem.lines().skip(2).collect::<Vec<_>>().join("\n"),
        pem.clone(),
    ];
    for spoilt in &spoilt {
        desk.write("spoilt.pem", spoilt.as_bytes());
        let key = "spoilt.pem";
        let identity = ["--vendor", VENDOR, "--class", CLASS];
        let commands: &[&[&str]] = &[
            &["keygen", "--print", key],
            &["inspect", key],
            &["verify", "fw.lgu", "--key", key],
            &["verify", key, "--key", "a.pub.pem"],
            &["verify", "fw.lgu", "--trusted", key],
            &["keys", "inspect", key],
            &["keys", "inspect", key, "--trusted", key],
            &["keys", "rotate", key, "--add-sign", "a.pem", "--key", "b.pem", "-o", "x.lgk"],
            &["keys", "rotate", "keys-0.json", "--add-sign", key, "--key", "b.pem", "-o", "x.lgk"],
            &["keys", "rotate", "keys-0.json", "--remove", key, "--key", "b.pem", "-o", "x.lgk"],
            &["keys", "rotate", "keys-0.json", "--add-sign", "bench.pem", "--key", key, "-o", "x.lgk"],
            &["map", "image.bin", "--geometry", key],
            &["map", key, "--geometry", "esp8266"],
            &["install", key, "--flash", "flash.bin", "--geometry", "esp8266", "--key", key],
            &["serve", ".", "--listen", "127.0.0.1:bad", "--tls-cert", key, "--tls-key", key],
            &["serve", ".", "--listen", "127.0.0.1:0", "--tls-cert", "a.pub.pem", "--tls-key", key],
        ];
        for command in commands {
            let more = if command[0] == "install" { &identity[..] } else { &[] };
            secret.is_not_in(&desk.run(&[*command, more].concat()));
        }
        secret.is_not_in(
            &desk.run(&[&["keys", "new", "-o", "x.json", "--sign", key, "--rotate", "b.pem"], &identity[..]].concat()),
        );
        secret.is_not_in(&desk.pack(&["--key", key]));
        secret.is_not_in(&desk.pack(&["--rotation", key, "--key", "b.pem"]));
        secret.is_not_in(&desk.pack(&["--sign-with", "cat spoilt.pem", "--sign-with-key", "a.pub.pem"]));
        secret.is_not_in(&desk.pack(&["--sign-with", "false", "--sign-with-key", key]));
    }
    let pin = desk.pack(&["--sign-with", "false --pin 471147", "--sign-with-key", "a.pub.pem"]).bad(3);
    assert!(!pin.contains("471147"), "{pin}");
    // Nor does what a good key had a part in.
    let made = desk.files();
    let new =
        ["keys", "new", "-o", "x-0.json", "--sign", "a.pem", "--rotate", "a.pem", "--vendor", VENDOR, "--class", CLASS];
    secret.is_not_in(&desk.run(&new));
    secret.is_not_in(&desk.rotate("x-0.json", "x-1.lgk", &["--add-sign", "b.pem", "--key", "a.pem"]));
    let files: Vec<String> = desk.files().into_iter().filter(|name| !made.contains(name)).collect();
    assert_eq!(files, ["x-0.json", "x-1.json", "x-1.lgk"]);
    for file in files {
        secret.is_not_in_file(&file, &desk.read(&file));
    }
    // What is wrong is said of the file, by its name.
    desk.write("spoilt.pem", spoilt[0].as_bytes());
    let said = desk.pack(&["--key", "spoilt.pem"]).bad(2);
    assert_eq!(said, "error: spoilt.pem: not a well-formed key on P-256 (prime256v1)\n");
}
