//! A small picture of a package: its parts, their sizes, and where each begins.

use std::fmt;

use lockgate::pack::Inspection;
use lockgate::wire::{LINK_SIZE, PRELUDE_SIZE};

use crate::style::grouped;

/// The parts of a package, first to last.
pub(super) struct Picture {
    parts: Vec<Part>,
    size: u64,
}

struct Part {
    name: String,
    size: u64,
    /// Where it begins; `None` for parts left out.
    offset: Option<u64>,
}

impl Picture {
    /// The picture of a package of `size` bytes, as its manifest says it should be.
    pub(super) fn new(inspection: &Inspection<'_>, size: usize) -> Self {
        let mut picture = Self { parts: Vec::new(), size: 0 };
        let signatures = inspection.head.len() - PRELUDE_SIZE - inspection.body.len();
        if inspection.key_sets == 1 {
            picture.part("1 key set", inspection.offset as u64);
        } else if inspection.key_sets > 1 {
            picture.part(format!("{} key sets", inspection.key_sets), inspection.offset as u64);
        }
        picture.part("prelude", PRELUDE_SIZE as u64);
        picture.part("manifest", inspection.body.len() as u64);
        picture.part("signatures", signatures as u64);
        picture.blocks(inspection);
        let size = size as u64;
        if size > picture.size {
            picture.part("TRAILING", size - picture.size);
        }
        picture
    }

    fn part(&mut self, name: impl Into<String>, size: u64) {
        self.parts.push(Part { name: name.into(), size, offset: Some(self.size) });
        self.size += size;
    }

    /// The first block, the last, and how many lie between.
    fn blocks(&mut self, inspection: &Inspection<'_>) {
        let manifest = &inspection.manifest;
        let whole = u64::from(manifest.block_size() + LINK_SIZE);
        let last = manifest.blocks() - 1;
        if last > 0 {
            self.part("block 0", whole);
        }
        match last {
            0 | 1 => {}
            2 => self.part("block 1", whole),
            _ => {
                let size = whole * u64::from(last - 1);
                self.parts.push(Part { name: format!("... {} more", last - 1), size, offset: None });
                self.size += size;
            }
        }
        self.part(format!("block {last}"), u64::from(manifest.payload_length - last * manifest.block_size()));
    }
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [mut edge, mut names, mut sizes, mut offsets] = [const { String::new() }; 4];
        for part in &self.parts {
            let offset = part.offset.map(grouped).unwrap_or_default();
            let size = grouped(part.size);
            let width = part.name.len().max(size.len()).max(offset.len());
            edge += &format!("+-{:-<width$}-", "");
            names += &format!("| {:<width$} ", part.name);
            sizes += &format!("| {size:<width$} ");
            offsets += &format!("{offset:<width$}   ");
        }
        writeln!(f, "  part   {edge}+")?;
        writeln!(f, "         {names}|")?;
        writeln!(f, "  bytes  {sizes}|")?;
        writeln!(f, "         {edge}+")?;
        writeln!(f, "  offset {offsets}{}", grouped(self.size))
    }
}
