//! `lockgate pack`: image in, signed package out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lockgate::pack::{inspect, Inspection, PackError, Package, Signer, Update};
use lockgate::{Uuid, Version};
use serde::Serialize;

use super::values;
use crate::failure::Failure;
use crate::keys::JsonKey;
use crate::signers::External;
use crate::style::{count, grouped};
use crate::table::Table;
use crate::{files, image, keys, print, progress};

/// Pack an image into a signed package
#[derive(clap::Args)]
#[command(
    disable_version_flag = true, // --version is the image's here
    group = clap::ArgGroup::new("signers").args(["key", "sign_with"]).multiple(true).required(true),
    after_help = "\
Example:
  lockgate pack firmware.bin --key release.pem \\
      --version 1.2.3 --security-counter 7 \\
      --vendor 6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4 \\
      --class 0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80

A key that stays where it is, in a smart card or with openssl, takes in place
of --key (the command reads the 32-byte digest, and writes DER or r and s):
      --sign-with 'openssl pkeyutl -sign -inkey release.pem' \\
      --sign-with-key release.pub.pem"
)]
pub(crate) struct Args {
    /// The image, a raw binary
    image: PathBuf,
    /// Sign with the private key in this PEM file (PKCS#8 or SEC1); may be given several times
    #[arg(short, long, value_name = "KEY.pem")]
    key: Vec<PathBuf>,
    /// Sign by this shell command: digest on standard input, signature on standard output; may be given
    /// several times
    #[arg(long, value_name = "CMD", requires = "sign_with_key")]
    sign_with: Vec<String>,
    /// The public key that --sign-with signs for; one for each --sign-with, in the same order
    #[arg(long, value_name = "PUB.pem", requires = "sign_with")]
    sign_with_key: Vec<PathBuf>,
    /// How long a --sign-with command may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    sign_timeout: u32,
    /// The image's version: MAJOR.MINOR.REVISION or MAJOR.MINOR.REVISION+BUILD
    #[arg(long, value_parser = values::version)]
    version: Version,
    /// Devices refuse a counter below their own: raise it when older images must never run again
    #[arg(long, value_name = "N", value_parser = values::number)]
    security_counter: u32,
    /// Whose devices it is for
    #[arg(long, value_name = "UUID", value_parser = values::uuid)]
    vendor: Uuid,
    /// Which kind of devices it is for
    #[arg(long, value_name = "UUID", value_parser = values::uuid)]
    class: Uuid,
    /// Which part of the device it is for, if it has several
    #[arg(long, value_name = "N", default_value_t = 0)]
    component: u16,
    /// Bytes of a block, a power of two from 256 to 65536: what the device needs in RAM
    #[arg(long, value_name = "BYTES", default_value_t = 1024)]
    block_size: u32,
    /// The one address the image can run at
    #[arg(long, value_name = "ADDRESS", value_parser = values::number)]
    load_address: Option<u32>,
    /// The package; replaced if it exists [default: the image's name with the extension .lgu]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let output = args.output.clone().unwrap_or_else(|| args.image.with_extension("lgu"));
    let inputs: Vec<&Path> =
        [&args.image].into_iter().chain(&args.key).chain(&args.sign_with_key).map(AsRef::as_ref).collect();
    files::check_output(&output, &inputs)?;
    let mut signers = signers(&args)?;
    let image = image::read(&args.image)?;
    let mut update = Update::new(args.vendor, args.class, args.version, args.security_counter)
        .component(args.component)
        .block_size(args.block_size)
        .map_err(|error| Failure::usage("--block-size", error))?;
    if let Some(address) = args.load_address {
        update = update.load_address(address);
    }
    let spinner = progress::spinner("hashing", image.len() as u64);
    let mut signers: Vec<&mut dyn Signer> = signers.iter_mut().map(|signer| &mut **signer as _).collect();
    let package = update.build(&image, &mut signers);
    spinner.finish_and_clear();
    let package = package.map_err(|error| unpacked(&args.image, error))?;
    let inspection = inspect(package.bytes()).map_err(|refusal| Failure::refused(output.display(), refusal))?;
    files::write(&output, package.bytes())?;

