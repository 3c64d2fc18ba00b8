//! A board described in TOML:
//!
//! ```toml
//! name = "my-board"
//!
//! [flash]
//! write_unit = 4
//! erased_value = 0xFF                             # the default
//! base = 0x0800_0000                              # where the processor sees it; default 0
//! sectors = [{ count = 4, size = 0x4000 }, { count = 1, size = 0x1_0000 }, { count = 7, size = 0x2_0000 }]
//!
//! [layout]
//! boot = "0..0x8000"
//! records = "0x8000..0x1_0000"
//! slot_a = "0x2_0000..0x8_0000"
//! slot_b = "0x8_0000..0xE_0000"
//! swap = "0xE_0000..0x10_0000"                    # leave it out where images run in both slots
//! # keys = "0x1_0000..0x1_C000"                   # the key store of a device that rotates its keys: three sectors
//! # runs_at = [0x0802_0000, 0x0802_0000]          # where images run, if not where their slot lies (remapping)
//! ```

use std::ops::Range;
use std::path::Path;

use lockgate::geometry::Run;
use serde::Deserialize;

use super::rules::{self, Broken, Regions};
use super::Board;
use crate::failure::Failure;
use crate::files;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    name: String,
    flash: Flash,
    layout: Ranges,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flash {
    write_unit: u32,
    #[serde(default = "erased")]
    erased_value: u32,
    #[serde(default)]
    base: u32,
    sectors: Vec<Sectors>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sectors {
    count: u32,
    size: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ranges {
    boot: Option<String>,
    records: String,
    slot_a: String,
    slot_b: String,
    swap: Option<String>,
    keys: Option<String>,
    runs_at: Option<[u32; 2]>,
}

fn erased() -> u32 {
    0xFF
}

pub(super) fn read(path: &Path) -> Result<Board, Failure> {
    let text = files::read_text(path)?;
    parse(&text).map_err(|(field, rule)| Failure::usage(path.display(), format_args!("{field}: {rule}")))
}

fn parse(text: &str) -> Result<Board, Broken> {
    let Description { name, flash, layout } = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text.get(..span.start).unwrap_or(text).matches('\n').count() + 1);
        (format!("line {line}"), error.message().replace('\n', " "))
    })?;
    if name.is_empty() || name.chars().any(|c| c.is_control() || c == '"' || c == '\\') {
        return Err(("name".into(), format!("{name:?} is not a name")));
    }
    let runs: Vec<Run> = flash.sectors.iter().map(|run| Run { count: run.count, size: run.size }).collect();
    let leaked = Box::leak(name.clone().into_boxed_str());
    let geometry = rules::geometry(leaked, Vec::leak(runs), flash.write_unit, flash.erased_value)?;
    if flash.base.checked_add(geometry.capacity() - 1).is_none() {
        return Err(("flash.base".into(), format!("{:#x} puts the flash's end beyond 4 GiB", flash.base)));
    }
    let regions = Regions {
        boot: optional("layout.boot", layout.boot.as_deref())?,
        records: range("layout.records", &layout.records)?,
        slot_a: range("layout.slot_a", &layout.slot_a)?,
        slot_b: range("layout.slot_b", &layout.slot_b)?,
        swap: optional("layout.swap", layout.swap.as_deref())?,
        keys: optional("layout.keys", layout.keys.as_deref())?,
    };
    let runs_at = layout.runs_at;
    Ok(Board { name, layout: rules::layout(geometry, regions)?, base: flash.base, runs_at, constant: None })
}

fn optional(field: &str, text: Option<&str>) -> Result<Range<u32>, Broken> {
    text.map_or(Ok(0..0), |text| range(field, text))
}

/// `0x8000..0x1_0000`, as Rust writes it.
fn range(field: &str, text: &str) -> Result<Range<u32>, Broken> {
    text.split_once("..")
        .and_then(|(start, end)| Some(number(start)?..number(end)?))
        .ok_or_else(|| (field.into(), format!("{text:?} is not a range such as \"0x8000..0x1_0000\"")))
}

