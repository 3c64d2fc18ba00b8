//! The image trailers of MCUboot, swap modes.
//!
//! MCUboot keeps a trailer at the very end of each slot (source: `docs/design.md`, "Image trailer", and the
//! offsets in `bootutil_misc.h` and `bootutil_public.c`). Counted from the slot's end, with the alignment *a*
//! that MCUboot was built for ([`MaxAlign`]):
//!
//! | field | begins before the end | holds |
//! |---|---|---|
//! | magic | 16 | 16 bytes, which tell *a* if it is over 8 |
//! | `image_ok` | *m* + *a* | 0x01: the image is kept |
//! | `copy_done` | *m* + 2*a* | 0x01: the swap is complete |
//! | `swap_info` | *m* + 3*a* | type of the swap (2 test, 3 permanent, 4 revert), image number in the upper half |
//!
//! where *m* is 16 rounded up to *a*. Below them lie the swap's size and its progress.
//!
//! A request is the magic and `swap_info` in the secondary slot, a confirmation is `image_ok` in the primary
//! one, each in the very bytes of `boot_set_pending_multi` and `boot_set_confirmed_multi`. Only the order
//! differs: the magic, on which alone MCUboot acts, comes last. The state is read by the rules of
//! `boot_swap_type_multi`. An image marked as permanent by another tool reads as
//! [`Requested`](ForeignState::Requested) too.
//!
//! [`Reverted`](ForeignState::Reverted) is told when the last swap in the primary slot's `swap_info` was a
//! revert. It may be missed, and then reads as [`Confirmed`](ForeignState::Confirmed): MCUboot finishes a revert as a
//! permanent swap if power is cut right at its start (`fixup_revert`). An image that MCUboot does not accept
//! is erased or left alone without a trace: `Confirmed`, or still `Requested` after a reset.
//!
//! Not for MCUboot's overwrite-only mode, which knows no trial, nor for direct-XIP and RAM-load, where the
//! same fields mean other things. Both slots must lie in one `NorFlash`.
//!
//! # Layout
//!
//! What lockgate installs is a whole MCUboot image, as `imgtool sign` makes it *without* `--pad`: MCUboot
//! checks its own header, hash and signature all the same. lockgate's trailer takes the last 1024 bytes of
//! lockgate's slot, so that slot must end before MCUboot's trailer begins, and on a sector's edge:
//! [`update_slot`] of [`trailer_size`] computes it.
//!
//! ```
//! use lockgate::foreign::mcuboot::{trailer_size, update_slot, MaxAlign, SwapMode};
//! // nRF52840, secondary slot of 444 KiB, words of 4 bytes, CONFIG_BOOT_MAX_IMG_SECTORS=128:
//! const TRAILER: u32 = trailer_size(SwapMode::Move, MaxAlign::Eight, 4, 128, 0);
//! assert_eq!(TRAILER, 1584);
//! // One sector for the trailer, one that swap-move needs free.
//! assert_eq!(update_slot(0x7_B000..0xE_A000, SwapMode::Move, TRAILER, 4096), 0x7_B000..0xE_8000);
//! ```
//!
//! The sectors behind lockgate's slot belong to MCUboot and this back end.
//! [`withdraw`](BootControl::withdraw) erases them. An install does not, so it has to be called before each one: without
//! it a torn request stays in the way.
//!
//! # Power cuts
//!
//! - In [`request_trial`](BootControl::request_trial): not requested, or requested. Calling again completes
//!   it, or says [`Error::NotBlank`] where a word is torn; then withdraw and ask again. The image stays.
//! - In [`withdraw`](BootControl::withdraw): requested, or not. Call again.
//! - In [`confirm`](BootControl::confirm): on trial, or kept. A torn `image_ok` that reads neither 0x01 nor
//!   blank keeps the image, because MCUboot reverts only while it is blank; `confirm` then says
//!   [`Error::NotBlank`] and [`state`](BootControl::state) says `Confirmed`. Nothing but a later swap can make
//!   such a word whole, and one that is metastable may yet read blank at a reset: then the image goes.
//! - Where a torn word reads as an error, a cut in a trailer can stop MCUboot at every reset:
//!   `swap_status_source` asserts that both trailers can be read, and `boot_swap_type_multi` panics over the
//!   primary one. That goes for a cut in the one word that `confirm` writes, and in the words of a request; the
//!   format has no second place for either.

use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;

use super::words::{Words, MAX_WORD};
use super::{BootControl, Error, ForeignState};

mod trailer;

pub use trailer::{trailer_size, update_slot, MaxAlign, SwapMode};
use trailer::{Field, MAGIC_SIZE};