    let report = Report::new(&args.image, image.len(), &output, &package, &inspection);
    match args.json {
        true => print::json(&report),
        false => print::text_only(report.table(&inspection)),
    }
}

fn signers(args: &Args) -> Result<Vec<Box<dyn Signer>>, Failure> {
    let (commands, publics) = (args.sign_with.len(), args.sign_with_key.len());
    if commands != publics {
        let why = format_args!("{publics} given for {commands} --sign-with: give one for each, in the same order");
        return Err(Failure::usage("--sign-with-key", why));
    }
    let timeout = Duration::from_secs(args.sign_timeout.into());
    let mut signers: Vec<Box<dyn Signer>> = Vec::new();
    for key in &args.key {
        signers.push(Box::new(keys::signing_key(key)?));
    }
    for (command, public) in args.sign_with.iter().zip(&args.sign_with_key) {
        signers.push(Box::new(External::new(command, public, timeout)?));
    }
    Ok(signers)
}

/// The failure that says whose mistake it was: the image's, the command line's, or the signer's.
fn unpacked(image: &Path, error: PackError) -> Failure {
    match error {
        PackError::ImageSize(_) => Failure::refused(image.display(), error),
        PackError::Signing { .. } => Failure::Io(error.to_string()),
        PackError::BadSignature(_) => Failure::Refused(error.to_string()),
        error => Failure::Usage(error.to_string()),
    }
}

/// What was made.
#[derive(Serialize)]
struct Report {
    image: String,
    image_size: usize,
    image_digest: String,
    package: String,
    package_size: usize,
    overhead_percent: f64,
    vendor: String,
    class: String,
    component: u16,
    version: String,
    security_counter: u32,
    load_address: Option<u32>,
    blocks: u32,
    block_size: u32,
    buffer: usize,
    manifest_digest: String,
    keys: Vec<JsonKey>,
}

impl Report {
    fn new(image: &Path, image_size: usize, path: &Path, package: &Package, inspection: &Inspection<'_>) -> Self {
        let manifest = package.manifest();
        let package_size = package.bytes().len();
        let overhead = (package_size - image_size) as f64 * 100.0 / image_size as f64;
        Self {
            image: image.display().to_string(),
            image_size,
            image_digest: manifest.image_digest.to_string(),
            package: path.display().to_string(),
            package_size,
            overhead_percent: (overhead * 100.0).round() / 100.0,
            vendor: manifest.vendor.to_string(),
            class: manifest.class.to_string(),
            component: manifest.component,
            version: manifest.version.to_string(),
            security_counter: manifest.security_counter,
            load_address: manifest.load_address,
            blocks: manifest.blocks(),
            block_size: manifest.block_size(),
            buffer: inspection.buffer(),
            manifest_digest: package.manifest_digest().to_string(),
            keys: inspection.signatures.iter().map(|entry| entry.key.into()).collect(),
        }
    }

    fn table(&self, inspection: &Inspection<'_>) -> Table {
        let bytes = |number: usize| count(number as u64, "byte", "bytes");
        let mut table = Table::default();
        let mut more = |name: &str, value: &dyn std::fmt::Display| _ = table.row([&name, value]);
        more("image", &format_args!("{}, {}", self.image, bytes(self.image_size)));
        let size = bytes(self.package_size);
        more("package", &format_args!("{}, {size}, {:.2} % overhead", self.package, self.overhead_percent));
        more("version", &self.version);
        more("security counter", &self.security_counter);
        more("blocks", &format_args!("{} of {}", grouped(self.blocks.into()), bytes(self.block_size as usize)));
        more("buffer needed", &bytes(self.buffer));
        for entry in &inspection.signatures {
            more("signed by", &keys::label(&entry.key));
        }
        more("manifest digest", &self.manifest_digest);
        table
    }
}
