//! What the application tells and asks its board.

use core::fmt;

use lockgate::{BootStatus, Version};

/// The board, as the application sees it.
pub trait Station {
    /// Something for people.
    fn say(&mut self, event: &Event<'_>);

    /// Feeds the watchdog that the boot stage armed. Called between blocks and while the line is silent.
    fn feed(&mut self);

    /// Whether a new image works: what the product is for (a sensor answers, a server is reached). Until this says so an update
    /// does not stay.
    fn works(&mut self) -> bool;
}

/// Something for people.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Event<'e> {
    /// The application begins.
    Runs(&'e BootStatus),
    /// The update on trial is kept from now on.
    Confirmed,
    /// The update on trial does not work: the old image comes back.
    Rejected,
    /// A package is in its slot and proven; the next reset tries it.
    Verified(Version),
    /// The host's package did not become an update.
    NoUpdate(&'e dyn fmt::Display),
    /// The records cannot be read or written.
    Records(&'e dyn fmt::Display),
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs(status) => {
                let BootStatus { running, reason, security_counter, .. } = status;
                write!(f, "slot {running}, {reason:?}, counter {security_counter}")
            }
            Self::Confirmed => f.write_str("confirmed"),
            Self::Rejected => f.write_str("does not work, given up"),
            Self::Verified(version) => write!(f, "version {version} is verified, restarting"),
            Self::NoUpdate(why) => write!(f, "no update: {why}"),
            Self::Records(why) => write!(f, "records: {why}"),
        }
    }
}
