//! The cells themselves: what they read now, and what is true of them.
//!
//! The two differ on purpose. A half-erased sector may read blank; only the truth kept here says that no
//! erase completed.

use std::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};

use super::{
    fault::{Landed, Outcome, Stability},
    rng::Rng,
    Programming, Rule,
};
use crate::geometry::{Geometry, Sector};

/// The truth about one unit since the last erase of its sector.
#[derive(Clone, Copy, Debug, Default)]
struct Unit {
    /// Programmings that completed, or (with [`Programming::And`]) began.
    programmed: u8,
    /// The last erase of its sector did not complete, or there was none.
    unerased: bool,
    /// Programmings in the flash's whole life, for the totals.
    lifetime: u16,
}

/// Bits that read at random after each power-on.
#[derive(Clone, Debug)]
struct Weak {
    bits: Vec<u8>,
    /// The next power-on still shows what landed.
    fresh: bool,
    /// A whole sector, which now and then reads blank as one.
    sector: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Cells {
    pub(super) geometry: Geometry,
    pub(super) data: Vec<u8>,
    units: Vec<Unit>,
    /// By first address; one entry is one unit, or one sector.
    weak: BTreeMap<u32, Weak>,
    /// First addresses of units that read as an error.
    unreadable: BTreeSet<u32>,
    /// Mask and value of bits that never change.
    stuck: BTreeMap<u32, (u8, u8)>,
}

impl Cells {
    pub(super) fn new(geometry: &Geometry) -> Self {
        let capacity = geometry.capacity();
        Self {
            geometry: *geometry,
            data: vec![geometry.erased(); capacity as usize],
            units: vec![Unit::default(); (capacity / geometry.write_unit()) as usize],
            weak: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            stuck: BTreeMap::new(),
        }
    }

    /// The state of a chip with a past: noise everywhere, no erase known.
    pub(super) fn fill_with_noise(&mut self, rng: &mut Rng) {
        self.data.fill_with(|| rng.byte());
        self.units.iter_mut().for_each(|unit| unit.unerased = true);
    }

    /// The first address of the unit that holds `address`.
    pub(super) fn unit_start(&self, address: u32) -> u32 {
        address & !(self.geometry.write_unit() - 1)
    }

    fn index(&self, at: u32) -> usize {
        (at / self.geometry.write_unit()) as usize
    }

    /// The first unit in the range that reads as an error.
    pub(super) fn unreadable_in(&self, from: u32, to: u32) -> Option<u32> {
        self.unreadable.range(self.unit_start(from)..to).next().copied()
    }

    pub(super) fn unreadable(&self) -> impl Iterator<Item = u32> + '_ {
        self.unreadable.iter().copied()
    }

    pub(super) fn programmed_in(&self, from: u32, to: u32) -> u64 {
        let unit = self.geometry.write_unit();
        self.units[self.index(from)..self.index(to)].iter().map(|u| u64::from(u.lifetime) * u64::from(unit)).sum()
    }

    /// The rule that programming the unit at `at` would break.
    pub(super) fn forbids(&self, at: u32, programming: Programming) -> Option<Rule> {
        let unit = self.units[self.index(at)];
        let end = at + self.geometry.write_unit();
        let allowed = match programming {
            Programming::WriteOnce => 1,
            Programming::And { writes } => writes,
        };
        if unit.unerased {
            Some(Rule::NotErased)
        } else if unit.programmed >= allowed {
            Some(Rule::Reprogrammed)
        } else if self.unreadable.contains(&at) {
            Some(Rule::Unreadable)
        } else if programming == Programming::WriteOnce
            && self.data[at as usize..end as usize].iter().any(|&byte| byte != self.geometry.erased())
        {
            Some(Rule::NotBlank)
        } else {
            None
        }
    }

    /// Program one unit wholly. Torn bits that are not among those programmed now stay as weak as they were.
    pub(super) fn program(&mut self, at: u32, data: &[u8]) {
        let erased = self.geometry.erased();
        let index = self.index(at);
        self.units[index].programmed = self.units[index].programmed.saturating_add(1);
        self.units[index].lifetime = self.units[index].lifetime.saturating_add(1);
        for (cell, byte) in self.data[at as usize..].iter_mut().zip(data) {
            *cell = ((*cell ^ erased) | (byte ^ erased)) ^ erased;
        }
        if let Some(weak) = self.weak.get_mut(&at) {
            weak.bits.iter_mut().zip(data).for_each(|(bits, byte)| *bits &= !(byte ^ erased));
            if weak.bits.iter().all(|&bits| bits == 0) {
                self.weak.remove(&at);
            }
        }
        self.stick(at, at + self.geometry.write_unit());
    }

    /// Program one unit, and fail midway.
    pub(super) fn tear_program(
        &mut self,
        at: u32,
        data: &[u8],
        outcome: Outcome,
        programming: Programming,
        rng: &mut Rng,
    ) {
        let erased = self.geometry.erased();
        let index = self.index(at);
        self.units[index].lifetime = self.units[index].lifetime.saturating_add(1);
        if outcome.is_void() {
            return;
        }
        if programming != Programming::WriteOnce {
            self.units[index].programmed = self.units[index].programmed.saturating_add(1);
        }
        let mut pending = Vec::with_capacity(data.len());
        for (offset, (cell, byte)) in (0u32..).zip(self.data[at as usize..].iter_mut().zip(data)) {
            let bits = (byte ^ erased) & !(*cell ^ erased);
            *cell ^= bits & mask(outcome.landed, offset, rng);
            pending.push(bits);
        }
        match outcome.stability {
            Stability::Stable => {}
            Stability::Metastable => self.weaken(at, pending, false),
            Stability::Marginal => self.weaken_one(at, pending, rng),
            Stability::ReadError => _ = self.unreadable.insert(at),
        }
        self.stick(at, at + self.geometry.write_unit());
    }

