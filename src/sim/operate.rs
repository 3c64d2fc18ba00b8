//! Reading, programming, erasing: checked, counted, judged, and interrupted when planned.

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

use super::{
    fault::{Cause, Landed, Outcome},
    oracle::{self, Rule, Violation},
    Error, Flash,
};

impl<const WRITE: usize, const READ: usize> Flash<WRITE, READ> {
    pub(super) fn read_now(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Error> {
        self.check_power()?;
        let end = self.check_range(at, bytes.len() as u64, READ as u32)?;
        self.counters.reads += 1;
        self.counters.read_bytes += bytes.len() as u64;
        if let Some(address) = self.cells.unreadable_in(at, end) {
            return Err(Error::Unreadable { address });
        }
        bytes.copy_from_slice(&self.cells.data[at as usize..end as usize]);
        Ok(())
    }

    pub(super) fn write_now(&mut self, at: u32, bytes: &[u8]) -> Result<(), Error> {
        self.check_power()?;
        let unit = self.geometry().write_unit();
        self.check_range(at, bytes.len() as u64, unit)?;
        let operation = self.next_operation();
        self.counters.writes += 1;
        self.log.write(at, bytes);
        if let Some(address) = oracle::first_unauthentic(&self.oracles, at, bytes, self.geometry().erased()) {
            self.violations.push(Violation { rule: Rule::Unauthentic, address, operation });
        }
        for (address, data) in (at..).step_by(unit as usize).zip(bytes.chunks(unit as usize)) {
            self.write_unit(address, data, operation)?;
        }
        Ok(())
    }

    fn write_unit(&mut self, at: u32, data: &[u8], operation: u64) -> Result<(), Error> {
        if let Some(rule) = self.cells.forbids(at, self.programming) {
            let violation = Violation { rule, address: at, operation };
            self.violations.push(violation);
            return Err(Error::Violation(violation));
        }
        self.counters.programmed_bytes += data.len() as u64;
        let (outcome, error) = match self.begin_step() {
            Some(torn) => torn,
            None if self.bad_units.remove(&at) => (Landed::Subset.stable(), Error::WriteFailed { address: at }),
            None => {
                self.cells.program(at, data);
                return Ok(());
            }
        };
        self.cells.tear_program(at, data, outcome, self.programming, &mut self.rng);
        self.interrupted(error)
    }

    pub(super) fn erase_now(&mut self, from: u32, to: u32) -> Result<(), Error> {
        self.check_power()?;
        let capacity = self.geometry().capacity();
        if from > to || to > capacity {
            self.counters.refused += 1;
            return Err(Error::OutOfBounds { address: from, end: to.into(), capacity });
        }
        if let Some(address) = [from, to].into_iter().find(|&edge| !self.geometry().is_edge(edge)) {
            self.counters.refused += 1;
            return Err(Error::Unaligned { address, size: self.sector(address).size });
        }
        self.next_operation();
        self.log.erase(from, to);
        let mut at = from;
        while at < to {
            self.erase_sector(at)?;
            at = self.sector(at).end();
        }
        Ok(())
    }

    fn erase_sector(&mut self, at: u32) -> Result<(), Error> {
        let sector = self.sector(at);
        self.counters.erases += 1;
        *self.erases.entry(at).or_default() += 1;
        let (outcome, error) = match self.begin_step() {
            Some(torn) => torn,
            None if self.bad_sectors.remove(&at) => (Landed::Subset.stable(), Error::EraseFailed { address: at }),
            None => {
                self.cells.erase(sector);
                return Ok(());
            }
        };
        self.cells.tear_erase(sector, outcome, &mut self.rng);
        self.interrupted(error)
    }

    /// Count a step; what becomes of it if this is the planned one.
    fn begin_step(&mut self) -> Option<(Outcome, Error)> {
        let step = self.counters.steps;
        self.counters.steps += 1;
        let plan = self.plan.as_mut().filter(|plan| !plan.fired && plan.step == step)?;
        plan.fired = true;
        let error = match plan.cause {
            Cause::Cut => Error::PowerCut,
            Cause::Stall => Error::Stalled,
        };
        Some((plan.outcome, error))
    }

    fn interrupted(&mut self, error: Error) -> Result<(), Error> {
        match error {
            Error::PowerCut => self.powered = false,
            _ => self.cells.seen(),
        }
        Err(error)
    }

    fn next_operation(&mut self) -> u64 {
        let operation = self.operations;
        self.operations += 1;
        operation
    }

    fn check_power(&self) -> Result<(), Error> {
        if self.powered {
            Ok(())
        } else {
            Err(Error::PowerCut)
        }
    }

    /// Bounds, then alignment, as `embedded_storage` checks them. Returns the end.
    fn check_range(&mut self, at: u32, length: u64, size: u32) -> Result<u32, Error> {
        let capacity = self.geometry().capacity();
        let end = u64::from(at) + length;
        let error = match u32::try_from(end) {
            Ok(end) if end <= capacity => match [at, end].into_iter().find(|edge| edge % size != 0) {
                None => return Ok(end),
                Some(address) => Error::Unaligned { address, size },
            },
            _ => Error::OutOfBounds { address: at, end, capacity },
        };
        self.counters.refused += 1;
        Err(error)
    }
}

impl<const WRITE: usize, const READ: usize> ErrorType for Flash<WRITE, READ> {
    type Error = Error;
}

impl<const WRITE: usize, const READ: usize> ReadNorFlash for Flash<WRITE, READ> {
    const READ_SIZE: usize = READ;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        self.read_now(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.geometry().capacity() as usize
    }
}

impl<const WRITE: usize, const READ: usize> NorFlash for Flash<WRITE, READ> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = 1;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        self.erase_now(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        self.write_now(offset, bytes)
    }
}
