//! `lockgate install`: what a device does with a package, on a flash that is a file.

use std::path::{Path, PathBuf};

use lockgate::{Device, KeySet, Refusal, Running, Slot, Strategy, Uuid, Verified, Version};
use serde_json::json;

use super::values;
use crate::board::Board;
use crate::failure::Failure;
use crate::flash_file::FileFlash;
use crate::install::{self, Audit, Report, Session, Stopped};
use crate::keys;
use crate::slots::{self, SlotState};
use crate::style::{count, Style, Tone};
use crate::transport::Transport;

/// Install a package on a flash in a file, as a device does.
///
/// The device's own code runs here: lockgate's updater on a simulated flash that keeps the rules of a real
/// one (it must be erased before it is written, in whole sectors). Every operation is in the file when it
/// returns, so killing this command leaves what a power cut leaves.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The package: a file, `-` for standard input, or an http:// or https:// URL
    #[arg(value_name = "PACKAGE|-|URL")]
    package: String,

    /// The flash; made, erased, if there is no such file
    #[arg(long, value_name = "FILE")]
    flash: PathBuf,

    /// The device's chip and layout: a built-in board (see `lockgate map --list`) or a TOML file
    #[arg(long, value_name = "BOARD|FILE")]
    geometry: String,

    /// A public key that the device trusts, in PEM; may be repeated
    #[arg(short, long = "key", value_name = "PEM", required = true)]
    keys: Vec<PathBuf>,

    /// How many of these keys must have signed
    #[arg(long, value_name = "N", default_value_t = 1)]
    threshold: u8,

    /// The device's vendor
    #[arg(long, value_name = "UUID", value_parser = values::uuid)]
    vendor: Uuid,

    /// The device's class
    #[arg(long, value_name = "UUID", value_parser = values::uuid)]
    class: Uuid,

    /// The device's component
    #[arg(long, value_name = "N", default_value_t = 0)]
    component: u16,

    /// The device's security counter [default: that of the image that runs]
    #[arg(long, value_name = "N")]
    security_counter: Option<u32>,

    /// The version that runs [default: that of the image that runs]
    #[arg(long, value_name = "VERSION", value_parser = values::version)]
    running_version: Option<Version>,

    /// Bytes of the device's block buffer: 512, 1024, and so on to 65536
    #[arg(long, value_name = "BYTES", default_value_t = 4096, value_parser = block_buffer)]
    block_buffer: u32,

    /// Trust servers under the certificates in this PEM file, and no others
    #[arg(long, value_name = "PEM")]
    ca: Option<PathBuf>,

    /// Ask a server again this often, in a row and without anything new, before giving up
    #[arg(long, value_name = "N", default_value_t = 3)]
    retries: u32,

    /// One event a line, in JSON
    #[arg(long)]
    json: bool,
}

fn block_buffer(text: &str) -> Result<u32, String> {
    let size = text.parse().ok().filter(|size| install::SIZES.contains(size));
    size.ok_or_else(|| "a power of two from 512 to 65536 is needed".into())
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let board = Board::named_or_file(&args.geometry)?;
    let keys = keys::key_set(&args.keys, Some(args.threshold))?;
    let mut transport = Transport::new(&args.package, args.ca.as_deref())?;
    if let Transport::File(package) = &transport {
        // Before a flash file is made for nothing.
        std::fs::metadata(package).map_err(|error| Failure::io(package, error))?;
    }
    let mut flash = FileFlash::open(&args.flash, &board)?;
    let running = running(&args, &board, &flash, &keys);
    let target = board.layout().target(running.slot);

    let [a, b] = board.load_addresses();
    let device = Device::new(board.layout(), args.vendor, args.class, keys).component(args.component);
    let mut session = Session::new(device.load_addresses(a, b), running, &mut flash, args.block_buffer)
        .ok_or_else(|| Failure::usage("--block-buffer", args.block_buffer))?;
    let mut report = Report::new(args.json);
    report.say("running", &describe(&running));
    let outcome = session.run(&mut transport, args.retries, |event| report.tell(&event));
    let received = session.into_received();
    report.end();

    let audit = Audit::of(&flash.journal().borrow(), board.layout(), target, &received, &keys);
    match outcome {
        Ok(verified) => {
            report_success(&report, &args, &board, &flash, &verified, &keys, audit);
            match audit.unauthentic {
                0 => Ok(()),
                bytes => Err(Failure::refused(transport.name(), format_args!("{bytes} bytes that no key signed for are in flash: this is a defect of lockgate, please report it"))),
            }
        }
        Err(stopped) => {
            let hint = hint(&stopped, &board, target);
            Err(report_failure(&report, &transport.name(), &args.flash, &stopped, audit, &hint))
        }
    }
}

