//! A package from a transport into an updater: opens, reads, feeds; goes on where the updater says, after a lost
//! connection and after a reset.

use std::cell::RefCell;
use std::fmt;
use std::io::Read;
use std::rc::Rc;
use std::thread::sleep;
use std::time::Duration;

use embedded_io::Write;
use lockgate::manifest::{Encoding, Manifest};
use lockgate::{
    Decision, Device, Digest, Error, ErrorKind, Keyring, Layout, Offer, Progress, Refusal, Running, Updater, Verified,
    P256,
};

use super::buffer::{buffer, lend};
use super::received::Received;
use crate::flash_file::{self, FileFlash, Journal};
use crate::transport::{NoStream, Stream, Transport};

/// What happens, as it happens.
pub(crate) enum Event<'e> {
    /// The transport begins at this byte. It was asked for `position`; if it began in front of that, what is
    /// there already is passed over.
    Opened { offset: u32, position: u32 },
    /// An authenticated manifest that the device takes; nothing is erased yet.
    Offered(&'e Manifest, Digest),
    /// It goes on at `position`, where an install was interrupted by a reset: `written` bytes of the image are in the
    /// slot, `saved` bytes of the package are not sent again (0 if the transport cannot leave them out).
    /// A payload that is `encoded` is decoded again from its first byte, and what is in the slot is not written again.
    Resumed { position: u32, written: u32, saved: u32, encoded: bool },
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
    /// This very update waits already, as the caller said.
    Waits,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Truncated(position) => write!(f, "the package ends at byte {position}, before it is complete"),
            Self::Transport(why) | Self::Flash(why) => f.write_str(why),
            Self::Waits => f.write_str("the image waits in its slot already"),
        }
    }
}

impl From<Error<flash_file::Error>> for Stopped {
    fn from(error: Error<flash_file::Error>) -> Self {
        match error {
            Error::Refused(refusal) => Self::Refused(refusal),
            Error::Truncated { position } => Self::Truncated(position),
            Error::Deferred => Self::Waits,
            Error::Flash(error) => Self::Flash(error.to_string()),
            other => Self::Flash(other.to_string()),
        }
    }
}

type Policy = Box<dyn FnMut(&Offer<'_>) -> Decision>;

/// A device that waits for a package.
pub(crate) struct Session<'f> {
    updater: Updater<'static, &'f mut FileFlash, P256, Policy>,
    /// The package as far as it was wanted: what the audit judges by.
    received: Received,
    offered: bool,
    /// What this session has written.
    journal: Rc<RefCell<Journal>>,
    layout: &'static Layout,
}

impl<'f> Session<'f> {
    /// A device with a block buffer of `block` bytes (one of [`SIZES`](super::SIZES)) and a workspace of `workspace` bytes
    /// (one of [`WORKSPACES`](super::WORKSPACES)). What runs, the records and the trailers say, unless it is given.
    pub(crate) fn new(
        device: &'static Device<'static>,
        running: Option<Running>,
        flash: &'f mut FileFlash,
        (block, workspace): (u32, u32),
    ) -> Option<Self> {
        let accept: Policy = Box::new(|_| Decision::Accept);
        let journal = flash.journal();
        let updater = Updater::with_verifier(device, flash, buffer(block)?, P256).policy(accept);
        let updater = match running {
            Some(running) => updater.running(running),
            None => updater,
        };
        let updater = lend(updater, workspace)?;
        Some(Self { updater, received: Received::default(), offered: false, journal, layout: device.layout() })
    }

    /// Takes key sets as well.
    pub(crate) fn rotating(mut self) -> Self {
        self.updater = self.updater.keyring(Box::leak(Box::new(Keyring::new())));
        self
    }

    /// Stops with [`Stopped::Waits`] at the update with this manifest digest, before anything is written.
    pub(crate) fn waiting_for_reset(mut self, manifest: Option<Digest>) -> Self {
        let policy: Policy = Box::new(move |offer| match manifest == Some(offer.digest) {
            true => Decision::Defer,
            false => Decision::Accept,
        });
        self.updater = self.updater.policy(policy);
        self
    }

    /// The receipt of the update that was complete before a reset.
    pub(crate) fn staged(&mut self) -> Result<Verified, Stopped> {
        Ok(self.updater.staged()?)
    }

