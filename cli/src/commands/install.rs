//! `lockgate install`: what a device does with a package, on a flash that is a file.

use std::path::PathBuf;

use lockgate::{BootReason, BootStatus, Control, Device, Digest, Running, UpdateState, Uuid, Version};
use serde_json::json;

use super::options::{FlashOptions, CUT_HELP};
use super::trust::{Trust, TrustOptions};
use super::values;
use crate::board::Board;
use crate::boot_stage::{self, Identity};
use crate::failure::Failure;
use crate::index;
use crate::install::{self, Audit, Done, Outcome, Report, Session, Stopped};
use crate::slots::{self, SlotState};
use crate::style::count;
use crate::transport::Transport;

/// Install a package on a flash in a file, as a device does.
///
/// The device's own code runs here: lockgate's updater on a simulated flash that keeps the rules of a real
/// one (it must be erased before it is written, in whole sectors). Every operation is in the file when it
/// returns, so killing this command leaves what a power cut leaves. An install that was cut goes on from its
/// last checkpoint; one that is complete is activated: the boot stage tries it at the next boot.
#[derive(clap::Args)]
#[command(
    group = clap::ArgGroup::new("trust").args(["keys", "trusted"]).required(true),
    after_long_help = CUT_HELP
)]
pub(crate) struct Args {
    /// The package: a file, `-` for standard input, or an http:// or https:// URL. If its name ends in .lgi it is an index
    /// (docs/index.md), and the package beside it that is for this device is installed
    #[arg(value_name = "PACKAGE|-|URL")]
    package: String,

    #[command(flatten)]
    on: FlashOptions,

    #[command(flatten)]
    trust: TrustOptions,

    /// The device's vendor; with --trusted it is that of the key set
    #[arg(long, value_name = "UUID", value_parser = values::uuid, required_unless_present = "trusted", conflicts_with = "trusted")]
    vendor: Option<Uuid>,

    /// The device's class; with --trusted it is that of the key set
    #[arg(long, value_name = "UUID", value_parser = values::uuid, required_unless_present = "trusted", conflicts_with = "trusted")]
    class: Option<Uuid>,

    /// The device's component
    #[arg(long, value_name = "N", default_value_t = 0)]
    component: u16,

    /// The device's security counter [default: the records', or that of the image that runs]
    #[arg(long, value_name = "N")]
    security_counter: Option<u32>,

    /// The version that runs [default: that of the image that runs]
    #[arg(long, value_name = "VERSION", value_parser = values::version)]
    running_version: Option<Version>,

    /// Bytes of the device's block buffer: 512, 1024, and so on to 65536
    #[arg(long, value_name = "BYTES", default_value_t = 4096, value_parser = block_buffer)]
    block_buffer: u32,

    /// Bytes that the device lends its decoder, for compressed and delta packages: 256 more than the window; 0 for a device
    /// that has none
    #[arg(long, value_name = "BYTES", default_value_t = 4096, value_parser = workspace)]
    workspace: u32,

    /// Trust servers under the certificates in this PEM file, and no others
    #[arg(long, value_name = "PEM")]
    ca: Option<PathBuf>,

    /// Ask a server again this often, in a row and without anything new, before giving up
    #[arg(long, value_name = "N", default_value_t = 3)]
    retries: u32,

    /// Leave the image in its slot, and do not ask the boot stage to try it
    #[arg(long)]
    no_activate: bool,

    /// One event a line, in JSON
    #[arg(long)]
    json: bool,
}

fn block_buffer(text: &str) -> Result<u32, String> {
    let size = text.parse().ok().filter(|size| install::SIZES.contains(size));
    size.ok_or_else(|| "a power of two from 512 to 65536 is needed".into())
}

