//! `lockgate confirm`: what an application says that works.

use lockgate::{BootStatus, Control, Error, UpdateState};
use serde_json::json;

use super::boot::changed;
use super::options::{FlashOptions, CUT_HELP};
use crate::boot_stage;
use crate::failure::Failure;
use crate::flash_file::FileFlash;
use crate::install::line;
use crate::print;
use crate::style::Style;

/// Keep the image that runs on trial, as the image itself does once it has shown that it works.
///
/// The security counter rises to the image's: older images are refused from then on. Where nothing is on trial,
/// nothing changes.
#[derive(clap::Args)]
#[command(after_long_help = CUT_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    on: FlashOptions,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let board = args.on.board()?;
    let mut flash = args.on.open(&board)?;
    let device = boot_stage::device(&board, None, None);
    let path = &args.on.flash;
    let mut control = Control::new(&device, &mut flash);
    let before = control.status().map_err(|error| Failure::io(path, error))?;
    let outcome = control.confirm().and_then(|()| control.status());
    args.on.check_power(&flash, &board, "it is confirmed, or was already")?;
    let now = outcome.map_err(|error| match error {
        Error::NotOnTrial => Failure::refused(
            path.display(),
            format_args!("{error}: it was given up, the next boot goes back (lockgate boot)"),
        ),
        error => Failure::io(path, error),
    })?;
    tell(&args.on, args.json, "confirmed", &before, &now, &flash)
}

/// What the records say now.
pub(super) fn tell(
    on: &FlashOptions,
    json: bool,
    what: &str,
    before: &BootStatus,
    now: &BootStatus,
    flash: &FileFlash,
) -> Result<(), Failure> {
    let tried = before.update == UpdateState::Trial;
    if json {
        return print::json(&json!({
            "event": if tried { what } else { "nothing_on_trial" },
            "slot": now.confirmed.to_string(),
            "running": now.running.to_string(),
            "security_counter": now.security_counter,
            "security_counter_before": before.security_counter,
            "update": boot_stage::update(now.update),
            "flash": on.flash.display().to_string(),
        }));
    }
    let style = Style::stdout();
    let counter = match (before.security_counter, now.security_counter) {
        (old, new) if old < new => format!("security counter {new}, it was {old}"),
        (_, same) => format!("security counter {same}"),
    };
    let nothing = if tried { "" } else { ", nothing is on trial" };
    line(style, if tried { what } else { "running" }, &format!("slot {}, {counter}{nothing}", now.running));
    match now.update {
        UpdateState::Pending => line(style, "update", "verified, and tried at the next boot: lockgate boot"),
        UpdateState::Trial => line(style, "next", "the next boot goes back to the old image: lockgate boot"),
        _ => {}
    }
    line(style, "flash", &changed(flash));
    if let Some(text) = on.not_cut(flash) {
        line(style, "cut", &text);
    }
    Ok(())
}
