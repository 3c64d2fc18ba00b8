//! `lockgate`: makes, inspects, serves and installs firmware packages.

mod commands;
mod failure;

use std::process::ExitCode;

use clap::Parser;

/// Firmware packages that are verified block by block before a byte reaches flash.
#[derive(Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: commands::Command,
}

fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