fn workspace(text: &str) -> Result<u32, String> {
    let size = text.parse().ok().filter(|size| install::WORKSPACES.contains(size));
    size.ok_or_else(|| format!("one of {} is needed", install::WORKSPACES.map(|size| size.to_string()).join(", ")))
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let board = args.on.board()?;
    let layout = board.layout();
    let trust = args.trust.read(&board)?;
    let mut transport = Transport::new(&args.package, args.ca.as_deref())?;
    if let Transport::File(package) = &transport {
        // Before a flash file is made for nothing.
        std::fs::metadata(package).map_err(|error| Failure::io(package, error))?;
    }
    let index = match args.package.ends_with(&format!(".{}", index::EXTENSION)) {
        true => Some(transport.index()?),
        false => None,
    };
    let mut flash = args.on.open_or_make(&board)?;
    let device: &'static Device<'static> = Box::leak(Box::new(device(&args, &board, &trust)));

    let (keys, key_set) = trust.now(&board, flash.bytes())?;
    let found = slots::look(flash.bytes(), layout, Some(&keys));
    let path = &args.on.flash;
    let now = Control::new(device, &mut flash).status().map_err(|error| Failure::io(path, error))?;
    let (running, told) = running(&args, &found, &now, &board);
    let target = layout.target(running.slot);
    let waits = waits(&now, &found, &board);

    let mut report = Report::new(args.json);
    report.say("running", &describe(&running, &now));
    if trust.built().is_some() {
        report.say("trusts", &format!("key set {key_set}"));
    }
    if let Some(index) = index {
        let image = |digest: &Digest| running.image == Some((*digest).into());
        let Some(entry) = index.choose(image, args.workspace) else {
            let why = "it lists no package for this device: no delta of the image that runs, and none for everybody that fits its workspace";
            return Err(Failure::refused(&args.package, why));
        };
        let size = count(entry.size.into(), "byte", "bytes");
        report.say("index", &format!("{} of {}: {}, {size}", args.package, index.version, entry.name));
        report.json(|| json!({ "event": "chosen", "package": entry.name, "package_size": entry.size }));
        transport = transport.beside(&entry.name);
    }
    let mut session = Session::new(device, told.then_some(running), &mut flash, (args.block_buffer, args.workspace))
        .ok_or_else(|| Failure::usage("--block-buffer", args.block_buffer))?
        .waiting_for_reset(now.manifest.filter(|_| waits));
    if trust.built().is_some() {
        session = session.rotating();
    }
    let mut outcome = session.run(&mut transport, args.retries, |event| report.tell(&event));
    report.end();
    let pending = matches!(outcome, Err(Stopped::Waits)) && now.update == UpdateState::Pending;
    if matches!(outcome, Err(Stopped::Waits)) && !pending {
        report.say("staged", "the image was complete before power was cut: nothing of it is sent again");
        report.json(|| json!({ "event": "staged" }));
        outcome = session.staged();
    }
    let received = session.into_received();
    let (keys, taken) = trust.now(&board, flash.bytes())?;
    if taken != key_set {
        report.say("key set", &format!("{taken} is trusted from now on, whatever becomes of the update"));
        report.json(|| json!({ "event": "key_set", "version": taken, "before": key_set }));
    }

    let outcome = outcome.and_then(|receipt| {
        let done = Done::from(&receipt);
        if !args.no_activate {
            Control::new(device, &mut flash).try_next(receipt)?;
        }
        Ok(done)
    });
    let slot = layout.slot_range(target);
    let package = received.with(flash.bytes().get(slot.start as usize..slot.end as usize).unwrap_or_default());
    let audit = Audit::of(&flash.journal().borrow(), layout, (target, flash.bytes()), &package, &keys);
    let told = Outcome { report: &report, board: &board, path, package: transport.name(), audit, steps: flash.steps() };
    if let Some(cut) = flash.cut() {
        return Err(told.cut(&cut));
    }
    match outcome {
        Ok(done) => told.verified(&done, !args.no_activate, &slots::look(flash.bytes(), layout, Some(&keys)))?,
        Err(_) if pending => told.pending(target),
        Err(stopped) => return Err(told.stopped(&stopped, target)),
    }
    if let Some(text) = args.on.not_cut(&flash) {
        report.say("cut", &text);
    }
    Ok(())
}

/// The device, as the options say or as the key set does.
fn device(args: &Args, board: &Board, trust: &Trust) -> Device<'static> {
    let of_set = trust.built().map(|built| (built.vendor, built.class));
    let identity = args.vendor.zip(args.class).or(of_set);
    let identity = identity.map(|(vendor, class)| Identity { vendor, class, component: args.component });
    trust.build(boot_stage::device(board, identity, Some(trust.sign())))
}

/// What runs; and whether the device is to be told, since its records do not say so or the options know better.
fn running(args: &Args, found: &[SlotState; 2], now: &BootStatus, board: &Board) -> (Running, bool) {
    let mut running = match now.recorded {
        false => slots::running(found, board.layout().strategy()).unwrap_or(Running::factory()),
        true => {
            let slot = Running { slot: now.running, ..Running::factory() };
            let named = slots::named(found, now.running).map_or(slot, |image| Running {
                version: image.manifest.version,
                image: Some(image.manifest.image_digest.into()),
                ..slot
            });
            Running { security_counter: now.security_counter, ..named }
        }
    };
    if let Some(counter) = args.security_counter {
        running.security_counter = counter;
    }
    if let Some(version) = args.running_version {
        running.version = version;
    }
    (running, !now.recorded || args.security_counter.is_some() || args.running_version.is_some())
}

/// Whether the update of the records is whole in its slot: power was cut before its receipt was used, or it is activated.
fn waits(now: &BootStatus, found: &[SlotState; 2], board: &Board) -> bool {
    let image = slots::named(found, board.layout().target(now.confirmed));
    let whole = image.is_some_and(|image| image.intact && now.manifest == Some(image.manifest_digest));
    whole && matches!(now.update, UpdateState::Receiving | UpdateState::Pending)
}

fn describe(running: &Running, now: &BootStatus) -> String {
    let Running { slot, version, security_counter, image } = running;
    let state = format!("version {version}, security counter {security_counter}");
    match (image, now.reason) {
        (Some(_), reason @ BootReason::Trial { .. }) => format!("slot {slot}, {state}, {}", boot_stage::why(reason)),
        (Some(_), _) => format!("slot {slot}, {state}"),
        (None, _) if now.recorded => format!("slot {slot} has no signed image, {state}"),
        (None, _) => format!("slot {slot} has no signed image: taken as fresh from the factory, {state}"),
    }
}
