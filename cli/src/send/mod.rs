//! The host's end of a serial line (docs/serial.md): answers what the device asks for, until it says how the update
//! ended.

mod ear;
mod port;
mod report;

use std::time::{Duration, Instant};

use lockgate::serial::{Frame, Outcome};

use ear::{Ear, Heard};
pub(crate) use port::Port;
pub(crate) use report::Report;

/// How an update ended, if the device did not say it.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The line is gone.
    Lost(String),
    /// The device asked for nothing new for as long as was to be waited.
    Silent(Silence),
}

/// What was heard before.
#[derive(Debug)]
pub(crate) enum Silence {
    /// Nothing.
    Complete,
    /// So many bytes, but no question.
    NoQuestion(u64),
    /// A frame of a later version of the protocol: its type.
    Later(u8),
    /// The question for these bytes, so often: the answers do not get through.
    SameQuestion { offset: u32, times: u32 },
    /// The device fell silent after it had asked for these bytes.
    After { offset: u32 },
}

/// What the device said at the end.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) outcome: Outcome,
    pub(crate) text: String,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) frames: u64,
    /// Those of them that repeat the one before.
    pub(crate) repeated: u64,
    pub(crate) bytes: u64,
}

/// A question.
#[derive(Clone, Copy)]
struct Want {
    offset: u32,
    length: u16,
}

/// Sends `package` over `port`. Gives up after `patience` without a new question.
pub(crate) fn run(
    port: &mut Port,
    package: &[u8],
    patience: Duration,
    report: &mut Report<'_>,
) -> Result<Done, Stopped> {
    let mut ear = Ear::default();
    let end = listen(port, package, patience, &mut ear, report);
    // A line that was not complete says all the more.
    if let Some(line) = ear.rest() {
        report.device(&line);
    }
    end
}

fn listen(
    port: &mut Port,
    package: &[u8],
    patience: Duration,
    ear: &mut Ear,
    report: &mut Report<'_>,
) -> Result<Done, Stopped> {
    let mut session = Session { package, heard: 0, last: None, times: 0, end: 0, later: None };
    let mut news = Instant::now();
    let mut buffer = [0; 1024];
    loop {
        let read = port.read(&mut buffer).map_err(Stopped::Lost)?;
        session.heard += read as u64;
        let (mut want, mut done) = (None, None);
        ear.hear(&buffer[..read], |heard| match heard {
            // The last one counts: those before it are no longer waited for.
            Heard::Want { offset, length } => want = Some(Want { offset, length }),
            Heard::Done { outcome, text } => _ = done.get_or_insert(Done { outcome, text }),
            Heard::Later(kind) => session.later = Some(kind),
            Heard::Line(line) => report.device(&line),
        });
        if let Some(done) = done {
            return Ok(done);
        }
        let new = want.map(|want| session.answer(want, port, report)).transpose().map_err(Stopped::Lost)?;
        if new == Some(true) {
            news = Instant::now();
        } else if news.elapsed() >= patience {
            return Err(Stopped::Silent(session.silence()));
        }
    }
}

struct Session<'p> {
    package: &'p [u8],
    /// Bytes from the device.
    heard: u64,
    last: Option<u32>,
    /// How often the last question was repeated.
    times: u32,
    /// Where the last answer ended.
    end: u32,
    later: Option<u8>,
}

impl Session<'_> {
    /// Answers. True if the question was a new one.
    fn answer(&mut self, want: Want, port: &mut Port, report: &mut Report<'_>) -> Result<bool, String> {
        let Want { offset, length } = want;
        let size = u32::try_from(self.package.len()).unwrap_or(u32::MAX);
        let rest = self.package.get(offset as usize..).unwrap_or_default();
        let bytes = &rest[..rest.len().min(length.into())];
        let new = self.last != Some(offset);
        self.times = if new { 0 } else { self.times + 1 };
        if self.last.is_some() && offset > self.end {
            report.skipped(offset);
        } else if self.last.is_some_and(|last| offset < last) {
            report.again(offset);
        }
        (self.last, self.end) = (Some(offset), offset.saturating_add(bytes.len() as u32));
        let frame: Vec<u8> = Frame::Data { offset, size, bytes }.wire().collect();
        port.send(&frame)?;
        report.sent(!new, bytes.len(), self.end.min(size));
        Ok(new)
    }

    fn silence(&self) -> Silence {
        match (self.last, self.times, self.later, self.heard) {
            (Some(offset), 0, ..) => Silence::After { offset },
            (Some(offset), times, ..) => Silence::SameQuestion { offset, times: times + 1 },
            (None, _, Some(kind), _) => Silence::Later(kind),
            (None, _, None, 0) => Silence::Complete,
            (None, _, None, heard) => Silence::NoQuestion(heard),
        }
    }
}
