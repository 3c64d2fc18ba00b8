//! Promise (I2, I8, I11, I14): a flash that fails, rots, lies about itself or holds what an attacker wrote starts nothing that
//! does not verify, loses no image, and never makes a call run for ever.

mod common;

use std::cell::Cell;

use common::{ask, boot, device, noise, provisioned, release, Bench, Board, SMALL_LAYOUT, SWAP_LAYOUT};
use embedded_io::Write;
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockgate::boot::{Boot, CounterStore, Launch, NoImage};
use lockgate::geometry::{Geometry, Run};
use lockgate::sim::{Error as Fault, Flash, Landed};
use lockgate::{Block, BootReason, Control, Device, Error, Layout, Reason, Refusal, Slot, Updater, P256};

/// A boot that may be cut.
fn select(device: &Device<'_>, flash: &mut Flash) -> Result<Launch, NoImage> {
    let mut board = Board::default();
    Boot::new(device, flash, &mut board).select()
}

struct Fuses<'c>(&'c Cell<u32>);

impl CounterStore for Fuses<'_> {
    fn read(&mut self) -> u32 {
        self.0.get()
    }

    fn raise(&mut self, counter: u32) {
        self.0.set(counter.max(self.0.get()));
    }
}

/// A flash whose first `0..dead` bytes cannot be changed (a worn or write-protected records region).
struct Protected<'f>(&'f mut Flash, u32);
impl ErrorType for Protected<'_> {
    type Error = Fault;
}
impl ReadNorFlash for Protected<'_> {
    const READ_SIZE: usize = 1;
    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.read(at, bytes)
    }
    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}
impl NorFlash for Protected<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 1;
    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        if from < self.1 {
            return Err(Fault::EraseFailed { address: from });
        }
        self.0.erase(from, to)
    }
    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        if at < self.1 {
            return Err(Fault::WriteFailed { address: at });
        }
        self.0.write(at, bytes)
    }
}

/// A flash that fails its first so many writes and erases, and counts those that succeed.
struct Recovering<'f>(&'f mut Flash, u32, u32);
impl Recovering<'_> {
    fn fails(&mut self) -> bool {
        let fails = self.1 > 0;
        self.1 -= u32::from(fails);
        self.2 += u32::from(!fails);
        fails
    }
}
impl ErrorType for Recovering<'_> {
    type Error = Fault;
}
impl ReadNorFlash for Recovering<'_> {
    const READ_SIZE: usize = 1;
    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.read(at, bytes)
    }
    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}
impl NorFlash for Recovering<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 1;
    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        if self.fails() {
            return Err(Fault::EraseFailed { address: from });
        }
        self.0.erase(from, to)
    }
    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        if self.fails() {
            return Err(Fault::WriteFailed { address: at });
        }
        self.0.write(at, bytes)
    }
}

/// A flash of which only what was written is kept; writes can be made to fail.
#[derive(Default)]
struct Sparse {
    cells: std::collections::HashMap<u32, u8>,
    size: usize,
    dead: bool,
    failures: u32,
}
impl ErrorType for Sparse {
    type Error = Fault;
}
impl ReadNorFlash for Sparse {
    const READ_SIZE: usize = 1;
    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for (byte, at) in bytes.iter_mut().zip(at..) {
            *byte = self.cells.get(&at).copied().unwrap_or(0xFF);
        }
        Ok(())
    }
    fn capacity(&self) -> usize {
        self.size
    }
}
impl NorFlash for Sparse {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 1;
    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        if self.dead {
            self.failures += 1;
            assert!(self.failures < 100_000, "it loops for ever");
            return Err(Fault::EraseFailed { address: from });
        }
        self.cells.retain(|at, _| !(from..to).contains(at));
        Ok(())
    }
    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        if self.dead {
            self.failures += 1;
            assert!(self.failures < 100_000, "it loops for ever");
            return Err(Fault::WriteFailed { address: at });
        }
        for (byte, at) in bytes.iter().zip(at..) {
            self.cells.insert(at, *byte);
        }
        Ok(())
    }
}

