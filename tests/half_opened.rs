//! Promise (I2, I3, I5): a sector of the log whose opening meets a write that fails, and a cut right after it, is taken for
//! what it is: nothing is programmed in one that is half erased, and an image that was confirmed to the application stays so.

mod common;

use std::cell::Cell;

use common::{ask, boot, device, noise, put, release, Bench, Board, SMALL_LAYOUT};
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockgate::boot::{Boot, CounterStore};
use lockgate::geometry::{Geometry, Run};
use lockgate::sim::{Error as Fault, Flash, Landed, Outcome};
use lockgate::{Block, BootReason, Control, Layout, Slot, Updater};

const TINY: Geometry = Geometry::new("tiny", &[Run { count: 24, size: 512 }], 32);
const LAYOUT: Layout = Layout::new(&TINY).records(0..2048).slots(2048..5120, 5120..8192).check();

/// A flash one of whose operations fails, and a later one is cut.
struct Unlucky<const W: usize> {
    flash: Flash<W>,
    operations: u32,
    fails: u32,
    cut: u32,
    outcome: Outcome,
}

impl<const W: usize> Unlucky<W> {
    fn next(&mut self, at: u32, erase: bool) {
        if self.operations == self.fails && erase {
            self.flash.fail_erase(at);
        } else if self.operations == self.fails {
            self.flash.fail_write(at);
        } else if self.operations == self.cut {
            self.flash.cut_at(self.flash.steps(), self.outcome);
        }
        self.operations += 1;
    }
}

impl<const W: usize> ErrorType for Unlucky<W> {
    type Error = Fault;
}

impl<const W: usize> ReadNorFlash for Unlucky<W> {
    const READ_SIZE: usize = 1;
    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        self.flash.read(at, bytes)
    }
    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl<const W: usize> NorFlash for Unlucky<W> {
    const WRITE_SIZE: usize = W;
    const ERASE_SIZE: usize = 1;
    fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        self.next(from, true);
        self.flash.erase(from, to)
    }
    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Fault> {
        self.next(at, false);
        self.flash.write(at, bytes)
    }
}

#[test]
fn a_failed_operation_and_a_cut_while_the_first_log_is_made_leave_one_that_can_be_written() {
    let bench = Bench::new(&LAYOUT);
    let image = noise(700, 1);
    let mut factory = Flash::<32>::sized(&TINY).used();
    put(&mut factory, &LAYOUT, Slot::A, &release(&bench.key, 0, 1, &image), &image);
    let next = release(&bench.key, 1, 2, &noise(900, 2));
    let mut broken = Vec::new();
    for fails in 0..14 {
        for cut in fails + 1..fails + 6 {
            for &outcome in Outcome::CLASSES {
                let mut unlucky = Unlucky { flash: factory.clone(), operations: 0, fails, cut, outcome };
                // The cut may be in a later boot.
                for _ in 0..4 {
                    let _ = Boot::new(bench.device, &mut unlucky, &mut Board::default()).select();
                    unlucky.flash.power_off();
                    unlucky.flash.power_on();
                }
                if !unlucky.flash.cut_fired() {
                    continue;
                }
                let mut flash = unlucky.flash;
                for _ in 0..3 {
                    flash.power_off();
                    flash.power_on();
                    let launch = Boot::new(bench.device, &mut flash, &mut Board::default()).select();
                    assert_eq!(launch.map(|launch| launch.slot), Ok(Slot::A));
                }
                let mut block = Block::<512>::new();
                let _ = Updater::new(bench.device, &mut flash, &mut block).install(next.bytes(), |_| ());
                if let Some(violation) = flash.violations().first() {
                    broken.push(format!("operation {fails} fails, {cut} is cut, {outcome:?}: {violation}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{} cases:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn an_image_that_was_started_as_confirmed_is_not_on_trial_at_a_later_boot() {
    let (bench, mut on_trial) = device(&SMALL_LAYOUT);
    ask(&bench, &mut on_trial, &release(&bench.key, 1, 2, &noise(900, 2)));
    // The last attempt: behind it there is no room for one more state in the sector.
    for _ in 0..3 {
        boot(bench.device, &mut on_trial).unwrap();
    }
    let (mut broken, mut cuts) = (Vec::new(), 0);
    for fails in 0..14 {
        for &outcome in Outcome::CLASSES {
            for seed in 0..10 {
                let flash = on_trial.clone().seed(seed);
                let mut unlucky = Unlucky { flash, operations: 0, fails, cut: fails + 1, outcome };
                let _ = Control::new(bench.device, &mut unlucky).confirm();
                let mut flash = unlucky.flash;
                if !flash.cut_fired() {
                    continue;
                }
                cuts += 1;
                let mut reasons = Vec::new();
                for _ in 0..4 {
                    flash.power_off();
                    flash.power_on();
                    reasons.push(boot(bench.device, &mut flash).unwrap().reason);
                }
                let first = reasons.iter().position(|reason| *reason == BootReason::Confirmed);
                if first.is_some_and(|first| reasons[first..].iter().any(|reason| *reason != BootReason::Confirmed)) {
                    broken.push(format!(
                        "operation {fails} fails, the next is cut, {outcome:?}, seed {seed}: {reasons:?}"
                    ));
                }
            }
        }
    }
    assert!(cuts > 500, "{cuts} cuts");
    assert!(broken.is_empty(), "{} of {cuts} cases:\n{}", broken.len(), broken.join("\n"));
}

/// Fuses: a counter that cannot be taken back.
struct Fuses<'c>(&'c Cell<u32>);

impl CounterStore for Fuses<'_> {
    fn read(&mut self) -> u32 {
        self.0.get()
    }

    fn raise(&mut self, counter: u32) {
        self.0.set(counter.max(self.0.get()));
    }
}

#[test]
fn a_confirmation_in_doubt_does_not_leave_a_device_with_fuses_without_an_image() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(900, 2)));
    for _ in 0..3 {
        boot(bench.device, &mut flash).unwrap();
    }
    let outcome = Landed::Nothing.metastable();
    let mut unlucky = Unlucky { flash: flash.seed(0), operations: 0, fails: 10, cut: 11, outcome };
    let _ = Control::new(bench.device, &mut unlucky).confirm();
    let mut flash = unlucky.flash;
    assert!(flash.cut_fired());
    let fuses = Cell::new(1);
    for number in 0..4 {
        flash.power_off();
        flash.power_on();
        let mut board = Board::default();
        let launch = Boot::new(bench.device, &mut flash, &mut board).counter(Fuses(&fuses)).select();
        assert!(launch.is_ok(), "boot {number}: {launch:?}, fuses at {}", fuses.get());
    }
}
