//! A picture of a flash: what each region holds. Drawn in a terminal, as SVG, or told as JSON.

mod json;
mod records;
mod svg;
mod terminal;

use std::ops::Range;

use lockgate::sim::Records;
use lockgate::{wire, BootReason, KeySet, Slot};

use crate::board::{Board, Region};
use crate::boot_stage;
use crate::slots::{self, kib, Content, Signed, SlotState};
use crate::style::{self, count, Tone};

/// Everything there is to draw.
pub(crate) struct Picture<'b> {
    board: &'b Board,
    flash: &'b [u8],
    slots: [SlotState; 2],
    /// The slot whose image the boot stage starts next, and why.
    boots: Option<(Slot, BootReason)>,
    records: Records,
    rows: Vec<Row>,
}

/// One region.
struct Row {
    region: Region,
    range: Range<u32>,
    sectors: u32,
    written_sectors: u32,
}

/// What a stretch of flash shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Erased,
    Written,
    Trailer,
}

impl<'b> Picture<'b> {
    /// A picture of `flash`, which has the board's size. If there are `keys`, signatures are checked, and the boot stage
    /// is asked what it would start.
    pub(crate) fn new(board: &'b Board, flash: &'b [u8], keys: Option<&KeySet<'static>>) -> Self {
        let slots = slots::look(flash, board.layout(), keys);
        let boots = keys.and_then(|keys| boot_stage::next(board, flash, &slots, keys));
        let records = records::read(board, flash);
        let mut picture = Self { board, flash, slots, boots, records, rows: Vec::new() };
        let regions = board.regions();
        picture.rows = regions.into_iter().map(|(region, range)| picture.row(region, range)).collect();
        picture
    }

    fn row(&self, region: Region, range: Range<u32>) -> Row {
        let (mut sectors, mut written_sectors, mut at) = (0, 0, range.start);
        while let Some(sector) = self.board.layout().geometry().sector(at).filter(|sector| sector.start < range.end) {
            sectors += 1;
            written_sectors += u32::from(self.is_written(sector.range()));
            at = sector.end();
        }
        Row { region, range, sectors, written_sectors }
    }

    fn is_written(&self, range: Range<u32>) -> bool {
        let erased = self.board.layout().geometry().erased();
        self.flash
            .get(range.start as usize..range.end as usize)
            .is_some_and(|bytes| bytes.iter().any(|&byte| byte != erased))
    }

    /// A region in `count` equal stretches.
    fn cells(&self, row: &Row, count: u32) -> Vec<Cell> {
        let size = u64::from(row.range.end - row.range.start);
        let edge = |index: u32| row.range.start + (size * u64::from(index) / u64::from(count.max(1))) as u32;
        let mut cells: Vec<Cell> = (0..count)
            .map(|index| match self.is_written(edge(index)..edge(index + 1)) {
                true => Cell::Written,
                false => Cell::Erased,
            })
            .collect();
        if let (Region::Slot(_), Some(last)) = (row.region, cells.last_mut()) {
            // The trailer is smaller than a cell of a large slot, and is what makes the image one that boots.
            let trailer = row.range.end.saturating_sub(wire::TRAILER_SIZE)..row.range.end;
            if self.is_written(trailer) {
                *last = Cell::Trailer;
            }
        }
        cells
    }

    fn slot(&self, slot: Slot) -> &SlotState {
        let [a, b] = &self.slots;
        match slot {
            Slot::A => a,
            Slot::B => b,
        }
    }

    /// What a slot holds, in lines of at most `width` columns.
    fn lines(&self, slot: Slot, width: usize) -> Vec<String> {
        let boots = match self.boots {
            Some((boots, BootReason::Confirmed)) if boots == slot => ", boots".into(),
            Some((boots, why)) if boots == slot => format!(", boots ({})", boot_stage::why(why)),
            // Its sectors are in two places meanwhile.
            _ if records::exchanging(&self.records) => ", being exchanged".into(),
            _ => String::new(),
        };
        style::wrapped(&format!("{}{boots}", self.slot(slot).content), width)
    }

    /// How much a row's written bytes are to be trusted, as far as this tool can tell.
    fn tone(&self, region: Region) -> Tone {
        let Region::Slot(slot) = region else { return Tone::Strong };
        match &self.slot(slot).content {
            Content::Image(image) if image.boots() => Tone::Good,
            Content::Image(image) if image.intact && matches!(image.signed, Signed::Unchecked(_)) => Tone::Doubt,
            Content::Erased => Tone::Quiet,
            _ => Tone::Bad,
        }
    }

    /// `4 MiB, 1024 sectors of 4 KiB, written in units of 4 bytes`
    fn chip(&self) -> String {
        let geometry = self.board.layout().geometry();
        let runs: Vec<String> = geometry
            .runs()
            .iter()
            .map(|run| format!("{} of {}", count(run.count.into(), "sector", "sectors"), size(run.size)))
            .collect();
        let unit = count(geometry.write_unit().into(), "byte", "bytes");
        format!("{}: {}; write unit {unit}", size(self.board.capacity()), runs.join(", "))
    }
}

impl Row {
    fn size(&self) -> u32 {
        self.range.end - self.range.start
    }

    /// `13 of 256 sectors written`
    fn note(&self) -> String {
        let sectors = count(self.sectors.into(), "sector", "sectors");
        match self.written_sectors {
            0 => format!("{sectors}, erased"),
            written if written == self.sectors => format!("{sectors}, written"),
            written => format!("{written} of {sectors} written"),
        }
    }
}

/// As [`kib`], with whole MiB.
fn size(bytes: u32) -> String {
    match bytes {
        _ if bytes > 0 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ => kib(bytes),
    }
}