/// A flag that is set (`BOOT_FLAG_SET`).
const SET: u8 = 1;
/// Types of a swap (`BOOT_SWAP_TYPE_TEST`, `BOOT_SWAP_TYPE_REVERT`), and where they are in `swap_info`.
const TEST: u8 = 2;
const REVERT: u8 = 4;
const TYPE: u8 = 0x0F;

/// What a flag reads (`boot_flag_decode`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flag {
    Unset,
    Set,
    Bad,
}

/// Where the slots lie, in addresses of the flash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    /// MCUboot's primary slot, trailer included.
    pub primary: Range<u32>,
    /// MCUboot's secondary slot, trailer included.
    pub secondary: Range<u32>,
    /// lockgate's slot within the secondary one; see [`update_slot`].
    pub update: Range<u32>,
}

/// Tells MCUboot what to do. See the [module](self) for the layout, and for what power cuts leave.
pub struct Mcuboot<F> {
    words: Words<F>,
    slots: Slots,
    align: MaxAlign,
    image: u8,
}

impl<F: NorFlash> Mcuboot<F> {
    /// Over two slots of `flash`. `align` is what MCUboot was built with. Nothing is read or written yet.
    ///
    /// A flash with words over 32 bytes, or that cannot read a word alone, does not compile.
    ///
    /// # Errors
    ///
    /// [`Error::Layout`] if a slot is not in the flash or not on edges of `align`, if slots overlap, if
    /// lockgate's slot is not in the secondary one or runs into its trailer, or if the flash writes words
    /// larger than `align`.
    pub fn new(flash: F, slots: Slots, align: MaxAlign) -> Result<Self, Error<F::Error>> {
        let words = Words::new(flash);
        let Slots { primary, secondary, update } = &slots;
        let fits = |slot: &Range<u32>| {
            words.holds(slot)
                && slot.start.is_multiple_of(align.bytes())
                && slot.end.is_multiple_of(align.bytes())
                && slot.end.saturating_sub(slot.start) > align.fields()
        };
        let apart = primary.end <= secondary.start || secondary.end <= primary.start;
        let within = secondary.start <= update.start
            && update.start < update.end
            && update.end <= secondary.end.saturating_sub(align.fields());
        if !(fits(primary) && fits(secondary) && apart && within) || Words::<F>::SIZE > align.bytes() {
            return Err(Error::Layout);
        }
        Ok(Self { words, slots, align, image: 0 })
    }

    /// What a byte of the flash reads after an erase. Default: 0xFF.
    #[must_use]
    pub const fn erased_value(mut self, value: u8) -> Self {
        self.words.erased = value;
        self
    }

    /// Which of MCUboot's image pairs the slots are, 0 to 14: it goes into `swap_info`. Default: 0.
    #[must_use]
    pub const fn image(mut self, number: u8) -> Self {
        self.image = number & TYPE;
        self
    }

    /// Gives the flash back.
    pub fn release(self) -> F {
        self.words.flash
    }

    fn primary(&self, field: Field) -> u32 {
        self.align.at(self.slots.primary.end, field)
    }

    fn secondary(&self, field: Field) -> u32 {
        self.align.at(self.slots.secondary.end, field)
    }

    /// Where the words that hold the magic begin, and how many bytes they are.
    fn magic_words(slot: &Range<u32>) -> (u32, usize) {
        let len = if MAGIC_SIZE < F::WRITE_SIZE { F::WRITE_SIZE } else { MAGIC_SIZE };
        (slot.end.saturating_sub(if MAGIC_SIZE < F::WRITE_SIZE { Words::<F>::SIZE } else { 16 }), len)
    }

    fn has_magic(&mut self, slot: &Range<u32>) -> Result<bool, Error<F::Error>> {
        let (at, len) = Self::magic_words(slot);
        let mut bytes = [0; MAX_WORD];
        let Some(words) = bytes.get_mut(..len) else { return Ok(false) };
        Ok(self.words.read(at, words)? && words.ends_with(&self.align.magic()))
    }

    fn flag(&mut self, at: u32) -> Result<Flag, Error<F::Error>> {
        let erased = self.words.erased;
        Ok(match self.words.word(at)?.map(|word| word.first()) {
            Some(SET) => Flag::Set,
            Some(byte) if byte != erased => Flag::Bad,
            _ => Flag::Unset,
        })
    }

    fn write_flag(&mut self, at: u32, value: u8) -> Result<(), Error<F::Error>> {
        let mut word = [self.words.erased; MAX_WORD];
        word[0] = value;
        self.words.program(at, word.get(..F::WRITE_SIZE).unwrap_or_default())
    }

