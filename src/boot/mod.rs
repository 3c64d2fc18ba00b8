//! The boot stage: counts the attempts of a new image, checks it, starts it, and takes the old one back.
//!
//! ```text
//!             ┌──────────── try_next ───────────┐
//!   confirmed │                                 v   verifies     ┌─> attempt 1..limit ──> the image runs ─┐
//!   ──────────┴── receiving <── start        pending ──> (swap) ─┘            ^                           │
//!        ^                                      │                             └──── reset, unconfirmed ───┤
//!        │                                      │ does not                                                │
//!        ├──────────────────────────────────────┘                                                confirm  │
//!        ├──<── (swap back) <── no attempt left, or the application gave up ──────────────────────────────┤
//!        └────────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A boot stage is [`Boot`] with the flash and a [`Platform`]:
//!
//! ```no_run
//! # use lockgate::{geometry, Device, KeySet, Layout, PublicKey, Uuid};
//! # use lockgate::boot::{Boot, Launch, NoImage, Platform};
//! # fn stage(device: &Device<'_>, flash: impl embedded_storage::nor_flash::NorFlash) {
//! struct Board;
//! impl Platform for Board {
//!     fn arm_watchdog(&mut self) { /* a reset, should the image hang */ }
//!     fn jump(&mut self, launch: &Launch) -> ! { /* to the image in launch.slot */ loop {} }
//!     fn recover(&mut self, _: NoImage) -> ! { /* blink; wait for a programmer */ loop {} }
//! }
//! Boot::new(device, flash, Board).run()
//! # }
//! ```
//!
//! [`Boot::new`] checks the hash of each image it starts, and trusts the flash for whose image it is: that was settled
//! before a byte was written. [`Boot::with_signatures`] checks the signatures in the slot's trailer as well, for flash
//! that an attacker can write.
//!
//! It is for the strategies select and swap; with [`Strategy::Foreign`](crate::Strategy::Foreign) it starts nothing and says
//! [`NoImage::Foreign`].
//!
//! The boot stage never fails on what it finds in flash: garbage in the records is no record, an unreadable image is an
//! invalid one. What a power cut leaves at any moment, it goes on from.

mod image;
mod keys;
mod select;
mod swap;

use core::marker::PhantomData;

use embedded_storage::nor_flash::NorFlash;

use crate::control::{carry_out, BootReason};
use crate::device::Device;
use crate::digest::Sha2;
use crate::layout::Slot;
use crate::records::{Log, Places};
use crate::updater::unit;

pub use image::{HashOnly, Judge, Room, Signatures};

/// What a board brings along.
pub trait Platform {
    /// Sees to it that an image which hangs is reset. Called before every start on trial; the application feeds it, and
    /// a bootloader should leave it running.
    fn arm_watchdog(&mut self);

    /// Called before every record, after every erase and every 4096 bytes of an exchange, every 4096 bytes that are hashed, and before
    /// signatures are checked. (On a flash that fails a record may take several erases. A wrapper
    /// around the [`Verify`](crate::Verify) can feed it between two signatures.)
    fn feed_watchdog(&mut self) {}

    /// Starts the image.
    fn jump(&mut self, launch: &Launch) -> !;

    /// No image can be started: what else there is to do (a serial loader, a light) is the board's.
    fn recover(&mut self, why: NoImage) -> !;
}

/// A security counter outside the records (one-time programmable memory): more than flash can lose.
pub trait CounterStore {
    /// What it stands at; 0 if it cannot be read.
    fn read(&mut self) -> u32;

    /// Raises it. Called at every boot of a confirmed image that verified, with the lesser of the records' counter and the
    /// image's own; does nothing if it stands there.
    fn raise(&mut self, counter: u32);
}

/// The security counter is in the records only.
#[derive(Clone, Copy, Debug, Default)]
pub struct InRecords;

impl CounterStore for InRecords {
    fn read(&mut self) -> u32 {
        0
    }

    fn raise(&mut self, _: u32) {}
}

/// An image that is to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Launch {
    /// Where it is.
    pub slot: Slot,
    /// Address of its first byte in the flash that the layout describes.
    pub address: u32,
    /// Why it is started: the application reads the same from [`Control::status`](crate::Control::status), unless the records could
    /// not be written ([`Control::runs_in`](crate::Control::runs_in)).
    pub reason: BootReason,
}

