//! One look for an update.

use board::{flash::FlashError, reset, say, watchdog, Flash, DEVICE};
use lockgate::{Block, Control, Digest, Error, ErrorKind, PublicKey, Refusal, Updater, Verified, Verify, P256};

use crate::link::{Link, LinkError};
use crate::{why, BLOCK};

/// What an update can fail of.
pub(crate) type Failure = Error<FlashError, LinkError>;

/// The updater of this application.
pub(crate) type Update<'u> = Updater<'u, Flash, Patient>;

/// Connections that may fail one after the other.
const TRIES: u8 = 5;

/// Signature checks, with a fed watchdog: each takes about a second.
pub(crate) struct Patient;

impl Verify for Patient {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        watchdog::feed();
        let valid = P256.verify(key, digest, signature);
        watchdog::feed();
        valid
    }
}

/// Fetches and installs what the server has, and restarts into it. Returns if there is nothing to restart into.
#[inline(never)]
pub(crate) fn look(link: &mut Link<'_>, block: &mut Block<BLOCK>) {
    let mut updater = Update::with_verifier(&DEVICE, Flash::new(), block, Patient);
    // Power may have failed between the last block and the request to try the image.
    let outcome = updater.staged().or_else(|_| fetch(link, &mut updater));
    match outcome {
        Ok(verified) => {
            let version = verified.version();
            match Control::new(&DEVICE, Flash::new()).try_next(verified) {
                Ok(()) => {
                    say!("app: version ", version, " is verified, restarting");
                    link.end(true, "verified");
                    reset::reset()
                }
                Err(error) => say!("app: no update: ", why::update(&error)),
            }
        }
        Err(Error::Refused(Refusal::AlreadyRunning)) => {
            say!("app: up to date");
            link.end(false, "up to date");
        }
        Err(error) => {
            say!("app: no update: ", why::failure(&error));
            link.end(false, why::failure(&error));
        }
    }
}

fn fetch(link: &mut Link<'_>, updater: &mut Update<'_>) -> Result<Verified, Failure> {
    let (mut tries, mut reached) = (0, 0);
    loop {
        let error = match link.fetch(updater) {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        // What came further than before is no failed try.
        tries = if updater.position() > reached { 0 } else { tries + 1 };
        reached = updater.position();
        let final_answer = matches!(&error, Error::Transport(error) if !error.may_pass());
        if error.kind() != ErrorKind::Retry || final_answer || tries >= TRIES {
            return Err(error);
        }
        say!("app: ", why::failure(&error), "; again from byte ", reached);
        if matches!(error, Error::Refused(Refusal::BlockHash { .. })) && tries > 1 {
            // Damage on the way does not come twice: the server has another package now.
            updater.restart();
            reached = 0;
        }
        updater.disconnected();
        link.pause();
    }
}
