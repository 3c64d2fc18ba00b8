//! The commands, one file each.

mod keygen;

use clap::Subcommand;

use crate::failure::Failure;

#[derive(Subcommand)]
pub(crate) enum Command {
    Keygen(keygen::Args),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Keygen(args) => keygen::run(args),
        }
    }
}