/// A decimal or hexadecimal number, `_` allowed between digits.
pub(crate) fn number(text: &str) -> Option<u32> {
    let digits = text.trim().replace('_', "");
    let (digits, radix) = match digits.strip_prefix("0x") {
        Some(hex) => (hex, 16),
        None => (digits.as_str(), 10),
    };
    // `from_str_radix` would take a sign.
    digits.chars().all(|c| c.is_digit(radix)).then(|| u32::from_str_radix(digits, radix).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
name = "bench"
[flash]
write_unit = 4
sectors = [{ count = 2, size = 0x1000 }, { count = 8, size = 0x2000 }]
[layout]
boot = "0..0x1000"
records = "0x2000..0x6000"
slot_a = "0x6000..0xA000"
slot_b = "0xA000..0xE000"
swap = "0xE000..0x1_0000"
"#;

    #[track_caller]
    fn refuses(from: &str, to: &str, field: &str, rule: &str) {
        assert!(GOOD.contains(from));
        let (found, text) = parse(&GOOD.replace(from, to)).unwrap_err();
        assert_eq!(found, field);
        assert!(text.contains(rule), "{text}");
    }

    #[test]
    fn a_description_becomes_a_layout() {
        let board = parse(GOOD).unwrap();
        assert_eq!(board.name(), "bench");
        assert_eq!(board.layout().records_range(), 0x2000..0x6000);
        assert_eq!(board.layout().geometry().erased(), 0xFF);
        let keys = GOOD.replace("count = 8", "count = 14") + "keys = \"0x1_0000..0x1_6000\"\n";
        assert_eq!(parse(&keys).unwrap().layout().keys_range(), 0x1_0000..0x1_6000);
    }

    #[test]
    fn every_mistake_names_its_field_and_the_rule() {
        refuses("write_unit = 4", "write_unit = 3", "flash.write_unit", "3 is not 1, 2, 4");
        refuses("count = 2", "count = 0", "flash.sectors[0]", "at least one sector");
        refuses("size = 0x2000", "size = 0x2001", "flash.sectors[1]", "power of two");
        refuses("count = 8", "count = 0x10_0000", "flash.sectors[1]", "larger than 4 GiB");
        refuses("[layout]", "erased_value = 7\n[layout]", "flash.erased_value", "0x7 is not 0xff or 0x00");
        refuses("[layout]", "base = 0xFFFF_FFFF\n[layout]", "flash.base", "beyond 4 GiB");
        refuses("[layout]", "sector = 1\n[layout]", "line 6", "unknown field `sector`");
        refuses("0..0x1000", "0..0x800", "layout.boot", "0x800 is not on a sector edge");
        refuses("0..0x1000", "0x1000..0", "layout.boot", "ends before it starts");
        refuses("0..0x1000", "0-0x1000", "layout.boot", "is not a range");
        refuses("0x2000..0x6000", "0x2000..0x4000", "layout.records", "less than two sectors");
        refuses("0x2000..0x6000", "0x2000..0x8000", "layout.slot_a", "overlaps layout.records 0x2000..0x8000");
        refuses("0xE000..0x1_0000", "0xE000..0x1_8000", "layout.swap", "beyond the flash's 0x12000 bytes");
        refuses("0x6000..0xA000", "0x6000..0x8000", "layout.slot_b", "slots of one size: 16384 bytes, slot_a has 8192");
        let store = |range: &str| format!("[layout]\nkeys = \"{range}\"");
        refuses("[layout]", &store("0x2000..0x4000"), "layout.keys", "overlaps layout.records");
        refuses("[layout]", &store("0x1000..0x2000"), "layout.keys", "no room for the 3 places");
        refuses("[layout]", &store("0x1000..0x4000"), "layout.keys", "overlaps");
        refuses("0x6000..0xA000", "0x6000..0x6000", "layout.slot_a", "no room for an image and the trailer");
    }

    #[test]
    fn numbers_have_no_signs() {
        assert_eq!(number("0x1_0000"), Some(0x1_0000));
        assert_eq!(number(" 4096 "), Some(4096));
        for text in ["", "+1", "-1", "0x", "0x+1", "1e3", "4294967296"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
