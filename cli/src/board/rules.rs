//! The rules of `Geometry::new` and of a layout's `check()` as errors that name the field.
//!
//! In the library they are assertions, which is right for constants: a wrong one does not compile. A file's
//! mistakes are a person's to correct, so the same rules are asked here first; afterwards the library's own
//! check runs all the same, so that a rule this file does not know refuses too.

use std::ops::Range;
use std::panic;

use lockgate::geometry::{Geometry, Run, MAX_WRITE_UNIT};
use lockgate::{wire, Layout};

/// Bytes of the record log, and of the key store, that are erased together at the least.
const PAGE: u32 = 1024;

/// Places of the key store (`docs/keys.md`, section 1).
const PLACES: u32 = 3;

/// A field and the rule it breaks.
pub(super) type Broken = (String, String);

fn broken<T>(field: impl Into<String>, rule: impl Into<String>) -> Result<T, Broken> {
    Err((field.into(), rule.into()))
}

/// A geometry of these numbers.
pub(super) fn geometry(
    name: &'static str,
    runs: &'static [Run],
    write: u32,
    erased: u32,
) -> Result<&'static Geometry, Broken> {
    if !write.is_power_of_two() || write > MAX_WRITE_UNIT {
        return broken("flash.write_unit", format!("{write} is not 1, 2, 4, 8, 16 or 32 bytes"));
    }
    if runs.is_empty() {
        return broken("flash.sectors", "no sectors");
    }
    let mut total: u32 = 0;
    for (index, run) in runs.iter().enumerate() {
        let field = format!("flash.sectors[{index}]");
        if run.count == 0 {
            return broken(field, "count 0: at least one sector");
        }
        if !run.size.is_power_of_two() || run.size < MAX_WRITE_UNIT {
            return broken(field, format!("size {}: a power of two from {MAX_WRITE_UNIT} bytes up", run.size));
        }
        match run.count.checked_mul(run.size).and_then(|bytes| total.checked_add(bytes)) {
            Some(sum) => total = sum,
            None => return broken(field, "the flash is larger than 4 GiB"),
        }
    }
    let erased = match erased {
        0x00 => 0x00,
        0xFF => 0xFF,
        other => return broken("flash.erased_value", format!("{other:#x} is not 0xff or 0x00")),
    };
    let made = quietly(|| Geometry::new(name, runs, write).erased_value(erased));
    made.map(|geometry| &*Box::leak(Box::new(geometry))).or_else(|rule| broken("flash", rule))
}

/// The regions as the file names them.
pub(super) struct Regions {
    pub(super) boot: Range<u32>,
    pub(super) records: Range<u32>,
    pub(super) slot_a: Range<u32>,
    pub(super) slot_b: Range<u32>,
    pub(super) swap: Range<u32>,
    pub(super) keys: Range<u32>,
}

