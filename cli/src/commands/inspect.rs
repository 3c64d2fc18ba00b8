//! `lockgate inspect`: what a package says, without believing it.

mod chain;
mod picture;

use std::path::{Path, PathBuf};

use lockgate::manifest::{Element, Elements, Encoding, Window};
use lockgate::pack::{self, Inspection};
use lockgate::wire::ES256;
use serde_json::json;

use crate::failure::Failure;
use crate::style::{count, grouped};
use crate::table::Table;
use crate::{files, keys, print};

/// Show what a package holds, without checking its signatures
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  lockgate inspect firmware.lgu
  lockgate inspect firmware.lgu --json | jq -r .version

Exit code 1 if the package is malformed or its chain of blocks is broken.
Whether it is the vendor's, only `lockgate verify` can tell.")]
pub(crate) struct Args {
    /// The package
    package: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let path = &args.package;
    let package = files::read(path)?;
    let inspection = pack::inspect(&package).map_err(|refusal| Failure::refused(path.display(), refusal))?;
    let chain = chain::check(&inspection, package.len());
    match args.json {
        true => print::json(&json(&inspection, package.len(), &chain))?,
        false => print::text_only(text(path, &inspection, package.len(), &chain))?,
    }
    chain.map_err(|why| Failure::refused(path.display(), why))
}

fn json(inspection: &Inspection<'_>, size: usize, chain: &Result<(), String>) -> serde_json::Value {
    let manifest = &inspection.manifest;
    json!({
        "vendor": manifest.vendor.to_string(),
        "class": manifest.class.to_string(),
        "component": manifest.component,
        "version": manifest.version.to_string(),
        "security_counter": manifest.security_counter,
        "image_size": manifest.image_size,
        "image_digest": manifest.image_digest.to_string(),
        "block_size": manifest.block_size(),
        "payload_length": manifest.payload_length,
        "first_block_hash": manifest.first_block_hash.to_string(),
        "encoding": json_encoding(manifest.encoding),
        "base_image": manifest.base_image.map(|base| json!({ "size": base.size, "digest": base.digest.to_string() })),
        "load_address": manifest.load_address,
        "manifest_digest": inspection.manifest_digest.to_string(),
        "blocks": manifest.blocks(),
        "key_ids": inspection.signatures.iter().map(|entry| entry.key.to_string()).collect::<Vec<_>>(),
        "key_sets": inspection.key_sets,
        "package_size": size,
        "buffer": inspection.buffer(),
        "chain": chain.as_ref().err().map_or("intact", |why| why),
        "bench": inspection.signatures.iter().any(|entry| pack::is_bench(&entry.key)),
    })
}

fn json_encoding(encoding: Encoding) -> serde_json::Value {
    let parameters = |name: &str, window: Option<Window>| match window {
        Some(Window { window, lookahead }) => json!({ "name": name, "window": window, "lookahead": lookahead }),
        None => json!({ "name": name }),
    };
    match encoding {
        Encoding::Raw => json!("raw"),
        Encoding::Heatshrink(window) => parameters("heatshrink", Some(window)),
        Encoding::Delta(window) => parameters("delta", window),
    }
}

fn text(path: &Path, inspection: &Inspection<'_>, size: usize, chain: &Result<(), String>) -> String {
    let picture = picture::Picture::new(inspection, size);
    let state = match chain {
        Ok(()) => "The chain of blocks is intact.".into(),
        Err(why) => format!("THE CHAIN OF BLOCKS IS BROKEN: {why}."),
    };
    format!(
        "{}: {}\n\n{picture}\n{}\n{state}\nNo signature was checked: whose package this is, only `lockgate verify` can tell.\n",
        path.display(),
        count(size as u64, "byte", "bytes"),
        table(inspection),
    )
}

fn table(inspection: &Inspection<'_>) -> Table {
    let manifest = &inspection.manifest;
    let bytes = |number: u32| count(number.into(), "byte", "bytes");
    let mut table = Table::default();
    let mut row = |name: &str, value: &dyn std::fmt::Display| _ = table.row([&name, value]);
    row("vendor", &manifest.vendor);
    row("class", &manifest.class);
    row("component", &manifest.component);
    row("version", &manifest.version);
    row("security counter", &manifest.security_counter);
    row("image", &bytes(manifest.image_size));
    row("image digest", &manifest.image_digest);
    row("payload", &bytes(manifest.payload_length));
    row("blocks", &format_args!("{} of {}", grouped(manifest.blocks().into()), bytes(manifest.block_size())));
    row("first block hash", &manifest.first_block_hash);
    row("encoding", &encoding(manifest.encoding));
    if let Some(base) = manifest.base_image {
        row("base image", &format_args!("{}, {}", bytes(base.size), base.digest));
    }
    match manifest.load_address {
        Some(address) => row("load address", &format_args!("{address:#010x}")),
        None => row("load address", &"any"),
    }
    for element in unknown(inspection.body) {
        // As text only what cannot harm a terminal.
        let value = element.value.escape_ascii();
        let size = bytes(element.value.len() as u32);
        let weight = if element.critical { "CRITICAL" } else { "not critical" };
        row(&format!("element {:#06x}", element.number), &format_args!("{size}, {weight}: {value}"));
    }
    row("manifest digest", &inspection.manifest_digest);
    for entry in &inspection.signatures {
        match entry.algorithm {
            ES256 => row("signature", &format_args!("ES256, key {}", keys::label(&entry.key))),
            other => row("signature", &format_args!("unknown algorithm {other}, key {}", entry.key)),
        }
    }
    row("buffer needed", &bytes(inspection.buffer() as u32));
    table
}

fn encoding(encoding: Encoding) -> String {
    let window = |Window { window, lookahead }: Window| format!("window 2^{window}, lookahead 2^{lookahead}");
    match encoding {
        Encoding::Raw => "raw".into(),
        Encoding::Heatshrink(parameters) => format!("heatshrink, {}", window(parameters)),
        Encoding::Delta(None) => "delta".into(),
        Encoding::Delta(Some(parameters)) => format!("delta, heatshrink {}", window(parameters)),
    }
}

/// Elements that this version knows nothing about. A critical one is the vendor's own, and refused by devices whose
/// policy does not know it.
fn unknown(body: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let last = lockgate::manifest::number::LOAD_ADDRESS;
    Elements::new(body).filter_map(Result::ok).filter(move |element| element.number > last)
}