    /// The next byte of the package that is wanted.
    pub(crate) fn position(&self) -> u32 {
        self.updater.position()
    }

    pub(crate) fn progress(&self) -> Progress {
        self.updater.progress()
    }

    /// The package's bytes as far as they were wanted.
    pub(crate) fn into_received(self) -> Received {
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
                Ok(stream) => match self.receive(stream, transport.can_seek(), &mut tell) {
                    Ok(Some(verified)) => return Ok(verified),
                    Ok(None) => continue,
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

    /// One stream to its end, or to whatever stops it. No receipt: the updater knows more than when it was opened, and
    /// a transport that `can_seek` need not send what is there already.
    fn receive(
        &mut self,
        mut stream: Stream,
        can_seek: bool,
        tell: &mut impl FnMut(Event<'_>),
    ) -> Result<Option<Verified>, Stopped> {
        // Bytes of the package that the device holds are passed over, if the transport sends them again.
        self.updater.stream_at(stream.offset).map_err(|error| Stopped::Transport(error.to_string()))?;
        tell(Event::Opened { offset: stream.offset, position: self.position() });
        let wanted = self.position();
        let mut at = stream.offset;
        let mut chunk = [0; 1024];
        loop {
            let read = match stream.reader.read(&mut chunk) {
                Ok(0) => return Ok(Some(self.updater.finish()?)),
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                // The end of the connection was lost, of the package nothing.
                Err(_) if self.is_complete() => return Ok(Some(self.updater.finish()?)),
                Err(error) => {
                    self.updater.disconnected();
                    return Err(Stopped::Transport(error.to_string()));
                }
            };
            let bytes = chunk.get(..read).unwrap_or_default();
            self.received.keep(at, bytes, self.position());
            at = at.saturating_add(read as u32);
            let fed = self.updater.write_all(bytes);
            self.offer(at, can_seek, tell);
            fed?;
            tell(Event::Progress(self.progress()));
            if stream.endless && self.is_complete() {
                return Ok(Some(self.updater.finish()?));
            }
            // Once for each position: a server without Range begins anew at byte 0.
            if can_seek && self.position() > at.max(wanted) {
                return Ok(None);
            }
        }
    }

    /// The last byte has arrived.
    fn is_complete(&self) -> bool {
        let Progress { received, package, .. } = self.progress();
        package == Some(received)
    }

    /// Bytes of the image of `size` bytes that were written by this session; the last write may be padded.
    fn image_bytes(&self, size: u32) -> u32 {
        // Known since the records were read.
        let slot = self.layout.slot_range(self.updater.status().target);
        let image = slot.start..slot.start.saturating_add(size);
        let journal = self.journal.borrow();
        let writes = journal.writes.iter().filter(|write| image.contains(&write.at));
        writes.map(|write| (write.bytes.len() as u32).min(image.end - write.at)).sum()
    }

    /// Tells of the manifest once the device has accepted it: it is authentic then, and what was received is what was
    /// signed. Bytes up to `at` are fed.
    fn offer(&mut self, at: u32, can_seek: bool, tell: &mut impl FnMut(Event<'_>)) {
        let Progress { package: Some(_), written, .. } = self.progress() else { return };
        if self.offered {
            return;
        }
        let position = self.position();
        let Some(found) = self.received.inspect() else { return };
        self.offered = true;
        tell(Event::Offered(&found.manifest, found.manifest_digest));
        if position > at {
            let head = found.offset + found.head.len();
            let saved = if can_seek { position.saturating_sub(head as u32) } else { 0 };
            tell(Event::Resumed { position, written, saved, encoded: false });
            self.received.passed_over(head, position);
        } else if found.manifest.encoding != Encoding::Raw {
            // What is written and was not written now was there.
            let held = written.saturating_sub(self.image_bytes(found.manifest.image_size));
            let position = (found.offset + found.head.len()) as u32;
            if held > 0 {
                tell(Event::Resumed { position, written: held, saved: 0, encoded: true });
            }
        }
    }
}

/// Whether the same package can still succeed, asked for once more.
fn worth_a_retry(stopped: &Stopped) -> bool {
    match stopped {
        Stopped::Transport(_) | Stopped::Truncated(_) => true,
        Stopped::Refused(refusal) => Error::<()>::Refused(*refusal).kind() == ErrorKind::Retry,
        Stopped::Flash(_) | Stopped::Waits => false,
    }
}