/// A layout of these regions.
pub(super) fn layout(geometry: &'static Geometry, regions: Regions) -> Result<&'static Layout, Broken> {
    let Regions { boot, records, slot_a, slot_b, swap, keys } = regions;
    let all = [
        ("layout.boot", &boot),
        ("layout.records", &records),
        ("layout.slot_a", &slot_a),
        ("layout.slot_b", &slot_b),
        ("layout.swap", &swap),
        ("layout.keys", &keys),
    ];
    for (index, (field, range)) in all.iter().enumerate() {
        within(geometry, field, range)?;
        for (other, taken) in all.iter().take(index) {
            if range.start < taken.end && taken.start < range.end && !range.is_empty() && !taken.is_empty() {
                return broken(*field, format!("{} overlaps {other} {}", show(range), show(taken)));
            }
        }
    }
    if geometry.sector(records.start).is_none_or(|first| first.end() >= records.end) {
        return broken("layout.records", format!("{} is less than two sectors", show(&records)));
    }
    let small = geometry.sector(records.start).is_some_and(|first| first.size < PAGE);
    let length = records.end - records.start;
    if small && (!length.is_multiple_of(PAGE) || length < 2 * PAGE) {
        let rule = format!(
            "{} is not {PAGE} bytes twice or more often: so many are erased together where sectors are smaller",
            show(&records)
        );
        return broken("layout.records", rule);
    }
    for (field, slot) in [("layout.slot_a", &slot_a), ("layout.slot_b", &slot_b)] {
        if slot.end - slot.start <= wire::TRAILER_SIZE {
            return broken(
                field,
                format!("{} has no room for an image and the trailer of {} bytes", show(slot), wire::TRAILER_SIZE),
            );
        }
    }
    if !swap.is_empty() {
        swappable(geometry, &slot_a, &slot_b)?;
    }
    if !keys.is_empty() {
        key_store(geometry, &keys)?;
    }
    let unchecked = Layout::new(geometry).boot(boot).records(records).slots(slot_a, slot_b).swap(swap).keys(keys);
    let made = quietly(move || unchecked.check());
    made.map(|layout| &*Box::leak(Box::new(layout))).or_else(|rule| broken("layout", rule))
}

fn within(geometry: &Geometry, field: &str, range: &Range<u32>) -> Result<(), Broken> {
    if range.start > range.end {
        return broken(field, format!("{} ends before it starts", show(range)));
    }
    if range.end > geometry.capacity() {
        return broken(field, format!("{} goes beyond the flash's {:#x} bytes", show(range), geometry.capacity()));
    }
    match [range.start, range.end].into_iter().find(|&edge| !geometry.is_edge(edge)) {
        Some(edge) => {
            let sector = geometry.sector(edge).map(|sector| show(&sector.range())).unwrap_or_default();
            broken(field, format!("{edge:#x} is not on a sector edge: it lies inside the sector {sector}"))
        }
        None => Ok(()),
    }
}

/// A swap exchanges sector for sector.
fn swappable(geometry: &Geometry, a: &Range<u32>, b: &Range<u32>) -> Result<(), Broken> {
    if a.end - a.start != b.end - b.start {
        return broken(
            "layout.slot_b",
            format!("a swap needs slots of one size: {} bytes, slot_a has {}", b.end - b.start, a.end - a.start),
        );
    }
    let size = |address| geometry.sector(address).map_or(0, |sector| sector.size);
    for (field, slot) in [("layout.slot_a", a), ("layout.slot_b", b)] {
        let odd = slot.clone().step_by(size(slot.start).max(1) as usize).find(|&at| size(at) != size(a.start));
        if let Some(at) = odd {
            return broken(
                field,
                format!(
                    "a swap needs equal sectors in both slots: {} bytes at {at:#x}, {} at {:#x}",
                    size(at),
                    size(a.start),
                    a.start
                ),
            );
        }
    }
    Ok(())
}

/// A key set may go to any place.
fn key_store(geometry: &Geometry, keys: &Range<u32>) -> Result<(), Broken> {
    let size = |address| geometry.sector(address).map_or(0, |sector| sector.size);
    let place = size(keys.start).max(PAGE);
    if let Some(at) = keys.clone().step_by(size(keys.start).max(1) as usize).find(|&at| size(at) != size(keys.start)) {
        let rule = format!("{} has unequal sectors: {} bytes at {at:#x}", show(keys), size(at));
        return broken("layout.keys", rule);
    }
    if (keys.end - keys.start) / place < PLACES {
        let rule = format!("{} has no room for the {PLACES} places of a key store: {place} bytes each", show(keys));
        return broken("layout.keys", rule);
    }
    Ok(())
}

/// `0x8000..0x10000`
fn show(range: &Range<u32>) -> String {
    format!("{:#x}..{:#x}", range.start, range.end)
}

/// Runs one of the library's checks; the text of its assertion becomes the error. The panic hook is put
/// aside meanwhile: nobody is to read "thread panicked" for a typing mistake.
fn quietly<T>(check: impl FnOnce() -> T + panic::UnwindSafe) -> Result<T, String> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let outcome = panic::catch_unwind(check);
    panic::set_hook(hook);
    outcome.map_err(|payload| match payload.downcast::<&str>() {
        Ok(text) => (*text).into(),
        Err(payload) => payload.downcast::<String>().map_or_else(|_| "refused by the library".into(), |text| *text),
    })
}