/// Why nothing can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NoImage {
    /// No slot holds an image that verifies and may run.
    Invalid,
    /// The slots cannot be exchanged: a sector cannot be written. The next boot tries again.
    Exchange,
    /// The layout says that another bootloader starts the images ([`Strategy::Foreign`](crate::Strategy::Foreign)).
    Foreign,
}

impl core::fmt::Display for NoImage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Invalid => "no slot holds an image that verifies",
            Self::Exchange => "the slots cannot be exchanged: a sector cannot be written",
            Self::Foreign => "another bootloader starts the images",
        })
    }
}

/// When images are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// At every boot.
    #[default]
    EveryBoot,
    /// On trial, and when there is no record: a confirmed image is started at once. A boot stage that checks signatures does not
    /// believe records for that, and checks at every boot.
    Trial,
}

/// The boot stage, see the [module](self). `J` judges whose image a slot holds, `C` keeps a second security counter.
#[derive(Debug)]
pub struct Boot<'d, F, P, J = HashOnly, C = InRecords, H = Sha2> {
    device: &'d Device<'d>,
    flash: F,
    platform: P,
    judge: J,
    counter: C,
    check: Check,
    log: Log<'d>,
    /// Which key sets count.
    places: Places,
    hash: PhantomData<H>,
}

impl<'d, F: NorFlash, P: Platform> Boot<'d, F, P> {
    /// A boot stage that checks hashes.
    pub fn new(device: &'d Device<'d>, flash: F, platform: P) -> Self {
        Self::build(device, flash, platform, HashOnly)
    }
}

impl<'d, F: NorFlash, P: Platform, V: crate::Verify> Boot<'d, F, P, Signatures<V>> {
    /// A boot stage that checks hashes and the signatures in the trailers.
    pub fn with_signatures(device: &'d Device<'d>, flash: F, platform: P, verifier: V) -> Self {
        Self::build(device, flash, platform, Signatures(verifier))
    }
}

impl<'d, F: NorFlash, P, J> Boot<'d, F, P, J> {
    fn build(device: &'d Device<'d>, flash: F, platform: P, judge: J) -> Self {
        let _ = const { unit(F::WRITE_SIZE, F::READ_SIZE) };
        Self {
            device,
            flash,
            platform,
            judge,
            counter: InRecords,
            check: Check::EveryBoot,
            log: Log::new(device.layout(), F::READ_SIZE, F::WRITE_SIZE),
            places: Places::NONE,
            hash: PhantomData,
        }
    }
}

impl<'d, F, P, J, C, H> Boot<'d, F, P, J, C, H> {
    /// When images are checked. Default: at every boot.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    /// Keeps the security counter in `store`, too.
    #[must_use]
    pub fn counter<S: CounterStore>(self, store: S) -> Boot<'d, F, P, J, S, H> {
        let Self { device, flash, platform, judge, check, log, places, hash, .. } = self;
        Boot { device, flash, platform, judge, counter: store, check, log, places, hash }
    }

    /// Hashes by `G`.
    #[must_use]
    pub fn hash<G: crate::Sha256>(self) -> Boot<'d, F, P, J, C, G> {
        let Self { device, flash, platform, judge, counter, check, log, places, .. } = self;
        Boot { device, flash, platform, judge, counter, check, log, places, hash: PhantomData }
    }

    /// Gives the flash back.
    pub fn release(self) -> F {
        self.flash
    }
}

impl<F: NorFlash, P: Platform, J: Judge, C: CounterStore, H: crate::Sha256> Boot<'_, F, P, J, C, H> {
    /// Decides, and starts an image or recovers.
    pub fn run(mut self) -> ! {
        match self.select() {
            Ok(launch) => self.platform.jump(&launch),
            Err(why) => self.platform.recover(why),
        }
    }

    /// Reads the records. That does not fail: what cannot be read is no record.
    fn load(&mut self) {
        let mut work = crate::records::Work::load(&mut self.log);
        let _ = carry_out::<F, H>(&mut self.log, &mut work, &mut self.flash);
    }

    /// Tells the records; whether they hold it durably now.
    fn record(&mut self, state: &crate::records::State) -> bool {
        self.platform.feed_watchdog();
        if !self.log.loaded {
            // The last one failed: where there is room is to be found out again.
            self.load();
        }
        let mut work = crate::records::Work::state::<H>(&mut self.log, *state);
        carry_out::<F, H>(&mut self.log, &mut work, &mut self.flash).is_ok()
    }
}
