//! `lockgate inspect`: what a package says, without believing it.

mod chain;
mod picture;

use std::path::{Path, PathBuf};

use lockgate::manifest::{Element, Elements, Encoding};
use lockgate::pack::{self, Inspection};
use lockgate::wire::ES256;
use serde_json::json;

use super::keys::show::{role, threshold};
use super::pack::Base;
use crate::failure::Failure;
use crate::key_sets::{self, Found};
use crate::style::{count, grouped};
use crate::table::Table;
use crate::{encoding, files, keys, print};

/// Show what a package holds, without checking its signatures
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  lockgate inspect firmware.lgu
  lockgate inspect firmware.lgu --json | jq -r .version
  lockgate inspect delta.lgu --base old.bin --payload fw.patch

Exit code 1 if the package is malformed or its chain of blocks is broken.
Whether it is the vendor's, only `lockgate verify` can tell.")]
pub(crate) struct Args {
    /// The package
    package: PathBuf,
    /// Decode a delta of this image as well: a raw binary, or a package that holds it
    #[arg(long, value_name = "OLD.bin|OLD.lgu")]
    base: Option<PathBuf>,
    /// Write the payload, without the blocks' links, to a new file: of a delta the patch, as `detools apply_patch` takes
    /// it
    #[arg(long, value_name = "FILE")]
    payload: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let path = &args.package;
    let package = files::read(path)?;
    let refused = |refusal: lockgate::Refusal| Failure::refused(path.display(), refusal);
    let inspection = pack::inspect(&package).map_err(refused)?;
    let sets = key_sets::read(&key_sets::split(&package).map_err(refused)?.0);
    let base = args.base.as_deref().map(Base::read).transpose()?;
    if let Some(base) = &base {
        base.is_of(path, &inspection.manifest)?;
    }
    let chain = chain::check(&inspection, package.len(), base.as_ref());
    match args.json {
        true => print::json(&json(&inspection, &sets, package.len(), &chain)?)?,
        false => print::text_only(text(path, (&inspection, &sets), package.len(), &chain, base.is_some()))?,
    }
    chain.map_err(|why| Failure::refused(path.display(), why))?;
    if let Some(to) = &args.payload {
        let payload: Vec<u8> = inspection.blocks().map_while(Result::ok).flatten().copied().collect();
        files::NewFile::create(to, &payload, false)?.keep();
    }
    Ok(())
}

fn json(
    inspection: &Inspection<'_>,
    sets: &[Found<'_>],
    size: usize,
    chain: &Result<(), String>,
) -> Result<serde_json::Value, Failure> {
    let manifest = &inspection.manifest;
    Ok(json!({
        "vendor": manifest.vendor.to_string(),
        "class": manifest.class.to_string(),
        "component": manifest.component,
        "version": manifest.version.to_string(),
        "security_counter": manifest.security_counter,
        "image_size": manifest.image_size,
        "image_digest": manifest.image_digest.to_string(),
        "block_size": manifest.block_size(),
        "payload_length": manifest.payload_length,
        "payload_percent": encoding::percent(manifest.payload_length.into(), manifest.image_size.into()),
        "first_block_hash": manifest.first_block_hash.to_string(),
        "encoding": encoding::value(manifest.encoding),
        "base_image": manifest.base_image.map(|base| json!({ "size": base.size, "digest": base.digest.to_string() })),
        "load_address": manifest.load_address,
        "manifest_digest": inspection.manifest_digest.to_string(),
        "blocks": manifest.blocks(),
        "key_ids": inspection.signatures.iter().map(|entry| entry.key.to_string()).collect::<Vec<_>>(),
        "key_sets": inspection.key_sets,
        "rotations": sets.iter().map(Found::json).collect::<Result<Vec<_>, _>>()?,
        "package_size": size,
        "buffer": inspection.buffer(),
        "workspace": encoding::workspace(manifest.encoding),
        "chain": chain.as_ref().err().map_or("intact", |why| why),
        "bench": inspection.signatures.iter().any(|entry| pack::is_bench(&entry.key)),
    }))
}

fn text(
    path: &Path,
    (inspection, sets): (&Inspection<'_>, &[Found<'_>]),
    size: usize,
    chain: &Result<(), String>,
    based: bool,
) -> String {
    let picture = picture::Picture::new(inspection, size);
    let state = match chain {
        Ok(()) => match (inspection.manifest.encoding, based) {
            (Encoding::Raw, _) => "The chain of blocks is intact.".into(),
            (Encoding::Delta(_), false) => {
                "The chain of blocks is intact; whether it makes the image, only --base can tell.".into()
            }
            _ => "The chain of blocks is intact, and its payload is decoded to the image.".into(),
        },
        Err(why) if why.starts_with("payload: ") || why.starts_with("patch: ") => format!("IT DOES NOT DECODE: {why}."),
        Err(why) => format!("THE CHAIN OF BLOCKS IS BROKEN: {why}."),
    };
    format!(
        "{}: {}\n\n{picture}\n{}\n{state}\nNo signature was checked: whose package this is, only `lockgate verify` can tell.\n",
        path.display(),
        count(size as u64, "byte", "bytes"),
        table(inspection, sets),
    )
}

fn table(inspection: &Inspection<'_>, sets: &[Found<'_>]) -> Table {
    let manifest = &inspection.manifest;
    let bytes = |number: u32| count(number.into(), "byte", "bytes");
    let mut table = Table::default();
    let mut row = |name: &str, value: &dyn std::fmt::Display| _ = table.row([&name, value]);
    for found in sets {
        key_set(found, &mut row);
    }
    row("vendor", &manifest.vendor);
    row("class", &manifest.class);
    row("component", &manifest.component);
    row("version", &manifest.version);
    row("security counter", &manifest.security_counter);
    row("image", &bytes(manifest.image_size));
    row("image digest", &manifest.image_digest);
    let percent = encoding::percent(manifest.payload_length.into(), manifest.image_size.into());
    match manifest.encoding {
        Encoding::Raw => row("payload", &bytes(manifest.payload_length)),
        _ => row("payload", &format_args!("{}, {percent:.1} % of the image", bytes(manifest.payload_length))),
    }
    row("blocks", &format_args!("{} of {}", grouped(manifest.blocks().into()), bytes(manifest.block_size())));
    row("first block hash", &manifest.first_block_hash);
    row("encoding", &encoding::text(manifest.encoding));
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
    if manifest.encoding != Encoding::Raw {
        row("workspace needed", &bytes(encoding::workspace(manifest.encoding)));
    }
    table
}

/// A key set in front of the update, nothing of it checked.
fn key_set(Found { set, .. }: &Found<'_>, row: &mut impl FnMut(&str, &dyn std::fmt::Display)) {
    let set = match set {
        Ok(set) => set,
        Err(refusal) => {
            return row("key set", &format_args!("MALFORMED, devices that rotate keys refuse it: {refusal}"))
        }
    };
    let thresholds = (threshold(&set.keys, false), threshold(&set.keys, true));
    row("key set", &format_args!("{}: sign {}, rotate {}", set.keys.version, thresholds.0, thresholds.1));
    for key in &set.keys.keys {
        row("  key", &format_args!("{}, {}", keys::label(&key.id()), role(key)));
    }
    key_sets::signatures(set, |text| row("  signature", &text));
}

/// Elements that this version knows nothing about. A critical one is the vendor's own, and refused by devices whose
/// policy does not know it.
fn unknown(body: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let last = lockgate::manifest::number::LOAD_ADDRESS;
    Elements::new(body).filter_map(Result::ok).filter(move |element| element.number > last)
}
