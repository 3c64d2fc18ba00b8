//! `lockgate boot`: what a boot stage does with a flash that is a file.

use lockgate::boot::Launch;
use lockgate::{BootReason, BootStatus, Control, Slot, Uuid};
use serde_json::{json, Value};

use super::options::{FlashOptions, CUT_HELP};
use super::trust::{Trust, TrustOptions};
use super::values;
use crate::board::Board;
use crate::boot_stage::{self, Identity, Started};
use crate::failure::Failure;
use crate::flash_file::FileFlash;
use crate::install::line;
use crate::print;
use crate::slots;
use crate::style::{count, Style, Tone};

/// Reset: run the boot stage on a flash in a file, and show which image it starts and why.
///
/// The flash changes as it does on a device: an attempt is counted, slots are exchanged, an update that was not
/// confirmed in its attempts is taken back. Then, `lockgate confirm` and `lockgate reject` are what the image says.
#[derive(clap::Args)]
#[command(
    group = clap::ArgGroup::new("trust").args(["keys", "trusted"]).requires("signatures"),
    after_long_help = CUT_HELP
)]
pub(crate) struct Args {
    #[command(flatten)]
    on: FlashOptions,

    /// Check the signatures in the trailers as well, not the hashes alone
    #[arg(long, requires = "trust")]
    signatures: bool,

    #[command(flatten)]
    trust: TrustOptions,

    /// The device's vendor [default: that of the image in the flash]
    #[arg(long, value_name = "UUID", value_parser = values::uuid)]
    vendor: Option<Uuid>,

    /// The device's class [default: that of the image in the flash]
    #[arg(long, value_name = "UUID", value_parser = values::uuid)]
    class: Option<Uuid>,

    /// The device's component [default: that of the image in the flash]
    #[arg(long, value_name = "N")]
    component: Option<u16>,

    /// How often a new image is started before it must have been confirmed
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    attempts: u8,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let board = args.on.board()?;
    let trust = args.signatures.then(|| args.trust.read(&board)).transpose()?;
    let mut flash = args.on.open(&board)?;
    let path = &args.on.flash;
    let recorder = boot_stage::device(&board, None, None);
    let before = Control::new(&recorder, &mut flash).status().map_err(|error| Failure::io(path, error))?;
    let identity = identity(&args, &flash, &board, before.confirmed);
    let device = boot_stage::device(&board, identity, trust.as_ref().map(Trust::sign));
    let device = trust.map_or(device, |trust| trust.build(device));
    let started = boot_stage::run(&device.attempts(args.attempts), &mut flash, args.signatures);
    if args.json {
        print::json(&value(&started, &flash, &board))?;
    }
    args.on.check_power(&flash, &board, "the boot stage goes on from there")?;
    let launch = match started.launch {
        Ok(launch) => launch,
        Err(why) => {
            return Err(Failure::refused(path.display(), format_args!("{why}: install or program one")));
        }
    };
    if !args.json {
        tell(&launch, &before, &started, &flash, &board, &args);
    }
    Ok(())
}

/// What the device is: as the options say, or else as the image that it runs.
fn identity(args: &Args, flash: &FileFlash, board: &Board, confirmed: Slot) -> Option<Identity> {
    let found = Identity::of(&slots::look(flash.bytes(), board.layout(), None), confirmed);
    found.map(|found| Identity {
        vendor: args.vendor.unwrap_or(found.vendor),
        class: args.class.unwrap_or(found.class),
        component: args.component.unwrap_or(found.component),
    })
}

fn tell(launch: &Launch, before: &BootStatus, started: &Started, flash: &FileFlash, board: &Board, args: &Args) {
    let style = Style::stdout();
    let say = |label: &str, text: &str| line(style, label, text);
    let found = slots::look(flash.bytes(), board.layout(), None);
    let version = slots::named(&found, launch.slot).map(|image| format!(", version {}", image.manifest.version));
    say("starts", &format!("slot {} at {:#010x}{}", launch.slot, launch.address, version.unwrap_or_default()));
    let (tone, next) = match launch.reason {
        BootReason::Confirmed => (Tone::Good, String::new()),
        BootReason::Trial { attempt, limit } => {
            let left = limit.saturating_sub(attempt);
            let left = match left {
                0 => "this was its last attempt: unconfirmed, the next boot goes back".into(),
                left => format!("{} left", count(left.into(), "attempt is", "attempts are")),
            };
            (Tone::Doubt, format!("lockgate confirm keeps it, lockgate reject gives it up; {left}"))
        }
        _ => (Tone::Bad, "this update is refused from now on".into()),
    };
    let watchdog = if started.watchdog { ", watchdog armed" } else { "" };
    say("why", &format!("{}{watchdog}", style.paint(tone, boot_stage::why(launch.reason))));
    if !before.recorded {
        say("records", "there were none: what runs was told from the trailers, and is recorded now");
    }
    say("flash", &changed(flash));
    if !next.is_empty() {
        say("next", &next);
    }
    if let Some(text) = args.on.not_cut(flash) {
        say("cut", &text);
    }
}

fn erased_and_programmed(flash: &FileFlash) -> (u64, u64) {
    let journal = flash.journal();
    let journal = journal.borrow();
    (journal.erases.len() as u64, journal.writes.iter().map(|write| write.bytes.len() as u64).sum())
}

/// What was done to the flash, in words.
pub(super) fn changed(flash: &FileFlash) -> String {
    match erased_and_programmed(flash) {
        (0, 0) => "not changed".into(),
        (sectors, bytes) => {
            format!("{} erased, {} programmed", count(sectors, "sector", "sectors"), count(bytes, "byte", "bytes"))
        }
    }
}

fn value(started: &Started, flash: &FileFlash, board: &Board) -> Value {
    let (sectors, bytes) = erased_and_programmed(flash);
    let counters = json!({ "bytes_programmed": bytes, "sector_erases": sectors, "steps": flash.steps() });
    if let Some(cut) = flash.cut() {
        let mut event = cut.json(board);
        if let Value::Object(fields) = &mut event {
            fields.insert("counters".into(), counters);
        }
        return event;
    }
    match &started.launch {
        Ok(launch) => json!({
            "event": "started",
            "slot": launch.slot.to_string(),
            "address": launch.address,
            "why": boot_stage::json(launch.reason),
            "watchdog": started.watchdog,
            "counters": counters,
        }),
        Err(why) => json!({ "event": "nothing_to_start", "why": why.to_string(), "counters": counters }),
    }
}