/// What runs: told from the flash, unless the options say otherwise.
fn running(args: &Args, board: &Board, flash: &FileFlash, keys: &KeySet<'_>) -> Running {
    let found = slots::look(flash.bytes(), board.layout(), Some(keys));
    let mut running = slots::running(&found, board.layout().strategy()).unwrap_or(Running::factory());
    if let Some(counter) = args.security_counter {
        running.security_counter = counter;
    }
    if let Some(version) = args.running_version {
        running.version = version;
    }
    running
}

fn describe(running: &Running) -> String {
    let Running { slot, version, security_counter, image } = running;
    let state = format!("version {version}, security counter {security_counter}");
    match image {
        Some(_) => format!("slot {slot}, {state}"),
        None => format!("slot {slot} has no signed image: taken as fresh from the factory, {state}"),
    }
}

fn counters(audit: Audit) -> serde_json::Value {
    json!({
        "bytes_programmed": audit.programmed,
        "sector_erases": audit.erases,
        "unauthentic_bytes": audit.unauthentic,
    })
}

fn report_success(
    report: &Report,
    args: &Args,
    board: &Board,
    flash: &FileFlash,
    verified: &Verified,
    keys: &KeySet<'_>,
    audit: Audit,
) {
    report.json(|| {
        json!({
            "event": "verified",
            "slot": verified.slot().to_string(),
            "version": verified.version().to_string(),
            "security_counter": verified.security_counter(),
            "image_size": verified.image_size(),
            "image_digest": verified.image_digest().to_string(),
            "manifest_digest": verified.manifest_digest().to_string(),
            "flash": args.flash.display().to_string(),
            "counters": counters(audit),
        })
    });
    for SlotState { slot, content } in slots::look(flash.bytes(), board.layout(), Some(keys)) {
        report.say(&format!("slot {slot}"), &content.to_string());
    }
    report.say("flash", &flash_line(audit));
    report.say("next", next(board.layout().strategy(), verified.slot()));
}

fn flash_line(audit: Audit) -> String {
    let signed = match audit.unauthentic {
        0 => "every one of them signed for".into(),
        bytes => Style::stdout().paint(Tone::Bad, format_args!("{bytes} of them signed for by nobody")),
    };
    let erased = count(audit.erases, "sector", "sectors");
    format!("{erased} erased, {} programmed, {signed}", count(audit.programmed, "byte", "bytes"))
}

fn next(strategy: Strategy, slot: Slot) -> &'static str {
    match (strategy, slot) {
        (Strategy::Swap, _) => "the boot stage exchanges the slots and starts the new image on trial",
        (Strategy::Foreign, _) => "the bootloader is to be asked to try the new image",
        (Strategy::Select, Slot::A) => "the boot stage starts slot A on trial",
        (Strategy::Select, Slot::B) => "the boot stage starts slot B on trial",
    }
}

/// What the package must be made with, where the board knows.
fn hint(stopped: &Stopped, board: &Board, target: Slot) -> String {
    let [a, b] = board.load_addresses();
    let runs_at = if target == Slot::A { a } else { b };
    match stopped {
        Stopped::Refused(Refusal::NoLoadAddress | Refusal::LoadAddress { .. }) => {
            let name = board.name();
            format!("; slot {target} of {name} runs at {runs_at:#010x}: link for it, and pack with --load-address {runs_at:#010x}")
        }
        _ => String::new(),
    }
}

fn report_failure(report: &Report, package: &str, path: &Path, stopped: &Stopped, audit: Audit, hint: &str) -> Failure {
    let refused = matches!(stopped, Stopped::Refused(_) | Stopped::Truncated(_));
    report.json(|| {
        json!({
            "event": if refused { "refused" } else { "error" },
            "why": stopped.to_string(),
            "counters": counters(audit),
        })
    });
    let reached = match audit.programmed {
        0 => "nothing of it reached flash".into(),
        bytes if audit.unauthentic == 0 => {
            format!("{} reached flash, every one of them signed for", count(bytes, "byte", "bytes"))
        }
        bytes => format!("{bytes} bytes reached flash, {} of them SIGNED FOR BY NOBODY", audit.unauthentic),
    };
    match stopped {
        Stopped::Refused(_) | Stopped::Truncated(_) => {
            Failure::refused(package, format_args!("{stopped}; {reached}{hint}"))
        }
        Stopped::Transport(why) => Failure::Io(format!("{package}: {why}; {reached}")),
        Stopped::Flash(why) => Failure::io(path, format_args!("{why}; {reached}")),
    }
}
