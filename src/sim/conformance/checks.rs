//! The checks, from what all others need to what matters least; each leaves the range in any state.

use std::{format, string::ToString, vec};

use embedded_storage::nor_flash::NorFlash;

use super::{
    probe::{finding, Probe, Wanted},
    Check, Finding,
};

pub(super) fn run<F: NorFlash>(probe: &mut Probe<'_, F>) -> Result<(), Finding> {
    agrees_with_geometry(probe)?;
    erase_all(probe)?;
    write_keeps_its_sector(probe)?;
    writes_of_all_sizes_read_back(probe)?;
    reads_of_all_sizes_agree(probe)?;
    buffers_may_lie_anywhere(probe)?;
    erase_is_exact(probe)?;
    erase_of_several_sectors_is_exact(probe)?;
    unaligned_is_refused(probe)?;
    erase_off_edges_is_refused(probe)?;
    out_of_bounds_is_refused(probe)
}

fn agrees_with_geometry<F: NorFlash>(probe: &mut Probe<'_, F>) -> Result<(), Finding> {
    let (port, chip) = (probe.capacity(), probe.geometry.capacity());
    if port != chip as usize {
        return finding(
            Check::Capacity,
            format!(
                "capacity() is {port} but the geometry has {chip} bytes: make both the flash this value covers, \
                 from its address 0"
            ),
        );
    }
    let (write, read, unit) = (F::WRITE_SIZE, F::READ_SIZE, probe.unit());
    if write == 0 || !(unit as usize).is_multiple_of(write) {
        return finding(
            Check::Sizes,
            format!(
                "WRITE_SIZE {write} does not divide the geometry's write unit of {unit} bytes: choose a \
                 geometry with a unit of {write} bytes or a multiple"
            ),
        );
    }
    if !read.is_power_of_two() || read > 32 {
        return finding(Check::Sizes, format!("READ_SIZE {read} is not a power of two up to 32"));
    }
    Ok(())
}

fn erase_all<F: NorFlash>(probe: &mut Probe<'_, F>) -> Result<(), Finding> {
    for sector in probe.sectors.clone() {
        probe.erase(sector.start, sector.end())?;
    }
    expect_erased(probe, probe.start()..probe.end())
}

fn expect_erased<F: NorFlash>(probe: &mut Probe<'_, F>, range: core::ops::Range<u32>) -> Result<(), Finding> {
    probe.expect(range, Wanted::Erased, Check::Erases, |difference| {
        let value = difference.wanted;
        format!(
            "erase returned before everything it was asked for was erased; wait until the flash is ready, erase \
             every sector of from..to (`to` is exclusive), and see that the geometry's erased value is {value:#04x}"
        )
    })
}

fn write_keeps_its_sector<F: NorFlash>(probe: &mut Probe<'_, F>) -> Result<(), Finding> {
    let (sector, unit) = (probe.sectors[0], probe.unit());
    if sector.size < 2 * unit {
        return Ok(());
    }
    let middle = sector.start + sector.size / 2;
    let apart = probe.read_unit();
    probe.fill(middle..middle + unit, 1)?;
    probe.expect(middle..middle + unit, Wanted::Pattern(1), Check::ReadBack, |_| {
        "the first unit written to an erased sector does not read back; check address and byte order, and that \
         write unlocks and waits"
            .to_string()
    })?;
    probe.fill(sector.start..sector.start + unit, 1)?;
    probe.expect(middle..middle + unit, Wanted::Pattern(1), Check::WriteKeeps, |_| {
        "a write changed another part of its sector; `NorFlash::write` programs and never erases (that is \
         `Storage::write`)"
            .to_string()
    })?;
    for (from, to) in [(sector.start + apart, middle), (middle + apart, sector.end())] {
        probe.expect(from..to, Wanted::Erased, Check::WriteKeeps, |_| {
            "a write programmed bytes it was not given; write exactly bytes.len() bytes from the offset".to_string()
        })?;
    }
    Ok(())
}

/// Lengths from one unit up, so that every offset in a page or a FIFO comes by; then the rest in one call,
/// over all sector edges.
fn writes_of_all_sizes_read_back<F: NorFlash>(probe: &mut Probe<'_, F>) -> Result<(), Finding> {
    erase_all(probe)?;
    let (unit, end) = (probe.unit(), probe.end());
    let mut at = probe.start();
    let first_end = probe.sectors[0].end();
    let mut units = 1;
    // The last few units of the first sector are left for the write that crosses its edge.
    while at + unit * (units + 3) <= first_end {
        probe.fill(at..at + unit * units, 2)?;
        at += unit * units;
        units += if units < 80 { 1 } else { 80 };
    }
    probe.fill(at..end, 2)?;
    let crossing = at;
    let (start, erased) = (probe.start(), probe.geometry.erased());
    probe.expect(start..end, Wanted::Pattern(2), Check::ReadBack, |difference| {
        let blank = difference.found == erased;
        match (difference.address < crossing, blank) {
            (_, true) => {
                "it was never programmed; program every unit of a write, the last one too, whatever its \
                 length"
            }
            (true, false) => "writes one after the other must land each at its own offset, with every byte",
            (false, false) => {
                "one long write over sector edges must land whole; split it at the chip's pages where \
                 it wraps, not by dropping"
            }
        }
        .to_string()
    })
}

