//! Devices whose images another bootloader starts: one flash for records, slots and the bootloader's own words.
#![allow(unreachable_pub)]

use std::cell::RefCell;
use std::ops::Range;

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockgate::foreign::embassy_boot::update_slot;
use lockgate::foreign::mcuboot::MaxAlign;
use lockgate::foreign::{self, BootControl, EmbassyBoot, Mcuboot};
use lockgate::geometry::{Geometry, Run};
use lockgate::pack::Package;
use lockgate::sim::{self, Flash};
use lockgate::{Block, BootStatus, Control, Error, Handover, Layout, Slot, Updater, Verified};

use super::common::{noise, release, Bench};
use super::real::{Real, V06Zero, ACTIVE, DFU, PAGE, STATE, V07, WORDS_OF_4, WORDS_OF_8};
use super::slots::{self, PRIMARY, SECONDARY, SECTOR, SECTORS};

/// The flash in two hands at once.
pub struct Shared<'f, const W: usize>(&'f RefCell<&'f mut Flash<W>>);

impl<const W: usize> ErrorType for Shared<'_, W> {
    type Error = sim::Error;
}

impl<const W: usize> ReadNorFlash for Shared<'_, W> {
    const READ_SIZE: usize = 1;
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), sim::Error> {
        ReadNorFlash::read(*self.0.borrow_mut(), offset, bytes)
    }
    fn capacity(&self) -> usize {
        ReadNorFlash::capacity(*self.0.borrow())
    }
}

impl<const W: usize> NorFlash for Shared<'_, W> {
    const WRITE_SIZE: usize = W;
    const ERASE_SIZE: usize = 1;
    fn erase(&mut self, from: u32, to: u32) -> Result<(), sim::Error> {
        NorFlash::erase(*self.0.borrow_mut(), from, to)
    }
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), sim::Error> {
        NorFlash::write(*self.0.borrow_mut(), offset, bytes)
    }
}

/// A bootloader, and the device that it is in.
pub trait Loader<const W: usize> {
    const LAYOUT: &'static Layout;
    /// Where it keeps what it is told.
    const WORDS: Range<u32>;
    fn control<F: NorFlash<Error = sim::Error>>(flash: F) -> impl BootControl<Error = foreign::Error<sim::Error>>;
    /// From reset to the start of an image; whether it gets there.
    fn boot(flash: &mut Flash<W>) -> bool;
    /// The flash fails when the bootloader is told next.
    fn fail(flash: &mut Flash<W>);
    /// After a revert: the bootloader does not tell.
    fn forget(flash: &mut Flash<W>);
}

/// The published embassy-boot, with pages of 1 KiB: lockgate's trailer lies in the page that the swap overwrites first.
pub struct Small<R>(R);

macro_rules! small {
    ($real:ident, $w:literal, $geometry:expr) => {
        impl Loader<$w> for Small<$real> {
            const LAYOUT: &'static Layout = {
                const CHIP: Geometry = $geometry;
                const LAYOUT: Layout = Layout::new(&CHIP).records(0..2 * PAGE).slots(ACTIVE, DFU).foreign().check();
                &LAYOUT
            };
            const WORDS: Range<u32> = STATE;
            fn control<F: NorFlash<Error = sim::Error>>(
                flash: F,
            ) -> impl BootControl<Error = foreign::Error<sim::Error>> {
                EmbassyBoot::new(flash, STATE).unwrap().erased_value($real::ERASED)
            }
            fn boot(flash: &mut Flash<$w>) -> bool {
                $real::boot::<$w, 1024>(flash, ACTIVE, DFU).is_some()
            }
            fn fail(flash: &mut Flash<$w>) {
                flash.fail_erase(STATE.start);
            }
            fn forget(flash: &mut Flash<$w>) {
                NorFlash::erase(flash, STATE.start, STATE.end).unwrap();
            }
        }
    };
}
small!(V07, 4, WORDS_OF_4);
small!(V07, 8, WORDS_OF_8);
small!(V06Zero, 4, WORDS_OF_4.erased_value(0x00));

/// The same with pages of 4 KiB: the swap carries the trailer to the end of the active partition.
pub struct Large;

const LARGE: Geometry =
    Geometry::new("large pages", &[Run { count: 10, size: PAGE }, Run { count: 16, size: 4096 }], 4);
