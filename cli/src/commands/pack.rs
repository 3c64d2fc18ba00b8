//! `lockgate pack`: image in, signed package out.

mod base;
mod candidates;
mod patch;
mod report;
mod rotation;
mod set;
mod wish;

use std::path::{Path, PathBuf};

use lockgate::pack::{inspect, Signer, Update};
use lockgate::{Manifest, Uuid, Version};

use self::candidates::Chosen;
use self::report::Report;
use self::rotation::Rotations;
use self::wish::{Choice, Compress, Wishes};
use super::signing::{unsigned, SignerOptions};
use super::values;
use crate::failure::Failure;
use crate::{files, image, print, progress};

pub(crate) use base::Base;

/// Pack an image into a signed package
#[derive(clap::Args)]
#[command(
    disable_version_flag = true, // --version is the image's here
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
      --sign-with-key release.pub.pem

New keys for devices that rotate theirs (lockgate keys --help) come in front of
an update that is signed by the new ones:
      --rotation keys-1.lgk --rotation keys-2.lgk --key next.pem"
)]
pub(crate) struct Args {
    /// The image, a raw binary; with --patch it may be left out, or else must be what the patch makes
    #[arg(required_unless_present = "patch")]
    image: Option<PathBuf>,
    #[command(flatten)]
    signing: SignerOptions,
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
    /// A signed key set that devices are to take before they judge the update, from `lockgate keys rotate`; may be
    /// given several times, one for each version
    #[arg(long, value_name = "KEYS.lgk")]
    rotation: Vec<PathBuf>,
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
    files::write(&output, &package.bytes)?;

    let inspection = inspect(&package.bytes).map_err(|refusal| Failure::refused(output.display(), refusal))?;
    let report = Report::new((args.image.as_deref(), made.len()), base, &output, &inspection, chosen.sizes);
    let report = report.patch(args.patch.as_deref()).key_sets(&packer.rotations).replaced(replaced);
    match args.json {
        true => print::json(&report),
        false => print::text_only(report.text()),
    }
}

/// Files that must not be written to.
fn inputs(args: &Args) -> Vec<&Path> {
    let images = args.image.iter().chain(&args.patch).chain(&args.base);
    images.chain(&args.rotation).chain(args.signing.inputs()).map(AsRef::as_ref).collect()
}

/// Everything that packages of one call have in common.
struct Packer {
    update: Update,
    block: u32,
    signers: Vec<Box<dyn Signer>>,
    rotations: Rotations,
}

/// Key sets and an update, ready to be sent.
struct Packed {
    bytes: Vec<u8>,
    manifest: Manifest,
}

impl Packer {
    fn new(args: &Args) -> Result<Self, Failure> {
        let rotations = Rotations::read(&args.rotation, (args.vendor, args.class))?;
        let signers = args.signing.signers()?;
        rotations.check_signers(&signers)?;
        let mut update = Update::new(args.vendor, args.class, args.version, args.security_counter)
            .component(args.component)
            .block_size(args.block_size)
            .map_err(|error| Failure::usage("--block-size", error))?;
        if let Some(address) = args.load_address {
            update = update.load_address(address);
        }
        Ok(Self { update, block: args.block_size, signers, rotations })
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

    /// Cuts into blocks and signs, and puts key sets in front.
    fn pack(&mut self, image: &Path, mut chosen: Chosen) -> Result<(Packed, Chosen), Failure> {
        let spinner = progress::spinner("hashing", chosen.payload.bytes().len() as u64);
        let mut signers: Vec<&mut dyn Signer> = self.signers.iter_mut().map(|signer| &mut **signer as _).collect();
        let package = self.update.encode(&chosen.payload, &mut signers);
        spinner.finish_and_clear();
        let package = package.map_err(|error| unsigned(image, error))?;
        let manifest = *package.manifest();
        let package = Packed { bytes: [&self.rotations.bytes, package.bytes()].concat(), manifest };
        chosen.made(package.bytes.len());
        Ok((package, chosen))
    }
}
