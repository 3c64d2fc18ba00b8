//! The application over async traits. Its twin is `blocking.rs`.

mod line;

use embedded_storage_async::nor_flash::NorFlash;
use lockgate::asynch::{Control, Updater};
use lockgate::serial::Outcome;
use lockgate::{Block, BootReason, Device, Error, Refusal, Verify};

pub use line::{Line, Port};

use crate::{Event, Station, BLOCK};

/// Runs until there is something to restart into.
pub async fn run<F: NorFlash, V: Verify + Copy>(
    device: &Device<'_>,
    flash: &mut F,
    mut port: impl Port,
    station: &mut impl Station,
    block: &mut Block<BLOCK>,
    verifier: V,
) {
    if begin(device, flash, station).await {
        return;
    }
    while !look(device, flash, &mut port, station, block, verifier).await {}
}

/// Says who runs. A new image must show that it works before it is kept; whether it was given up.
async fn begin<F: NorFlash>(device: &Device<'_>, flash: &mut F, station: &mut impl Station) -> bool {
    let mut control = Control::new(device, flash);
    let status = match control.status().await {
        Ok(status) => status,
        Err(error) => {
            station.say(&Event::Records(&error));
            return false;
        }
    };
    station.say(&Event::Runs(&status));
    let BootReason::Trial { .. } = status.reason else { return false };
    let works = station.works();
    let done = if works { control.confirm().await } else { control.reject().await };
    match done {
        Ok(()) => station.say(if works { &Event::Confirmed } else { &Event::Rejected }),
        Err(error) => station.say(&Event::Records(&error)),
    }
    !works
}

/// Takes one package. Whether it is to be tried now.
async fn look<F: NorFlash, V: Verify>(
    device: &Device<'_>,
    flash: &mut F,
    port: &mut impl Port,
    station: &mut impl Station,
    block: &mut Block<BLOCK>,
    verifier: V,
) -> bool {
    // Another one for each package: it holds bytes of the last. A host may come at any time, so it never gives up asking.
    let mut line = Line::new(port).wants(u16::MAX);
    let mut updater: Updater<'_, _, V> = Updater::with_verifier(device, &mut *flash, block, verifier);
    // Power may have failed between the last block and the request to try the image.
    let outcome = match updater.staged().await {
        Ok(verified) => Ok(verified),
        Err(_) => updater.install_seekable(&mut line, |_| station.feed()).await,
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
            _ = line.finish(told, &error).await;
            return false;
        }
    };
    let version = verified.version();
    match Control::new(device, flash).try_next(verified).await {
        Ok(()) => {
            station.say(&Event::Verified(version));
            _ = line.finish(Outcome::Verified, format_args!("version {version} is tried now")).await;
            true
        }
        Err(error) => {
            station.say(&Event::Records(&error));
            _ = line.finish(Outcome::Failed, &error).await;
            false
        }
    }
}
