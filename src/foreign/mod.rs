//! Other people's bootloaders: lockgate fetches and authenticates, the bootloader in place goes on starting.
//!
//! A fleet in the field cannot change its bootloader. It can still take its updates through an
//! [`Updater`](crate::Updater), which proves every block before a byte of it is written; what is left is to
//! tell the bootloader. [`BootControl`] does that, for two of them:
//!
//! | back end | what it writes | laid out |
//! |---|---|---|
//! | [`EmbassyBoot`] | the state partition of `embassy-boot` 0.7 | [here](embassy_boot) |
//! | [`Mcuboot`] | the image trailers of MCUboot, swap modes | [here](mcuboot) |
//!
//! The order of things, whatever the bootloader:
//!
//! 1. At every start, before anything else, [`Control::follow`](crate::Control::follow): the records learn what the
//!    bootloader did, and say whether the running image is on trial, confirmed, or back.
//! 2. On trial, the image tests itself and calls [`Control::confirm_by`](crate::Control::confirm_by), which tells the
//!    bootloader and raises the security counter. Without that the next reset brings the old image back.
//! 3. Before an install, [`state`](BootControl::state) must say that it [`may_install`](ForeignState::may_install); then
//!    [`withdraw`](BootControl::withdraw), and the install. The slot must not be under request while it is erased and
//!    written, or a reset in between starts half an image.
//! 4. [`Control::try_next_by`](crate::Control::try_next_by) with the updater's receipt, which asks for a trial; reset.
//!
//! The layout says [`foreign`](crate::LayoutBuilder::foreign). lockgate's own boot stage has no part in this, and starts
//! nothing on such a layout. Nor has slot A a trailer that says which version runs: say it by
//! [`Driver::running`](crate::Driver::running), or an image of a lower version, or the same again, is taken at an equal
//! security counter.
//!
//! `Control` and a back end need the flash at the same time. Share it: by `embassy-embedded-hal`'s `BlockingPartition`, or by a
//! `NorFlash` of your own over a `RefCell`, with addresses of the whole flash in both hands.
//!
//! Images that MCUboot decrypts on their way into the primary slot have another digest there than in the package: then
//! `follow` cannot prove which image runs, and takes an update that is kept without its trial being told for failed.
//!
//! Without records (no `Control`), a back end alone does: [`request_trial`](BootControl::request_trial) for `try_next_by`,
//! [`confirm`](BootControl::confirm) for `confirm_by`. It owns or borrows its flash, so it can be made where it is needed
//! and dropped:
//!
//! ```
//! # #[cfg(feature = "sim")] {
//! use lockgate::foreign::{BootControl, EmbassyBoot, ForeignState};
//! # let mut flash = lockgate::sim::Flash::new(&lockgate::geometry::NRF52840);
//! let mut boot = EmbassyBoot::new(&mut flash, 0x6000..0x7000)?; // the state partition
//! if boot.state()?.may_install() {
//!     boot.withdraw()?;
//!     // Updater::new(...).install(...) into the DFU partition, which ends with a receipt
//!     boot.request_trial()?;
//! }
//! assert_eq!(boot.state()?, ForeignState::Requested);
//! # }
//! # Ok::<(), lockgate::foreign::Error<lockgate::sim::Error>>(())
//! ```
//!
//! # What holds for both
//!
//! No word is programmed twice between two erases, and none with the erased value, so flash with an error
//! correcting code is fine. A word that must be programmed and is neither blank nor right already is
//! [`Error::NotBlank`], and nothing is programmed over it. What was programmed is read back. A word that
//! cannot be read counts as not set when the state is read, and as not blank when it is to be programmed.
//!
//! A torn word may read one way now and another way after the next reset; neither format can tell that from
//! a whole word. Each back end says what its bootloader makes of torn words.

pub mod embassy_boot;
pub mod mcuboot;
mod words;

use core::fmt;

pub use self::embassy_boot::EmbassyBoot;
pub use self::mcuboot::Mcuboot;

/// Another bootloader's way of being told.
pub trait BootControl {
    /// Why it failed.
    type Error: fmt::Debug;

    /// Asks the bootloader to try, at the next reset, the image in the update slot. It goes back to the old
    /// one at the reset after that, unless the new one is confirmed. Asking again changes nothing.
    ///
    /// # Errors
    ///
    /// If an image is on trial: the update slot holds the one to go back to. If the flash fails, or is not as
    /// the format needs it.
    fn request_trial(&mut self) -> Result<(), Self::Error>;

    /// Keeps the image that runs on trial. Idempotent; without an image on trial nothing changes for the
    /// bootloader, and a request that stands goes on standing.
    ///
    /// # Errors
    ///
    /// If the flash fails, or is not as the format needs it. Then [`state`](Self::state) tells what holds.
    fn confirm(&mut self) -> Result<(), Self::Error>;

    /// Takes back a request that the bootloader has not acted on, and clears what a torn one left. Call it
    /// before an install.
    ///
    /// # Errors
    ///
    /// If an image is on trial, or the flash fails.
    fn withdraw(&mut self) -> Result<(), Self::Error>;

    /// What the bootloader has done, or will do.
    ///
    /// # Errors
    ///
    /// If the flash refuses the address; words that cannot be read count as not set.
    fn state(&mut self) -> Result<ForeignState, Self::Error>;
}

/// What a bootloader has done, or will do at the next reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ForeignState {
    /// Idle: the image that runs is kept, nothing is asked for.
    Confirmed,
    /// The image in the update slot is tried at the next reset.
    Requested,
    /// The image that runs goes at the next reset, unless it is confirmed.
    OnTrial,
    /// The image tried last was not confirmed, and the one before it runs again. As with
    /// [`Confirmed`](Self::Confirmed), it is kept and nothing is asked for.
    Reverted,
}

impl ForeignState {
    /// Whether the update slot is free. While an image is requested a reset would start what is half written;
    /// while one is on trial the slot holds the way back.
    #[must_use]
    pub const fn may_install(self) -> bool {
        matches!(self, Self::Confirmed | Self::Reverted)
    }
}

/// Why a bootloader could not be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error<E> {
    /// The flash failed.
    Flash(E),
    /// The ranges do not lie in the flash, are not on edges of its write units, or have no room for what the
    /// format keeps there.
    Layout,
    /// An image is on trial, so the update slot holds the one to go back to: confirm first.
    OnTrial,
    /// The word at `address` must be programmed, and is not blank (or cannot be read). Nothing was programmed
    /// there.
    NotBlank {
        /// The word's first address.
        address: u32,
    },
    /// The word at `address` was programmed and reads otherwise.
    Mismatch {
        /// The word's first address.
        address: u32,
    },
}

impl<E: fmt::Debug> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(error) => write!(f, "flash: {error:?}"),
            Self::Layout => f.write_str("the bootloader's ranges do not fit the flash, or the format"),
            Self::OnTrial => f.write_str("an image is on trial: confirm it first"),
            Self::NotBlank { address } => write!(f, "the word at {address:#x} must be programmed and is not blank"),
            Self::Mismatch { address } => write!(f, "the word at {address:#x} reads other than programmed"),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for Error<E> {}