const LARGE_ACTIVE: Range<u32> = 0x2800..0x6800;
const LARGE_DFU: Range<u32> = 0x6800..0xB800;

impl Loader<4> for Large {
    const LAYOUT: &'static Layout = {
        const DFU: Range<u32> = update_slot(LARGE_DFU, LARGE_ACTIVE.end - LARGE_ACTIVE.start, 4096);
        const LAYOUT: Layout = Layout::new(&LARGE).records(0..2048).slots(LARGE_ACTIVE, DFU).foreign().check();
        &LAYOUT
    };
    const WORDS: Range<u32> = STATE;
    fn control<F: NorFlash<Error = sim::Error>>(flash: F) -> impl BootControl<Error = foreign::Error<sim::Error>> {
        EmbassyBoot::new(flash, STATE).unwrap()
    }
    fn boot(flash: &mut Flash<4>) -> bool {
        V07::boot::<4, 4096>(flash, LARGE_ACTIVE, LARGE_DFU).is_some()
    }
    fn fail(flash: &mut Flash<4>) {
        <Small<V07> as Loader<4>>::fail(flash);
    }
    fn forget(flash: &mut Flash<4>) {
        <Small<V07> as Loader<4>>::forget(flash);
    }
}

/// A model of MCUboot: it acts by the rules of `boot_swap_type_multi`, exchanges images without their trailers, and stops
/// over a trailer that cannot be read.
pub struct Model;

impl Loader<8> for Model {
    const LAYOUT: &'static Layout = {
        const CHIP: Geometry = Geometry::new("slots", SECTORS, 8);
        const LAYOUT: Layout = Layout::new(&CHIP)
            .records(0..2 * SECTOR)
            .slots(4 * SECTOR..18 * SECTOR, PRIMARY..38 * SECTOR)
            .foreign()
            .check();
        &LAYOUT
    };
    const WORDS: Range<u32> = SECONDARY - 2 * SECTOR..SECONDARY;
    fn control<F: NorFlash<Error = sim::Error>>(flash: F) -> impl BootControl<Error = foreign::Error<sim::Error>> {
        Mcuboot::new(flash, slots::slots(), MaxAlign::Eight).unwrap()
    }
    fn boot(flash: &mut Flash<8>) -> bool {
        let (mut primary, mut secondary) = ([0; 40], [0; 40]);
        let read = ReadNorFlash::read(flash, PRIMARY - 40, &mut primary)
            .and_then(|()| ReadNorFlash::read(flash, SECONDARY - 40, &mut secondary));
        if read.is_err() {
            return false;
        }
        let magic = |trailer: &[u8; 40]| {
            slots::trailers().any(|t| t.align == MaxAlign::Eight && t.erased == 0xFF && trailer[24..] == t.tail[240..])
        };
        // swap_info, copy_done and image_ok, eight bytes each.
        let (asked, revert) = (
            magic(&secondary) && matches!(secondary[16], 0x01 | 0xFF),
            magic(&primary) && primary[8] == 1 && primary[16] == 0xFF,
        );
        if asked || revert {
            let (a, b) = (4 * SECTOR as usize, PRIMARY as usize);
            let (first, second) = (flash.bytes()[a..][..8192].to_vec(), flash.bytes()[b..][..8192].to_vec());
            flash.load(a as u32, &second);
            flash.load(b as u32, &first);
            for end in [PRIMARY, SECONDARY] {
                NorFlash::erase(flash, end - 2 * SECTOR, end).unwrap();
            }
            slots::swapped(flash, MaxAlign::Eight, if asked { 2 } else { 4 }, !asked);
        }
        true
    }
    fn fail(flash: &mut Flash<8>) {
        flash.fail_write(SECONDARY - 40);
    }
    /// As `fixup_revert`, which makes it a permanent swap.
    fn forget(flash: &mut Flash<8>) {
        flash.load(PRIMARY - 40, &[3]);
    }
}

/// A device in the field, on its bench.
pub struct Rig<L, const W: usize> {
    pub bench: Bench,
    pub flash: Flash<W>,
    loader: std::marker::PhantomData<L>,
}

impl<L, const W: usize> Clone for Rig<L, W> {
    fn clone(&self) -> Self {
        let bench = Bench { key: self.bench.key.clone(), ..self.bench };
        Self { bench, flash: self.flash.clone(), loader: self.loader }
    }
}