#[test]
fn a_failed_write_of_a_record_and_a_cut_in_the_exchange_lose_no_image() {
    let (bench, mut flash) = device(&SWAP_LAYOUT);
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
    for unit in (0..2048u32).step_by(4) {
        let mut first = flash.clone();
        first.fail_write(unit);
        let steps = first.steps();
        assert!(boot(bench.device, &mut first.clone()).is_ok(), "the write at {unit:#x} alone stops the boot");
        for cut in (steps + 200..steps + 5000).step_by(797) {
            let mut flash = first.clone();
            flash.cut_at(cut, Landed::Nothing.stable());
            let _ = select(bench.device, &mut flash);
            if !flash.cut_fired() {
                break;
            }
            flash.power_on();
            let launch = boot(bench.device, &mut flash).expect("an image");
            assert!(matches!(launch.reason, BootReason::Trial { attempt: 1, .. }), "unit {unit:#x}: {launch:?}");
        }
    }
}

#[test]
fn an_image_that_rots_before_it_ever_ran_may_come_again() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(7000, 2));
    ask(&bench, &mut flash, &package);
    flash.rot(SMALL_LAYOUT.slot_range(Slot::B).start + 6999, 3);
    boot(bench.device, &mut flash).unwrap();
    let mut block = Block::<512>::new();
    let again = Updater::new(bench.device, &mut flash, &mut block).install(package.bytes(), |_| ());
    assert!(again.is_ok(), "{again:?}");
}

#[test]
fn an_unreadable_unit_behind_the_trailer_does_not_let_a_lower_version_in() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(5000, 1);
    let mut flash: Flash = provisioned(&SMALL_LAYOUT, Slot::A, &release(&bench.key, 9, 1, &image), &image);
    boot(bench.device, &mut flash).unwrap();
    flash.fail_read(SMALL_LAYOUT.slot_range(Slot::A).end - 1024 + 500);
    assert_eq!(boot(bench.device, &mut flash).unwrap().reason, BootReason::Confirmed);
    let mut block = Block::<1024>::new();
    let older = release(&bench.key, 1, 1, &noise(7000, 2));
    let outcome = Updater::new(bench.device, &mut flash, &mut block).install(older.bytes(), |_| ());
    assert!(matches!(outcome, Err(Error::Refused(Refusal::Downgrade { .. }))), "{outcome:?}");
}

#[test]
fn an_image_that_does_not_verify_is_not_started_though_the_records_cannot_be_written() {
    for layout in [&SMALL_LAYOUT, &SWAP_LAYOUT] {
        let (bench, mut flash) = device(layout);
        ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
        let a = layout.slot_range(Slot::A);
        flash.load(a.start, &vec![0x66; a.len()]);
        let mut board = Board::default();
        let launch = Boot::with_signatures(bench.device, Protected(&mut flash, 2048), &mut board, P256).select();
        // The other slot's does verify; after a swap it cannot run where it is.
        let slot = launch.map(|launch| launch.slot);
        assert_eq!(slot, if layout.swap_range().is_empty() { Ok(Slot::B) } else { Err(NoImage::Invalid) });
    }
}

#[test]
fn a_record_that_could_not_be_written_is_written_by_the_same_boot_once_the_flash_can() {
    let (bench, flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(3000, 2));
    let mut written = [0, 0];
    // However full the log is, and in whichever of its sectors.
    for begun in 0..12 {
        let mut flash = flash.clone();
        for _ in 0..begun {
            let mut block = Block::<512>::new();
            Updater::new(bench.device, &mut flash, &mut block).write_all(package.head()).unwrap();
        }
        ask(&bench, &mut flash, &package);
        for _ in 0..3 {
            boot(bench.device, &mut flash).unwrap();
        }
        for failures in 0..60 {
            let mut flash = flash.clone();
            let mut board = Board::default();
            let mut stage = Boot::new(bench.device, Recovering(&mut flash, failures, 0), &mut board);
            let launch = stage.select().unwrap();
            assert_eq!(launch.reason, BootReason::Reverted(Reason::NotConfirmed));
            let succeeded = stage.release().2 > 0;
            let reason = Control::new(bench.device, &mut flash).status().unwrap().reason;
            let expected = if succeeded { launch.reason } else { BootReason::Trial { attempt: 3, limit: 3 } };
            assert_eq!(reason, expected, "{begun} begun before, {failures} failures");
            written[usize::from(succeeded)] += 1;
        }
    }
    assert!(written[0] > 0 && written[1] > 0, "{written:?}");
}