fn reads_of_all_sizes_agree<F: NorFlash>(probe: &mut Probe<'_, F>) -> Result<(), Finding> {
    let size = F::READ_SIZE;
    let edge = probe.sectors[0].end();
    // The range holds the pattern of round 2; read around its first sector edge.
    let base = edge.saturating_sub(64).max(probe.start());
    for offset in (0..64u32).step_by(size) {
        for length in (size..=160).step_by(size) {
            let at = base + offset;
            if at + length as u32 > probe.end() {
                break;
            }
            let mut bytes = vec![0; length];
            probe.read(at, &mut bytes)?;
            if let Some(i) = bytes.iter().zip(at..).position(|(&byte, a)| byte != probe.byte(a, Wanted::Pattern(2))) {
                return finding(
                    Check::Reads,
                    format!(
                        "read of {length} bytes at {at:#x} is wrong from byte {i} on, yet the same byte read \
                         otherwise is right: reads must work from every multiple of READ_SIZE {size}, for every such \
                         length"
                    ),
                );
            }
        }
    }
    Ok(())
}

/// Drivers that hand the caller's pointer to a DMA or to word copies fail for slices that begin at an odd
/// address.
fn buffers_may_lie_anywhere<F: NorFlash>(probe: &mut Probe<'_, F>) -> Result<(), Finding> {
    let (sector, step) = (probe.sectors[1], probe.read_unit());
    probe.erase(sector.start, sector.end())?;
    for shift in 0..4u32 {
        let at = sector.start + shift * step;
        let range = at..at + step;
        if range.end > sector.end() {
            break;
        }
        let mut buffer = vec![0; shift as usize];
        buffer.extend(probe.pattern(range.clone(), 3));
        let given = &buffer[shift as usize..];
        if let Err(error) = probe.try_write(at, given) {
            return finding(
                Check::Buffers,
                format!(
                    "write from a slice {shift} bytes into its buffer failed with {error:?}: copy through an \
                     aligned buffer"
                ),
            );
        }
        probe.expect(range, Wanted::Pattern(3), Check::Buffers, |_| {
            format!("written from a slice {shift} bytes into its buffer; copy through an aligned buffer")
        })?;
        let mut back = vec![0; buffer.len()];
        if let Err(error) = probe.try_read(at, &mut back[shift as usize..]) {
            return finding(
                Check::Buffers,
                format!(
                    "read into a slice {shift} bytes into its buffer failed with {error:?}: copy through an \
                     aligned buffer"
                ),
            );
        }
        if back != buffer {
            return finding(
                Check::Buffers,
                format!(
                    "read at {at:#x} into a slice {shift} bytes into its buffer is wrong: copy through an \
                     aligned buffer"
                ),
            );
        }
    }
    Ok(())
}

/// Each sector alone; its neighbours in the range, and at last all others, keep their contents.
fn erase_is_exact<F: NorFlash>(probe: &mut Probe<'_, F>) -> Result<(), Finding> {
    erase_all(probe)?;
    let (start, end) = (probe.start(), probe.end());
    probe.fill(start..end, 4)?;
    for (i, sector) in probe.sectors.clone().into_iter().enumerate() {
        probe.erase(sector.start, sector.end())?;
        expect_erased(probe, sector.range())?;
        let (before, after) = (i.checked_sub(1), i + 1);
        for neighbour in [before, Some(after)].into_iter().flatten() {
            if let Some(neighbour) = probe.sectors.get(neighbour).copied() {
                probe.expect(neighbour.range(), Wanted::Pattern(4), Check::EraseExact, |_| {
                    format!(
                        "erase of the sector {:#x?} changed its neighbour; erase exactly from..to by the chip's \
                         real sectors, which ERASE_SIZE {} may not be",
                        sector.range(),
                        F::ERASE_SIZE
                    )
                })?;
            }
        }
        probe.fill(sector.range(), 4)?;
    }
    probe.expect(start..end, Wanted::Pattern(4), Check::EraseExact, |_| {
        "an erase of one sector changed a distant one; check how the sector number is made from the \
         address"
            .to_string()
    })
}

fn erase_of_several_sectors_is_exact<F: NorFlash>(probe: &mut Probe<'_, F>) -> Result<(), Finding> {
    // All but the last when there are three or more: the last shows an end taken as inclusive.
    let kept = usize::from(probe.sectors.len() > 2);
    let (start, end) = (probe.start(), probe.end());
    let until = if kept == 1 { probe.sectors[probe.sectors.len() - 1].start } else { end };
    probe.erase(start, until)?;
    expect_erased(probe, start..until)?;
    probe.expect(until..end, Wanted::Pattern(4), Check::EraseExact, |_| {
        format!("erase of {start:#x}..{until:#x} went beyond its end, which is exclusive")
    })
}

