//! A board: a chip's flash and where everything lies in it, built in or described in a file.
//!
//! The one description serves them all: `--geometry` of the commands, a device's Rust `const`, a linker's
//! `memory.x`.

mod builtin;
mod file;
mod rules;
mod source;

use std::ops::Range;
use std::path::Path;

pub(crate) use file::number;

use lockgate::{Layout, Slot, Strategy};

use crate::failure::Failure;
use crate::table::Table;

/// A layout and what people call it.
#[derive(Debug)]
pub(crate) struct Board {
    name: String,
    layout: &'static Layout,
    /// Where the flash lies in the processor's address space.
    base: u32,
    /// Where images in slot A and slot B run, if that is not where the slots lie.
    runs_at: Option<[u32; 2]>,
    /// The `lockgate::geometry` constant that is this chip, if one is.
    constant: Option<&'static str>,
}

/// What a stretch of flash is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Region {
    Boot,
    Records,
    Slot(Slot),
    Swap,
    /// The key store.
    Keys,
    /// Outside every region of the layout.
    Free,
}

impl Region {
    /// Its name in pictures and tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Records => "records",
            Self::Slot(Slot::A) => "slot A",
            Self::Slot(Slot::B) => "slot B",
            Self::Swap => "swap",
            Self::Keys => "keys",
            Self::Free => "free",
        }
    }
}

/// The built-in boards, as a table.
pub(crate) fn list() -> Table {
    let mut table = Table::default();
    table.row([&"board", &"flash", &"image up to", &"strategy"]);
    for board in builtin::names().filter_map(builtin::find) {
        let kib = |bytes: u32| format!("{} KiB", bytes / 1024);
        let (flash, image) = (kib(board.capacity()), kib(board.layout.capacity()));
        let strategy = format!("{:?}", board.layout.strategy()).to_lowercase();
        table.row([&board.name, &flash, &image, &strategy]);
    }
    table
}

impl Board {
    /// The built-in board of this name, or the one that a TOML file describes.
    pub(crate) fn named_or_file(text: &str) -> Result<Self, Failure> {
        if let Some(board) = builtin::find(text) {
            return Ok(board);
        }
        let path = Path::new(text);
        if !path.exists() && !text.contains(['.', '/', '\\']) {
            let names = builtin::names().collect::<Vec<_>>().join(", ");
            return Err(Failure::usage(
                format_args!("--geometry {text}"),
                format_args!("no board of this name (there are {names}) and no file"),
            ));
        }
        file::read(path)
    }

    pub(crate) fn layout(&self) -> &'static Layout {
        self.layout
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the whole flash.
    pub(crate) fn capacity(&self) -> u32 {
        self.layout.geometry().capacity()
    }

    /// Where the flash lies in the processor's address space.
    pub(crate) fn base(&self) -> u32 {
        self.base
    }

    /// The addresses at which images in slot A and slot B run.
    pub(crate) fn load_addresses(&self) -> [u32; 2] {
        let [a, b] = [Slot::A, Slot::B].map(|slot| self.base.wrapping_add(self.layout.slot_range(slot).start));
        self.runs_at.unwrap_or(match self.layout.strategy() {
            Strategy::Select => [a, b],
            Strategy::Swap | Strategy::Foreign => [a, a],
        })
    }

    /// Every stretch of the flash in the order of addresses, those that belong to nothing included.
    pub(crate) fn regions(&self) -> Vec<(Region, Range<u32>)> {
        let layout = self.layout;
        let mut named = vec![
            (Region::Boot, layout.boot_range()),
            (Region::Records, layout.records_range()),
            (Region::Slot(Slot::A), layout.slot_range(Slot::A)),
            (Region::Slot(Slot::B), layout.slot_range(Slot::B)),
            (Region::Swap, layout.swap_range()),
            (Region::Keys, layout.keys_range()),
        ];
        named.retain(|(_, range)| !range.is_empty());
        named.sort_by_key(|(_, range)| range.start);
        let mut regions = Vec::new();
        let mut at = 0;
        for (region, range) in named {
            if at < range.start {
                regions.push((Region::Free, at..range.start));
            }
            at = range.end;
            regions.push((region, range));
        }
        if at < self.capacity() {
            regions.push((Region::Free, at..self.capacity()));
        }
        regions
    }

    /// The strategy in one sentence.
    pub(crate) fn strategy(&self) -> &'static str {
        match self.layout.strategy() {
            Strategy::Select => "select: the boot stage starts an image where it lies",
            Strategy::Swap => "swap: the boot stage exchanges the slots",
            Strategy::Foreign => "foreign: another bootloader exchanges the slots",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_geometry_of_the_library_has_a_board() {
        for geometry in lockgate::geometry::ALL {
            let board = Board::named_or_file(geometry.name()).unwrap();
            assert_eq!(board.layout().geometry(), *geometry);
        }
    }

    #[test]
    fn regions_cover_the_flash_without_gaps() {
        for name in builtin::names() {
            let board = Board::named_or_file(name).unwrap();
            let mut at = 0;
            for (_, range) in board.regions() {
                assert_eq!(range.start, at, "{name}");
                at = range.end;
            }
            assert_eq!(at, board.capacity(), "{name}");
        }
    }
}