#[test]
fn an_attempt_that_cannot_be_counted_is_none_where_there_is_another_image() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
    let mut board = Board::default();
    let launch = Boot::new(bench.device, Protected(&mut flash, 2048), &mut board).select().unwrap();
    assert_eq!((launch.slot, launch.reason, board.armed), (Slot::A, BootReason::Confirmed, 0));

    // After an exchange there is none: it is started under the watchdog.
    let (bench, mut flash) = device(&SWAP_LAYOUT);
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
    boot(bench.device, &mut flash).unwrap();
    let mut board = Board::default();
    let launch = Boot::new(bench.device, Protected(&mut flash, 2048), &mut board).select().unwrap();
    assert!(matches!(launch.reason, BootReason::Trial { .. }), "{launch:?}");
    assert_eq!((launch.slot, board.armed), (Slot::A, 1));
}

#[test]
fn an_image_that_runs_in_place_of_the_one_on_trial_does_not_confirm_it() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
    boot(bench.device, &mut flash).unwrap();
    // The second attempt cannot be counted; then the flash works again.
    let mut board = Board::default();
    let launch = Boot::new(bench.device, Protected(&mut flash, 2048), &mut board).select().unwrap();
    assert_eq!((launch.slot, launch.reason, board.armed), (Slot::A, BootReason::Reverted(Reason::NotConfirmed), 0));
    let mut control = Control::new(bench.device, &mut flash).runs_in(launch.slot);
    let status = control.status().unwrap();
    assert_eq!((status.running, status.reason), (launch.slot, launch.reason));
    assert_eq!((control.confirm(), control.reject()), (Err(Error::NotOnTrial), Err(Error::NotOnTrial)));
    // Nor does it hear of it later: the trial goes on.
    let launch = boot(bench.device, &mut flash).unwrap();
    assert_eq!((launch.slot, launch.reason), (Slot::B, BootReason::Trial { attempt: 2, limit: 3 }));
    let mut control = Control::new(bench.device, &mut flash).runs_in(launch.slot);
    assert_eq!(control.status().unwrap().reason, launch.reason);
    control.confirm().unwrap();
    assert_eq!(control.status().unwrap().confirmed, Slot::B);
}

#[test]
fn an_image_that_was_started_as_a_fallback_is_told_so_though_it_could_not_be_recorded() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(7000, 2));
    let mut block = Block::<512>::new();
    let _receipt = Updater::new(bench.device, &mut flash, &mut block).install(package.bytes(), |_| ()).unwrap();
    flash.rot(SMALL_LAYOUT.slot_range(Slot::A).start, 0);
    let launch = Boot::new(bench.device, Protected(&mut flash, 2048), &mut Board::default()).select().unwrap();
    assert_eq!((launch.slot, launch.reason), (Slot::B, BootReason::Reverted(Reason::Fallback)));
    let status = Control::new(bench.device, &mut flash).runs_in(launch.slot).status().unwrap();
    assert_eq!(
        (status.running, status.reason, status.confirmed),
        (Slot::B, launch.reason, Slot::A),
        "not recorded yet"
    );
    let launch = boot(bench.device, &mut flash).unwrap();
    let status = Control::new(bench.device, &mut flash).runs_in(launch.slot).status().unwrap();
    assert_eq!((status.running, status.reason, status.confirmed), (Slot::B, launch.reason, Slot::B), "now it is");
}

#[test]
fn a_swap_device_whose_image_rots_tries_the_whole_one_that_waits() {
    let (bench, mut flash) = device(&SWAP_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(7000, 2));
    let mut block = Block::<512>::new();
    let _receipt = Updater::new(bench.device, &mut flash, &mut block).install(package.bytes(), |_| ()).unwrap();
    flash.rot(SWAP_LAYOUT.slot_range(Slot::A).start, 0);
    assert!(matches!(boot(bench.device, &mut flash).unwrap().reason, BootReason::Trial { attempt: 1, .. }));
}

