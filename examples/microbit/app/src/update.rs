//! One look for an update.

use core::convert::Infallible;

use board::{clock, reset, say, watchdog, Flash, DEVICE};
use embedded_io::Seek;
use embedded_storage::nor_flash::NorFlashErrorKind;
use lockgate::serial::{self, Outcome};
use lockgate::{Block, Control, Digest, Error, PublicKey, Updater, Verified, Verify, Workspace, P256};

use crate::line::Line;
use crate::{why, BLOCK, DECODED};

type Failure = Error<NorFlashErrorKind, serial::Error<Infallible>>;
type Update<'u> = Updater<'u, Flash, Patient>;

/// Signature checks, with a fed watchdog: each takes seconds.
struct Patient;

impl Verify for Patient {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        watchdog::feed();
        let begun = clock::us();
        let valid = P256.verify(key, digest, signature);
        say!("app: package's signature checked, ", clock::us().wrapping_sub(begun), " us");
        watchdog::feed();
        valid
    }
}

/// Waits for a package, installs it, and restarts into it. Returns if there is nothing to restart into.
pub(crate) fn look(line: &mut Line, block: &mut Block<BLOCK>, workspace: &mut Workspace<DECODED>) {
    match install(line, block, workspace) {
        Ok(verified) => try_next(line, verified),
        Err(error) => {
            let text = why::failure(&error);
            say!("app: no update: ", text);
            _ = line.finish(Outcome::from(&error), text);
        }
    }
    // The next package begins at its first byte.
    _ = line.rewind();
}

#[inline(never)] // an updater is large: nothing else shall be on the stack for it
fn install(line: &mut Line, block: &mut Block<BLOCK>, workspace: &mut Workspace<DECODED>) -> Result<Verified, Failure> {
    let mut updater = Update::with_verifier(&DEVICE, Flash::new(), block, Patient).workspace(workspace);
    // Power may have failed between the last block and the request to try the image.
    staged(&mut updater).map_or_else(|| fetch(line, &mut updater), Ok)
}

#[inline(never)] // as above
fn staged(updater: &mut Update<'_>) -> Option<Verified> {
    updater.staged().ok()
}

#[inline(never)] // as above
fn fetch(line: &mut Line, updater: &mut Update<'_>) -> Result<Verified, Failure> {
    updater.install_seekable(line, |_| watchdog::feed())
}

#[inline(never)] // as above
fn try_next(line: &mut Line, verified: Verified) {
    let version = verified.version();
    match Control::new(&DEVICE, Flash::new()).try_next(verified) {
        Ok(()) => {
            say!("app: version ", version, " is verified, restarting");
            crate::ram::say();
            _ = line.finish(Outcome::Verified, "verified");
            reset::reset()
        }
        Err(error) => {
            let text = why::update(&error);
            say!("app: no update: ", text);
            _ = line.finish(Outcome::Failed, text);
        }
    }
}
