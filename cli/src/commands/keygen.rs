//! `lockgate keygen`: a new signing key, and the Rust constant that makes a device trust it.

use std::path::{Path, PathBuf};

use lockgate::pack::{public_key_pem, Signer, SigningKey};
use lockgate::KeySet;

use crate::failure::Failure;
use crate::files::NewFile;
use crate::table::Table;
use crate::{keys, print};

/// Make a P-256 signing key, and print the Rust constant that makes a device trust it
#[derive(clap::Args)]
#[command(
    group = clap::ArgGroup::new("task").args(["output", "print"]).required(true),
    after_help = "\
Example:
  lockgate keygen -o release.pem
  lockgate keygen --print release.pub.pem backup.pub.pem --threshold 2

The first makes release.pem (keep it secret) and release.pub.pem beside it.
Devices whose keys are to change in the field need keys of two roles, for
updates and for key sets: `lockgate keys new` prints their constants.

Nothing is ever overwritten. A key made by openssl will do as well:
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out release.pem"
)]
pub(crate) struct Args {
    /// Where the private key goes, as PKCS#8 PEM; the public key goes beside it as KEY.pub.pem
    #[arg(short, long, value_name = "KEY.pem")]
    output: Option<PathBuf>,
    /// Make no key: print the constant for these keys (public ones, or the public half of private ones)
    #[arg(long, value_name = "PEM", num_args = 1..)]
    print: Vec<PathBuf>,
    /// How many of the printed keys must have signed an update [default: 1]
    #[arg(long, value_name = "N", conflicts_with = "output")]
    threshold: Option<u8>,
    /// Make a bench key: its id begins with dddd, and every command calls it a bench key
    #[arg(long, conflicts_with = "print")]
    dev: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    match args.output {
        Some(output) => make(&output, args.dev),
        None => print::line(keys::rust_const("KEYS", &keys::key_set(&args.print, args.threshold)?)),
    }
}

fn make(output: &Path, dev: bool) -> Result<(), Failure> {
    let beside = public_name(output);
    let key = if dev { SigningKey::generate_bench() } else { SigningKey::generate() };
    let public = key.public_key();
    let impossible = || Failure::Io("the new key is no key (please report this)".into());
    let pem = public_key_pem(&public).ok_or_else(impossible)?;
    let set = [public];
    let set = KeySet::checked(1, &set).ok_or_else(impossible)?;

    // Both or neither: a file that is not kept goes away with its guard.
    let private_file = NewFile::create(output, key.to_pem().as_ref().as_bytes(), true)?;
    let public_file = NewFile::create(&beside, pem.as_bytes(), false)?;
    private_file.keep();
    public_file.keep();

    let mut table = Table::default();
    table.row([&"key id", &keys::label(&keys::id(&public))]);
    table.row([&"private key", &format_args!("{} (who has it can sign: keep it secret)", output.display())]);
    table.row([&"public key", &beside.display()]);
    print::line(table)?;
    print::line(keys::rust_const("KEYS", &set))
}

/// `key.pem` becomes `key.pub.pem`, any other name gets `.pub.pem` behind it.
fn public_name(private: &Path) -> PathBuf {
    if private.extension().is_some_and(|extension| extension == "pem") {
        return private.with_extension("pub.pem");
    }
    let mut name = private.as_os_str().to_owned();
    name.push(".pub.pem");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_key_lies_beside_the_private_one() {
        for (private, public) in [
            ("key.pem", "key.pub.pem"),
            ("keys/a.b.pem", "keys/a.b.pub.pem"),
            ("key", "key.pub.pem"),
            ("key.p8", "key.p8.pub.pem"),
        ] {
            assert_eq!(public_name(Path::new(private)), Path::new(public));
        }
    }
}
