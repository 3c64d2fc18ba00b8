//! One look for an update.

use board::clock::cycles;
use board::{flash::FlashError, reset, say, text, watchdog, Flash, DEVICE};
use lockgate::{Control, Digest, Error, ErrorKind, PublicKey, Refusal, Updater, Verified, Verify, P256};

use crate::link::{Link, LinkError};
use crate::{why, Buffers};

/// What an update can fail of.
pub(crate) type Failure = Error<FlashError, LinkError>;

/// The updater of this application.
pub(crate) type Update<'u> = Updater<'u, Flash, Patient>;

/// Connections that may fail one after the other, and milliseconds between them.
const TRIES: u8 = 5;
const BETWEEN_TRIES: u64 = 1_000;

/// How a look for an update ended, for whoever sent it.
pub(crate) enum Ended {
    Verified,
    Refused,
    /// The same package may do another time.
    Failed,
}

/// Signature checks, with a fed watchdog: each takes about a second.
pub(crate) struct Patient;

impl Verify for Patient {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        watchdog::feed();
        let begun = cycles();
        let valid = P256.verify(key, digest, signature);
        say!("app: package's signature checked, ", cycles().wrapping_sub(begun), " cycles");
        watchdog::feed();
        valid
    }

    // Without it no key set is ever taken.
    fn is_point(&mut self, key: &PublicKey) -> bool {
        P256.is_point(key)
    }
}

/// Fetches and installs what the server has, and restarts into it. Returns if there is nothing to restart into.
pub(crate) fn look(link: &mut Link<'_>, buffers: &mut Buffers) {
    match install(link, buffers) {
        Ok(verified) => try_next(link, verified),
        Err(Error::Refused(Refusal::AlreadyRunning)) => {
            say!("app: up to date");
            link.end(Ended::Refused, text!("up to date"));
        }
        Err(error) => {
            say!("app: no update: ", why::failure(&error));
            let ended = if error.kind() == ErrorKind::Refused { Ended::Refused } else { Ended::Failed };
            link.end(ended, why::failure(&error));
        }
    }
}

#[inline(never)] // what it is made from is not on the stack while it is used
fn updater(buffers: &mut Buffers) -> Update<'_> {
    let updater = Update::with_verifier(&DEVICE, Flash::new(), &mut *buffers.block, Patient).keyring(buffers.keyring);
    #[cfg(feature = "deltas")]
    let updater = updater.workspace(buffers.workspace);
    updater
}

#[inline(never)] // an updater is large: nothing else shall be on the stack for it
fn install(link: &mut Link<'_>, buffers: &mut Buffers) -> Result<Verified, Failure> {
    let mut updater = updater(buffers);
    // Power may have failed between the last block and the request to try the image.
    let outcome = staged(&mut updater).map_or_else(|| fetch(link, &mut updater), Ok);
    // 0 is the set built in, or that nothing came by which to judge.
    let keys = updater.key_set_version();
    if keys > 0 {
        say!("app: trusts key set ", keys);
    }
    outcome
}

#[inline(never)] // as above
fn staged(updater: &mut Update<'_>) -> Option<Verified> {
    updater.staged().ok()
}

#[inline(never)] // as above
fn try_next(link: &mut Link<'_>, verified: Verified) {
    let version = verified.version();
    match Control::new(&DEVICE, Flash::new()).try_next(verified) {
        Ok(()) => {
            say!("app: version ", version, " is verified, restarting");
            link.end(Ended::Verified, text!("verified"));
            reset::reset()
        }
        Err(error) => say!("app: no update: ", why::update(&error)),
    }
}

#[inline(never)] // as above
fn fetch(link: &mut Link<'_>, updater: &mut Update<'_>) -> Result<Verified, Failure> {
    let (mut tries, mut furthest) = (0, updater.position());
    loop {
        let error = match link.fetch(updater) {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        // What came further than ever is no failed try.
        let reached = updater.position();
        tries = if reached > furthest { 0 } else { tries + 1 };
        furthest = furthest.max(reached);
        let final_answer = matches!(&error, Error::Transport(error) if !error.may_pass());
        if error.kind() != ErrorKind::Retry || final_answer || tries >= TRIES {
            return Err(error);
        }
        say!("app: ", why::failure(&error), "; again from byte ", reached);
        if matches!(error, Error::Refused(Refusal::BlockHash { .. })) && tries > 1 {
            // Damage on the way does not come twice: the server has another package now.
            updater.restart();
        }
        updater.disconnected();
        link.pause(BETWEEN_TRIES);
    }
}
