//! The state partition of `embassy-boot` 0.7.
//!
//! It is a row of words, each as large as the flash's `WRITE_SIZE` (source: the comment on `BootLoader` in
//! `boot_loader.rs`). Give the bootloader and this back end a flash with the same `WRITE_SIZE`.
//!
//! | word | meaning |
//! |---|---|
//! | 0 | magic, the same in every byte: 0xD0 booted, 0xF0 swap, 0xC0 reverted, 0xE0 to USB DFU; anything else is booted |
//! | 1 | progress validity: erased while the progress counts |
//! | 2.. | progress of the swap, then of the revert: not erased where a page was copied |
//!
//! The swap magic alone does not say whether the swap is still to come. The bootloader never starts an image
//! with a swap half done, so for whoever reads this from a running image the first progress word tells: blank
//! is [`Requested`](ForeignState::Requested), else [`OnTrial`](ForeignState::OnTrial). (The crate's own
//! `get_state` answers `Swap` to both.) A request for USB DFU reads as [`Confirmed`](ForeignState::Confirmed),
//! and so does a swap magic beside torn words, which any of the calls sweeps.
//!
//! Writes go as in `BlockingFirmwareState::set_magic` of `firmware_updater/blocking.rs`: word 1 is made
//! invalid, the whole partition is erased, the magic is written. Two things differ, both to the safe side.
//! Word 1 is written only while word 0 asks for a swap, because progress means nothing else, and a partition
//! whose erase was cut is then never programmed before it is erased again. And
//! [`confirm`](BootControl::confirm) leaves a request that was not acted on standing, where `mark_booted`
//! would cancel it; [`withdraw`](BootControl::withdraw) cancels.
//!
//! # Layout
//!
//! The bootloader swaps in pages, each the larger `ERASE_SIZE` of the active and the DFU partition. With an
//! active partition of *n* pages it asks for a DFU partition of *n* + 1 pages or more and a state partition of
//! 4*n* + 2 words or more (source: `assert_partitions`). It starts the first *n* pages of the DFU partition
//! and shifts the old image up by one page; an image that is larger than *n* pages would be cut off. So
//! lockgate's slot begins where the DFU partition begins, and its capacity (all but the last 1024 bytes)
//! must not exceed the active partition. [`update_slot`] computes it.
//!
//! Where pages are 1 KiB or less the slot is the whole of an *n* + 1 page DFU partition; its trailer lies in
//! the page that the swap overwrites first. Where they are larger the slot has *n* pages, the image may have
//! 1024 bytes less than the active partition, and the swap carries the trailer to the end of the active one. Either
//! way the trailer has done its work by then.
//!
//! # Power cuts
//!
//! In [`request_trial`](BootControl::request_trial) a cut leaves the old image in place, requested or not; calling
//! again repairs whatever is there. In [`confirm`](BootControl::confirm) a cut leaves the image on trial or
//! keeps it, with three things that the format cannot do better:
//!
//! - A cut after word 1 is invalid and before the erase took hold keeps the new image, but the bootloader
//!   then writes the reverted magic: [`Reverted`](ForeignState::Reverted) is told though the new image runs.
//!   A `withdraw` that is cut there is told so too. [`Control::follow`](crate::Control::follow) tells them apart by the image
//!   that runs.
//! - In that same window the bootloader programs word 1 again, perhaps in a sector whose erase was cut. Flash
//!   that refuses that (one programming only, even for zeros over anything) makes `prepare_boot` fail at every
//!   reset.
//! - `prepare_boot` reads words 0, 1 and 2 as they are. Where a torn word reads as an error, it fails too.
//!
//! A reset while the bootloader reverts, between its last erase and its last write, reads as
//! [`Confirmed`](ForeignState::Confirmed): the revert is complete, but nobody is told.

use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;

use super::words::{Words, MAX_WORD};
use super::{BootControl, Error, ForeignState};
use crate::wire::TRAILER_SIZE;

/// Start what is in the active partition (`BOOT_MAGIC`).
const BOOTED: u8 = 0xD0;
/// Swap, or, where that is done, swap back (`SWAP_MAGIC`).
const SWAP: u8 = 0xF0;
/// Swapped back (`REVERT_MAGIC`).
const REVERTED: u8 = 0xC0;
/// Stay in the bootloader for USB DFU (`DFU_DETACH_MAGIC`).
const DFU_DETACH: u8 = 0xE0;

/// The range to give lockgate as its slot, for a DFU partition beside an active partition of `active` bytes
/// and swap pages of `page` bytes: as much of it as makes lockgate refuse an image that the swap would cut
/// off. In addresses of the flash.
#[must_use]
pub const fn update_slot(dfu: Range<u32>, active: u32, page: u32) -> Range<u32> {
    let room = dfu.end.saturating_sub(dfu.start);
    // One page more only where lockgate's trailer fills it.
    let wanted = if page <= TRAILER_SIZE { active.saturating_add(page) } else { active };
    dfu.start..dfu.start.saturating_add(if wanted < room { wanted } else { room })
}

/// What a swap magic stands for, seen from a running image.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Swap {
    /// A swap at the next reset.
    Asked,
    /// The swap is done; the next reset undoes it.
    Done,
    /// Neither: what a write or an erase left that was cut.
    Torn,
}

/// Tells `embassy-boot` what to do. See the [module](self) for the layout, and for what power cuts leave.
pub struct EmbassyBoot<F> {
    words: Words<F>,
    state: Range<u32>,
}

