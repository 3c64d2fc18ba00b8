//! `lockgate verify`: is this package the vendor's? A device's own code answers.

mod trust;

use std::path::{Path, PathBuf};

use lockgate::manifest::BaseImage;
use lockgate::pack::{self, Inspection};
use lockgate::wire::ES256;
use lockgate::{KeyId, KeySet, Slot, Verified};
use serde_json::json;

use crate::failure::Failure;
use crate::keys::JsonKey;
use crate::style::{count, grouped};
use crate::table::Table;
use crate::{description, device, files, keys, print};

use self::trust::Trust;
use super::pack::Base;
use super::values;

/// Verify a package as a device does that trusts these keys
#[derive(clap::Args)]
#[command(
    group = clap::ArgGroup::new("trust").args(["key", "trusted"]).required(true),
    after_help = "\
Example:
  lockgate verify firmware.lgu --key release.pub.pem
  lockgate verify firmware.lgu --key a.pub.pem --key b.pub.pem --threshold 2
  lockgate verify firmware.lgu --trusted keys-0.json

The updater that runs on devices installs the package into a flash in memory:
signatures, every block, the whole image. Vendor, class and component are
taken from the package, so see whether they are yours; with --trusted they must
be those of the key set.
Exit code 1 if the package is refused."
)]
pub(crate) struct Args {
    /// The package
    package: PathBuf,
    /// A key the device trusts (public, or the public half of a private one); may be given several times
    #[arg(short, long, value_name = "PUB.pem")]
    key: Vec<PathBuf>,
    /// The key set the device trusts, as `lockgate keys` describes it: key sets in front of the update are taken as
    /// the device takes them
    #[arg(long, value_name = "KEYS.json")]
    trusted: Option<PathBuf>,
    /// How many of the keys must have signed [default: 1]
    #[arg(long, value_name = "N", conflicts_with = "trusted")]
    threshold: Option<u8>,
    /// Number of a critical element of the vendor's own that the devices know; may be given several times
    #[arg(long, value_name = "NUMBER", value_parser = values::private_element)]
    knows: Vec<u16>,
    /// The image that a delta starts from: a raw binary, or a package that holds it
    #[arg(long, value_name = "OLD.bin|OLD.lgu")]
    base: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let keys = args.trusted.is_none().then(|| keys::key_set(&args.key, args.threshold)).transpose()?;
    let trusted = args.trusted.as_deref().map(description::read).transpose()?;
    let package = files::read(&args.package)?;
    let base = args.base.as_deref().map(Base::read).transpose()?;
    let outcome = match (keys, trusted) {
        (Some(keys), _) => Ok(Trust::keys(keys)),
        (None, Some(trusted)) => Trust::follow(&args.package, &package, trusted),
        (None, None) => return Ok(()),
    };
    let outcome = outcome.and_then(|trust| match verify(&args.package, &package, &trust, &args.knows, base.as_ref()) {
        Ok((inspection, verified)) => Ok((trust, inspection, verified)),
        Err(failure) => Err(trust.explain(failure)),
    });
    match outcome {
        Ok((trust, inspection, verified)) => {
            let signatures = Signatures::new(&inspection, &trust.keys);
            match args.json {
                true => print::json(&signatures.json(&inspection, &verified, &trust)?),
                false => {
                    print::text_only(format_args!("{}: verified\n\n", args.package.display()))?;
                    print::text_only(signatures.table(&inspection, &verified, &trust))
                }
            }
        }
        Err(failure) => {
            if let (true, Failure::Refused(reason)) = (args.json, &failure) {
                print::json(&json!({ "verified": false, "reason": reason }))?;
            }
            Err(failure)
        }
    }
}

