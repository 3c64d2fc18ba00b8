//! `lockgate completions`: what a shell wants to know.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::failure::Failure;
use crate::print;

/// Print a completion script for a shell
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  lockgate completions bash > ~/.local/share/bash-completion/completions/lockgate")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    // Not straight to standard output: `generate` panics when it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "lockgate", &mut script);
    print::text_only(String::from_utf8_lossy(&script))
}
