//! The application over blocking traits.

use embedded_storage::nor_flash::NorFlash;
use lockgate::serial::{Outcome, Port, Receiver};
use lockgate::{Block, BootReason, Control, Device, Error, Refusal, Updater, Verify};

use crate::{Event, Station, BLOCK, FRAME};

/// Runs until there is something to restart into.
pub fn run<F: NorFlash, V: Verify + Copy>(
    device: &Device<'_>,
    flash: &mut F,
    mut port: impl Port,
    station: &mut impl Station,
    block: &mut Block<BLOCK>,
    verifier: V,
) {
    if begin(device, flash, station) {
        return;
    }
    while !look(device, flash, &mut port, station, block, verifier) {}
}

/// Says who runs. A new image must show that it works before it is kept; whether it was given up.
fn begin<F: NorFlash>(device: &Device<'_>, flash: &mut F, station: &mut impl Station) -> bool {
    let mut control = Control::new(device, flash);
    let status = match control.status() {
        Ok(status) => status,
        Err(error) => {
            station.say(&Event::Records(&error));
            return false;
        }
    };
    station.say(&Event::Runs(&status));
    let BootReason::Trial { .. } = status.reason else { return false };
    let works = station.works();
    let done = if works { control.confirm() } else { control.reject() };
    match done {
        Ok(()) => station.say(if works { &Event::Confirmed } else { &Event::Rejected }),
        Err(error) => station.say(&Event::Records(&error)),
    }
    !works
}

/// Takes one package. Whether it is to be tried now.
fn look<F: NorFlash, V: Verify>(
    device: &Device<'_>,
    flash: &mut F,
    port: &mut impl Port,
    station: &mut impl Station,
    block: &mut Block<BLOCK>,
    verifier: V,
) -> bool {
    // Another one for each package: it holds bytes of the last. A host may come at any time, so it never gives up asking.
    let mut receiver = Receiver::<_, FRAME>::new(port).wants(u16::MAX);
    let mut updater: Updater<'_, _, V> = Updater::with_verifier(device, &mut *flash, block, verifier);
    // Power may have failed between the last block and the request to try the image.
    let outcome = match updater.staged() {
        Ok(verified) => Ok(verified),
        Err(_) => updater.install_seekable(&mut receiver, |_| station.feed()),
    };
    let verified = match outcome {
        Ok(verified) => verified,
        Err(error) => {
            station.say(&Event::NoUpdate(&error));
            // The host's image is the one that runs: for the host that is no failure.
            let told = match error {
                Error::Refused(Refusal::AlreadyRunning) => Outcome::Verified,
                ref error => Outcome::from(error),
            };
            _ = receiver.finish(told, &error);
            return false;
        }
    };
    let version = verified.version();
    match Control::new(device, flash).try_next(verified) {
        Ok(()) => {
            station.say(&Event::Verified(version));
            _ = receiver.finish(Outcome::Verified, format_args!("version {version} is tried now"));
            true
        }
        Err(error) => {
            station.say(&Event::Records(&error));
            _ = receiver.finish(Outcome::Failed, &error);
            false
        }
    }
}