fn unaligned_is_refused<F: NorFlash>(probe: &mut Probe<'_, F>) -> Result<(), Finding> {
    let (sector, unit) = (probe.sectors[0], probe.unit());
    probe.erase(sector.start, sector.end())?;
    let write = F::WRITE_SIZE as u32;
    if write > 1 {
        let cases = [
            (sector.start + 1, write),
            (sector.start, write - 1),
            (sector.start, write + 1),
            (sector.start + write - 1, unit + 1),
        ];
        for (at, length) in cases {
            let bytes = probe.pattern(at..at + length, 5);
            if probe.try_write(at, &bytes).is_ok() {
                return finding(
                    Check::Alignment,
                    format!(
                        "write of {length} bytes at {at:#x} was accepted with WRITE_SIZE {write}: return an \
                         error (NotAligned) rather than round or pad"
                    ),
                );
            }
        }
        probe.expect(sector.range(), Wanted::Erased, Check::Alignment, |_| {
            "a write that was refused as unaligned programmed something; check before the first unit".to_string()
        })?;
    }
    probe.fill(sector.range(), 5)?;
    let read = F::READ_SIZE;
    if read > 1 {
        for (at, length) in [(sector.start + 1, read), (sector.start, read - 1), (sector.start, read + 1)] {
            let mut bytes = vec![0; length];
            // Served right is harmless; served wrong is not.
            if probe.try_read(at, &mut bytes).is_ok() && bytes != probe.pattern(at..at + length as u32, 5) {
                return finding(
                    Check::Alignment,
                    format!(
                        "read of {length} bytes at {at:#x} is neither refused nor right, with READ_SIZE {read}: \
                         return an error (NotAligned)"
                    ),
                );
            }
        }
    }
    Ok(())
}

/// An erase that does not end on sector edges is refused, or (sectors smaller than the geometry's) done to
/// the byte.
fn erase_off_edges_is_refused<F: NorFlash>(probe: &mut Probe<'_, F>) -> Result<(), Finding> {
    let sector = probe.sectors[0];
    let half = sector.start + sector.size / 2;
    let cases = [
        (half, sector.end()),
        (sector.start, half),
        (sector.start + 1, sector.end()),
        (sector.start, sector.end() - 1),
    ];
    for (from, to) in cases {
        probe.erase(sector.start, sector.end())?;
        probe.fill(sector.range(), 6)?;
        let accepted = probe.try_erase(from, to).is_ok();
        let advice = format!(
            "erase of {from:#x}..{to:#x} is off the sector's edges; return an error (NotAligned) \
             and erase nothing, rather than round"
        );
        if accepted {
            probe.report.finer_sectors = true;
            probe.expect(from..to, Wanted::Erased, Check::Alignment, |_| advice.clone())?;
        } else {
            probe.expect(from..to, Wanted::Pattern(6), Check::Alignment, |_| advice.clone())?;
        }
        for (from, to) in [(sector.start, from), (to, sector.end())] {
            probe.expect(from..to, Wanted::Pattern(6), Check::Alignment, |_| advice.clone())?;
        }
    }
    Ok(())
}

fn out_of_bounds_is_refused<F: NorFlash>(probe: &mut Probe<'_, F>) -> Result<(), Finding> {
    let capacity = probe.geometry.capacity();
    let size = F::READ_SIZE as u32;
    let last = (u32::MAX / size) * size;
    for (at, length) in [(capacity, size), (capacity - size, 2 * size), (last, 2 * size), (0, capacity + size)] {
        if probe.try_read(at, &mut vec![0; length as usize]).is_ok() {
            return finding(
                Check::Bounds,
                format!(
                    "read of {length} bytes at {at:#x} was accepted, beyond capacity() {capacity:#x}: return an \
                     error (OutOfBounds)"
                ),
            );
        }
    }
    let blank = vec![probe.geometry.erased(); probe.unit() as usize];
    if probe.try_write(capacity, &blank).is_ok() {
        return finding(
            Check::Bounds,
            format!("write at {capacity:#x}, the end of the flash, was accepted: return an error (OutOfBounds)"),
        );
    }
    let (first, second, end) = (probe.sectors[0], probe.sectors[1], probe.end());
    if probe.try_erase(second.end(), first.start).is_ok() {
        return finding(
            Check::Bounds,
            format!(
                "erase from {:#x} down to {:#x} was accepted: return an error (OutOfBounds)",
                second.end(),
                first.start
            ),
        );
    }
    // Only where a port that clamps can harm nothing but the range.
    if end == capacity {
        let beyond = capacity.saturating_add(second.size);
        if probe.try_erase(probe.sectors[probe.sectors.len() - 1].start, beyond).is_ok() {
            return finding(
                Check::Bounds,
                format!(
                    "erase up to {beyond:#x} was accepted, beyond capacity() {capacity:#x}: return an error \
                     (OutOfBounds)"
                ),
            );
        }
    }
    Ok(())
}
