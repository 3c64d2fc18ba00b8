//! The SPI NOR flash, by the SDK's functions.

use nor::{Chip, Nor};

use crate::error::{self, Code};

type Read = unsafe extern "C" fn(u32, *mut u32, u32) -> u32;
type Write = unsafe extern "C" fn(u32, *mut u32, u32) -> u32;
type Erase = unsafe extern "C" fn(u16) -> u32;

/// `lockgate_flash_t`
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct FlashC {
    read: Option<Read>,
    write: Option<Write>,
    erase_sector: Option<Erase>,
}

/// The watchdog's hook, if there is one.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Watchdog(Option<unsafe extern "C" fn()>);

impl Watchdog {
    pub(crate) fn feed(self) {
        if let Some(feed) = self.0 {
            // SAFETY: `lockgate.h` asks for a function that can be called at any time, and calls nothing of this library.
            unsafe { feed() };
        }
    }
}

/// The flash.
pub(crate) type Flash = Nor<Sdk>;
pub(crate) use nor::NorError as FlashError;

/// The SDK's functions, all there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sdk {
    read: Read,
    write: Write,
    erase_sector: Erase,
    watchdog: Watchdog,
}

impl Sdk {
    pub(crate) fn flash(functions: FlashC, watchdog: Watchdog) -> Result<Flash, Code> {
        let FlashC { read: Some(read), write: Some(write), erase_sector: Some(erase_sector) } = functions else {
            return Err(error::ARGUMENT);
        };
        Ok(Nor(Self { read, write, erase_sector, watchdog }))
    }
}

fn outcome(code: u32) -> Result<(), u32> {
    if code == 0 {
        Ok(())
    } else {
        Err(code)
    }
}

impl Chip for Sdk {
    fn read(&mut self, address: u32, words: &mut [u8]) -> Result<(), u32> {
        self.watchdog.feed();
        // SAFETY: `lockgate.h` asks for functions that do as the SDK's: this one fills the words, which are borrowed here.
        outcome(unsafe { (self.read)(address, words.as_mut_ptr().cast(), words.len() as u32) })
    }

    fn write(&mut self, address: u32, words: &[u8]) -> Result<(), u32> {
        self.watchdog.feed();
        // SAFETY: likewise; the SDK's function has no `const` for what it only reads.
        outcome(unsafe { (self.write)(address, words.as_ptr().cast_mut().cast(), words.len() as u32) })
    }

    fn erase(&mut self, sector: u32) -> Result<(), u32> {
        self.watchdog.feed();
        // SAFETY: likewise; the sector is within the flash, which has 1024.
        outcome(unsafe { (self.erase_sector)(sector as u16) })
    }
}
