//! Promise (I3): the very first record log survives an operation that fails and a cut right after it: nothing is programmed in
//! a sector whose erase did not complete.

mod common;

use common::{noise, put, release, Bench, Board};
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockgate::boot::Boot;
use lockgate::geometry::{Geometry, Run};
use lockgate::sim::{Error as Fault, Flash, Outcome};
use lockgate::{Block, Layout, Slot, Updater};

const TINY: Geometry = Geometry::new("tiny", &[Run { count: 24, size: 512 }], 32);
const LAYOUT: Layout = Layout::new(&TINY).records(0..2048).slots(2048..5120, 5120..8192).check();

/// A flash one of whose operations fails, and a later one is cut.
struct Unlucky {
    flash: Flash<32>,
    operations: u32,
    fails: u32,
    cut: u32,
    outcome: Outcome,
}

impl Unlucky {
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

impl ErrorType for Unlucky {
    type Error = Fault;
}

impl ReadNorFlash for Unlucky {
    const READ_SIZE: usize = 1;
    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        self.flash.read(at, bytes)
    }
    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl NorFlash for Unlucky {
    const WRITE_SIZE: usize = 32;
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
