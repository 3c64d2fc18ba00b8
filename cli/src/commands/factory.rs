//! `lockgate factory`: the flash as a production line programs it.

mod hex;

use std::ops::Range;
use std::path::{Path, PathBuf};

use lockgate::pack::{self, Inspection};
use lockgate::{Control, KeySet, Slot};

use super::values;
use crate::board::{Board, Region};
use crate::boot_stage;
use crate::failure::Failure;
use crate::flash_file::FileFlash;
use crate::style::{count, grouped};
use crate::table::Table;
use crate::{device, files, image, keys, print};

/// Make the flash image that a production line programs: boot stage, the package's image in slot A, first record
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  lockgate factory firmware.lgu --geometry stm32f405 --boot boot.bin \\
      --key release.pub.pem -o flash.bin

writes flash.bin (the whole flash, from its first byte) and flash.hex (Intel
HEX, without what is erased). The package is verified and installed by the
device's own code. The first record says that slot A is confirmed, and with
which security counter; with --no-records the device's first boot asks the
signed trailers, and writes it.")]
pub(crate) struct Args {
    /// The package
    package: PathBuf,
    /// The device's chip and layout: a built-in board (see `lockgate map --list`) or a TOML file
    #[arg(short, long, value_name = "BOARD|FILE")]
    geometry: String,
    /// A key the device trusts (public, or the public half of a private one); may be given several times
    #[arg(short, long, value_name = "PUB.pem", required = true)]
    key: Vec<PathBuf>,
    /// How many of the keys must have signed [default: 1]
    #[arg(long, value_name = "N")]
    threshold: Option<u8>,
    /// The boot stage, a raw binary
    #[arg(long, value_name = "BOOT.bin")]
    boot: Option<PathBuf>,
    /// Where the flash lies in the processor's address space, for the HEX file [default: the board's]
    #[arg(long, value_name = "ADDRESS", value_parser = values::number)]
    base_address: Option<u32>,
    /// Leave the records erased: the first boot asks the trailers which image is confirmed
    #[arg(long)]
    no_records: bool,
    /// The flash image; the HEX file lies beside it. Both are replaced if they exist
    #[arg(short, long, value_name = "FLASH.bin")]
    output: PathBuf,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let board = Board::named_or_file(&args.geometry)?;
    let base = args.base_address.unwrap_or(board.base());
    hex::check_base(base, board.capacity())?;
    let hex_output = args.output.with_extension("hex");
    if hex_output == args.output {
        return Err(Failure::usage("--output", "the HEX file is made beside it: name the flash image flash.bin"));
    }
    let inputs: Vec<&Path> =
        [&args.package].into_iter().chain(&args.boot).chain(&args.key).map(AsRef::as_ref).collect();
    files::check_output(&args.output, &inputs)?;
    files::check_output(&hex_output, &inputs)?;

    let keys = keys::key_set(&args.key, args.threshold)?;
    let package = files::read(&args.package)?;
    let inspection = pack::inspect(&package).map_err(|refusal| Failure::refused(args.package.display(), refusal))?;
    let boot = args.boot.as_deref().map(|path| boot_stage(path, &board)).transpose()?;
    let mut flash = vec![board.layout().geometry().erased(); board.capacity() as usize];
    put(&mut flash, board.layout().boot_range(), boot.as_deref().unwrap_or_default());
    put(&mut flash, board.layout().slot_range(Slot::A), &slot(&args.package, &package, &inspection, &board, keys)?);

    if !args.no_records {
        flash = first_record(&args.package, flash, &board, inspection.manifest.security_counter)?;
    }

    let hex = hex::text(&flash, board.layout().geometry().erased(), base)?;
    files::write_together(&[(&args.output, &flash), (&hex_output, hex.as_bytes())])?;
    print::line(format_args!(
        "{} and {}: {}, {}\n",
        args.output.display(),
        hex_output.display(),
        board.name(),
        count(flash.len() as u64, "byte", "bytes")
    ))?;
    let boot = args.boot.as_deref().zip(boot.as_deref());
    print::line(regions(&board, base, boot, &inspection, !args.no_records))?;
    print::text_only(trust(&inspection, &keys))
}

/// The boot stage, if it fits.
fn boot_stage(path: &Path, board: &Board) -> Result<Vec<u8>, Failure> {
    let range = board.layout().boot_range();
    if range.is_empty() {
        return Err(Failure::usage("--boot", format_args!("{} has no region for a boot stage", board.name())));
    }
    let bytes = image::read(path)?;
    if bytes.len() > range.len() {
        let why = format_args!(
            "boot stage of {} bytes, the boot region of {} has {}",
            bytes.len(),
            board.name(),
            range.len()
        );
        return Err(Failure::refused(path.display(), why));
    }
    Ok(bytes)
}

