//! The boards that are built in: a sensible layout for every chip that the library knows.
//!
//! The boot stage has 24 to 32 KiB (64 KiB on the ESP8266, whose code is less dense), room for lockgate's own that checks hashes; one that
//! checks signatures needs 33 KB or more: describe a board of your own. Records have at least two sectors, four where sectors
//! are small. Checked while the tool compiles.

use lockgate::geometry::{self, Geometry};
use lockgate::Layout;

use super::Board;

struct Builtin {
    /// The constant's name in `lockgate::geometry`.
    constant: &'static str,
    /// Where the chip's memory map puts the flash.
    base: u32,
    /// The processor sees either slot at `base`.
    window: bool,
    layout: Layout,
}

macro_rules! boards {
    ($($(#[$why:meta])* $chip:ident $place:ident $base:literal { $($region:ident($($range:expr),+))+ })+) => {
        static BOARDS: &[Builtin] = &[$(Builtin {
            constant: stringify!($chip),
            base: $base,
            window: matches!(stringify!($place).as_bytes(), b"window"),
            layout: Layout::new(&geometry::$chip)$(.$region($($range),+))+.check(),
        }),+];
    };
}

boards! {
    // The cache shows one whole megabyte of the chip at a time, so each slot is one.
    ESP8266_4M window 0x4020_0000 {
        boot(0..0x1_0000) records(0x1_0000..0x1_8000) keys(0x1_8000..0x1_B000)
        slots(0x10_0000..0x20_0000, 0x20_0000..0x30_0000)
    }
    NRF51822 at 0x0 {
        boot(0..0x8000) records(0x8000..0x9000)
        slots(0x9000..0x2_3800, 0x2_3800..0x3_E000) swap(0x3_E000..0x4_0000)
    }
    NRF52840 at 0x0 {
        boot(0..0x8000) records(0x8000..0xC000)
        slots(0xC000..0x8_4000, 0x8_4000..0xF_C000) swap(0xF_C000..0x10_0000)
    }
    STM32F103 at 0x0800_0000 {
        boot(0..0x6000) records(0x6000..0x7000)
        slots(0x7000..0x1_3000, 0x1_3000..0x1_F000) swap(0x1_F000..0x2_0000)
    }
    // Small sectors for boot and records, the run of 128 KiB sectors for the slots; the 64 KiB sector stays free.
    STM32F405 at 0x0800_0000 {
        boot(0..0x8000) records(0x8000..0x1_0000)
        slots(0x2_0000..0x8_0000, 0x8_0000..0xE_0000) swap(0xE_0000..0x10_0000)
    }
    STM32L476 at 0x0800_0000 {
        boot(0..0x8000) records(0x8000..0xA000)
        slots(0xA000..0x4_4000, 0x4_4000..0x7_E000) swap(0x7_E000..0x8_0000)
    }
    // With eight sectors, a swap area would cost an eighth of the flash and each swap four erases of up to 4 s:
    // images run where they are. The last sector stays free for the application.
    STM32H743 at 0x0800_0000 {
        boot(0..0x2_0000) records(0x2_0000..0x6_0000)
        slots(0x6_0000..0xA_0000, 0xA_0000..0xE_0000)
    }
    EFM32WG at 0x0 {
        boot(0..0x8000) records(0x8000..0xA000)
        slots(0xA000..0x2_4000, 0x2_4000..0x3_E000) swap(0x3_E000..0x4_0000)
    }
    PIC32MX at 0x1D00_0000 {
        boot(0..0x8000) records(0x8000..0xC000)
        slots(0xC000..0x4_4000, 0x4_4000..0x7_C000) swap(0x7_C000..0x8_0000)
    }
}

impl Builtin {
    fn geometry(&self) -> &'static Geometry {
        self.layout.geometry()
    }
}

/// The names of all of them.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    BOARDS.iter().map(|board| board.geometry().name())
}

pub(super) fn find(name: &str) -> Option<Board> {
    BOARDS.iter().find(|board| board.geometry().name() == name).map(|board| Board {
        name: name.into(),
        layout: &board.layout,
        base: board.base,
        runs_at: board.window.then_some([board.base; 2]),
        constant: Some(board.constant),
    })
}
