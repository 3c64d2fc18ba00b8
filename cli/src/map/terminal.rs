//! The picture in a terminal: one row a region, a bar as long as the region is large.

use std::fmt::Write;
use std::ops::Range;

use lockgate::sim::LogSector;

use super::{records, size, Cell, Picture, Row};
use crate::board::Region;
use crate::slots::SlotState;
use crate::style::{self, Style, Tone};

/// Columns in front of the bar: address, name, size.
const FRONT: usize = 2 + 10 + 2 + 7 + 2 + 9 + 2;
/// Columns of the note behind it.
const NOTE: usize = 2 + 27;
/// A shorter bar says less than the note it has to share a line with.
const SHORT: usize = 20;

impl Picture<'_> {
    /// Lines of at most `width` columns.
    pub(crate) fn terminal(&self, style: Style, width: usize) -> String {
        let mut text = String::new();
        let name = style.paint(Tone::Strong, self.board.name());
        _ = writeln!(text, "{name}  {}", self.chip());
        _ = writeln!(text, "{}\n", style.paint(Tone::Quiet, self.board.strategy()));
        let notes = width >= FRONT + SHORT + NOTE;
        let longest = width.saturating_sub(if notes { FRONT + NOTE } else { FRONT }).max(12) as u64;
        let largest = self.rows.iter().map(Row::size).max().unwrap_or(1).max(1);
        for row in &self.rows {
            let length = (u64::from(row.size()) * longest).div_ceil(u64::from(largest)).clamp(1, longest);
            let bar = self.bar(row, length as u32, style);
            let pad = " ".repeat((longest - length) as usize);
            let name = format!("{:<7}", row.region.name());
            let name = match row.region {
                Region::Free => style.paint(Tone::Quiet, name),
                _ => name,
            };
            _ = write!(text, "  {:#010x}  {name}  {:>9}  {bar}", row.range.start, size(row.size()));
            _ = match notes {
                true => writeln!(text, "{pad}  {}", style.paint(Tone::Quiet, row.note())),
                false => writeln!(text),
            };
        }
        text.push('\n');
        for SlotState { slot, .. } in &self.slots {
            for (index, line) in self.lines(*slot, width.saturating_sub(11)).iter().enumerate() {
                let label = if index == 0 { format!("slot {slot}") } else { String::new() };
                let label = style.paint(Tone::Strong, format_args!("{label:<7}"));
                let line = if index == 0 { style.paint(self.tone(Region::Slot(*slot)), line) } else { line.clone() };
                _ = writeln!(text, "  {label}  {line}");
            }
        }
        text.push('\n');
        text.push_str(&self.log(style, width));
        text.push_str(&legend(style));
        text
    }

    /// The record log: what it says, and its sectors.
    pub(crate) fn log(&self, style: Style, width: usize) -> String {
        let mut text = String::new();
        for (label, line) in records::lines(&self.records, self.board.layout().strategy()) {
            for (index, line) in style::wrapped(&line, width.saturating_sub(14)).iter().enumerate() {
                let label = if index == 0 { label } else { "" };
                _ = writeln!(text, "  {}  {line}", style.paint(Tone::Strong, format_args!("{label:<10}")));
            }
        }
        let mut found = false;
        for sector in records::shown(&self.records) {
            found = true;
            _ = writeln!(text, "\n  {:#010x}  {}", sector.start, records::note(sector));
            let each = sector.strides.len().div_ceil(records::cells(sector).len().max(1));
            let scale = if each > 1 { format!("  {each} strides a letter") } else { String::new() };
            _ = writeln!(text, "              {}{}", letters(sector, style), style.paint(Tone::Quiet, scale));
        }
        if found {
            let legend = records::LEGEND.map(|(stride, name)| {
                let (tone, glyph) = records::glyph(stride);
                format!("{} {name}", style.paint(tone, glyph))
            });
            _ = writeln!(text, "  {}", style.paint(Tone::Quiet, records::rest(&self.records)));
            _ = writeln!(text, "\n  {}", legend.join("   "));
        }
        text.push('\n');
        text
    }

    /// The strides of the sector that records are appended to.
    pub(crate) fn newest(&self, style: Style) -> String {
        let current = self.records.sectors.iter().find(|sector| sector.current);
        current.map_or_else(String::new, |sector| letters(sector, style))
    }

    /// A stretch of flash as a bar of `length` columns.
    pub(crate) fn strip(&self, range: Range<u32>, length: u32, style: Style) -> String {
        let row = Row { region: Region::Free, range, sectors: 0, written_sectors: 0 };
        let cells = self.cells(&row, length);
        let cells =
            cells.into_iter().map(|cell| if cell == Cell::Erased { (Tone::Quiet, "░") } else { (Tone::Good, "█") });
        let cells: Vec<_> = cells.collect();
        let runs = cells.chunk_by(|a, b| a == b).filter_map(|run| run.first().map(|cell| (cell, run.len())));
        runs.map(|(&(tone, glyph), length)| style.paint(tone, glyph.repeat(length))).collect()
    }

    fn bar(&self, row: &Row, length: u32, style: Style) -> String {
        let cells = self.cells(row, length);
        let mut bar = String::new();
        // One change of colour a run, not one a cell.
        for run in cells.chunk_by(|a, b| a == b) {
            let Some(&cell) = run.first() else { continue };
            let (tone, glyph) = glyph(cell, row.region, self.tone(row.region));
            bar.push_str(&style.paint(tone, glyph.repeat(run.len())));
        }
        bar
    }
}

/// A sector's strides as a strip of letters.
fn letters(sector: &LogSector, style: Style) -> String {
    let cells = records::cells(sector);
    let runs = cells.chunk_by(|a, b| a == b);
    let runs = runs.filter_map(|run| run.first().map(|&stride| (records::glyph(stride), run.len())));
    runs.map(|((tone, glyph), length)| style.paint(tone, glyph.repeat(length))).collect()
}

fn glyph(cell: Cell, region: Region, tone: Tone) -> (Tone, &'static str) {
    match (cell, region) {
        (Cell::Erased, Region::Free) => (Tone::Quiet, "·"),
        (Cell::Erased, _) => (Tone::Quiet, "░"),
        (Cell::Written, _) => (tone, "█"),
        (Cell::Trailer, _) => (Tone::Trailer, "▓"),
    }
}

fn legend(style: Style) -> String {
    let written = match style.colours() {
        true => {
            [(Tone::Good, "█", "signed image"), (Tone::Doubt, "█", "not checked"), (Tone::Bad, "█", "does not boot")]
                .map(|(tone, glyph, text)| format!("{} {text}", style.paint(tone, glyph)))
                .join("   ")
        }
        false => "█ written".into(),
    };
    let trailer = style.paint(Tone::Trailer, "▓");
    let erased = style.paint(Tone::Quiet, "░");
    format!("  {written}   {trailer} trailer   {erased} erased\n")
}
