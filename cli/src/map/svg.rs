//! The picture as a standalone SVG: the whole flash to scale on top, each region enlarged below.

use std::fmt::Write;

use lockgate::sim::StrideUse;

use super::{records, size, Cell, Picture, Row};
use crate::board::Region;
use crate::style::Tone;

const WIDTH: u32 = 960;
const MARGIN: u32 = 32;
/// Where bars begin and how long they are.
const BAR_X: u32 = 232;
const BAR: u32 = WIDTH - MARGIN - BAR_X;
/// Stretches a bar is judged in.
const CELLS: u32 = BAR / 2;
const ROW: u32 = 44;
/// Characters of a line below a bar.
const LINE: usize = 84;
const TOP: u32 = 168;
/// A sector of the record log.
const STRIP: u32 = 32;

const INK: &str = "#1f2933";
const QUIET: &str = "#66727f";
const ERASED: &str = "#edf0f4";
const TRAILER: &str = "#0f8b9d";

impl Picture<'_> {
    /// The SVG's text. It refers to nothing outside itself.
    pub(crate) fn svg(&self) -> String {
        let rows: u32 = self.rows.iter().map(|row| self.height(row)).sum();
        let all = TOP + rows + 64;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {all}\" width=\"{WIDTH}\" height=\"{all}\" \
             font-family=\"Inter, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif\" font-size=\"14\" fill=\"{INK}\">\n\
             <title>Flash of {name}</title>\n<rect width=\"{WIDTH}\" height=\"{all}\" fill=\"#fbfcfd\"/>\n",
            name = escaped(self.board.name())
        );
        text(&mut svg, MARGIN, 48, "font-size=\"22\" font-weight=\"600\"", self.board.name());
        text(&mut svg, MARGIN, 72, &format!("fill=\"{QUIET}\""), &self.chip());
        self.overview(&mut svg);
        let mut y = TOP;
        for row in &self.rows {
            self.region(&mut svg, row, y);
            y += self.height(row);
        }
        legend(&mut svg, all - 26);
        svg.push_str("</svg>\n");
        svg
    }

    fn height(&self, row: &Row) -> u32 {
        match row.region {
            Region::Slot(slot) => ROW + 4 + 18 * self.lines(slot, LINE).len() as u32,
            Region::Records => {
                let lines = records::lines(&self.records, self.board.layout().strategy()).len();
                ROW + 4 + 18 * lines as u32 + STRIP * records::shown(&self.records).count() as u32
            }
            _ => ROW,
        }
    }

    /// The whole flash as one strip, to scale.
    fn overview(&self, svg: &mut String) {
        let (y, width) = (92, WIDTH - 2 * MARGIN);
        let place =
            |address: u32| MARGIN + (u64::from(address) * u64::from(width) / u64::from(self.board.capacity())) as u32;
        let mut last_label = 0;
        for row in &self.rows {
            let (x, end) = (place(row.range.start), place(row.range.end));
            let colour = region_colour(row.region);
            let w = (end - x).max(2) - 1;
            _ = writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"20\" fill=\"{colour}\"/>");
            let name = row.region.name();
            let needed = name.len() as u32 * 7 + 8;
            if w > needed && row.region != Region::Free {
                let style = "font-size=\"12\" fill=\"#ffffff\" text-anchor=\"middle\" font-weight=\"600\"";
                text(svg, x + w / 2, y + 14, style, name);
            }
            // Addresses where there is room for them.
            if x >= last_label {
                text(
                    svg,
                    x,
                    y + 36,
                    &format!("font-size=\"11\" fill=\"{QUIET}\" {MONO}"),
                    &format!("{:#x}", row.range.start),
                );
                last_label = x + 72;
            }
        }
    }

    fn region(&self, svg: &mut String, row: &Row, y: u32) {
        let free = row.region == Region::Free;
        let swatch = region_colour(row.region);
        _ = writeln!(
            svg,
            "<rect x=\"{MARGIN}\" y=\"{}\" width=\"6\" height=\"26\" rx=\"2\" fill=\"{swatch}\"/>",
            y + 1
        );
        let ink = if free { QUIET } else { INK };
        text(svg, MARGIN + 16, y + 12, &format!("fill=\"{ink}\" font-weight=\"600\""), row.region.name());
        let from = format!("{:#x}", row.range.start);
        text(svg, MARGIN + 16, y + 27, &format!("font-size=\"11\" fill=\"{QUIET}\" {MONO}"), &from);
        text(svg, BAR_X - 16, y + 19, "text-anchor=\"end\"", &size(row.size()));
        self.stretches(svg, row, y + 4);
        if row.region == Region::Records {
            self.log_svg(svg, y + 44);
        }
        if let Region::Slot(slot) = row.region {
            let colour = match self.tone(row.region) {
                Tone::Quiet => QUIET,
                tone => colour(tone),
            };
            for (line, y) in self.lines(slot, LINE).iter().zip((y + 44..).step_by(18)) {
                text(svg, BAR_X, y, &format!("font-size=\"13\" fill=\"{colour}\""), line);
            }
        }
    }

    /// What the record log says, and each of its sectors that is written.
    fn log_svg(&self, svg: &mut String, mut y: u32) {
        for (label, line) in records::lines(&self.records, self.board.layout().strategy()) {
            let style = "font-size=\"13\" font-weight=\"600\" text-anchor=\"end\"";
            text(svg, BAR_X - 16, y, style, label);
            text(svg, BAR_X, y, "font-size=\"13\"", &line);
            y += 18;
        }
        for sector in records::shown(&self.records) {
            let cells = records::cells(sector);
            let width = BAR / cells.len().max(1) as u32;
            text(svg, BAR_X, y + 4, &format!("font-size=\"11\" fill=\"{QUIET}\""), &records::note(sector));
            let from = format!("{:#x}", sector.start);
            text(svg, MARGIN + 16, y + 20, &format!("font-size=\"11\" fill=\"{QUIET}\" {MONO}"), &from);
            for (&stride, x) in cells.iter().zip((BAR_X..).step_by(width as usize)) {
                let (colour, w) = (stride_colour(stride), width.max(2) - 1);
                _ = writeln!(svg, "<rect x=\"{x}\" y=\"{}\" width=\"{w}\" height=\"12\" fill=\"{colour}\"/>", y + 10);
            }
            y += STRIP;
        }
    }

    /// A region's bar: what is written of it, and its sectors where they can be told apart.
    fn stretches(&self, svg: &mut String, row: &Row, y: u32) {
        let dash = if row.region == Region::Free { " stroke-dasharray=\"3 3\"" } else { "" };
        _ = writeln!(
            svg,
            "<rect x=\"{BAR_X}\" y=\"{y}\" width=\"{BAR}\" height=\"20\" rx=\"3\" fill=\"{ERASED}\" stroke=\"#cfd6de\"{dash}/>"
        );
        let mut x = BAR_X;
        for run in self.cells(row, CELLS).chunk_by(|a, b| a == b) {
            let width = run.len() as u32 * 2;
            let (wide, colour) = match run.first() {
                Some(Cell::Written) => (width, colour(self.tone(row.region))),
                // A sliver would not be seen.
                Some(Cell::Trailer) => (width.max(6), TRAILER),
                _ => (0, ERASED),
            };
            if wide > 0 {
                let left = (x + width).saturating_sub(wide);
                _ = writeln!(
                    svg,
                    "<rect x=\"{left}\" y=\"{y}\" width=\"{wide}\" height=\"20\" rx=\"2\" fill=\"{colour}\"/>"
                );
            }
            x += width;
        }
        if row.sectors > 1 && row.sectors <= BAR / 6 {
            let geometry = self.board.layout().geometry();
            let mut at = row.range.start;
            while let Some(sector) = geometry.sector(at).filter(|sector| sector.end() < row.range.end) {
                at = sector.end();
                let part = u64::from(at - row.range.start) * u64::from(BAR) / u64::from(row.size());
                let x = BAR_X + part as u32;
                _ = writeln!(svg, "<path d=\"M{x} {y}v20\" stroke=\"#fbfcfd\" stroke-width=\"1\"/>");
            }
        }
    }
}

