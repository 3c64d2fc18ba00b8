//! `lockgate keys new`: the key set that devices are built with.

use std::path::PathBuf;

use lockgate::pack::Keys;
use lockgate::Uuid;

use super::{give, mistake, show};
use crate::commands::values;
use crate::failure::Failure;
use crate::table::Table;
use crate::{description, files, keys, print};

/// Describe the key set that devices are built with, and print the Rust constants that make them trust it
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  lockgate keys new --vendor 6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4 \\
      --class 0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80 \\
      --sign release.pub.pem backup.pub.pem --rotate vault.pub.pem \\
      -o keys-0.json

A key that is given for both roles has both. Keep keys-0.json, which holds no
secret: `lockgate keys rotate` goes on from it. It is never overwritten.")]
pub(crate) struct Args {
    /// Whose devices it is for
    #[arg(long, value_name = "UUID", value_parser = values::uuid)]
    vendor: Uuid,
    /// Which kind of devices it is for
    #[arg(long, value_name = "UUID", value_parser = values::uuid)]
    class: Uuid,
    /// Keys that sign updates (public ones, or the public half of private ones)
    #[arg(long, value_name = "PEM", num_args = 1.., required = true)]
    sign: Vec<PathBuf>,
    /// Keys that sign key sets (public ones, or the public half of private ones)
    #[arg(long, value_name = "PEM", num_args = 1.., required = true)]
    rotate: Vec<PathBuf>,
    /// How many of the keys that sign updates must have signed one
    #[arg(long, value_name = "N", default_value_t = 1)]
    sign_threshold: u8,
    /// How many of the keys that sign key sets must have signed one
    #[arg(long, value_name = "N", default_value_t = 1)]
    rotate_threshold: u8,
    /// Where the description goes
    #[arg(short, long, value_name = "KEYS.json")]
    output: PathBuf,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let Args { vendor, class, sign_threshold, rotate_threshold, .. } = args;
    let mut set = Keys { vendor, class, version: 0, sign_threshold, rotate_threshold, keys: Vec::new() };
    for (paths, rotate) in [(&args.sign, false), (&args.rotate, true)] {
        for path in paths {
            give(&mut set, path, rotate)?;
        }
    }
    description::check(&set).map_err(|broken| mistake(&set, broken))?;
    let source = keys::rust_consts(&set)?;
    files::NewFile::create(&args.output, description::text(&set)?.as_bytes(), false)?.keep();

    let mut table = Table::default();
    table.row([&"key set", &"0, which devices are built with"]);
    table.row([
        &"description",
        &format_args!("{} (keep it: `lockgate keys rotate` goes on from it)", args.output.display()),
    ]);
    show::identity(&mut table, &set);
    print::line(format_args!("{table}\n{}", show::roles(&set)))?;
    print::line(source)
}
