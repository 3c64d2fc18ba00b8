//! `lockgate demo`: the story, on this machine.

use std::path::PathBuf;

use crate::demo;
use crate::failure::Failure;
use crate::files;

/// Images from which the demo can cut blocks.
const SHORTEST: usize = 4096;

/// See it work: a package, a server, a device; attacks, a power cut, a trial, a revert
///
/// Everything happens on this machine, in less than a minute, with the code of the other commands: a key is
/// made, an image is packed and served over HTTPS on loopback, and a simulated ESP8266 installs it. Then
/// others try. Then power fails in the middle of an update, the update is tried and confirmed, and one that
/// hangs is taken back. Every line is checked: the exit code is 0 only if all went as it must.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Keep packages, key and flash in this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Update to this image instead of the built-in one
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let image = match &args.image {
        None => None,
        Some(path) => {
            let image = files::read(path)?;
            if image.len() < SHORTEST {
                let why = format_args!("{} bytes: the demo needs {SHORTEST} or more", image.len());
                return Err(Failure::usage(path.display(), why));
            }
            Some(image)
        }
    };
    demo::run(args.dir.as_deref(), image)
}
