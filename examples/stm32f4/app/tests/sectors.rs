//! What the HALs' `erase` does with the F4's mixed sectors, re-enacted over the simulator, and what the adapter makes of it.

use app::{layout::LAYOUT, Refused, Sectors};
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
use lockgate::geometry::{Geometry, STM32F405};
use lockgate::sim::{self, Check, Flash};

/// Sectors of all three sizes: the records' two of 16 KiB, the one of 64, one of 128.
const MIXED: core::ops::Range<u32> = 0x8000..0x4_0000;

/// Erases as the HAL does; everything else is the simulator's.
struct Hal<E>(Flash, E);

impl<E> ErrorType for Hal<E> {
    type Error = sim::Error;
}

impl<E> ReadNorFlash for Hal<E> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), sim::Error> {
        self.0.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        ReadNorFlash::capacity(&self.0)
    }
}

impl<E: Fn(&mut Flash, u32, u32) -> Result<(), sim::Error>> NorFlash for Hal<E> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 128 * 1024;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), sim::Error> {
        (self.1)(&mut self.0, from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), sim::Error> {
        self.0.write(offset, bytes)
    }
}

fn sectors(geometry: &Geometry) -> Vec<lockgate::geometry::Sector> {
    std::iter::successors(geometry.sector(0), |sector| geometry.sector(sector.end())).collect()
}

/// stm32f4xx-hal 0.23.0, `NorFlash for UnlockedFlash`: walks the sectors, erases each that holds `current`, and looks at `to`
/// only afterwards.
fn stm32f4xx_hal(flash: &mut Flash, from: u32, to: u32) -> Result<(), sim::Error> {
    let mut current = from;
    for sector in sectors(&STM32F405) {
        if sector.range().contains(&current) {
            flash.erase(sector.start, sector.end())?;
            current += sector.size;
        }
        if current >= to {
            break;
        }
    }
    Ok(())
}

/// embassy-stm32 0.6.0, `blocking_erase`: `ensure_sector_aligned` first, and a panic where there is no sector.
fn embassy_stm32(flash: &mut Flash, from: u32, to: u32) -> Result<(), sim::Error> {
    let find = |address| STM32F405.sector(address).unwrap_or_else(|| panic!("Flash sector not found"));
    let mut address = from;
    while address < to {
        let sector = find(address);
        if sector.start != address {
            return flash.erase(from, from + 1); // the simulator's own refusal
        }
        address += sector.size;
    }
    if address != to {
        return flash.erase(from, from + 1);
    }
    flash.erase(from, to)
}

#[test]
fn whole_sectors_of_every_size_are_erased_exactly_by_both() {
    for erase in [stm32f4xx_hal, embassy_stm32] {
        for sector in sectors(&STM32F405) {
            let mut flash = Flash::new(&STM32F405);
            flash.erase(0, STM32F405.capacity()).unwrap();
            for other in sectors(&STM32F405) {
                flash.write(other.start, &[0; 4]).unwrap();
                flash.write(other.end() - 4, &[0; 4]).unwrap();
            }
            erase(&mut flash, sector.start, sector.end()).unwrap();
            for other in sectors(&STM32F405) {
                let mut ends = [[1; 4]; 2];
                flash.read(other.start, &mut ends[0]).unwrap();
                flash.read(other.end() - 4, &mut ends[1]).unwrap();
                assert_eq!(ends, [[if other == sector { 0xFF } else { 0 }; 4]; 2], "{other:?} after {sector:?}");
            }
        }
    }
}

#[test]
fn stm32f4xx_hal_rounds_an_erase_and_says_ok() {
    let mut flash = Hal(Flash::new(&STM32F405), stm32f4xx_hal);
    let finding = sim::conformance(&mut flash, &STM32F405, MIXED).unwrap_err();
    assert_eq!(finding.check, Check::Alignment, "{finding}");
    assert!(finding.advice.contains("rather than round"), "{finding}");
}

#[test]
fn stm32f4xx_hal_erases_the_first_sector_when_asked_for_nothing_there() {
    let mut flash = Flash::new(&STM32F405);
    flash.erase(0, 0x4000).unwrap();
    flash.write(0x2000, &[0; 4]).unwrap();
    stm32f4xx_hal(&mut flash, 0, 0).unwrap();
    let mut word = [0; 4];
    flash.read(0x2000, &mut word).unwrap();
    assert_eq!(word, [0xFF; 4], "where the boot stage is");
}

#[test]
#[should_panic = "Flash sector not found"]
fn embassy_panics_beyond_the_end() {
    _ = embassy_stm32(&mut Flash::new(&STM32F405), 0xE_0000, 0x12_0000);
}

#[test]
fn behind_the_adapter_both_conform() {
    for erase in [stm32f4xx_hal, embassy_stm32] {
        let mut flash = Sectors::new(Hal(Flash::new(&STM32F405), erase), &STM32F405);
        let report = sim::conformance(&mut flash, &STM32F405, MIXED).unwrap();
        assert_eq!(report.sectors, 4);
        let report = sim::conformance(&mut flash, &STM32F405, LAYOUT.swap_range().start - 0x2_0000..0x10_0000).unwrap();
        assert_eq!(report.sectors, 2, "up to the last byte of the chip");
    }
}

#[test]
fn the_adapter_refuses_with_the_right_kind() {
    let mut flash = Sectors::new(Hal(Flash::new(&STM32F405), stm32f4xx_hal), &STM32F405);
    let kind = |result: Result<(), Refused<sim::Error>>| match result {
        Err(Refused::Request(kind)) => kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(kind(flash.erase(0x1_0000, 0x1_4000)), NorFlashErrorKind::NotAligned, "inside the sector of 64 KiB");
    assert_eq!(kind(flash.erase(0x2_4000, 0x4_0000)), NorFlashErrorKind::NotAligned, "inside one of 128 KiB");
    assert_eq!(kind(flash.erase(0xE_0000, 0x12_0000)), NorFlashErrorKind::OutOfBounds);
    assert_eq!(kind(flash.erase(0x8000, 0x4000)), NorFlashErrorKind::OutOfBounds);
    assert_eq!(kind(flash.write(0x8002, &[0; 4])), NorFlashErrorKind::NotAligned);
    assert_eq!(kind(flash.write(0xF_FFFC, &[0; 8])), NorFlashErrorKind::OutOfBounds);
    assert_eq!(kind(flash.read(u32::MAX, &mut [0; 4])), NorFlashErrorKind::OutOfBounds);
    assert_eq!(flash.erase(0x8000, 0x8000), Ok(()), "nothing is nothing");
}
