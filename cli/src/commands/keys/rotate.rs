//! `lockgate keys rotate`: the key set that follows, signed.

use std::path::{Path, PathBuf};

use lockgate::pack::{Keys, PackError, SignedKeys, Signer};
use lockgate::{KeyId, Refusal};

use super::{give, mistake, show};
use crate::commands::signing::{unsigned, SignerOptions};
use crate::failure::Failure;
use crate::files::NewFile;
use crate::key_sets::{shortfall, Verdict};
use crate::style::count;
use crate::table::Table;
use crate::{description, files, keys, print};

/// Make the key set that follows another, and sign it
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  lockgate keys rotate keys-0.json --add-sign next.pub.pem \\
      --remove release.pub.pem --key vault.pem -o keys-1.lgk

makes keys-1.lgk, for `lockgate pack --rotation`, and keys-1.json beside it,
from which the next rotation goes on. Neither is ever overwritten.

Rotate keys of both sets must sign, of each as many as its threshold says: a
key that is added counts for the new set, one that is removed for the old, one
that stays for both. --remove comes first: with --add-rotate of the same key it
loses the role sign.

A key that stays where it is, in a smart card or with openssl, takes in place
of --key (the command reads the 32-byte digest, and writes DER or r and s):
      --sign-with 'openssl pkeyutl -sign -inkey vault.pem' \\
      --sign-with-key vault.pub.pem")]
pub(crate) struct Args {
    /// The description of the set that devices trust now
    #[arg(value_name = "KEYS.json")]
    keys: PathBuf,
    /// A key that is to sign updates (public, or the public half of a private one)
    #[arg(long, value_name = "PEM", num_args = 1.., help_heading = "Changes")]
    add_sign: Vec<PathBuf>,
    /// A key that is to sign key sets (public, or the public half of a private one)
    #[arg(long, value_name = "PEM", num_args = 1.., help_heading = "Changes")]
    add_rotate: Vec<PathBuf>,
    /// A key that loses all its roles: its id, or a file that holds it
    #[arg(long, value_name = "ID|PEM", num_args = 1.., help_heading = "Changes")]
    remove: Vec<String>,
    /// How many of the keys that sign updates must have signed one [default: as before]
    #[arg(long, value_name = "N", help_heading = "Changes")]
    sign_threshold: Option<u8>,
    /// How many of the keys that sign key sets must have signed one [default: as before]
    #[arg(long, value_name = "N", help_heading = "Changes")]
    rotate_threshold: Option<u8>,
    #[command(flatten)]
    signing: SignerOptions,
    /// Where the signed key set goes; its description goes beside it as KEYS.json
    #[arg(short, long, value_name = "KEYS.lgk")]
    output: PathBuf,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let beside = args.output.with_extension("json");
    if beside == args.output {
        return Err(Failure::usage("--output", "the description is made beside it: name the key set keys-1.lgk"));
    }
    // Before the first signature: whoever signs may have to enter a PIN.
    files::check_new(&args.output)?;
    files::check_new(&beside)?;
    let old = description::read(&args.keys)?;
    let new = next(&args, &old)?;
    let mut signers = args.signing.signers()?;
    check_signers(&args.output, [&old, &new], &signers)?;

    let mut signers: Vec<&mut dyn Signer> = signers.iter_mut().map(|signer| &mut **signer as _).collect();
    let bytes = new.sign(&mut signers).map_err(|error| failed(&args.output, error, signers.len()))?;
    let signed = taken(&args.output, &bytes, &old)?;
    // Both or neither: a file that is not kept goes away with its guard.
    let set_file = NewFile::create(&args.output, &bytes, false)?;
    let description_file = NewFile::create(&beside, description::text(&new)?.as_bytes(), false)?;
    set_file.keep();
    description_file.keep();

    for warning in warnings(&old, &new) {
        eprintln!("warning: {warning}");
    }
    let size = count(bytes.len() as u64, "byte", "bytes");
    let mut table = Table::default();
    table.row([&"key set", &format_args!("{}, follows {}", new.version, old.version)]);
    table.row([&"signed", &format_args!("{}, {size}: for `lockgate pack --rotation`", args.output.display())]);
    table.row([&"description", &beside.display()]);
    show::identity(&mut table, &new);
    for id in &signed {
        table.row([&"signed by", &keys::label(id)]);
    }
    print::text_only(format_args!("{table}\n{}", show::changes(&old, &new)))
}

