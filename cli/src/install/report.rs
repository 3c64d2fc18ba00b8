//! Tells how an update goes: a bar on a terminal, a line of JSON for each event, or a few plain lines.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use lockgate::manifest::{Encoding, Manifest};
use lockgate::Progress;
use serde_json::{json, Value};

use super::session::Event;
use crate::slots::kib;
use crate::style::{self, count, grouped, Style, Tone};
use crate::{encoding, print};

/// Where events go.
pub(crate) struct Report {
    form: Form,
    style: Style,
    indent: &'static str,
}

enum Form {
    /// For people; the bar shows on a terminal only.
    Text(ProgressBar),
    /// For programs; the last percentage told.
    Json(Option<u32>),
}

/// A line with a label in front of it; spaces before the label indent the line.
pub(crate) fn line(style: Style, label: &str, text: &str) {
    let name = label.trim_start();
    let indent = " ".repeat(label.len() - name.len());
    let name = style.paint(Tone::Strong, format_args!("{name:<9}"));
    let room = style::columns().map_or(usize::MAX, |columns| columns.saturating_sub(indent.len() + 11));
    let lines = style::wrapped(text, room);
    let text = lines.join(&format!("\n{indent}{:11}", ""));
    // A pipe whose reader has gone is no reason to leave a device half written.
    _ = print::line(format_args!("{indent}{name}  {text}"));
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        let form = if json { Form::Json(None) } else { Form::Text(bar()) };
        Self { form, style: Style::stdout(), indent: "" }
    }

    /// Every line begins with `indent`.
    pub(crate) fn indented(mut self, indent: &'static str) -> Self {
        if let Form::Text(bar) = &self.form {
            bar.set_prefix(format!("{indent}receiving"));
        }
        self.indent = indent;
        self
    }

    /// Tells of an event.
    pub(crate) fn tell(&mut self, event: &Event<'_>) {
        match &mut self.form {
            Form::Text(bar) => text(bar, self.style, self.indent, event),
            Form::Json(last) => {
                if let Some(value) = value(last, event) {
                    _ = print::line(value);
                }
            }
        }
    }

    /// A line of JSON, if that is the form.
    pub(crate) fn json(&self, value: impl FnOnce() -> Value) {
        if let Form::Json(_) = self.form {
            _ = print::line(value());
        }
    }

    /// A line for people, if that is the form.
    pub(crate) fn say(&self, label: &str, text: &str) {
        if let Form::Text(bar) = &self.form {
            bar.suspend(|| line(self.style, &format!("{}{label}", self.indent), text));
        }
    }

    /// The bar stays as it is; lines follow below it.
    pub(crate) fn end(&mut self) {
        if let Form::Text(bar) = &mut self.form {
            match bar.position() {
                0 => bar.finish_and_clear(),
                _ => bar.abandon(),
            }
            if !bar.is_hidden() && bar.position() > 0 {
                eprintln!();
            }
            *bar = ProgressBar::hidden();
        }
    }
}

/// A bar on standard error; hidden where that is no terminal.
fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{prefix:.bold}  {wide_bar:.green/dim} {percent:>3} %  {msg}") {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.set_prefix("receiving");
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// What an event means to people.
fn text(bar: &ProgressBar, style: Style, indent: &str, event: &Event<'_>) {
    match event {
        Event::Opened { offset, position } => {
            if offset < position {
                let text = format!("the server starts again at byte {offset}: what is in flash is passed over");
                bar.suspend(|| line(style, &format!("{indent}note"), &text));
            }
        }
        Event::Offered(manifest, _) => {
            let text = format!(
                "version {}, security counter {}, {} in blocks of {}{}",
                manifest.version,
                manifest.security_counter,
                kib(manifest.image_size),
                kib(manifest.block_size()),
                payload(manifest)
            );
            bar.suspend(|| line(style, &format!("{indent}offered"), &text));
        }
        Event::Resumed { position, written, saved, encoded } => {
            let saved = match saved {
                0 if *encoded => "the payload is decoded again and they are not written again".into(),
                0 => "sent again and passed over".into(),
                saved => format!("{} were not sent again", count((*saved).into(), "byte", "bytes")),
            };
            let text = format!(
                "from byte {} of the package: {} of the image are in the slot, {saved}",
                grouped((*position).into()),
                count((*written).into(), "byte", "bytes"),
            );
            bar.suspend(|| line(style, &format!("{indent}resumed"), &text));
        }
        Event::Progress(Progress { received, package, written, image }) => {
            if let Some(package) = package {
                bar.set_length((*package).into());
            }
            bar.set_position((*received).into());
            bar.set_message(format!(
                "{} received, {} written{}",
                kib(*received),
                kib(*written),
                image.map(|image| format!(" of {}", kib(image))).unwrap_or_default()
            ));
        }
        Event::Retry { position, why } => {
            bar.suspend(|| line(style, &format!("{indent}retry"), &format!("from byte {position} on ({why})")));
        }
    }
}

fn value(last: &mut Option<u32>, event: &Event<'_>) -> Option<Value> {
    Some(match event {
        Event::Opened { offset, position } => json!({ "event": "opened", "offset": offset, "position": position }),
        Event::Offered(manifest, digest) => json!({
            "event": "offered",
            "vendor": manifest.vendor.to_string(),
            "class": manifest.class.to_string(),
            "component": manifest.component,
            "version": manifest.version.to_string(),
            "security_counter": manifest.security_counter,
            "image_size": manifest.image_size,
            "image_digest": manifest.image_digest.to_string(),
            "block_size": manifest.block_size(),
            "encoding": encoding::value(manifest.encoding),
            "payload_length": manifest.payload_length,
            "base_image": manifest.base_image.map(|base| base.digest.to_string()),
            "manifest_digest": digest.to_string(),
        }),
        Event::Resumed { position, written, saved, encoded } => json!({
            "event": "resumed",
            "position": position,
            "written": written,
            "bytes_not_sent_again": saved,
            "decoded_again": encoded,
        }),
        Event::Progress(Progress { received, package: Some(package), written, image }) => {
            let percent = (u64::from(*received) * 100 / u64::from((*package).max(1))) as u32;
            // Every 5 %, and the end.
            if last.is_some_and(|last| percent < last + 5 && (percent < 100 || last == 100)) {
                return None;
            }
            *last = Some(percent);
            json!({
                "event": "progress",
                "received": received,
                "package": package,
                "written": written,
                "image": image,
            })
        }
        Event::Progress(_) => return None,
        Event::Retry { position, why } => json!({ "event": "retry", "position": position, "why": why }),
    })
}

/// What arrives in place of the image, if something does.
fn payload(manifest: &Manifest) -> String {
    let size = kib(manifest.payload_length);
    match (manifest.encoding, manifest.base_image) {
        (Encoding::Raw, _) => String::new(),
        (_, Some(base)) => {
            let base: String = base.digest.to_string().chars().take(8).collect();
            format!(", as a delta of {size} from image {base}")
        }
        _ => format!(", compressed to {size}"),
    }
}