/// Installs the package on a throw-away device of the package's own vendor, class and component.
fn verify<'p>(
    path: &Path,
    package: &'p [u8],
    trust: &Trust<'_>,
    knows: &[u16],
    base: Option<&Base>,
) -> Result<(Inspection<'p>, Verified), Failure> {
    let inspection = pack::inspect(package).map_err(|refusal| Failure::refused(path.display(), refusal))?;
    trust.check(path, &inspection.manifest)?;
    // Before memory is taken for an image size that nobody has vouched for.
    inspection.verify(&trust.keys).map_err(|refusal| Failure::refused(path.display(), refusal))?;
    let base = match (inspection.manifest.base_image, base) {
        (None, None) => &[],
        (Some(BaseImage { size, digest }), None) => {
            let size = count(size.into(), "byte", "bytes");
            let why = format_args!("a delta of the image of {size}, {digest}: give that one with --base");
            return Err(Failure::refused(path.display(), why));
        }
        (_, Some(base)) => {
            base.is_of(path, &inspection.manifest)?;
            base.image.as_slice()
        }
    };
    let layout = device::layout_for(inspection.manifest.image_size, base.len() as u32)
        .ok_or_else(|| Failure::refused(path.display(), "image and base are too large for a flash in memory"))?;
    // Wherever the image runs, there this device runs it.
    let address = inspection.manifest.load_address.unwrap_or_default();
    let (_, verified) =
        device::install(path, package, &inspection, layout, trust.built(knows), (Slot::B, base), [address; 2])?;
    Ok((inspection, verified))
}

/// Who signed, as the device saw it.
struct Signatures {
    threshold: u8,
    /// Entries under trusted keys. The device refuses the package unless each of them verifies.
    verified: Vec<KeyId>,
    /// Entries that it passed over.
    ignored: Vec<KeyId>,
}

impl Signatures {
    fn new(inspection: &Inspection<'_>, keys: &KeySet<'_>) -> Self {
        let trusted: Vec<KeyId> = keys.keys().iter().map(keys::id).collect();
        let (verified, ignored): (Vec<_>, Vec<_>) =
            inspection.signatures.iter().partition(|entry| entry.algorithm == ES256 && trusted.contains(&entry.key));
        let ids = |entries: Vec<&lockgate::wire::EntryHeader>| entries.iter().map(|entry| entry.key).collect();
        Self { threshold: keys.threshold(), verified: ids(verified), ignored: ids(ignored) }
    }

    fn json(
        &self,
        inspection: &Inspection<'_>,
        verified: &Verified,
        trust: &Trust<'_>,
    ) -> Result<serde_json::Value, Failure> {
        let manifest = &inspection.manifest;
        let list = |ids: &[KeyId]| ids.iter().copied().map(JsonKey::from).collect::<Vec<_>>();
        Ok(json!({
            "verified": true,
            "vendor": manifest.vendor.to_string(),
            "class": manifest.class.to_string(),
            "component": manifest.component,
            "version": verified.version().to_string(),
            "security_counter": verified.security_counter(),
            "load_address": manifest.load_address,
            "threshold": self.threshold,
            "keys": list(&self.verified),
            "ignored_keys": list(&self.ignored),
            "key_set": trust.json()?,
            "blocks": manifest.blocks(),
            "image_size": verified.image_size(),
            "image_digest": verified.image_digest().to_string(),
            "manifest_digest": verified.manifest_digest().to_string(),
            "bench": self.verified.iter().any(pack::is_bench),
        }))
    }

    fn table(&self, inspection: &Inspection<'_>, verified: &Verified, trust: &Trust<'_>) -> Table {
        let manifest = &inspection.manifest;
        let mut table = Table::default();
        trust.rows(&mut table);
        let mut row = |name: &str, value: &dyn std::fmt::Display| _ = table.row([&name, value]);
        row("signatures", &format_args!("{} verified, {} needed", self.verified.len(), self.threshold));
        for id in &self.verified {
            row("  signed by", &keys::label(id));
        }
        for id in &self.ignored {
            row("  passed over", &format_args!("{}: not among the trusted keys", keys::label(id)));
        }
        for number in device::private_elements(inspection) {
            let name = format!("element {number:#06x}");
            row(&name, &"the vendor's own and critical: devices that do not know it refuse the package");
        }
        row("blocks", &format_args!("{}, each checked before it was written", grouped(manifest.blocks().into())));
        row("image", &count(verified.image_size().into(), "byte", "bytes"));
        row("image digest", &verified.image_digest());
        row("manifest digest", &verified.manifest_digest());
        row("version", &verified.version());
        row("security counter", &verified.security_counter());
        row("vendor", &manifest.vendor);
        row("class", &manifest.class);
        row("component", &manifest.component);
        table
    }
}
