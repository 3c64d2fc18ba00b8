//! What an install came to: the lines, the JSON and the exit code that say so.

use std::path::Path;

use lockgate::{Digest, Refusal, Slot, Strategy, Verified, Version};
use serde_json::{json, Value};

use super::{Audit, Report, Stopped};
use crate::board::Board;
use crate::cut::Cut;
use crate::failure::Failure;
use crate::slots::SlotState;
use crate::style::{count, Style, Tone};

/// What a receipt said: it is used up when the image is activated.
pub(crate) struct Done {
    pub(crate) slot: Slot,
    version: Version,
    security_counter: u32,
    image_size: u32,
    image: Digest,
    manifest: Digest,
}

impl From<&Verified> for Done {
    fn from(receipt: &Verified) -> Self {
        Self {
            slot: receipt.slot(),
            version: receipt.version(),
            security_counter: receipt.security_counter(),
            image_size: receipt.image_size(),
            image: receipt.image_digest(),
            manifest: receipt.manifest_digest(),
        }
    }
}

/// Where an outcome is told, and of what.
pub(crate) struct Outcome<'o> {
    pub(crate) report: &'o Report,
    pub(crate) board: &'o Board,
    pub(crate) path: &'o Path,
    pub(crate) package: String,
    pub(crate) audit: Audit,
    /// Units programmed and sectors erased.
    pub(crate) steps: u64,
}

impl Outcome<'_> {
    /// The image is in its slot, as `slots` show; it is `activated`, or waits for that.
    pub(crate) fn verified(&self, done: &Done, activated: bool, slots: &[SlotState; 2]) -> Result<(), Failure> {
        self.report.json(|| {
            json!({
                "event": "verified",
                "slot": done.slot.to_string(),
                "version": done.version.to_string(),
                "security_counter": done.security_counter,
                "image_size": done.image_size,
                "image_digest": done.image.to_string(),
                "manifest_digest": done.manifest.to_string(),
                "activated": activated,
                "flash": self.path.display().to_string(),
                "counters": self.counters(),
            })
        });
        for SlotState { slot, content } in slots {
            self.report.say(&format!("slot {slot}"), &content.to_string());
        }
        self.flash_line();
        self.report.say("next", &next(self.board.layout().strategy(), done.slot, activated));
        match self.audit.unauthentic {
            0 => Ok(()),
            bytes => Err(Failure::refused(
                &self.package,
                format_args!(
                    "{bytes} bytes that no key signed for are in flash: this is a defect of lockgate, please report it"
                ),
            )),
        }
    }

    /// The records say that this very update is asked for already.
    pub(crate) fn pending(&self, slot: Slot) {
        self.report.json(|| json!({ "event": "pending", "slot": slot.to_string(), "counters": self.counters() }));
        self.report
            .say("waits", &format!("the image is verified in slot {slot} and activated: nothing was sent again"));
        self.report.say("next", &next(self.board.layout().strategy(), slot, true));
    }

    /// Power was cut.
    pub(crate) fn cut(&self, cut: &Cut) -> Failure {
        self.report.json(|| {
            let mut event = cut.json(self.board);
            if let Value::Object(fields) = &mut event {
                fields.insert("counters".into(), self.counters());
            }
            event
        });
        self.flash_line();
        cut.failure(self.path, self.board, "it goes on from the last checkpoint")
    }

    /// The update was refused, or something failed.
    pub(crate) fn stopped(&self, stopped: &Stopped, target: Slot) -> Failure {
        let refused = matches!(stopped, Stopped::Refused(_) | Stopped::Truncated(_));
        self.report.json(|| {
            json!({
                "event": if refused { "refused" } else { "error" },
                "why": stopped.to_string(),
                "counters": self.counters(),
            })
        });
        let Audit { programmed, unauthentic, key_set_bytes, .. } = self.audit;
        let reached = match programmed {
            0 if key_set_bytes > 0 => "nothing but a key set reached flash".into(),
            0 => "nothing of it reached flash".into(),
            bytes if unauthentic == 0 => {
                format!("{} reached flash, every one of them signed for", count(bytes, "byte", "bytes"))
            }
            bytes => format!("{bytes} bytes reached flash, {unauthentic} of them SIGNED FOR BY NOBODY"),
        };
        match stopped {
            Stopped::Refused(_) | Stopped::Truncated(_) | Stopped::Waits => {
                let hint = hint(stopped, self.board, target);
                Failure::refused(&self.package, format_args!("{stopped}; {reached}{hint}"))
            }
            Stopped::Transport(why) => Failure::Io(format!("{}: {why}; {reached}", self.package)),
            Stopped::Flash(why) => Failure::io(self.path, format_args!("{why}; {reached}")),
        }
    }

    fn counters(&self) -> Value {
        json!({
            "bytes_programmed": self.audit.programmed,
            "sector_erases": self.audit.erases,
            "unauthentic_bytes": self.audit.unauthentic,
            "record_bytes": self.audit.record_bytes,
            "record_erases": self.audit.record_erases,
            "key_set_bytes": self.audit.key_set_bytes,
            "steps": self.steps,
        })
    }

    fn flash_line(&self) {
        let Audit { erases, programmed, unauthentic, record_bytes, record_erases, key_set_bytes } = self.audit;
        let signed = match unauthentic {
            0 => "every one of them signed for".into(),
            bytes => Style::stdout().paint(Tone::Bad, format_args!("{bytes} of them signed for by nobody")),
        };
        let erased = count(erases, "sector", "sectors");
        self.report
            .say("flash", &format!("{erased} erased, {} programmed, {signed}", count(programmed, "byte", "bytes")));
        let erased = match record_erases {
            0 => String::new(),
            sectors => format!("{} erased, ", count(sectors, "sector", "sectors")),
        };
        self.report.say("records", &format!("{erased}{} programmed", count(record_bytes, "byte", "bytes")));
        if key_set_bytes > 0 {
            self.report.say("key store", &format!("{} programmed", count(key_set_bytes, "byte", "bytes")));
        }
    }
}

fn next(strategy: Strategy, slot: Slot, activated: bool) -> String {
    if !activated {
        return "nothing: without --no-activate the boot stage would be asked to try it".into();
    }
    match strategy {
        Strategy::Swap => "the boot stage exchanges the slots and starts the new image on trial: lockgate boot".into(),
        Strategy::Foreign => "the bootloader is to be asked to try the new image".into(),
        Strategy::Select => format!("the boot stage starts slot {slot} on trial: lockgate boot"),
    }
}

/// What helps, where the board or the records know.
fn hint(stopped: &Stopped, board: &Board, target: Slot) -> String {
    match stopped {
        Stopped::Refused(Refusal::NoLoadAddress | Refusal::LoadAddress { .. }) => {
            let [a, b] = board.load_addresses();
            let runs_at = if target == Slot::A { a } else { b };
            let name = board.name();
            format!("; slot {target} of {name} runs at {runs_at:#010x}: link for it, and pack with --load-address {runs_at:#010x}")
        }
        Stopped::Refused(Refusal::Unconfirmed) => "; lockgate confirm keeps it, lockgate reject gives it up".into(),
        _ => String::new(),
    }
}
