//! The published embassy-boot crates on the simulated flash, and a device for them.
#![allow(unreachable_pub)]
#![allow(dead_code)] // each test binary uses a part of it

use std::cell::RefCell;
use std::ops::Range;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockgate::foreign::{BootControl, EmbassyBoot, ForeignState};
use lockgate::geometry::{Geometry, Run};
use lockgate::sim::{self, Flash};

use super::common::{leak, noise};

pub const PAGE: u32 = 1024;
pub const STATE: Range<u32> = 2 * PAGE..3 * PAGE;
pub const ACTIVE: Range<u32> = 4 * PAGE..12 * PAGE;
pub const DFU: Range<u32> = 12 * PAGE..21 * PAGE;

pub const WORDS_OF_4: Geometry = Geometry::new("words of 4", &[Run { count: 32, size: PAGE }], 4);
pub const WORDS_OF_8: Geometry = Geometry::new("words of 8", &[Run { count: 32, size: PAGE }], 8);

/// What the crates' states have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Boot,
    Swap,
    Revert,
    DfuDetach,
}

impl Said {
    /// Whether a running image that hears this from the crate may hear that from us.
    fn agrees(self, state: ForeignState) -> bool {
        match self {
            Self::Boot | Self::DfuDetach => state == ForeignState::Confirmed,
            Self::Swap => matches!(state, ForeignState::Requested | ForeignState::OnTrial),
            Self::Revert => state == ForeignState::Reverted,
        }
    }
}

/// A part of the simulated flash with the erase size that embassy-boot asks for.
pub struct Part<'f, const W: usize, const SECTOR: usize> {
    flash: &'f RefCell<&'f mut Flash<W>>,
    range: Range<u32>,
}

impl<const W: usize, const SECTOR: usize> ErrorType for Part<'_, W, SECTOR> {
    type Error = sim::Error;
}

impl<const W: usize, const SECTOR: usize> ReadNorFlash for Part<'_, W, SECTOR> {
    const READ_SIZE: usize = 1;
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), sim::Error> {
        assert!(offset + bytes.len() as u32 <= self.range.end - self.range.start, "within the partition");
        ReadNorFlash::read(*self.flash.borrow_mut(), self.range.start + offset, bytes)
    }
    fn capacity(&self) -> usize {
        self.range.len()
    }
}

impl<const W: usize, const SECTOR: usize> NorFlash for Part<'_, W, SECTOR> {
    const WRITE_SIZE: usize = W;
    const ERASE_SIZE: usize = SECTOR;
    fn erase(&mut self, from: u32, to: u32) -> Result<(), sim::Error> {
        assert!(to <= self.range.end - self.range.start, "within the partition");
        NorFlash::erase(*self.flash.borrow_mut(), self.range.start + from, self.range.start + to)
    }
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), sim::Error> {
        assert!(offset + bytes.len() as u32 <= self.range.end - self.range.start, "within the partition");
        NorFlash::write(*self.flash.borrow_mut(), self.range.start + offset, bytes)
    }
}

/// A published embassy-boot.
pub trait Real {
    const ERASED: u8;
    /// The bootloader, from reset to the start of an image; `None` if it gives up.
    fn boot<const W: usize, const SECTOR: usize>(
        flash: &mut Flash<W>,
        active: Range<u32>,
        dfu: Range<u32>,
    ) -> Option<Said>;
    /// The crate's own half in the image.
    fn get_state<const W: usize>(flash: &mut Flash<W>) -> Said;
    fn mark_updated<const W: usize>(flash: &mut Flash<W>);
    fn mark_booted<const W: usize>(flash: &mut Flash<W>);
    fn mark_dfu<const W: usize>(flash: &mut Flash<W>);
}

