//! The flash as a test holds it: made, prepared, interrupted, looked at.

use core::ops::Range;
use std::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::{
    cells::Cells,
    fault::{Cause, Outcome, Plan},
    log::{Counters, Log, Op},
    oracle::{Oracle, Violation},
    rng::Rng,
};
use crate::geometry::{Geometry, Sector};

/// How often a unit may be programmed between two erases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Programming {
    /// Once; what lockgate itself relies on, and all that flash with an error correcting code can do.
    #[default]
    WriteOnce,
    /// Up to `writes` times, each clearing further bits (setting them where the erased value is 0x00).
    And {
        /// Programmings allowed, 1 or more.
        writes: u8,
    },
}

/// A NOR flash in RAM that tears, forgets and refuses like a real one.
///
/// `WRITE` and `READ` are what the port claims as `WRITE_SIZE` and `READ_SIZE`. The rules are the geometry's:
/// its write unit may be a multiple of `WRITE`, as where a HAL writes words of 4 bytes on flash whose error
/// correcting code spans 8. `ERASE_SIZE` is 1, so that nobody can depend on it.
///
/// A clone is a snapshot, with all state.
#[derive(Clone, Debug)]
pub struct Flash<const WRITE: usize = 4, const READ: usize = 1> {
    pub(super) cells: Cells,
    pub(super) programming: Programming,
    pub(super) rng: Rng,
    pub(super) powered: bool,
    pub(super) plan: Option<Plan>,
    pub(super) counters: Counters,
    pub(super) operations: u64,
    pub(super) log: Log,
    /// Erases begun, by the sector's first address.
    pub(super) erases: BTreeMap<u32, u64>,
    pub(super) oracles: Vec<Oracle>,
    pub(super) violations: Vec<Violation>,
    /// Units whose next programming fails, and sectors whose next erase does.
    pub(super) bad_units: BTreeSet<u32>,
    pub(super) bad_sectors: BTreeSet<u32>,
}

impl Flash {
    /// A flash as it leaves the factory, wholly erased, behind a port that writes words of 4 bytes and reads
    /// single ones.
    ///
    /// # Panics
    ///
    /// If the geometry's write unit is not a multiple of 4 bytes: see [`sized`](Self::sized).
    #[must_use]
    pub fn new(geometry: &Geometry) -> Self {
        Self::sized(geometry)
    }
}

impl<const WRITE: usize, const READ: usize> Flash<WRITE, READ> {
    /// The same, for a port with other sizes: `Flash::<8, 8>::sized(&geometry::STM32L476)`.
    ///
    /// # Panics
    ///
    /// If the geometry's write unit is not a multiple of `WRITE`, or `READ` is no power of two up to 32.
    #[must_use]
    pub fn sized(geometry: &Geometry) -> Self {
        let unit = geometry.write_unit();
        assert!(
            WRITE > 0 && (unit as usize).is_multiple_of(WRITE),
            "write unit of {unit} bytes is not a multiple of WRITE {WRITE}"
        );
        assert!(READ.is_power_of_two() && READ <= 32, "READ {READ} is no power of two up to 32");
        Self {
            cells: Cells::new(geometry),
            programming: Programming::default(),
            rng: Rng::new(0),
            powered: true,
            plan: None,
            counters: Counters::default(),
            operations: 0,
            log: Log::default(),
            erases: BTreeMap::new(),
            oracles: Vec::new(),
            violations: Vec::new(),
            bad_units: BTreeSet::new(),
            bad_sectors: BTreeSet::new(),
        }
    }

    /// How often a unit may be programmed. Default: once.
    ///
    /// # Panics
    ///
    /// With `And { writes: 0 }`.
    #[must_use]
    pub fn programming(mut self, programming: Programming) -> Self {
        assert!(programming != Programming::And { writes: 0 }, "a flash that cannot be written");
        self.programming = programming;
        self
    }

    /// Where chance begins. The same seed and operations give the same bits on every machine. Default: 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.rng = Rng::new(seed);
        self
    }

    /// Begin with noise in every sector and no erase known, as a chip with a past does. Code that takes the
    /// first boot for a blank chip fails on it. Set the [`seed`](Self::seed) before.
    #[must_use]
    pub fn used(mut self) -> Self {
        self.cells.fill_with_noise(&mut self.rng);
        self
    }

    /// Keep every operation, for [`log`](Self::log).
    #[must_use]
    pub fn logged(mut self) -> Self {
        self.log.on = true;
        self
    }

    /// The geometry it was made from.
    pub fn geometry(&self) -> &Geometry {
        &self.cells.geometry
    }
}

/// # Interruptions and faults
impl<const WRITE: usize, const READ: usize> Flash<WRITE, READ> {
    /// Cut power in the step with this number; it replaces an earlier plan. A step is one unit programmed or
    /// one sector erased; [`steps`](Self::steps) is the number of the next one. To meet every cut point,
    /// count the steps of an undisturbed run.
    ///
    /// The operation returns [`Error::PowerCut`](super::Error::PowerCut), and so does every later one until
    /// [`power_on`](Self::power_on).
    pub fn cut_at(&mut self, step: u64, outcome: Outcome) {
        self.plan = Some(Plan { step, outcome, cause: Cause::Cut, fired: false });
    }

    /// Tear the step with this number without a power cut: what an async operation leaves that is dropped
    /// midway. The future of the async twin stays pending until it is dropped; the blocking operation
    /// returns [`Error::Stalled`](super::Error::Stalled).
    pub fn stall_at(&mut self, step: u64, outcome: Outcome) {
        self.plan = Some(Plan { step, outcome, cause: Cause::Stall, fired: false });
    }