#[test]
fn a_rejected_image_is_no_way_out_when_the_confirmed_one_rots() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
    boot(bench.device, &mut flash).unwrap();
    Control::new(bench.device, &mut flash).reject().unwrap();
    boot(bench.device, &mut flash).unwrap();
    flash.rot(SMALL_LAYOUT.slot_range(Slot::A).start, 0);
    assert_eq!(boot(bench.device, &mut flash), Err(NoImage::Invalid));
}

#[test]
fn what_is_forged_in_the_records_is_not_burnt_into_an_outside_counter() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(5000, 1);
    let mut flash: Flash = provisioned(&SMALL_LAYOUT, Slot::A, &release(&bench.key, 0, 1, &image), &image);
    Control::new(bench.device, &mut flash).initialize(Slot::A, u32::MAX).unwrap();
    let fuses = Cell::new(0);
    let mut board = Board::default();
    let launch = Boot::with_signatures(bench.device, &mut flash, &mut board, P256).counter(Fuses(&fuses)).select();
    assert_eq!((launch, fuses.get()), (Err(NoImage::Invalid), 0), "no signed image has this counter");
}

#[test]
fn huge_sectors_and_a_flash_that_is_dead_end_in_an_error() {
    const HUGE: Geometry = Geometry::new("huge", &[Run { count: 8, size: 4 << 20 }], 4);
    const LAYOUT: Layout = Layout::new(&HUGE).records(0..8 << 20).slots(8 << 20..12 << 20, 12 << 20..16 << 20).check();
    let bench = Bench::new(&LAYOUT);
    let mut flash = Sparse { cells: Default::default(), size: 32 << 20, dead: false, failures: 0 };
    Control::new(bench.device, &mut flash).initialize(Slot::A, 1).unwrap();
    flash.dead = true;
    let mut block = Block::<512>::new();
    let package = release(&bench.key, 1, 2, &noise(3000, 3));
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    let error = updater.write_all(package.head()).unwrap_err();
    assert!(matches!(error, Error::Flash(Fault::EraseFailed { .. } | Fault::WriteFailed { .. })), "{error}");
}

#[test]
fn a_driver_that_writes_larger_units_than_the_geometry_says_is_told_so_and_erases_nothing() {
    struct Wide<'f>(&'f mut Flash);
    impl ErrorType for Wide<'_> {
        type Error = Fault;
    }
    impl ReadNorFlash for Wide<'_> {
        const READ_SIZE: usize = 1;
        fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
            self.0.read(at, bytes)
        }
        fn capacity(&self) -> usize {
            self.0.capacity()
        }
    }
    impl NorFlash for Wide<'_> {
        const WRITE_SIZE: usize = 8;
        const ERASE_SIZE: usize = 1;
        fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
            self.0.erase(from, to)
        }
        fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Self::Error> {
            if !at.is_multiple_of(8) || !bytes.len().is_multiple_of(8) {
                return Err(Fault::Unaligned { address: at, size: 8 });
            }
            self.0.write(at, bytes)
        }
    }
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(5000, 1);
    let mut flash: Flash = provisioned(&SMALL_LAYOUT, Slot::A, &release(&bench.key, 0, 1, &image), &image);
    let mut board = Board::default();
    assert!(Boot::new(bench.device, Wide(&mut flash), &mut board).select().is_ok(), "it boots");
    let outcome = Control::new(bench.device, Wide(&mut flash)).initialize(Slot::A, 1);
    assert_eq!(outcome, Err(Error::Records));
    let package = release(&bench.key, 1, 2, &noise(3000, 3));
    let mut block = Block::<512>::new();
    let outcome = Updater::new(bench.device, Wide(&mut flash), &mut block).install(package.bytes(), |_| ());
    assert!(matches!(outcome, Err(Error::Misuse(_))), "{outcome:?}");
    assert_eq!(flash.counters().erases, 0);
}
