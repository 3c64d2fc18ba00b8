//! `lockgate send`: a package over a serial line, to a device that asks for it.

use std::path::PathBuf;
use std::time::Duration;

use lockgate::pack;

use crate::failure::Failure;
use crate::files;
use crate::send::{self, Port, Report};

/// Send a package over a serial line, to a device that asks for it.
///
/// The device is in charge: it asks for the bytes it needs, this answers, and ends as the device says that the
/// update ended (docs/serial.md). So it may be started before the device or in the middle of an update, and a
/// device that was reset goes on where it was. What the device prints is shown.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  lockgate send firmware.lgu --port /dev/ttyUSB0
  lockgate send firmware.lgu --port COM3 --baud 921600
  lockgate send firmware.lgu --port tcp:localhost:4444 --json

Exit code 0 if the device has verified the package, 1 if it refuses it, 3 if
the line or the device failed. Keys are the device's business: whether the
package is the vendor's, `lockgate verify` tells before, the device in any case.")]
pub(crate) struct Args {
    /// The package
    package: PathBuf,

    /// The serial line: a device, or tcp:HOST:PORT, or unix:PATH
    #[arg(short, long, value_name = "PORT")]
    port: String,

    /// Bits a second, of a serial device
    #[arg(short, long, value_name = "BAUD", default_value_t = 115_200, value_parser = clap::value_parser!(u32).range(50..))]
    baud: u32,

    /// Give up once the device has asked for nothing new for so long, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,

    /// Print one JSON object; what the device prints goes to standard error
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let path = &args.package;
    let package = files::read(path)?;
    let broken = match pack::inspect(&package) {
        Ok(inspection) => inspection.blocks().find_map(Result::err),
        Err(refusal) => Some(refusal),
    };
    if let Some(refusal) = broken {
        return Err(Failure::refused(path.display(), refusal));
    }
    let mut port = Port::open(&args.port, args.baud)?;
    let mut report = Report::new(args.json, path, package.len());
    report.begin(&port);
    let end = send::run(&mut port, &package, Duration::from_secs(args.timeout), &mut report);
    report.end(&port, end)
}
