//! `lockgate`: makes, inspects, serves and installs firmware packages.

mod board;
mod boot_stage;
mod commands;
mod cut;
mod demo;
mod description;
mod device;
mod encoding;
mod failure;
mod files;
mod flash_file;
mod image;
mod index;
mod install;
mod key_sets;
mod keys;
mod map;
mod print;
mod progress;
mod send;
mod serve;
mod signers;
mod slots;
mod style;
mod table;
mod transport;

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