/// Slot A as the device writes it, image and trailer. With the swap strategy devices write to slot B only,
/// which is then slot A's twin.
fn slot(
    path: &Path,
    package: &[u8],
    inspection: &Inspection<'_>,
    board: &Board,
    keys: KeySet<'_>,
) -> Result<Vec<u8>, Failure> {
    let (layout, addresses) = (board.layout(), board.load_addresses());
    if inspection.manifest.base_image.is_some() {
        let why = "a delta, and nothing runs in a factory: give the package for everybody";
        return Err(Failure::refused(path.display(), why));
    }
    match inspection.manifest.load_address {
        Some(address) if address != addresses[0] => {
            let (name, slot) = (board.name(), addresses[0]);
            let why =
                format_args!("the image is linked to run at {address:#010x}, slot A of {name} runs at {slot:#010x}");
            return Err(Failure::refused(path.display(), why));
        }
        None if addresses[0] != addresses[1] => {
            let (name, slot) = (board.name(), addresses[0]);
            let why = format_args!("no load address, but images run in place on {name}: link for slot A and pack with --load-address {slot:#010x}");
            return Err(Failure::refused(path.display(), why));
        }
        _ => {}
    }
    // The line that programs a flash knows what the devices know.
    let knows = device::private_elements(inspection);
    let built = device::Built { keys, rotate: None, knows: &knows };
    let (memory, verified) = device::install(path, package, inspection, layout, built, (Slot::A, &[]), addresses)?;
    let range = layout.slot_range(verified.slot());
    let written = memory.bytes().get(range.start as usize..range.end as usize);
    Ok(written.unwrap_or_default().to_vec())
}

/// Puts `bytes` at the start of `range`.
fn put(flash: &mut [u8], range: Range<u32>, bytes: &[u8]) {
    let region = flash.get_mut(range.start as usize..range.end as usize).unwrap_or_default();
    region.iter_mut().zip(bytes).for_each(|(cell, byte)| *cell = *byte);
}

/// The flash with its first record: the image in slot A is confirmed.
fn first_record(path: &Path, flash: Vec<u8>, board: &Board, security_counter: u32) -> Result<Vec<u8>, Failure> {
    let mut memory = FileFlash::holding(board, &flash);
    let device = boot_stage::device(board, None, None);
    let outcome = Control::new(&device, &mut memory).initialize(Slot::A, security_counter);
    outcome.map_err(|error| Failure::refused(path.display(), format_args!("the first record: {error}")))?;
    Ok(memory.bytes().to_vec())
}

fn regions(
    board: &Board,
    base: u32,
    boot: Option<(&Path, &[u8])>,
    inspection: &Inspection<'_>,
    records: bool,
) -> Table {
    let mut table = Table::default();
    table.row([&"region", &"from", &"to", &"bytes", &"content"]);
    for (region, range) in board.regions() {
        let content = match (region, boot) {
            (Region::Boot, Some((path, bytes))) => format!("{}, {} bytes", path.display(), grouped(bytes.len() as u64)),
            (Region::Boot, None) => "erased (no --boot given)".into(),
            (Region::Slot(Slot::A), _) => {
                let manifest = &inspection.manifest;
                let size = count(manifest.image_size.into(), "byte", "bytes");
                format!(
                    "image {}, {size}, security counter {}, and trailer",
                    manifest.version, manifest.security_counter
                )
            }
            (Region::Records, _) if records => {
                format!("slot A confirmed, security counter {}", inspection.manifest.security_counter)
            }
            _ => "erased".into(),
        };
        // Both ends lie in the address space: `hex::check_base` saw to it. 64 bits for the end of all.
        let [from, to] = [range.start, range.end].map(|at| format!("{:#010x}", u64::from(base) + u64::from(at)));
        table.row([&region.name(), &from, &to, &grouped(range.len() as u64), &content]);
    }
    table
}

/// Who signed, of those that the device trusts.
fn trust(inspection: &Inspection<'_>, keys: &KeySet<'_>) -> Table {
    let mut table = Table::default();
    for entry in &inspection.signatures {
        if keys.keys().iter().any(|key| keys::id(key) == entry.key) {
            table.row([&"signed by", &keys::label(&entry.key)]);
        }
    }
    table.row([&"threshold", &keys.threshold()]);
    table.row([&"manifest digest", &inspection.manifest_digest]);
    table
}
