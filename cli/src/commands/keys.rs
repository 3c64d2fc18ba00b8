//! `lockgate keys`: key sets with roles, that devices are built with and that follow one another in the field.

mod inspect;
mod make;
mod rotate;
pub(super) mod show;

use std::path::Path;

use clap::Subcommand;
use lockgate::pack::{Keys, RoleKey};

use crate::description::Broken;
use crate::failure::Failure;
use crate::keys;

/// Make key sets with roles, and change the keys that devices in the field trust
#[derive(clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Example:
  lockgate keys new --vendor UUID --class UUID \\
      --sign release.pub.pem --rotate vault.pub.pem -o keys-0.json
  lockgate keys rotate keys-0.json --add-sign next.pub.pem \\
      --remove release.pub.pem --key vault.pem -o keys-1.lgk
  lockgate pack firmware.bin --rotation keys-1.lgk --key next.pem ...
  lockgate verify firmware.lgu --trusted keys-0.json

Keys that sign updates lie where firmware is released, and may have to be
replaced one day. Keys that rotate sign key sets and nothing else: keep them
where nobody needs them from day to day."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    New(make::Args),
    Rotate(rotate::Args),
    Inspect(inspect::Args),
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    match args.task {
        Task::New(args) => make::run(args),
        Task::Rotate(args) => rotate::run(args),
        Task::Inspect(args) => inspect::run(args),
    }
}

/// Gives the key in a PEM file a role, which it must not have yet.
fn give(set: &mut Keys, path: &Path, rotate: bool) -> Result<(), Failure> {
    let key = keys::public_key(path)?;
    let known = set.keys.iter().position(|other| other.key == key);
    let at = known.unwrap_or_else(|| {
        set.keys.push(RoleKey { key, sign: false, rotate: false });
        set.keys.len() - 1
    });
    let role = &mut set.keys[at];
    let (has, name) = if rotate { (&mut role.rotate, "rotate") } else { (&mut role.sign, "sign") };
    if *has {
        let id = keys::id(&key);
        let why = format_args!("the key {id} has the role {name} already: a threshold counts different keys");
        return Err(Failure::usage(path.display(), why));
    }
    *has = true;
    set.keys.sort_by_key(RoleKey::id);
    Ok(())
}

/// The mistake in the options that made this set.
fn mistake(set: &Keys, Broken { field, why }: Broken) -> Failure {
    match field {
        "keys" => Failure::usage(format_args!("key set {}", set.version), why),
        field => Failure::usage(format_args!("--{}", field.replace('_', "-")), why),
    }
}