/// The set that follows `old`.
fn next(args: &Args, old: &Keys) -> Result<Keys, Failure> {
    let version = old.version.checked_add(1);
    let version = version.ok_or_else(|| Failure::usage(args.keys.display(), "no version is higher than its own"))?;
    let mut new = Keys { version, ..old.clone() };
    for gone in &args.remove {
        let id = gone_id(gone)?;
        let before = new.keys.len();
        new.keys.retain(|key| key.id() != id);
        if new.keys.len() == before {
            let why = format_args!("no key {id} is in {}, or it was removed already", args.keys.display());
            return Err(Failure::usage(format_args!("--remove {gone}"), why));
        }
    }
    for (paths, rotate) in [(&args.add_sign, false), (&args.add_rotate, true)] {
        for path in paths {
            give(&mut new, path, rotate)?;
        }
    }
    new.sign_threshold = args.sign_threshold.unwrap_or(old.sign_threshold);
    new.rotate_threshold = args.rotate_threshold.unwrap_or(old.rotate_threshold);
    description::check(&new).map_err(|broken| mistake(&new, broken))?;
    if new == (Keys { version, ..old.clone() }) {
        let why = format_args!("key set {version} would be key set {} again: add or remove a key", old.version);
        return Err(Failure::usage(args.keys.display(), why));
    }
    Ok(new)
}

/// The id of a key that is to go, given as such or by a file.
fn gone_id(text: &str) -> Result<KeyId, Failure> {
    let mut id = [0; 8];
    let digits = text.len() == 16 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !digits {
        return keys::public_key(Path::new(text)).map(|key| keys::id(&key));
    }
    for (index, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).unwrap_or_default();
    }
    Ok(KeyId(id))
}

/// Refuses before anybody signs what no device would take, or signatures that none would count.
fn check_signers(output: &Path, sets: [&Keys; 2], signers: &[Box<dyn Signer>]) -> Result<(), Failure> {
    let ids: Vec<KeyId> = signers.iter().map(|signer| keys::id(&signer.public_key())).collect();
    let counts = |id: &&KeyId| sets.iter().any(|set| set.with_role(true).any(|key| keys::id(key) == **id));
    if let Some(id) = ids.iter().find(|id| !counts(id)) {
        let why = "a rotate key of neither the old nor the new set, so no device counts its signature: leave it out";
        return Err(Failure::usage(format_args!("--key {id}"), why));
    }
    match shortfall(sets, &ids) {
        Some(why) => Err(Failure::refused(output.display(), why)),
        None => Ok(()),
    }
}

/// The ids of the keys that signed, as a device counts them that trusts `old`.
fn taken(output: &Path, bytes: &[u8], old: &Keys) -> Result<Vec<KeyId>, Failure> {
    let (set, _) = SignedKeys::read(bytes).map_err(|refusal| Failure::refused(output.display(), refusal))?;
    match Verdict::of(&set, old) {
        Verdict::Taken(signed) => Ok(signed),
        Verdict::PassedOver(why) | Verdict::Refused(why) => Err(Failure::refused(output.display(), why)),
    }
}

fn failed(output: &Path, error: PackError, signers: usize) -> Failure {
    match error {
        PackError::KeySet(Refusal::KeySetTooLarge { needed }) => {
            let why = format_args!(
                "with {signers} signatures the key set has {needed} bytes, devices keep 992: let fewer keys sign, or remove some"
            );
            Failure::refused(output.display(), why)
        }
        error => unsigned(output, error),
    }
}

/// What whoever rotates may not have thought of.
fn warnings(old: &Keys, new: &Keys) -> Vec<String> {
    let gone = |rotate: bool| -> Vec<String> {
        let gone = old.with_role(rotate).filter(|key| new.with_role(rotate).all(|other| other != *key));
        gone.map(|key| keys::id(key).to_string()).collect()
    };
    let (before, after) = (old.version, new.version);
    let mut warnings = Vec::new();
    if gone(false).len() == old.keys.iter().filter(|key| key.sign).count() {
        warnings.push(format!(
            "no sign key of key set {before} is left: who takes key set {after} refuses every update that only they signed"
        ));
    }
    let rotate = gone(true);
    if !rotate.is_empty() {
        warnings.push(format!(
            "rotate keys are removed ({}): devices whose boot stage is rooted in the old rotate keys (`Device::rooted`) will not take key sets from now on unless they still sign",
            rotate.join(", ")
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_hexadecimal_digits_are_an_id_and_all_else_is_a_file() {
        let id = KeyId([0x91, 0x69, 0x74, 0x61, 0x04, 0xfc, 0x73, 0xfb]);
        assert_eq!(gone_id("9169746104fc73fb").unwrap(), id);
        assert_eq!(gone_id("9169746104FC73FB").unwrap(), id);
        for file in ["9169746104fc73f", "9169746104fc73fg", "9169746104fc73fb.pem"] {
            assert!(matches!(gone_id(file), Err(Failure::Io(_))), "{file}");
        }
    }
}