    /// Whether the planned cut or stall took place. A test that does not assert this may have tested nothing.
    pub fn cut_fired(&self) -> bool {
        self.plan.is_some_and(|plan| plan.fired)
    }

    /// Cut power now, between two operations.
    pub fn power_off(&mut self) {
        self.powered = false;
    }

    /// Switch power on (again); torn bits that are metastable take new values. A plan that has not fired
    /// stays.
    pub fn power_on(&mut self) {
        self.powered = true;
        self.cells.power_on(&mut self.rng);
    }

    /// Whether power is on: a cut leaves it off.
    pub fn is_powered(&self) -> bool {
        self.powered
    }

    /// Make the unit at `address` read as an error until its sector is erased.
    pub fn fail_read(&mut self, address: u32) {
        self.cells.make_unreadable(address);
    }

    /// Make the next programming of the unit at `address` fail with some of its bits landed.
    pub fn fail_write(&mut self, address: u32) {
        self.bad_units.insert(self.cells.unit_start(address));
    }

    /// Make the next erase of the sector at `address` fail with some of its bits landed.
    ///
    /// # Panics
    ///
    /// Beyond the flash.
    pub fn fail_erase(&mut self, address: u32) {
        self.bad_sectors.insert(self.sector(address).start);
    }

    /// Flip one bit (0 to 7) of the byte at `address`, as charge loss does. The unit counts as programmed, or
    /// erased, as before.
    ///
    /// # Panics
    ///
    /// Beyond the flash.
    pub fn rot(&mut self, address: u32, bit: u8) {
        self.cells.data[address as usize] ^= 1 << (bit & 7);
    }

    /// Make the bits in `mask` of the byte at `address` read as they are in `value` for ever. No operation
    /// reports it.
    ///
    /// # Panics
    ///
    /// Beyond the flash.
    pub fn stick(&mut self, address: u32, mask: u8, value: u8) {
        self.cells.make_stuck(address, mask, value);
    }
}

/// # Rules, totals, contents
impl<const WRITE: usize, const READ: usize> Flash<WRITE, READ> {
    /// Declare what is authentic in a range: `image` from its start, then padding of the erased value. From
    /// now on, each byte programmed there must be that or it is a
    /// [`Rule::Unauthentic`](super::Rule::Unauthentic) violation (which is recorded; the write goes on).
    /// Where oracles overlap, one that accepts the byte is enough: declare the old image and the new.
    pub fn oracle(&mut self, range: Range<u32>, image: impl Into<Vec<u8>>) {
        self.oracles.push(Oracle { range, image: image.into() });
    }

    /// Forget all oracles, before another update to the same range.
    pub fn clear_oracles(&mut self) {
        self.oracles.clear();
    }

    /// Every breach of the flash contract so far, in order. A test asserts that there are none.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Totals so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Steps begun so far, which is the number of the next one.
    pub fn steps(&self) -> u64 {
        self.counters.steps
    }

    /// Bytes whose programming began within the range, whole units, over the flash's life.
    ///
    /// # Panics
    ///
    /// Beyond the flash.
    pub fn programmed_in(&self, range: Range<u32>) -> u64 {
        self.cells.programmed_in(range.start, range.end)
    }

    /// Erases begun of sectors that begin within the range. One sector: `erases_in(sector.range())`.
    pub fn erases_in(&self, range: Range<u32>) -> u64 {
        self.erases.range(range).map(|(_, erases)| erases).sum()
    }

    /// Erases begun of the most erased sector.
    pub fn most_erases(&self) -> u64 {
        self.erases.values().copied().max().unwrap_or(0)
    }

    /// Every operation begun so far, if [`logged`](Self::logged). Equal logs mean equal flash operations.
    pub fn log(&self) -> &[Op] {
        &self.log.ops
    }

    /// Forget the operations logged so far.
    pub fn clear_log(&mut self) {
        self.log.ops.clear();
    }

    /// What the cells read now, power or not.
    pub fn bytes(&self) -> &[u8] {
        &self.cells.data
    }

    /// First addresses of the units that read as an error, ascending.
    pub fn unreadable(&self) -> impl Iterator<Item = u32> + '_ {
        self.cells.unreadable()
    }

    /// Put `bytes` at `at` as a factory programmer does: units that end up blank count as erased, others as
    /// programmed once. Neither counted nor judged. With [`bytes`](Self::bytes) it saves and restores
    /// contents; a clone restores everything.
    ///
    /// # Panics
    ///
    /// Beyond the flash.
    pub fn load(&mut self, at: u32, bytes: &[u8]) {
        self.cells.load(at, bytes);
    }

    /// Change cells behind everybody's back, as an attacker with a clip on the chip does. What is known of
    /// the units stays: a programmed unit poked to blank still may not be programmed.
    ///
    /// # Panics
    ///
    /// Beyond the flash.
    pub fn poke(&mut self, at: u32, bytes: &[u8]) {
        self.cells.data[at as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    /// The sector that holds an address which is known to be within the flash.
    pub(super) fn sector(&self, address: u32) -> Sector {
        let end = self.geometry().capacity();
        assert!(address < end, "address {address:#x} is beyond the {end:#x} bytes of the flash");
        self.geometry().sector(address).unwrap_or(Sector { start: end, size: 0 })
    }
}