    /// Erase one sector wholly.
    pub(super) fn erase(&mut self, sector: Sector) {
        let erased = self.geometry.erased();
        self.data[sector.start as usize..sector.end() as usize].fill(erased);
        self.begin_anew(sector, false);
        self.weak.retain(|at, _| !sector.range().contains(at));
        self.unreadable.retain(|at| !sector.range().contains(at));
        self.stick(sector.start, sector.end());
    }

    /// Erase one sector, and fail midway. Whatever it reads, it is not erased: nobody saw the erase complete.
    /// Weak and unreadable units in it stay so.
    pub(super) fn tear_erase(&mut self, sector: Sector, outcome: Outcome, rng: &mut Rng) {
        if outcome.is_void() {
            return;
        }
        let erased = self.geometry.erased();
        let mut pending = Vec::with_capacity(sector.size as usize);
        for (offset, cell) in (0u32..).zip(&mut self.data[sector.start as usize..sector.end() as usize]) {
            let bits = *cell ^ erased;
            *cell ^= bits & mask(outcome.landed, offset, rng);
            pending.push(bits);
        }
        self.begin_anew(sector, true);
        match outcome.stability {
            Stability::Stable => {}
            Stability::Metastable => self.weaken(sector.start, pending, true),
            Stability::Marginal => self.weaken_one(sector.start, pending, rng),
            Stability::ReadError => {
                let unit = self.geometry.write_unit();
                let units: Vec<u32> = sector.range().step_by(unit as usize).collect();
                self.unreadable.insert(units[rng.below(units.len())]);
                self.unreadable.extend(units.into_iter().filter(|_| rng.coin()));
            }
        }
        self.stick(sector.start, sector.end());
    }

    /// Draw the bits that read at random again.
    pub(super) fn power_on(&mut self, rng: &mut Rng) {
        let erased = self.geometry.erased();
        for (&at, weak) in &mut self.weak {
            if core::mem::take(&mut weak.fresh) {
                continue;
            }
            let blank = weak.sector && rng.coin();
            for (cell, bits) in self.data[at as usize..].iter_mut().zip(&weak.bits) {
                let noise = if blank { 0 } else { rng.byte() };
                *cell = (((*cell ^ erased) & !bits) | (bits & noise)) ^ erased;
            }
        }
        self.stick(0, self.geometry.capacity());
    }

    /// What landed was seen with power on (a stall): the next power-on draws.
    pub(super) fn seen(&mut self) {
        self.weak.values_mut().for_each(|weak| weak.fresh = false);
    }

    /// Put `bytes` in place as a factory programmer does after an erase.
    pub(super) fn load(&mut self, at: u32, bytes: &[u8]) {
        let (erased, unit) = (self.geometry.erased(), self.geometry.write_unit());
        self.data[at as usize..][..bytes.len()].copy_from_slice(bytes);
        let end = at + bytes.len() as u32;
        for start in (self.unit_start(at)..end).step_by(unit as usize) {
            let blank = self.data[start as usize..(start + unit) as usize].iter().all(|&byte| byte == erased);
            let index = self.index(start);
            self.units[index].programmed = u8::from(!blank);
            self.units[index].unerased = false;
            self.weak.remove(&start);
            self.unreadable.remove(&start);
        }
        self.stick(at, end);
    }

    pub(super) fn make_unreadable(&mut self, address: u32) {
        self.unreadable.insert(self.unit_start(address));
    }

    pub(super) fn make_stuck(&mut self, address: u32, mask: u8, value: u8) {
        self.stuck.insert(address, (mask, value));
        self.stick(address, address + 1);
    }

    /// Stuck bits have the last word.
    fn stick(&mut self, from: u32, to: u32) {
        for (&at, &(mask, value)) in self.stuck.range(from..to) {
            let cell = &mut self.data[at as usize];
            *cell = (*cell & !mask) | (value & mask);
        }
    }

    fn weaken(&mut self, at: u32, mut pending: Vec<u8>, sector: bool) {
        if let Some(older) = self.weak.get(&at) {
            pending.iter_mut().zip(&older.bits).for_each(|(bits, old)| *bits |= old);
        }
        self.weak.insert(at, Weak { bits: pending, fresh: true, sector });
    }

    /// Of the pending bits one, from the next power-on.
    fn weaken_one(&mut self, at: u32, mut pending: Vec<u8>, rng: &mut Rng) {
        let count: u32 = pending.iter().map(|bits| bits.count_ones()).sum();
        let mut chosen = rng.below(count.max(1) as usize) as u32;
        for bits in &mut pending {
            let here = bits.count_ones();
            let of = *bits;
            *bits = 0;
            if chosen < here {
                let bit = (0..8).filter(|bit| of >> bit & 1 == 1).nth(chosen as usize);
                *bits = bit.map_or(0, |bit| 1 << bit);
                chosen = u32::MAX;
            } else if chosen != u32::MAX {
                chosen -= here;
            }
        }
        self.weaken(at, pending, false);
        self.seen();
    }

    fn begin_anew(&mut self, sector: Sector, unerased: bool) {
        let (first, last) = (self.index(sector.start), self.index(sector.end()));
        for unit in &mut self.units[first..last] {
            unit.programmed = 0;
            unit.unerased = unerased;
        }
    }
}

/// Which of the pending bits land in the byte at `offset` of the unit or sector.
fn mask(landed: Landed, offset: u32, rng: &mut Rng) -> u8 {
    match landed {
        Landed::Nothing => 0x00,
        Landed::Prefix(bytes) => u8::from(offset < bytes) * 0xFF,
        Landed::Subset => rng.byte(),
        Landed::All => 0xFF,
    }
}
