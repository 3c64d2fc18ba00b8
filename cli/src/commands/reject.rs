//! `lockgate reject`: what an application says that finds it does not work.

use lockgate::{Control, Error};

use super::confirm::tell;
use super::options::{FlashOptions, CUT_HELP};
use crate::boot_stage;
use crate::failure::Failure;

/// Give the image that runs on trial up: the next boot goes back to the old one, and this image is refused from then on.
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
    let outcome = control.reject().and_then(|()| control.status());
    args.on.check_power(&flash, &board, "it is given up, or was already")?;
    let now = outcome.map_err(|error| match error {
        Error::NotOnTrial => {
            let why = format_args!("{error}: an update is on trial from the boot after its install");
            Failure::refused(path.display(), why)
        }
        error => Failure::io(path, error),
    })?;
    tell(&args.on, args.json, "rejected", &before, &now, &flash)
}