pub type Told<T> = Result<T, Handover<sim::Error, foreign::Error<sim::Error>>>;

pub fn old() -> Vec<u8> {
    noise(8 * 1024, 1)
}

/// The image of a later version; `new(2)` is the first update.
pub fn new(version: u8) -> Vec<u8> {
    noise(7000 + usize::from(version), version.into())
}

impl<L: Loader<W>, const W: usize> Rig<L, W> {
    /// The old image runs, its counter is 1; noise everywhere else.
    pub fn new() -> Self {
        let mut flash = Flash::sized(L::LAYOUT.geometry()).seed(7).used();
        flash.load(L::LAYOUT.slot_range(Slot::A).start, &old());
        let mut rig = Self { bench: Bench::new(L::LAYOUT), flash, loader: std::marker::PhantomData };
        assert!(rig.reset());
        Control::new(rig.bench.device, &mut rig.flash).initialize(Slot::A, 1).unwrap();
        rig
    }

    /// Its counter is ten times its version.
    pub fn package(&self, version: u8) -> Package {
        release(&self.bench.key, version, 10 * u32::from(version), &new(version))
    }

    pub fn reset(&mut self) -> bool {
        L::boot(&mut self.flash)
    }

    /// The version in slot A; 1 is the old one. Anything else is a broken device.
    #[track_caller]
    pub fn runs(&self) -> u8 {
        let slot = &self.flash.bytes()[L::LAYOUT.slot_range(Slot::A).start as usize..];
        let is = |version: &u8| slot.starts_with(&if *version == 1 { old() } else { new(*version) });
        (1..5).find(is).expect("a whole image in slot A")
    }

    pub fn other<T>(&mut self, ask: impl FnOnce(&mut dyn BootControl<Error = foreign::Error<sim::Error>>) -> T) -> T {
        ask(&mut L::control(&mut self.flash))
    }

    pub fn install(&mut self, package: &Package) -> Result<Verified, Error<sim::Error, core::convert::Infallible>> {
        let mut block = Block::<512>::new();
        Updater::new(self.bench.device, &mut self.flash, &mut block).install(package.bytes(), |_| ())
    }

    pub fn staged(&mut self) -> Result<Verified, Error<sim::Error>> {
        let mut block = Block::<512>::new();
        Updater::new(self.bench.device, &mut self.flash, &mut block).staged()
    }

    pub fn try_next(&mut self, receipt: Verified) -> Told<()> {
        let cell = RefCell::new(&mut self.flash);
        let (mut control, mut other) = (Control::new(self.bench.device, Shared(&cell)), L::control(Shared(&cell)));
        control.try_next_by(receipt, &mut other)
    }

    pub fn follow(&mut self) -> Told<BootStatus> {
        let cell = RefCell::new(&mut self.flash);
        let (mut control, mut other) = (Control::new(self.bench.device, Shared(&cell)), L::control(Shared(&cell)));
        control.follow(&mut other)
    }

    pub fn confirm(&mut self) -> Told<()> {
        let cell = RefCell::new(&mut self.flash);
        let (mut control, mut other) = (Control::new(self.bench.device, Shared(&cell)), L::control(Shared(&cell)));
        control.confirm_by(&mut other)
    }

    pub fn reject(&mut self) {
        Control::new(self.bench.device, &mut self.flash).reject().unwrap();
    }

    /// Fetched, verified, handed over: the bootloader's turn.
    pub fn hand_over(mut self, version: u8) -> Self {
        self.other(|other| other.withdraw()).unwrap();
        let receipt = self.install(&self.package(version)).unwrap();
        self.try_next(receipt).unwrap();
        self
    }

    /// Handed over and started, and nothing more.
    pub fn started(self, version: u8) -> Self {
        let mut rig = self.hand_over(version);
        assert!(rig.reset());
        assert_eq!(rig.runs(), version);
        rig
    }

    /// Started, and the records know.
    pub fn on_trial(self, version: u8) -> Self {
        let mut rig = self.started(version);
        rig.follow().unwrap();
        rig
    }

    /// Tried without a word from the image.
    pub fn reverted(self, version: u8) -> Self {
        let mut rig = self.started(version);
        assert!(rig.reset());
        rig
    }
}
