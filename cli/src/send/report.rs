//! Tells how it goes: a bar on a terminal, lines, or one object of JSON at the end.

use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use lockgate::serial::Outcome;
use serde_json::json;

use super::{Done, Port, Sent, Silence, Stopped};
use crate::failure::Failure;
use crate::install::line;
use crate::print;
use crate::style::{count, grouped, Style};

/// Where it goes.
pub(crate) struct Report<'p> {
    json: bool,
    style: Style,
    bar: ProgressBar,
    package: &'p Path,
    size: usize,
    sent: Sent,
    start: Instant,
}

impl<'p> Report<'p> {
    pub(crate) fn new(json: bool, package: &'p Path, size: usize) -> Self {
        let bar = if json { ProgressBar::hidden() } else { bar(size) };
        Self { json, style: Style::stdout(), bar, package, size, sent: Sent::default(), start: Instant::now() }
    }

    pub(crate) fn begin(&self, port: &Port) {
        let baud = port.baud().map(|baud| format!(" at {baud} baud")).unwrap_or_default();
        let size = count(self.size as u64, "byte", "bytes");
        self.say(
            "sending",
            &format!("{}, {size}, over {}{baud}: once the device asks", self.package.display(), port.name()),
        );
    }

    /// A line of the device's text.
    pub(super) fn device(&self, text: &str) {
        match self.json {
            true => eprintln!("{text}"),
            false => self.say("device", text),
        }
    }

    /// The device asks for bytes behind those it was sent.
    pub(super) fn skipped(&self, offset: u32) {
        self.say("resumed", &format!("from byte {} on: the device has what is in front of it", grouped(offset.into())));
    }

    /// The device asks for bytes in front of those it was sent.
    pub(super) fn again(&self, offset: u32) {
        self.say("back", &format!("the device asks for byte {} again: was it reset?", grouped(offset.into())));
    }

    /// An answer is out; the device has been sent the bytes up to `end`.
    pub(super) fn sent(&mut self, again: bool, bytes: usize, end: u32) {
        self.sent.frames += 1;
        self.sent.repeated += u64::from(again);
        self.sent.bytes += bytes as u64;
        self.bar.set_position(end.into());
        self.bar.set_message(match self.sent.repeated {
            0 => String::new(),
            repeated => format!("{} sent again", count(repeated, "frame", "frames")),
        });
    }

    fn say(&self, label: &str, text: &str) {
        if !self.json {
            self.bar.suspend(|| line(self.style, label, text));
        }
    }

    /// The last word.
    pub(crate) fn end(self, port: &Port, end: Result<Done, Stopped>) -> Result<(), Failure> {
        let seconds = self.start.elapsed().as_secs_f64();
        self.bar.finish_and_clear();
        let Sent { frames, repeated, bytes } = self.sent;
        let reason = match &end {
            Ok(_) => None,
            Err(stopped) => Some(why(stopped, port, self.start.elapsed())),
        };
        if self.json {
            let (outcome, text) = match &end {
                Ok(Done { outcome, text }) => (Some(name(*outcome)), Some(text)),
                Err(_) => (None, reason.as_ref()),
            };
            print::json(&json!({
                "outcome": outcome,
                "text": text,
                "package_size": self.size,
                "frames": frames,
                "repeated": repeated,
                "bytes": bytes,
                "seconds": (seconds * 1000.0).round() / 1000.0,
            }))?;
        } else if frames > 0 {
            let bytes = count(bytes, "byte", "bytes");
            let frames = count(frames, "frame", "frames");
            self.say("sent", &format!("{bytes} in {frames}, {} again, {seconds:.1} s", grouped(repeated)));
        }
        match end {
            Ok(Done { outcome: Outcome::Verified, text }) => {
                let text = if text.is_empty() { "the device has the image".into() } else { text };
                self.say("verified", &text);
                Ok(())
            }
            Ok(Done { outcome: Outcome::Refused, text }) => {
                Err(Failure::refused(self.package.display(), told("the device refuses it", &text)))
            }
            Ok(Done { outcome: Outcome::Failed, text }) => Err(Failure::Io(format!(
                "{}: {}",
                port.name(),
                told("the device could not complete the update", &text)
            ))),
            Err(_) => Err(Failure::Io(format!("{}: {}", port.name(), reason.unwrap_or_default()))),
        }
    }
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Verified => "verified",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
    }
}

fn told(what: &str, text: &str) -> String {
    if text.is_empty() {
        what.into()
    } else {
        format!("{what}: {text}")
    }
}

/// What went wrong, and what to look at.
fn why(stopped: &Stopped, port: &Port, waited: Duration) -> String {
    let waited = count(waited.as_secs(), "second", "seconds");
    let baud = port.baud().map(|baud| format!(", is {baud} its baud rate")).unwrap_or_default();
    let wires = if port.baud().is_some() { ", are its TX, RX and ground connected" } else { "" };
    match stopped {
        Stopped::Lost(why) => format!("the connection is lost: {why}"),
        Stopped::Silent(Silence::Complete) => {
            format!("nothing heard in {waited}: is the device on and in its update mode{baud}{wires}?")
        }
        Stopped::Silent(Silence::NoQuestion(bytes)) => {
            let bytes = count(*bytes, "byte", "bytes");
            format!("{bytes} heard in {waited}, but no question for a package: is the device in its update mode{baud}?")
        }
        Stopped::Silent(Silence::Later(kind)) => {
            format!("the device sends frames of type {kind}, of a later version of the protocol than this program's")
        }
        Stopped::Silent(Silence::SameQuestion { offset, times }) => {
            let wires = if port.baud().is_some() { ": is its RX connected to this end's TX?" } else { "" };
            let offset = grouped((*offset).into());
            format!("the device asked {times} times for byte {offset}, and does not hear the answers{wires}")
        }
        Stopped::Silent(Silence::After { offset }) => {
            format!("the device fell silent after it was sent byte {}", grouped((*offset).into()))
        }
    }
}

/// A bar on standard error; hidden where that is no terminal.
fn bar(size: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(size as u64);
    let template = "{prefix:.bold}  {wide_bar:.green/dim} {percent:>3} %  {eta:>4} left  {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.set_prefix("sending  ");
    bar
}