macro_rules! real {
    ($name:ident, $krate:ident, $erased:literal) => {
        pub struct $name;

        impl $name {
            fn said(state: $krate::State) -> Said {
                match state {
                    $krate::State::Boot => Said::Boot,
                    $krate::State::Swap => Said::Swap,
                    $krate::State::Revert => Said::Revert,
                    $krate::State::DfuDetach => Said::DfuDetach,
                }
            }

            fn state<const W: usize, T>(
                flash: &mut Flash<W>,
                ask: impl FnOnce(&mut $krate::BlockingFirmwareState<'_, Part<'_, W, 1024>>) -> T,
            ) -> T {
                let flash = RefCell::new(flash);
                let mut aligned = [0; W];
                ask(&mut $krate::BlockingFirmwareState::new(Part { flash: &flash, range: STATE }, &mut aligned))
            }
        }

        impl Real for $name {
            const ERASED: u8 = $erased;

            fn boot<const W: usize, const SECTOR: usize>(
                flash: &mut Flash<W>,
                active: Range<u32>,
                dfu: Range<u32>,
            ) -> Option<Said> {
                let flash = RefCell::new(flash);
                let mut page = [0; 512];
                let mut loader = $krate::BootLoader::new($krate::BootLoaderConfig {
                    active: Part::<W, SECTOR> { flash: &flash, range: active },
                    dfu: Part::<W, SECTOR> { flash: &flash, range: dfu },
                    state: Part::<W, SECTOR> { flash: &flash, range: STATE },
                });
                loader.prepare_boot(&mut page).ok().map(Self::said)
            }
            fn get_state<const W: usize>(flash: &mut Flash<W>) -> Said {
                Self::state(flash, |state| Self::said(state.get_state().unwrap()))
            }
            fn mark_updated<const W: usize>(flash: &mut Flash<W>) {
                Self::state(flash, |state| state.mark_updated().unwrap());
            }
            fn mark_booted<const W: usize>(flash: &mut Flash<W>) {
                Self::state(flash, |state| state.mark_booted().unwrap());
            }
            fn mark_dfu<const W: usize>(flash: &mut Flash<W>) {
                Self::state(flash, |state| state.mark_dfu().unwrap());
            }
        }
    };
}

real!(V07, embassy_boot, 0xFF);
// One build of the crate knows one erased value; the version before has the other one here.
real!(V06Zero, embassy_boot_zero, 0x00);

/// Old image in the active partition, new one in the DFU partition, the state partition full of noise.
pub fn device<R: Real, const W: usize>(geometry: &'static Geometry) -> Flash<W> {
    let geometry = leak(geometry.erased_value(R::ERASED));
    let mut flash = Flash::sized(geometry).seed(7).used();
    flash.load(ACTIVE.start, &image(1));
    flash.load(DFU.start, &image(2));
    flash
}

pub fn image(seed: u64) -> Vec<u8> {
    noise(ACTIVE.len(), seed)
}

pub fn ours<R: Real, const W: usize>(flash: &mut Flash<W>) -> EmbassyBoot<&mut Flash<W>> {
    EmbassyBoot::new(flash, STATE).unwrap().erased_value(R::ERASED)
}

pub fn boot<R: Real, const W: usize>(flash: &mut Flash<W>) -> Option<Said> {
    R::boot::<W, 1024>(flash, ACTIVE, DFU)
}

/// Which image runs: 1 or 2. Neither, whole, is a broken device.
#[track_caller]
pub fn running<const W: usize>(flash: &Flash<W>) -> u64 {
    let active = &flash.bytes()[ACTIVE.start as usize..ACTIVE.end as usize];
    [1, 2].into_iter().find(|&seed| active == image(seed)).expect("a whole image in the active partition")
}

/// Our state, which must agree with the crate's.
#[track_caller]
pub fn state<R: Real, const W: usize>(flash: &mut Flash<W>) -> ForeignState {
    let state = ours::<R, W>(flash).state().unwrap();
    let said = R::get_state(flash);
    assert!(said.agrees(state), "the crate says {said:?}, we {state:?}");
    state
}

/// Runs a test with each published crate and each word size.
#[allow(unused_macros)]
macro_rules! each {
    ($test:ident) => {
        $test::<V07, 4>(&WORDS_OF_4);
        $test::<V07, 8>(&WORDS_OF_8);
        $test::<V06Zero, 4>(&WORDS_OF_4);
        $test::<V06Zero, 8>(&WORDS_OF_8);
    };
}
#[allow(unused_imports)]
pub(crate) use each;