    fn write_magic(&mut self) -> Result<(), Error<F::Error>> {
        let (at, len) = Self::magic_words(&self.slots.secondary);
        let mut bytes = [self.words.erased; MAX_WORD];
        let Some(words) = bytes.get_mut(..len) else { return Ok(()) };
        if let Some(magic) = words.last_chunk_mut() {
            *magic = self.align.magic();
        }
        self.words.program(at, words)
    }

    /// Whether the word at `at` is blank. One that cannot be read is not.
    fn expect_blank(&mut self, at: u32) -> Result<(), Error<F::Error>> {
        let erased = self.words.erased;
        match self.words.word(at)? {
            Some(word) if word.is_all(erased) => Ok(()),
            _ => Err(Error::NotBlank { address: at }),
        }
    }
}

impl<F: NorFlash> BootControl for Mcuboot<F> {
    type Error = Error<F::Error>;

    /// As `boot_set_pending_multi` for a test. Programs one word for `swap_info`, then the magic; it erases
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`Error::OnTrial`], where MCUboot would take the request and forget the revert. [`Error::NotBlank`]:
    /// the trailer is torn, or marks the image as permanent, which cannot be reverted;
    /// [`withdraw`](Self::withdraw) first. [`Error::Flash`] or [`Error::Mismatch`] if the flash fails.
    fn request_trial(&mut self) -> Result<(), Self::Error> {
        let slot = self.slots.secondary.clone();
        let image_ok = self.secondary(Field::ImageOk);
        match self.state()? {
            ForeignState::OnTrial => return Err(Error::OnTrial),
            ForeignState::Requested => return self.expect_blank(image_ok),
            ForeignState::Confirmed | ForeignState::Reverted => {}
        }
        // Set, these two would make the test a permanent swap, or a revert.
        self.expect_blank(image_ok)?;
        self.expect_blank(self.secondary(Field::CopyDone))?;
        self.write_flag(self.secondary(Field::SwapInfo), self.image << 4 | TEST)?;
        self.write_magic()?;
        if self.has_magic(&slot)? {
            Ok(())
        } else {
            Err(Error::Mismatch { address: Self::magic_words(&slot).0 })
        }
    }

    /// As `boot_set_confirmed_multi`. Programs one word. Does nothing where the primary slot has no magic,
    /// because MCUboot keeps such an image anyway.
    ///
    /// # Errors
    ///
    /// [`Error::NotBlank`] if `image_ok` is torn: see the [module](self) for what becomes of the image.
    /// [`Error::Flash`] or [`Error::Mismatch`] if the flash fails.
    fn confirm(&mut self) -> Result<(), Self::Error> {
        let slot = self.slots.primary.clone();
        let at = self.primary(Field::ImageOk);
        if !self.has_magic(&slot)? || self.flag(at)? == Flag::Set {
            return Ok(());
        }
        self.write_flag(at, SET)
    }

    /// Erases what lies behind lockgate's slot in the secondary one, whatever it reads: an erase that was cut
    /// may read blank too.
    ///
    /// # Errors
    ///
    /// [`Error::OnTrial`]; [`Error::Flash`] if the flash fails, for one because the slots do not end on edges
    /// of sectors.
    fn withdraw(&mut self) -> Result<(), Self::Error> {
        if self.state()? == ForeignState::OnTrial {
            return Err(Error::OnTrial);
        }
        self.words.erase(&(self.slots.update.end..self.slots.secondary.end))
    }

    /// By the rules of `boot_swap_type_multi`; the secondary slot has precedence.
    ///
    /// # Errors
    ///
    /// [`Error::Flash`] if the flash refuses the address.
    fn state(&mut self) -> Result<ForeignState, Self::Error> {
        let Slots { primary, secondary, .. } = self.slots.clone();
        if self.has_magic(&secondary)? && self.flag(self.secondary(Field::ImageOk))? != Flag::Bad {
            return Ok(ForeignState::Requested);
        }
        if !self.has_magic(&primary)? || self.flag(self.primary(Field::CopyDone))? != Flag::Set {
            return Ok(ForeignState::Confirmed);
        }
        if self.flag(self.primary(Field::ImageOk))? == Flag::Unset {
            return Ok(ForeignState::OnTrial);
        }
        let last = self.words.word(self.primary(Field::SwapInfo))?.map(|word| word.first() & TYPE);
        Ok(if last == Some(REVERT) { ForeignState::Reverted } else { ForeignState::Confirmed })
    }
}
