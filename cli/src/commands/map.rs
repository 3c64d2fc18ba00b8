//! `lockgate map`: what is where in a flash; and a board's layout as source.

use std::path::PathBuf;

use crate::board::{self, Board};
use crate::failure::Failure;
use crate::files;
use crate::flash_file;
use crate::keys;
use crate::map::Picture;
use crate::print;
use crate::style::{self, Style};

/// Show what is where in a flash, and what its records say; or print a board's layout as source.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The flash; without one, the layout is shown on an erased flash
    #[arg(value_name = "FLASH")]
    path: Option<PathBuf>,

    /// The same as an option, as the commands that change a flash have it
    #[arg(long = "flash", value_name = "FILE", conflicts_with = "path")]
    option: Option<PathBuf>,

    /// The chip and its layout: a built-in board or a TOML file
    #[arg(long, value_name = "BOARD|FILE", required_unless_present = "list")]
    geometry: Option<String>,

    /// A public key that the device trusts, in PEM: signatures are checked; may be repeated
    #[arg(short, long = "key", value_name = "PEM")]
    keys: Vec<PathBuf>,

    /// How many of these keys must have signed
    #[arg(long, value_name = "N", requires = "keys")]
    threshold: Option<u8>,

    /// Write the picture as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Print regions, slots and records as JSON
    #[arg(long, group = "form")]
    json: bool,

    /// Print the layout as Rust source for the device's firmware
    #[arg(long, group = "form", conflicts_with_all = ["path", "option", "svg"])]
    rust: bool,

    /// Print the regions as a linker's MEMORY (GNU ld)
    #[arg(long, group = "form", conflicts_with_all = ["path", "option", "svg"])]
    memory_x: bool,

    /// Where the processor sees the flash, for --memory-x [default: the chip's own]
    #[arg(long, value_name = "ADDRESS", requires = "memory_x", value_parser = address)]
    base_address: Option<u32>,

    /// List the built-in boards
    #[arg(long, group = "form", conflicts_with_all = ["path", "option", "geometry", "svg"])]
    list: bool,
}

fn address(text: &str) -> Result<u32, String> {
    board::number(text).ok_or_else(|| "not an address such as 0x0800_0000".into())
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    if args.list {
        return print::text_only(board::list());
    }
    let board = Board::named_or_file(args.geometry.as_deref().unwrap_or_default())?;
    if args.rust {
        return print::text_only(board.rust());
    }
    if args.memory_x {
        return print::text_only(board.memory_x(args.base_address));
    }
    let keys = match &args.keys[..] {
        [] => None,
        paths => Some(keys::key_set(paths, args.threshold)?),
    };
    let path = args.path.as_ref().or(args.option.as_ref());
    let flash = match path {
        Some(path) => flash_file::read(path, &board)?,
        None => vec![board.layout().geometry().erased(); board.capacity() as usize],
    };
    let picture = Picture::new(&board, &flash, keys.as_ref());
    if let Some(path) = &args.svg {
        let inputs: Vec<_> = args.path.iter().chain(&args.option).chain(&args.keys).map(PathBuf::as_path).collect();
        files::check_output(path, &inputs)?;
        files::write(path, picture.svg().as_bytes())?;
    }
    match args.json {
        true => print::json(&picture.json()),
        false => print::text_only(picture.terminal(Style::stdout(), style::width())),
    }
}
