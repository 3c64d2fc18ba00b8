//! The commands, one file each.

mod boot;
mod completions;
mod confirm;
mod demo;
mod factory;
mod inspect;
mod install;
mod keygen;
mod keys;
mod map;
mod options;
mod pack;
mod reject;
mod send;
mod serve;
mod signing;
mod trust;
mod values;
mod verify;

use clap::Subcommand;

use crate::failure::Failure;

#[derive(Subcommand)]
pub(crate) enum Command {
    Keygen(keygen::Args),
    Keys(keys::Args),
    Pack(pack::Args),
    Inspect(inspect::Args),
    Verify(verify::Args),
    Factory(factory::Args),
    Completions(completions::Args),
    Install(install::Args),
    Boot(boot::Args),
    Confirm(confirm::Args),
    Reject(reject::Args),
    Map(map::Args),
    Serve(serve::Args),
    Send(send::Args),
    Demo(demo::Args),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Keygen(args) => keygen::run(args),
            Self::Keys(args) => keys::run(args),
            Self::Pack(args) => pack::run(args),
            Self::Inspect(args) => inspect::run(args),
            Self::Verify(args) => verify::run(args),
            Self::Factory(args) => factory::run(args),
            Self::Completions(args) => completions::run(args),
            Self::Install(args) => install::run(args),
            Self::Boot(args) => boot::run(args),
            Self::Confirm(args) => confirm::run(args),
            Self::Reject(args) => reject::run(args),
            Self::Map(args) => map::run(args),
            Self::Serve(args) => serve::run(args),
            Self::Send(args) => send::run(args),
            Self::Demo(args) => demo::run(args),
        }
    }
}
