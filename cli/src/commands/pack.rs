//! `lockgate pack`: image in, signed package out.

mod base;
mod candidates;
mod patch;
mod report;
mod set;
mod wish;

use std::path::{Path, PathBuf};
use std::time::Duration;

use lockgate::pack::{inspect, PackError, Package, Signer, Update};
use lockgate::{Uuid, Version};

use self::candidates::Chosen;
use self::report::Report;
use self::wish::{Choice, Compress, Wishes};
use super::values;
use crate::failure::Failure;
use crate::signers::External;
use crate::{files, image, keys, print, progress};

pub(crate) use base::Base;

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

Less to download, for devices with a decoder:
  --compress heatshrink                  compressed
  --base old.bin                         a delta from the image that runs
  --patch fw.patch --base old.bin        a delta that `detools create_patch` made
  --encoding auto --base old.bin         the smallest package, and a table of all
  --base 1.0.lgu --base 1.1.lgu -o fw-1.2.3.lgu
      fw-1.2.3-from-1.0.0.lgu, fw-1.2.3-from-1.1.0.lgu, fw-1.2.3.lgu for
      everybody else, and fw-1.2.3.lgi, an index of them (docs/index.md)

A key that stays where it is, in a smart card or with openssl, takes in place
of --key (the command reads the 32-byte digest, and writes DER or r and s):
      --sign-with 'openssl pkeyutl -sign -inkey release.pem' \\
      --sign-with-key release.pub.pem"
)]
pub(crate) struct Args {
    /// The image, a raw binary; with --patch it may be left out, or else must be what the patch makes
    #[arg(required_unless_present = "patch")]
    image: Option<PathBuf>,
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
    /// Make a delta from this image, which runs on the devices: a raw binary, or a package that holds it; may be
    /// given several times
    #[arg(long, value_name = "OLD.bin|OLD.lgu", help_heading = "Encoding")]
    base: Vec<PathBuf>,
    /// Pack this patch of --base, made by `detools create_patch` (sequential, heatshrink or none)
    #[arg(long, value_name = "FILE", requires = "base", conflicts_with_all = ["encoding", "compress"], help_heading = "Encoding")]
    patch: Option<PathBuf>,
    /// none, heatshrink or heatshrink:W,L (window and lookahead, powers of two)
    /// [default: heatshrink:8,7 for deltas, none otherwise]
    #[arg(long, value_name = "HOW", value_parser = wish::compress, help_heading = "Encoding")]
    compress: Option<Compress>,
    /// How the payload becomes the image; auto makes the smallest package that --window allows
    /// [default: delta with --base, heatshrink with --compress, raw otherwise]
    #[arg(long, value_name = "WHICH", help_heading = "Encoding")]
    encoding: Option<Choice>,
    /// The largest window that the devices have room for, a power of two: 8 to 11 [default: 8]
    #[arg(long, value_name = "MAX", value_parser = clap::value_parser!(u8).range(8..=11), help_heading = "Encoding")]
    window: Option<u8>,
    /// The package; replaced if it exists [default: the name of the image or patch with the extension .lgu]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let wishes =
        Wishes { encoding: args.encoding, compress: args.compress, window: args.window, base: !args.base.is_empty() };
    let wish = wishes.wish()?;
    let named = args.image.as_ref().or(args.patch.as_ref()).map_or(Path::new("image"), |path| path);
    let output = args.output.clone().unwrap_or_else(|| named.with_extension("lgu"));
    files::check_output(&output, &inputs(&args))?;
    let mut packer = Packer::new(&args)?;
    let image = args.image.as_deref().map(|path| image::read(path).map(|bytes| (path, bytes))).transpose()?;
    let bases = Base::read_all(&args.base)?;
    let single = match (&args.patch, &bases[..]) {
        (None, [] | [_]) | (Some(_), [_]) => bases.first(),
        (None, _) => {
            let Some((path, bytes)) = &image else { return Ok(()) };
            return set::run(&args, &mut packer, (path, bytes), &bases, (wish, wishes.whole()?), &output);
        }
        (Some(patch), _) => {
            return Err(Failure::usage(patch.display(), "a patch of one image: give the --base that it is a patch of"));
        }
    };
    let (made, chosen) = match (&args.patch, &image) {
        (Some(path), image) => {
            let base = single.ok_or_else(|| Failure::usage("--patch", "needs --base"))?;
            let image = image.as_ref().map(|(path, bytes)| (*path, bytes.as_slice()));
            let (payload, made) = patch::read(path, base, image, wishes.largest())?;
            (made, Chosen::only(payload, args.block_size))
        }
        (None, Some((path, bytes))) => {
            let chosen = packer.choose(wish, (path, bytes), single)?;
            (bytes.clone(), chosen)
        }
        (None, None) => return Ok(()),
    };
    let base = single.filter(|_| chosen.payload.base_image().is_some());
    let (package, chosen) = packer.pack(named, chosen)?;
    let replaced = output.is_file();
    files::write(&output, package.bytes())?;

    let inspection = inspect(package.bytes()).map_err(|refusal| Failure::refused(output.display(), refusal))?;
    let report = Report::new((args.image.as_deref(), made.len()), base, &output, &package, &inspection, chosen.sizes);
    let report = report.patch(args.patch.as_deref()).replaced(replaced);
    match args.json {
        true => print::json(&report),
        false => print::text_only(report.text()),
    }
}

/// Files that must not be written to.
fn inputs(args: &Args) -> Vec<&Path> {
    let images = args.image.iter().chain(&args.patch).chain(&args.base);
    images.chain(&args.key).chain(&args.sign_with_key).map(AsRef::as_ref).collect()
}

/// Everything that packages of one call have in common.
struct Packer {
    update: Update,
    block: u32,
    signers: Vec<Box<dyn Signer>>,
}

impl Packer {
    fn new(args: &Args) -> Result<Self, Failure> {
        let signers = signers(args)?;
        let mut update = Update::new(args.vendor, args.class, args.version, args.security_counter)
            .component(args.component)
            .block_size(args.block_size)
            .map_err(|error| Failure::usage("--block-size", error))?;
        if let Some(address) = args.load_address {
            update = update.load_address(address);
        }
        Ok(Self { update, block: args.block_size, signers })
    }

    /// The payload of `image` that is wished for.
    fn choose(&self, wish: wish::Wish, image: (&Path, &[u8]), base: Option<&Base>) -> Result<Chosen, Failure> {
        let (path, bytes) = image;
        if let Some(base) = base {
            base.differs(path, &crate::slots::sha256(bytes))?;
        }
        let spinner = progress::spinner("encoding", bytes.len() as u64);
        let chosen = Chosen::new(wish, image, base, self.block);
        spinner.finish_and_clear();
        chosen
    }

    /// Cuts into blocks and signs.
    fn pack(&mut self, image: &Path, mut chosen: Chosen) -> Result<(Package, Chosen), Failure> {
        let spinner = progress::spinner("hashing", chosen.payload.bytes().len() as u64);
        let mut signers: Vec<&mut dyn Signer> = self.signers.iter_mut().map(|signer| &mut **signer as _).collect();
        let package = self.update.encode(&chosen.payload, &mut signers);
        spinner.finish_and_clear();
        let package = package.map_err(|error| unpacked(image, error))?;
        chosen.made(package.bytes().len());
        Ok((package, chosen))
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
