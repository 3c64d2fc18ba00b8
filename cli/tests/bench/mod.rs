//! A bench for the tool: a directory, a key, packages, and servers that misbehave.

#![allow(dead_code)] // each test file uses its part

pub(crate) mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lockgate::pack::{public_key_pem, Signer, SigningKey, Update};
use lockgate::{Uuid, Version};
use tempfile::TempDir;

pub(crate) const VENDOR: &str = "6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4";
pub(crate) const CLASS: &str = "0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80";

pub(crate) struct Bench {
    directory: TempDir,
    key: SigningKey,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap(), key: SigningKey::generate() };
        fs::write(bench.path("key.pem"), public_key_pem(&bench.key.public_key()).unwrap()).unwrap();
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn home(&self) -> &Path {
        self.directory.path()
    }

    /// A package of `size` bytes that nobody has seen before.
    pub(crate) fn package(&self, version: (u8, u8), counter: u32, size: usize) -> Vec<u8> {
        self.package_of(&image(version, size), version, counter)
    }

    pub(crate) fn package_of(&self, image: &[u8], (major, minor): (u8, u8), counter: u32) -> Vec<u8> {
        let update = Update::new(Uuid::new(VENDOR), Uuid::new(CLASS), Version::new(major, minor, 0, 0), counter);
        update.build(image, &mut [&mut self.key.clone()]).unwrap().bytes().to_vec()
    }

    /// Puts a file into the directory.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// The tool, in the directory.
    pub(crate) fn lockgate(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockgate"));
        command.args(args).current_dir(self.home());
        for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        command
    }

    /// `lockgate install PACKAGE` on an ESP8266 in `flash.bin`, with `more` options.
    pub(crate) fn install(&self, package: &str, more: &[&str]) -> Command {
        let mut command = self.lockgate(&["install", package, "--flash", "flash.bin", "--geometry", "esp8266"]);
        command.args(["--key", "key.pem", "--vendor", VENDOR, "--class", CLASS]).args(more);
        command
    }

    /// `lockgate COMMAND` (boot, confirm, reject) on the ESP8266 in `flash.bin`, with `more` options.
    pub(crate) fn on_flash(&self, command: &str, more: &[&str]) -> Command {
        let mut command = self.lockgate(&[command, "--flash", "flash.bin", "--geometry", "esp8266"]);
        command.args(more);
        command
    }

    /// A reset, and the image that is on trial then is confirmed.
    #[track_caller]
    pub(crate) fn tried_and_confirmed(&self) {
        ends(self.on_flash("boot", &[]), 0, &["trial 1 of 3"]);
        ends(self.on_flash("confirm", &[]), 0, &["confirmed"]);
    }

    pub(crate) fn flash(&self) -> Vec<u8> {
        fs::read(self.path("flash.bin")).unwrap()
    }

    /// `lockgate map --json` of `flash.bin`.
    pub(crate) fn map(&self) -> serde_json::Value {
        let mut command = self.lockgate(&["map", "flash.bin", "--geometry", "esp8266", "--key", "key.pem", "--json"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// An image that differs from byte to byte and from version to version.
pub(crate) fn image((major, minor): (u8, u8), size: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32 ^ u32::from(major) << 8 ^ u32::from(minor);
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// Everything a command said.
pub(crate) fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

/// Runs it, and asserts how it ends and what it says.
#[track_caller]
pub(crate) fn ends(mut command: Command, code: i32, says: &[&str]) -> Output {
    let output = command.output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in says {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    output
}

/// The JSON events that a command printed.
pub(crate) fn events(output: &Output) -> Vec<serde_json::Value> {
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
