//! The flash driver over the model of its controller.

mod model;

use board::{Flash, FlashError};
use embedded_storage::nor_flash::{NorFlash, NorFlashErrorKind, ReadNorFlash};
use lockgate::{geometry::EFM32WG, sim};
use model::{Fault, Model, PAGE};

fn flash() -> Flash<Model> {
    Flash::new(Model::new())
}

fn word(flash: &mut Flash<Model>, at: u32) -> [u8; 4] {
    let mut word = [0; 4];
    flash.read(at, &mut word).unwrap();
    word
}

#[test]
fn it_conforms_to_the_geometry() {
    let mut flash = flash();
    let report = sim::conformance(&mut flash, &EFM32WG, 0x8000..0xA000).unwrap();
    assert_eq!(report.sectors, 4);
    assert!(!report.finer_sectors);
    // Up to the last byte.
    sim::conformance(&mut flash, &EFM32WG, 0x3_F000..0x4_0000).unwrap();
    assert!(flash.msc().is_safe());
}

#[test]
fn an_erase_takes_its_pages_and_locks_the_controller() {
    let mut flash = flash();
    flash.erase(2 * PAGE, 4 * PAGE).unwrap();
    assert_eq!(flash.msc().erases, 2);
    assert_eq!(
        [2 * PAGE - 4, 2 * PAGE, 4 * PAGE - 4, 4 * PAGE].map(|at| word(&mut flash, at)[0]),
        [0xA5, 0xFF, 0xFF, 0xA5]
    );
    assert!(flash.msc().is_safe());
}

#[test]
fn words_are_little_endian_and_may_cross_a_page() {
    let mut flash = flash();
    flash.erase(0, 2 * PAGE).unwrap();
    let bytes: Vec<u8> = (0..64).collect();
    flash.write(PAGE - 32, &bytes).unwrap();
    let mut back = [0; 64];
    flash.read(PAGE - 32, &mut back).unwrap();
    assert_eq!(back[..], bytes[..]);
    assert_eq!(flash.msc().writes, 16);
    assert!(flash.msc().is_safe());
}

#[test]
fn what_was_programmed_before_is_anded() {
    let mut flash = flash();
    flash.erase(0, PAGE).unwrap();
    flash.write(8, &[0xF0, 0xFF, 0x0F, 0x55]).unwrap();
    flash.write(8, &[0x3C, 0x00, 0xFF, 0xAA]).unwrap();
    assert_eq!(word(&mut flash, 8), [0x30, 0x00, 0x0F, 0x00]);
}

#[test]
fn a_locked_page_is_told_and_stays() {
    let mut flash = flash();
    flash.msc().locked_pages.insert(3 * PAGE);
    assert_eq!(flash.erase(2 * PAGE, 5 * PAGE), Err(FlashError::Locked(3 * PAGE)));
    assert_eq!(flash.msc().erases, 1, "the page in front of it; none behind");
    assert_eq!(flash.write(3 * PAGE + 8, &[0; 4]), Err(FlashError::Locked(3 * PAGE + 8)));
    assert_eq!(word(&mut flash, 3 * PAGE + 8), [0xA5; 4]);
    assert!(flash.msc().is_safe(), "after a failure too");
}

/// A chip with less flash than the driver was made for.
#[test]
fn an_address_without_flash_is_told() {
    struct Small(Model);
    impl board::Msc for Small {
        fn get(&mut self, register: board::Register) -> u32 {
            self.0.get(register)
        }
        fn set(&mut self, register: board::Register, value: u32) {
            // Its upper half is not there.
            let missing = register == board::Register::AddressBuffer && value >= 0x2_0000;
            self.0.set(register, if missing { 0x0FFF_0000 } else { value });
        }
        fn copy(&mut self, address: u32, bytes: &mut [u8]) {
            self.0.copy(address, bytes);
        }
    }
    let mut flash = Flash::new(Small(Model::new()));
    assert_eq!(flash.erase(0x2_0000, 0x2_0800), Err(FlashError::Address(0x2_0000)));
    assert_eq!(flash.write(0x3_0000, &[0; 4]), Err(FlashError::Address(0x3_0000)));
    let model = flash.release().0;
    assert_eq!((model.erases, model.writes), (0, 0));
    assert!(model.is_safe());
}

#[test]
fn an_aborted_erase_is_told() {
    let mut flash = flash();
    flash.msc().fault = Some(Fault::Aborted);
    assert_eq!(flash.erase(PAGE, 3 * PAGE), Err(FlashError::Aborted(PAGE)));
    assert_eq!(flash.msc().erases, 1);
    flash.msc().fault = None;
    flash.erase(PAGE, 3 * PAGE).unwrap();
    assert_eq!(word(&mut flash, 2 * PAGE - 4), [0xFF; 4]);
}

#[test]
fn a_controller_that_hangs_ends_in_an_error() {
    let mut flash = flash();
    flash.msc().fault = Some(Fault::Stuck);
    assert_eq!(flash.erase(0, PAGE), Err(FlashError::Stuck(0)));
    assert_eq!(flash.write(PAGE, &[0; 4]), Err(FlashError::Stuck(PAGE)), "not begun while the other is under way");
}

#[test]
fn a_word_that_came_too_late_is_told() {
    let mut flash = flash();
    flash.erase(0, PAGE).unwrap();
    flash.msc().fault = Some(Fault::WordTimeout);
    assert_eq!(flash.write(4, &[0; 8]), Err(FlashError::Stuck(4)));
    assert!(flash.msc().is_safe());
}

#[test]
fn the_slowest_page_is_waited_for() {
    let mut flash = flash();
    flash.msc().erase_time = 900_000;
    flash.erase(0, PAGE).unwrap();
    assert_eq!(word(&mut flash, PAGE - 4), [0xFF; 4]);
}

#[test]
fn requests_that_make_no_sense_do_nothing() {
    let mut flash = flash();
    let request = |kind| Err(FlashError::Request(kind));
    assert_eq!(flash.erase(PAGE / 2, PAGE), request(NorFlashErrorKind::NotAligned));
    assert_eq!(flash.erase(PAGE, 0), request(NorFlashErrorKind::OutOfBounds));
    assert_eq!(flash.erase(0x3_F800, 0x4_0800), request(NorFlashErrorKind::OutOfBounds));
    assert_eq!(flash.write(2, &[0; 4]), request(NorFlashErrorKind::NotAligned));
    assert_eq!(flash.write(0, &[0; 3]), request(NorFlashErrorKind::NotAligned));
    assert_eq!(flash.write(0x3_FFFC, &[0; 8]), request(NorFlashErrorKind::OutOfBounds));
    assert_eq!(flash.read(0x3_FFFF, &mut [0; 2]), request(NorFlashErrorKind::OutOfBounds));
    assert_eq!((flash.msc().erases, flash.msc().writes), (0, 0));
}
