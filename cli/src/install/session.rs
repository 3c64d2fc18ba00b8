//! A package from a transport into an updater: opens, reads, feeds; after a lost connection, goes on where
//! the updater says.

use std::fmt;
use std::io::Read;
use std::thread::sleep;
use std::time::Duration;

use embedded_io::Write;
use lockgate::manifest::Manifest;
use lockgate::{
    Decision, Device, Digest, Error, ErrorKind, Offer, Progress, Refusal, Running, Updater, Verified, P256,
};

use super::buffer::buffer;
use crate::flash_file::{self, FileFlash};
use crate::transport::{NoStream, Stream, Transport};

/// What happens, as it happens.
pub(crate) enum Event<'e> {
    /// The transport begins at this byte. It was asked for `position`; if it began in front of that, what is
    /// there already is passed over.
    Opened { offset: u32, position: u32 },
    /// An authenticated manifest that the device takes; nothing is erased yet.
    Offered(&'e Manifest, Digest),
    /// Bytes arrived.
    Progress(Progress),
    /// It goes on from `position` after an interruption.
    Retry { position: u32, why: &'e str },
}

/// Why an update did not complete.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The package is refused.
    Refused(Refusal),
    /// It ends at this byte, and is not complete.
    Truncated(u32),
    /// The transport gave up.
    Transport(String),
    /// The flash, or the file it is in.
    Flash(String),
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Truncated(position) => write!(f, "the package ends at byte {position}, before it is complete"),
            Self::Transport(why) | Self::Flash(why) => f.write_str(why),
        }
    }
}

impl From<Error<flash_file::Error>> for Stopped {
    fn from(error: Error<flash_file::Error>) -> Self {
        match error {
            Error::Refused(refusal) => Self::Refused(refusal),
            Error::Truncated { position } => Self::Truncated(position),
            Error::Flash(error) => Self::Flash(error.to_string()),
            other => Self::Flash(other.to_string()),
        }
    }
}

type Policy = fn(&Offer<'_>) -> Decision;

/// A device that waits for a package.
pub(crate) struct Session<'f> {
    updater: Updater<'static, &'f mut FileFlash, P256, Policy>,
    /// The package as far as it was wanted: what the audit judges by.
    received: Vec<u8>,
    offered: bool,
}

impl<'f> Session<'f> {
    /// A device with a block buffer of `block` bytes (one of [`SIZES`](super::SIZES)).
    pub(crate) fn new(device: Device<'static>, running: Running, flash: &'f mut FileFlash, block: u32) -> Option<Self> {
        let device: &'static Device<'static> = Box::leak(Box::new(device));
        let policy: Policy = |_| Decision::Accept;
        let updater = Updater::with_verifier(device, flash, buffer(block)?, P256).running(running).policy(policy);
        Some(Self { updater, received: Vec::new(), offered: false })
    }

    /// The next byte of the package that is wanted.
    pub(crate) fn position(&self) -> u32 {
        self.updater.position()
    }

    pub(crate) fn progress(&self) -> Progress {
        self.updater.progress()
    }

    /// The package's bytes as far as they were wanted.
    pub(crate) fn into_received(self) -> Vec<u8> {
        self.received
    }

    /// Takes the package from `transport`. Opens it again at most `retries` times in a row that bring nothing
    /// new.
    pub(crate) fn run(
        &mut self,
        transport: &mut Transport,
        retries: u32,
        mut tell: impl FnMut(Event<'_>),
    ) -> Result<Verified, Stopped> {
        let mut failed = 0;
        loop {
            let before = self.position();
            let stopped = match transport.open(before) {
                Ok(stream) => match self.receive(stream, &mut tell) {
                    Ok(verified) => return Ok(verified),
                    Err(stopped) => stopped,
                },
                Err(NoStream { why, again: true }) => Stopped::Transport(why),
                Err(NoStream { why, again: false }) => return Err(Stopped::Transport(why)),
            };
            failed = if self.position() > before { 1 } else { failed + 1 };
            if failed > retries || !transport.can_change() || !worth_a_retry(&stopped) {
                return Err(stopped);
            }
            tell(Event::Retry { position: self.position(), why: &stopped.to_string() });
            // A server that restarts needs a moment; one that dropped the connection does not mind.
            sleep(Duration::from_millis(250) * (failed - 1).min(8));
        }
    }

    /// One stream to its end, or to whatever stops it.
    fn receive(&mut self, mut stream: Stream, tell: &mut impl FnMut(Event<'_>)) -> Result<Verified, Stopped> {
        // Bytes of the package that the device holds are passed over, if the transport sends them again.
        self.updater.stream_at(stream.offset).map_err(|error| Stopped::Transport(error.to_string()))?;
        tell(Event::Opened { offset: stream.offset, position: self.position() });
        let mut at = stream.offset;
        let mut chunk = [0; 1024];
        loop {
            let read = match stream.reader.read(&mut chunk) {
                Ok(0) => return Ok(self.updater.finish()?),
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                // The end of the connection was lost, of the package nothing.
                Err(_) if self.is_complete() => return Ok(self.updater.finish()?),
                Err(error) => {
                    self.updater.disconnected();
                    return Err(Stopped::Transport(error.to_string()));
                }
            };
            let bytes = chunk.get(..read).unwrap_or_default();
            self.keep(at, bytes);
            at = at.saturating_add(read as u32);
            let fed = self.updater.write_all(bytes);
            self.offer(tell);
            fed?;
            tell(Event::Progress(self.progress()));
            if stream.endless && self.is_complete() {
                return Ok(self.updater.finish()?);
            }
        }
    }

    /// The last byte has arrived.
    fn is_complete(&self) -> bool {
        let Progress { received, package, .. } = self.progress();
        package == Some(received)
    }

    /// Tells of the manifest once the device has accepted it: it is authentic then, and what was received is
    /// what was signed.
    fn offer(&mut self, tell: &mut impl FnMut(Event<'_>)) {
        if self.offered || self.progress().package.is_none() {
            return;
        }
        if let Ok(found) = lockgate::pack::inspect(&self.received) {
            self.offered = true;
            tell(Event::Offered(&found.manifest, found.manifest_digest));
        }
    }

    /// Keeps what the device does not hold yet; what it holds is not replaced by what a second try brings.
    fn keep(&mut self, at: u32, bytes: &[u8]) {
        let (at, wanted) = (at as usize, self.position() as usize);
        let held = self.received.len().min(wanted).max(at);
        self.received.resize(held, 0);
        self.received.extend(bytes.get(held - at..).unwrap_or_default());
    }
}

/// Whether the same package can still succeed, asked for once more.
fn worth_a_retry(stopped: &Stopped) -> bool {
    match stopped {
        Stopped::Transport(_) | Stopped::Truncated(_) => true,
        Stopped::Refused(refusal) => Error::<()>::Refused(*refusal).kind() == ErrorKind::Retry,
        Stopped::Flash(_) => false,
    }
}