impl<F: NorFlash> EmbassyBoot<F> {
    /// Over the state partition at `state`, in addresses of `flash`: whole sectors, and the same ones that the
    /// bootloader uses. Nothing is read or written yet.
    ///
    /// A flash with words over 32 bytes, or that cannot read a word alone, does not compile.
    ///
    /// # Errors
    ///
    /// [`Error::Layout`] if the range is not in the flash, not on edges of words, or has fewer than the six
    /// words that an active partition of one page needs.
    pub fn new(flash: F, state: Range<u32>) -> Result<Self, Error<F::Error>> {
        let words = Words::new(flash);
        let room = state.end.saturating_sub(state.start);
        if !words.holds(&state) || room < Words::<F>::SIZE.saturating_mul(6) {
            return Err(Error::Layout);
        }
        Ok(Self { words, state })
    }

    /// What a byte of the flash reads after an erase: 0x00 for a bootloader built with the feature
    /// `flash-erase-zero`. Default: 0xFF.
    #[must_use]
    pub const fn erased_value(mut self, value: u8) -> Self {
        self.words.erased = value;
        self
    }

    /// Gives the flash back.
    pub fn release(self) -> F {
        self.words.flash
    }

    /// The address of a word.
    fn at(&self, index: u32) -> u32 {
        self.state.start.saturating_add(Words::<F>::SIZE.saturating_mul(index))
    }

    /// The magic in word 0; `None` if it is none, torn, or unreadable.
    fn magic(&mut self) -> Result<Option<u8>, Error<F::Error>> {
        let word = self.words.word(self.at(0))?;
        Ok(word.and_then(|word| [BOOTED, SWAP, REVERTED, DFU_DETACH].into_iter().find(|&magic| word.is_all(magic))))
    }

    /// What a swap magic stands for.
    fn swap(&mut self) -> Result<Swap, Error<F::Error>> {
        let erased = self.words.erased;
        let valid = self.words.word(self.at(1))?.is_some_and(|word| word.is_all(erased));
        // The bootloader takes a page for copied only if no byte of its word is erased.
        let copied = self.words.word(self.at(2))?.map(|word| !word.as_ref().contains(&erased));
        Ok(match (valid, copied) {
            (_, Some(true)) => Swap::Done,
            (true, Some(false)) => Swap::Asked,
            _ => Swap::Torn,
        })
    }

    fn set_magic(&mut self, magic: u8) -> Result<(), Error<F::Error>> {
        let (validity, erased) = (self.at(1), self.words.erased);
        if self.magic()? == Some(SWAP) && self.words.word(validity)?.is_some_and(|word| word.is_all(erased)) {
            self.write(validity, !erased)?;
        }
        self.words.erase(&self.state)?;
        self.write(self.state.start, magic)
    }

    /// A word of the same byte.
    fn write(&mut self, at: u32, byte: u8) -> Result<(), Error<F::Error>> {
        let bytes = [byte; MAX_WORD];
        self.words.program(at, bytes.get(..F::WRITE_SIZE).unwrap_or_default())
    }
}

impl<F: NorFlash> BootControl for EmbassyBoot<F> {
    type Error = Error<F::Error>;

    /// As `mark_updated`. Erases the state partition.
    ///
    /// # Errors
    ///
    /// [`Error::OnTrial`], where `mark_updated` would do nothing; [`Error::Flash`] or [`Error::Mismatch`] if
    /// the flash fails. A call that failed, or was cut, can be repeated.
    fn request_trial(&mut self) -> Result<(), Self::Error> {
        if self.magic()? == Some(SWAP) {
            match self.swap()? {
                Swap::Asked => return Ok(()),
                Swap::Done => return Err(Error::OnTrial),
                Swap::Torn => {}
            }
        }
        self.set_magic(SWAP)
    }

    /// As `mark_booted`, but a request stands, be it for a swap or for USB DFU. Erases the state partition,
    /// unless it says so already. After a revert it makes the state
    /// [`Confirmed`](ForeignState::Confirmed).
    ///
    /// # Errors
    ///
    /// [`Error::Flash`] or [`Error::Mismatch`] if the flash fails. A call that failed, or was cut, can be
    /// repeated by whichever image runs then.
    fn confirm(&mut self) -> Result<(), Self::Error> {
        match self.magic()? {
            Some(BOOTED | DFU_DETACH) => Ok(()),
            Some(SWAP) if self.swap()? == Swap::Asked => Ok(()),
            _ => self.set_magic(BOOTED),
        }
    }

    /// As `mark_booted` while the magic asks for a swap, or is none; else nothing.
    ///
    /// # Errors
    ///
    /// [`Error::OnTrial`]; [`Error::Flash`] or [`Error::Mismatch`] if the flash fails. A call that failed, or
    /// was cut, can be repeated.
    fn withdraw(&mut self) -> Result<(), Self::Error> {
        match self.magic()? {
            Some(BOOTED | REVERTED | DFU_DETACH) => Ok(()),
            Some(SWAP) if self.swap()? == Swap::Done => Err(Error::OnTrial),
            _ => self.set_magic(BOOTED),
        }
    }

    /// From a running image: the bootloader itself sees the same words in the middle of a swap.
    ///
    /// # Errors
    ///
    /// [`Error::Flash`] if the flash refuses the address.
    fn state(&mut self) -> Result<ForeignState, Self::Error> {
        match self.magic()? {
            Some(SWAP) => Ok(match self.swap()? {
                Swap::Asked => ForeignState::Requested,
                Swap::Done => ForeignState::OnTrial,
                Swap::Torn => ForeignState::Confirmed,
            }),
            Some(REVERTED) => Ok(ForeignState::Reverted),
            _ => Ok(ForeignState::Confirmed),
        }
    }
}
