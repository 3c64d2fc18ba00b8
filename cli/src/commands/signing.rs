//! Who signs: options that commands which sign have in common.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lockgate::pack::{PackError, Signer};

use crate::failure::Failure;
use crate::keys;
use crate::signers::External;

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("signers").args(["key", "sign_with"]).multiple(true).required(true))]
pub(crate) struct SignerOptions {
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
}

impl SignerOptions {
    pub(crate) fn signers(&self) -> Result<Vec<Box<dyn Signer>>, Failure> {
        let (commands, publics) = (self.sign_with.len(), self.sign_with_key.len());
        if commands != publics {
            let why = format_args!("{publics} given for {commands} --sign-with: give one for each, in the same order");
            return Err(Failure::usage("--sign-with-key", why));
        }
        let timeout = Duration::from_secs(self.sign_timeout.into());
        let mut signers: Vec<Box<dyn Signer>> = Vec::new();
        for key in &self.key {
            signers.push(Box::new(keys::signing_key(key)?));
        }
        for (command, public) in self.sign_with.iter().zip(&self.sign_with_key) {
            signers.push(Box::new(External::new(command, public, timeout)?));
        }
        Ok(signers)
    }

    /// Files that must not be written to.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &PathBuf> {
        self.key.iter().chain(&self.sign_with_key)
    }
}

/// The failure that says whose mistake it was: that of what was to be signed, the command line's, or the signer's.
pub(crate) fn unsigned(what: &Path, error: PackError) -> Failure {
    match error {
        PackError::ImageSize(_) => Failure::refused(what.display(), error),
        PackError::Signing { .. } => Failure::Io(error.to_string()),
        PackError::BadSignature(_) => Failure::Refused(error.to_string()),
        error => Failure::Usage(error.to_string()),
    }
}
