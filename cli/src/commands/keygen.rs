//! `lockgate keygen`: a new signing key.

use std::path::PathBuf;

use crate::failure::Failure;

/// Make a P-256 signing key.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the private key goes; the public key goes beside it as KEY.pub.pem
    #[arg(short, long, value_name = "KEY.pem")]
    output: PathBuf,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    Err(Failure::io(&args.output, "not built yet"))
}
