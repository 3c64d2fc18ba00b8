//! The hands of the judge: operations that count, patterns, and comparisons.

use core::ops::Range;
use std::{format, string::String, vec, vec::Vec};

use embedded_storage::nor_flash::NorFlash;

use super::{Check, Finding, Report};
use crate::geometry::{Geometry, Sector};

pub(super) struct Probe<'a, F> {
    flash: &'a mut F,
    pub(super) geometry: &'a Geometry,
    pub(super) sectors: Vec<Sector>,
    pub(super) report: Report,
}

/// What a byte of the range should be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    Erased,
    /// The pattern of this round.
    Pattern(u8),
}

/// The first byte that is not what it should be.
pub(super) struct Difference {
    pub(super) address: u32,
    pub(super) wanted: u8,
    pub(super) found: u8,
}

pub(super) fn finding<T>(check: Check, advice: String) -> Result<T, Finding> {
    Err(Finding { check, advice })
}

impl<'a, F: NorFlash> Probe<'a, F> {
    pub(super) fn new(flash: &'a mut F, geometry: &'a Geometry, range: Range<u32>) -> Result<Self, Finding> {
        let mut sectors = Vec::new();
        let mut at = range.start;
        while at < range.end {
            match geometry.sector(at) {
                Some(sector) if sector.start == at && sector.end() <= range.end => sectors.push(sector),
                _ => break,
            }
            at = sectors.last().map_or(range.end, Sector::end);
        }
        if sectors.len() < 2 || at != range.end {
            return finding(
                Check::Range,
                format!("the range {range:#x?} must be two or more whole sectors of geometry {}", geometry.name()),
            );
        }
        let report = Report { sectors: sectors.len() as u32, ..Report::default() };
        Ok(Self { flash, geometry, sectors, report })
    }

    pub(super) fn start(&self) -> u32 {
        self.sectors[0].start
    }

    pub(super) fn end(&self) -> u32 {
        self.sectors[self.sectors.len() - 1].end()
    }

    pub(super) fn capacity(&self) -> usize {
        self.flash.capacity()
    }

    /// Bytes of every whole write: the geometry's unit, which is a multiple of the port's.
    pub(super) fn unit(&self) -> u32 {
        self.geometry.write_unit()
    }

    /// Bytes that cover `unit` and may be read at once.
    pub(super) fn read_unit(&self) -> u32 {
        self.unit().max(F::READ_SIZE as u32)
    }

    pub(super) fn try_read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.flash.read(at, bytes)?;
        self.report.read += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn try_write(&mut self, at: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.flash.write(at, bytes)?;
        self.report.written += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn try_erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        self.flash.erase(from, to)?;
        let sectors = self.sectors.iter().filter(|sector| sector.end() > from && sector.start < to);
        self.report.erases += sectors.count() as u64;
        Ok(())
    }

    pub(super) fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Finding> {
        let length = bytes.len();
        self.try_read(at, bytes).or_else(|error| {
            let size = F::READ_SIZE;
            finding(
                Check::Succeeds,
                format!(
                    "read of {length} bytes at {at:#x} failed with {error:?}: aligned to \
                     READ_SIZE {size} and within the flash, it must succeed"
                ),
            )
        })
    }

    pub(super) fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Finding> {
        self.try_write(at, bytes).or_else(|error| {
            let (length, unit) = (bytes.len(), self.unit());
            finding(
                Check::Succeeds,
                format!(
                    "write of {length} bytes at {at:#x}, erased before, failed with \
                     {error:?}: whole units of {unit} bytes must be accepted in any number, over sector edges too"
                ),
            )
        })
    }

    pub(super) fn erase(&mut self, from: u32, to: u32) -> Result<(), Finding> {
        self.try_erase(from, to).or_else(|error| {
            let size = F::ERASE_SIZE;
            finding(
                Check::Succeeds,
                format!(
                    "erase of {from:#x}..{to:#x}, whole sectors of the geometry, failed \
                     with {error:?}: if the port insists on ERASE_SIZE {size}, make it erase the chip's real sectors"
                ),
            )
        })
    }

    /// Write the pattern of `round` over a range in one call.
    pub(super) fn fill(&mut self, range: Range<u32>, round: u8) -> Result<(), Finding> {
        let bytes = self.pattern(range.clone(), round);
        self.write(range.start, &bytes)
    }

    pub(super) fn pattern(&self, range: Range<u32>, round: u8) -> Vec<u8> {
        range.map(|address| self.byte(address, Wanted::Pattern(round))).collect()
    }

    /// A pattern byte is never the erased value, so a byte not written never passes for written; it depends
    /// on all of the address.
    pub(super) fn byte(&self, address: u32, wanted: Wanted) -> u8 {
        let erased = self.geometry.erased();
        match wanted {
            Wanted::Erased => erased,
            Wanted::Pattern(round) => {
                let mixed = (address ^ (u32::from(round) << 24)).wrapping_mul(0x9E37_79B1);
                match (mixed ^ (mixed >> 15)).wrapping_mul(0x85EB_CA77).to_le_bytes()[3] {
                    byte if byte == erased => 0x5A,
                    byte => byte,
                }
            }
        }
    }

    /// Read a range and find the first byte that is not as wanted.
    pub(super) fn difference(&mut self, range: Range<u32>, wanted: Wanted) -> Result<Option<Difference>, Finding> {
        // Widened to what the port can read: the range is whole units, READ_SIZE may be more.
        let size = F::READ_SIZE as u32;
        let (mut at, end) = (range.start / size * size, range.end.next_multiple_of(size));
        let mut buffer = vec![0; (4096 / size).max(1) as usize * size as usize];
        while at < end {
            let length = buffer.len().min((end - at) as usize);
            self.read(at, &mut buffer[..length])?;
            for (address, &found) in (at..).zip(&buffer[..length]) {
                let wanted = self.byte(address, wanted);
                if range.contains(&address) && found != wanted {
                    return Ok(Some(Difference { address, wanted, found }));
                }
            }
            at += length as u32;
        }
        Ok(None)
    }

    /// As [`difference`](Self::difference), but any difference is a finding, worded by `advice`.
    pub(super) fn expect(
        &mut self,
        range: Range<u32>,
        wanted: Wanted,
        check: Check,
        advice: impl FnOnce(&Difference) -> String,
    ) -> Result<(), Finding> {
        match self.difference(range, wanted)? {
            None => Ok(()),
            Some(difference) => {
                let Difference { address, wanted, found } = difference;
                let advice = advice(&difference);
                finding(check, format!("{address:#x} reads {found:#04x}, not {wanted:#04x}: {advice}"))
            }
        }
    }
}
