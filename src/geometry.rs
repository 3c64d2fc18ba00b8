//! Which sectors a chip's flash has, and how it is written.
//!
//! `NorFlash::ERASE_SIZE` is one number and therefore wrong for every chip with mixed sectors, so lockgate
//! never reads it: a [`Geometry`] says it all, at compile time. Addresses are offsets from the start of the
//! flash that the `NorFlash` value covers.

use core::ops::Range;

/// `count` neighbouring sectors (erase units) of `size` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Number of sectors, 1 or more.
    pub count: u32,
    /// Bytes of each sector, a power of two.
    pub size: u32,
}

/// The sectors of a flash, the bytes it writes at once, and what it reads after an erase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    name: &'static str,
    runs: &'static [Run],
    write: u32,
    erased: u8,
}

/// The largest write unit lockgate works with, in bytes (STM32H7: one 256-bit flash word).
pub const MAX_WRITE_UNIT: u32 = 32;

impl Geometry {
    /// A flash of `runs`, from address 0 up, written in units of `write` bytes (1 to 32, a power of two; 8 at
    /// least where an error correcting code spans 8 bytes). It reads 0xFF after an erase.
    ///
    /// # Panics
    ///
    /// In a `const`, these do not compile: no sectors, a sector size that is no power of two or is less than
    /// 32 bytes, a flash of 4 GiB or more, a write unit out of range.
    pub const fn new(name: &'static str, runs: &'static [Run], write: u32) -> Self {
        assert!(write.is_power_of_two() && write <= MAX_WRITE_UNIT, "write unit: 1, 2, 4, 8, 16 or 32 bytes");
        assert!(!runs.is_empty(), "geometry without sectors");
        let mut total: u32 = 0;
        let mut i = 0;
        while i < runs.len() {
            let run = runs[i];
            assert!(run.count > 0 && run.size.is_power_of_two(), "sector run: count of 1 or more, size a power of two");
            assert!(run.size >= MAX_WRITE_UNIT, "sector smaller than 32 bytes");
            let room = u32::MAX - total;
            assert!(run.count <= room / run.size, "flash larger than 4 GiB");
            total += run.count * run.size;
            i += 1;
        }
        Self { name, runs, write, erased: 0xFF }
    }

    /// The same flash, reading `value` after an erase (0x00 on STM32L0 and L1).
    ///
    /// # Panics
    ///
    /// In a `const`, values but 0xFF and 0x00 do not compile.
    #[must_use]
    pub const fn erased_value(mut self, value: u8) -> Self {
        assert!(value == 0xFF || value == 0x00, "erased value: 0xFF or 0x00");
        self.erased = value;
        self
    }

    /// What people call this flash.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The runs of sectors, from address 0 up.
    pub const fn runs(&self) -> &'static [Run] {
        self.runs
    }

    /// Bytes written at once.
    pub const fn write_unit(&self) -> u32 {
        self.write
    }

    /// The byte that reads back after an erase.
    pub const fn erased(&self) -> u8 {
        self.erased
    }

    /// Bytes in all.
    pub const fn capacity(&self) -> u32 {
        let mut total: u32 = 0;
        let mut i = 0;
        while i < self.runs.len() {
            total = total.saturating_add(self.runs[i].count.saturating_mul(self.runs[i].size));
            i += 1;
        }
        total
    }

    /// The sector that holds `address`; `None` beyond the end.
    pub const fn sector(&self, address: u32) -> Option<Sector> {
        let mut within = address;
        let mut i = 0;
        while i < self.runs.len() {
            let run = self.runs[i];
            // No product wraps: `new` has judged it.
            let bytes = run.count.wrapping_mul(run.size);
            if within < bytes {
                // A power of two: the mask leaves what lies in front of it in its sector.
                return Some(Sector { start: address.wrapping_sub(within & run.size.wrapping_sub(1)), size: run.size });
            }
            within = within.wrapping_sub(bytes);
            i += 1;
        }
        None
    }

    /// Whether `address` begins a sector or is the end of the flash.
    pub const fn is_edge(&self, address: u32) -> bool {
        match self.sector(address) {
            Some(sector) => sector.start == address,
            None => address == self.capacity(),
        }
    }
}

/// One erase unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sector {
    /// Its first address.
    pub start: u32,
    /// Its bytes.
    pub size: u32,
}

impl Sector {
    /// The address after its last byte.
    pub const fn end(&self) -> u32 {
        self.start.saturating_add(self.size)
    }

    /// Its addresses.
    pub const fn range(&self) -> Range<u32> {
        self.start..self.end()
    }
}

macro_rules! chips {
    ($($(#[$doc:meta])* $id:ident = $name:literal, write $write:literal, [$($count:literal x $size:expr),+];)+) => {
        $($(#[$doc])* pub const $id: Geometry = Geometry::new($name, &[$(Run { count: $count, size: $size }),+], $write);)+
        /// Every geometry that is built in, for tools and tests.
        pub const ALL: &[&Geometry] = &[$(&$id),+];
    };
}

const KIB: u32 = 1024;

chips! {
    /// ESP8266 with a 4 MiB SPI NOR chip (ESP-12 and most modules): 4 KiB sectors, words of 4 bytes (ESP8266 Technical Reference, appendix 4).
    ESP8266_4M = "esp8266", write 4, [1024 x 4 * KIB];
    /// nRF51822, 256 KiB: 1 KiB pages, words of 4 bytes (nRF51 Series Reference Manual, chapter 6, NVMC).
    NRF51822 = "nrf51", write 4, [256 x KIB];
    /// nRF52840, 1 MiB: 4 KiB pages, words of 4 bytes (nRF52840 Product Specification, NVMC).
    NRF52840 = "nrf52840", write 4, [256 x 4 * KIB];
    /// STM32F103xB, 128 KiB: 1 KiB pages, half words (PM0075).
    STM32F103 = "stm32f103", write 2, [128 x KIB];
    /// STM32F405/407xG, 1 MiB: 4 x 16, 1 x 64, 7 x 128 KiB; words of 4 bytes at 2.7 V and above (RM0090, section 3.4).
    STM32F405 = "stm32f405", write 4, [4 x 16 * KIB, 1 x 64 * KIB, 7 x 128 * KIB];
    /// STM32L476xG, one bank of 512 KiB: 2 KiB pages, double words of 8 bytes with an error correcting code (RM0351, section 3.3).
    STM32L476 = "stm32l476", write 8, [256 x 2 * KIB];
    /// STM32H743xI, one bank of 1 MiB: 128 KiB sectors, flash words of 32 bytes with an error correcting code (RM0433, section 4.3).
    STM32H743 = "stm32h743", write 32, [8 x 128 * KIB];
    /// EFM32WG (Wonder Gecko), 256 KiB: 2 KiB pages, words of 4 bytes (EFM32WG Reference Manual, chapter 7, MSC).
    EFM32WG = "efm32wg", write 4, [128 x 2 * KIB];
    /// PIC32MX, 512 KiB: 4 KiB pages, words of 4 bytes (PIC32 Family Reference Manual, section 5).
    PIC32MX = "pic32mx", write 4, [128 x 4 * KIB];
}