const MONO: &str = "font-family=\"'JetBrains Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace\"";

fn region_colour(region: Region) -> &'static str {
    match region {
        Region::Boot => "#475569",
        Region::Records => "#8b5fbf",
        Region::Slot(lockgate::Slot::A) => "#2f6fde",
        Region::Slot(lockgate::Slot::B) => "#3f8fc9",
        Region::Swap => "#b7791f",
        Region::Keys => "#0f8b8d",
        Region::Free => "#dfe4ea",
    }
}

fn stride_colour(stride: StrideUse) -> &'static str {
    match stride {
        StrideUse::Free => ERASED,
        stride => colour(records::glyph(stride).0),
    }
}

fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "#1f8a58",
        Tone::Bad => "#c2413b",
        Tone::Doubt => "#a86a0b",
        Tone::Trailer => TRAILER,
        Tone::Quiet => QUIET,
        Tone::Strong => "#64748b",
    }
}

fn legend(svg: &mut String, y: u32) {
    let entries = [
        (colour(Tone::Good), "signed image", 128),
        (colour(Tone::Doubt), "signature not checked", 182),
        (colour(Tone::Bad), "nothing that boots", 162),
        (TRAILER, "trailer", 86),
        (colour(Tone::Strong), "other data", 108),
        (ERASED, "erased", 80),
    ];
    let mut x = MARGIN;
    for (colour, label, width) in entries {
        _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{}\" width=\"13\" height=\"13\" rx=\"2\" fill=\"{colour}\" stroke=\"#cfd6de\" stroke-width=\".5\"/>",
            y - 11
        );
        text(svg, x + 20, y, &format!("font-size=\"12\" fill=\"{QUIET}\""), label);
        x += width;
    }
}

fn text(svg: &mut String, x: u32, y: u32, style: &str, text: &str) {
    _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" {style}>{}</text>", escaped(text));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
