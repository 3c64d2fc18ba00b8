//! A desk to try the tool on: a directory of its own, and the test keys in it.

#![allow(dead_code)] // each test file uses its own part

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub(crate) const VENDOR: &str = "6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4";
pub(crate) const CLASS: &str = "0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80";
pub(crate) const IDENTITY: [&str; 8] =
    ["--version", "1.2.3", "--security-counter", "7", "--vendor", VENDOR, "--class", CLASS];

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The standard output of a command that went well.
    #[track_caller]
    pub(crate) fn good(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }

    /// The one line of error of a command that ended with `code`.
    #[track_caller]
    pub(crate) fn bad(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        assert_eq!(self.err.lines().count(), 1, "one line: {}", self.err);
        self.err
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

pub(crate) struct Desk(TempDir);

impl Desk {
    /// A directory with the test keys and an image of 2500 bytes.
    pub(crate) fn new() -> Self {
        let desk = Self(TempDir::new().unwrap());
        for key in fs::read_dir("tests/keys").unwrap().map(Result::unwrap) {
            fs::copy(key.path(), desk.path(key.file_name().to_str().unwrap())).unwrap();
        }
        desk.write("image.bin", &image(2500));
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn directory(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Names of all files, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap().map(Result::unwrap);
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The tool, in this directory.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockgate"));
        command.args(args).current_dir(self.0.path());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.command(args).output().unwrap().into()
    }

    /// Packs `image.bin` into `fw.lgu`, with these options more.
    pub(crate) fn pack(&self, options: &[&str]) -> Said {
        self.run(&[&["pack", "image.bin", "-o", "fw.lgu"], &IDENTITY[..], options].concat())
    }

    /// Describes key set 0 in `keys-0.json`: a and b sign, b and the bench key rotate.
    pub(crate) fn key_set(&self) -> String {
        let new = ["keys", "new", "--vendor", VENDOR, "--class", CLASS, "-o", "keys-0.json"];
        let keys = ["--sign", "a.pub.pem", "b.pem", "--rotate", "b.pub.pem", "bench.pub.pem"];
        self.run(&[&new[..], &keys].concat()).good()
    }

    /// Makes the key set `to` that follows the one that `from` describes.
    pub(crate) fn rotate(&self, from: &str, to: &str, options: &[&str]) -> Said {
        self.run(&[&["keys", "rotate", from, "-o", to], options].concat())
    }

    /// Makes key sets 1 (a new key c signs in place of a) and 2 (b, c and the bench key sign, and two of them must).
    pub(crate) fn more_key_sets(&self) {
        self.run(&["keygen", "-o", "c.pem"]).good();
        let change = ["--remove", "9169746104fc73fb", "--add-sign", "c.pub.pem", "--key", "b.pem"];
        self.rotate("keys-0.json", "keys-1.lgk", &change).good();
        let change = ["--add-sign", "bench.pem", "--sign-threshold", "2", "--key", "bench.pem"];
        self.rotate("keys-1.json", "keys-2.lgk", &change).good();
    }

    /// The package that key `a` signs.
    pub(crate) fn package(&self) -> Vec<u8> {
        self.pack(&["--key", "a.pem"]).good();
        self.read("fw.lgu")
    }
}

/// Bytes that do not repeat soon.
pub(crate) fn image(bytes: usize) -> Vec<u8> {
    let next = |x: &u32| Some(x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(1_u32), next).map(|x| (x >> 24) as u8).take(bytes).collect()
}

/// The parts of a package without key sets, found by docs/format.md alone.
pub(crate) struct Parts {
    /// Bytes up to the end of the manifest.
    pub(crate) signed: usize,
    /// Bytes up to the end of the signatures.
    pub(crate) head: usize,
}

impl Parts {
    pub(crate) fn of(package: &[u8]) -> Self {
        let u16_at = |at: usize| usize::from(u16::from_le_bytes([package[at], package[at + 1]]));
        let signed = 16 + u16_at(12);
        Self { signed, head: signed + 2 + u16_at(signed) }
    }
}
