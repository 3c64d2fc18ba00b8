//! Keys that never leave their place: a command is given the digest and returns the signature.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{io, thread};

use lockgate::pack::{signature_from_bytes, Signer};
use lockgate::{Digest, PublicKey};

use crate::failure::Failure;
use crate::keys;

/// No signature is as long: a command that prints more prints something else.
const MOST: u64 = 4096;

/// Signs by a command, as openssl, a smart card tool or a client of a key server.
pub(crate) struct External {
    command: String,
    public: PublicKey,
    timeout: Duration,
}

impl External {
    /// `command` signs for the key in the PEM file `public`.
    pub(crate) fn new(command: &str, public: &Path, timeout: Duration) -> Result<Self, Failure> {
        Ok(Self { command: command.into(), public: keys::public_key(public)?, timeout })
    }

    fn run(&self, digest: &Digest) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + self.timeout;
        // Standard error and the terminal stay the command's own: it may ask for a PIN.
        let mut child =
            Command::new("sh").arg("-c").arg(&self.command).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let outcome = self.converse(&mut child, digest, deadline);
        if outcome.is_err() {
            // The shell only, and not what it started: in a process group of its own a command could not ask for
            // a PIN. It may be gone already; what is to be said is said by `outcome`.
            let _ = child.kill();
            let _ = child.wait();
        }
        outcome
    }

    fn converse(&self, child: &mut Child, digest: &Digest, deadline: Instant) -> io::Result<Vec<u8>> {
        if let Some(mut stdin) = child.stdin.take() {
            match stdin.write_all(&digest.0) {
                // Not every command reads it to the end, and its exit status tells more.
                Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error),
                _ => {}
            }
        }
        let signature = self.output(child, deadline)?;
        let status = loop {
            match child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() >= deadline => return Err(self.too_slow()),
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        match status.success() {
            true => Ok(signature),
            false => Err(io::Error::other(format!("it ended with {status}"))),
        }
    }

    /// What the command prints. A thread reads, so that a command that hangs is not waited for.
    fn output(&self, child: &mut Child, deadline: Instant) -> io::Result<Vec<u8>> {
        let Some(stdout) = child.stdout.take() else { return Ok(Vec::new()) };
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let outcome = stdout.take(MOST).read_to_end(&mut bytes);
            // After a timeout nobody listens any more.
            let _ = sender.send(outcome.map(|_| bytes));
        });
        match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(outcome) => outcome,
            Err(_) => Err(self.too_slow()),
        }
    }

    fn too_slow(&self) -> io::Error {
        io::Error::other(format!("no signature within {} s", self.timeout.as_secs()))
    }
}

impl Signer for External {
    fn public_key(&self) -> PublicKey {
        self.public
    }

    fn sign(&mut self, digest: &Digest) -> Result<[u8; 64], Box<dyn Error + Send + Sync>> {
        // The command itself is not told: it may hold a PIN.
        let bytes = self.run(digest).map_err(|error| format!("the --sign-with command: {error}"))?;
        signature_from_bytes(&bytes).ok_or_else(|| {
            let got = bytes.len();
            format!(
                "the --sign-with command printed {got} bytes that are no signature (DER, or r and s of 32 bytes each)"
            )
            .into()
        })
    }
}
