//! A board as source text: the Rust constant a device is built from, and the linker's memory.

use std::fmt::Write;
use std::ops::Range;

use lockgate::{wire, Slot, Strategy};

use super::{Board, Region};

impl Board {
    /// The layout as Rust source, `check()` included: it compiles on the device only if the tool's idea of it
    /// keeps the rules there too.
    pub(crate) fn rust(&self) -> String {
        let layout = self.layout;
        let geometry = layout.geometry();
        let mut text = format!("//! Flash of `{}`, made by `lockgate map --rust`.\n\n", self.name);
        let chip = match self.constant {
            Some(constant) => {
                text.push_str("use lockgate::{geometry, Layout};\n\n");
                format!("geometry::{constant}")
            }
            None => {
                text.push_str("use lockgate::geometry::{Geometry, Run};\nuse lockgate::Layout;\n\n");
                let runs: Vec<String> = geometry
                    .runs()
                    .iter()
                    .map(|run| format!("Run {{ count: {}, size: {} }}", run.count, hex(run.size)))
                    .collect();
                let erased = match geometry.erased() {
                    0xFF => String::new(),
                    other => format!(".erased_value({other:#04x})"),
                };
                _ = writeln!(text, "/// The chip's sectors and its write unit.");
                _ = writeln!(
                    text,
                    "pub const GEOMETRY: Geometry =\n    Geometry::new({:?}, &[{}], {}){erased};\n",
                    self.name,
                    runs.join(", "),
                    geometry.write_unit()
                );
                "GEOMETRY".into()
            }
        };
        _ = writeln!(text, "/// Where everything lies.");
        _ = writeln!(text, "pub static LAYOUT: Layout = Layout::new(&{chip})");
        if !layout.boot_range().is_empty() {
            _ = writeln!(text, "    .boot({})", range(layout.boot_range()));
        }
        _ = writeln!(text, "    .records({})", range(layout.records_range()));
        if !layout.keys_range().is_empty() {
            _ = writeln!(text, "    .keys({})", range(layout.keys_range()));
        }
        _ = writeln!(text, "    .slots({}, {})", range(layout.slot_range(Slot::A)), range(layout.slot_range(Slot::B)));
        if layout.strategy() == Strategy::Swap {
            _ = writeln!(text, "    .swap({})", range(layout.swap_range()));
        }
        text.push_str("    .check();\n");
        text
    }

    /// The regions as a GNU ld `MEMORY` command. A slot ends where its trailer begins, so that an image that
    /// does not fit does not link.
    pub(crate) fn memory_x(&self, base: Option<u32>) -> String {
        let base = base.unwrap_or(self.base);
        let mut text = format!("/* Flash of {}, made by `lockgate map --memory-x`. */\nMEMORY\n{{\n", self.name);
        for (region, range) in self.regions() {
            let (name, access) = match region {
                Region::Boot => ("BOOT", "rx"),
                Region::Records => ("RECORDS", "r"),
                Region::Slot(Slot::A) => ("SLOT_A", "rx"),
                Region::Slot(Slot::B) => ("SLOT_B", "rx"),
                Region::Swap => ("SWAP", "r"),
                Region::Keys => ("KEYS", "r"),
                Region::Free => continue,
            };
            let trailer = if matches!(region, Region::Slot(_)) { wire::TRAILER_SIZE } else { 0 };
            let length = range.end - range.start - trailer;
            let origin = match (region, self.runs_at) {
                // Another base moves what is mapped elsewhere along.
                (Region::Slot(Slot::A), Some([a, _])) => a.wrapping_add(base).wrapping_sub(self.base),
                (Region::Slot(Slot::B), Some([_, b])) => b.wrapping_add(base).wrapping_sub(self.base),
                _ => base.wrapping_add(range.start),
            };
            let note = if trailer > 0 { "  /* its last 1 KiB is the trailer */" } else { "" };
            let access = format!("({access})");
            _ = writeln!(
                text,
                "  {name:<7} {access:<4} : ORIGIN = {origin:#010x}, LENGTH = {:>5}{note}",
                ld_size(length)
            );
        }
        text.push_str("  /* RAM is the chip's: add it here. */\n}\n\n");
        let runs = match self.layout.strategy() {
            Strategy::Swap | Strategy::Foreign => "/* Images run in slot A. */",
            Strategy::Select => "/* Images run in either slot: link once for each, or map the slot to one address. */",
        };
        _ = writeln!(text, "{runs}\nREGION_ALIAS(\"FLASH\", SLOT_A);");
        text
    }
}

/// `224K`, or bytes where they are not whole KiB.
fn ld_size(bytes: u32) -> String {
    match bytes % 1024 {
        0 => format!("{}K", bytes / 1024),
        _ => bytes.to_string(),
    }
}

/// `0x8000..0x1_0000`
fn range(range: Range<u32>) -> String {
    format!("{}..{}", hex(range.start), hex(range.end))
}

/// Hexadecimal with `_` every four digits, as rustfmt's neighbours write it.
fn hex(value: u32) -> String {
    match value {
        0 => "0".into(),
        1..=0xFFFF => format!("0x{value:X}"),
        _ => format!("0x{:X}_{:04X}", value >> 16, value & 0xFFFF),
    }
}
