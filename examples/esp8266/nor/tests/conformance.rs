//! The flash over a chip that is as strict as the real one.

use embedded_storage::nor_flash::NorFlash;
use lockgate::{geometry, sim};
use nor::{Chip, Nor, NorError, CAPACITY, SECTOR};

/// The chip, and how many operations it refuses from now on.
struct Strict {
    cells: Vec<u8>,
    refuse: u32,
}

impl Strict {
    fn new() -> Self {
        Self { cells: vec![0xFF; CAPACITY as usize], refuse: 0 }
    }

    fn check(&mut self, address: u32, words: &[u8]) -> Result<usize, u32> {
        assert_eq!(address % 4, 0, "an address on a word");
        assert_eq!(words.as_ptr().addr() % 4, 0, "a buffer on a word");
        assert_eq!(words.len() % 4, 0, "whole words");
        self.refused().map(|()| address as usize)
    }

    fn refused(&mut self) -> Result<(), u32> {
        match self.refuse.checked_sub(1) {
            None => Ok(()),
            Some(left) => {
                self.refuse = left;
                Err(2)
            }
        }
    }
}

impl Chip for Strict {
    fn read(&mut self, address: u32, words: &mut [u8]) -> Result<(), u32> {
        let at = self.check(address, words)?;
        words.copy_from_slice(&self.cells[at..][..words.len()]);
        Ok(())
    }

    fn write(&mut self, address: u32, words: &[u8]) -> Result<(), u32> {
        let at = self.check(address, words)?;
        self.cells[at..].iter_mut().zip(words).for_each(|(cell, bits)| *cell &= bits);
        Ok(())
    }

    fn erase(&mut self, sector: u32) -> Result<(), u32> {
        self.refused()?;
        self.cells[(sector * SECTOR) as usize..][..SECTOR as usize].fill(0xFF);
        Ok(())
    }
}

#[test]
fn it_does_what_its_geometry_says_with_buffers_anywhere() {
    let report = sim::conformance(&mut Nor(Strict::new()), &geometry::ESP8266_4M, 0x30_0000..0x30_3000).unwrap();
    assert_eq!(report.sectors, 3);
}

#[test]
fn the_chips_code_is_passed_on() {
    let mut flash = Nor(Strict::new());
    for operation in 0..3 {
        flash.0.refuse = 1;
        let outcome = match operation {
            0 => flash.erase(0, SECTOR),
            1 => flash.write(0, &[1; 5][1..]),
            _ => embedded_storage::nor_flash::ReadNorFlash::read(&mut flash, 0, &mut [0; 8]),
        };
        assert_eq!(outcome, Err(NorError::Chip(2)));
    }
}
