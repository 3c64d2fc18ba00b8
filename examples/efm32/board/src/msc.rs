//! The flash controller, MSC: Reference Manual, chapter 7.
//!
//! Each operation unlocks the registers (LOCK) and enables writing (WREN), loads the address (ADDRB, LADDRIM), looks
//! at INVADDR and LOCKED, gives the command, waits while BUSY, and locks again: whatever goes astray afterwards finds the controller locked.
//! An address is loaded for each word: the controller counts up by itself within a page only.
//!
//! **Time.** The controller has an oscillator of its own, AUXHFRCO, in the band of 14 MHz after a reset; TIMEBASE need not be set
//! as long as nobody changes that band (`MSC_Init` in `em_msc.c`). This example does not.
//!
//! **Code in RAM.** A fetch from flash stalls the processor while flash is busy: a word's 20 us, a page's 20 ms. On the Wonder Gecko that is
//! allowed, unlike on the first Gecko (`em_msc.c`: "recommended", there "required"), but polling from flash would be one long stall, with a watch on
//! the time that cannot count. So [`command`] alone, from the command to the end of BUSY, lies in RAM (`.data`, which
//! `cortex-m-rt` fills at start). It is safe there: it reads and writes registers and its arguments, and nothing else;
//! it calls nothing; its constants are in its instructions or behind them, in RAM too. `build.sh` looks at
//! the disassembly for that. An interrupt whose handler or vector is in flash waits until the operation is over; none is enabled here, and IRQERASEABORT stays 0,
//! so that none ends an erase early.

use embedded_storage::nor_flash::{
    check_erase, check_read, check_write, ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use crate::layout::LAYOUT;
use crate::registers::{Msc, Register};

const CAPACITY: usize = LAYOUT.geometry().capacity() as usize;
const PAGE: u32 = 2048;
const WORD: usize = 4;

/// LOCK.
const UNLOCK: u32 = 0x1B71;
const LOCK: u32 = 0;
/// WRITECTRL.
const WREN: u32 = 1 << 0;
/// WRITECMD.
const LADDRIM: u32 = 1 << 0;
const ERASEPAGE: u32 = 1 << 1;
const WRITEONCE: u32 = 1 << 3;
/// STATUS.
const BUSY: u32 = 1 << 0;
const LOCKED: u32 = 1 << 1;
const INVADDR: u32 = 1 << 2;
const WDATAREADY: u32 = 1 << 3;
const WORDTIMEOUT: u32 = 1 << 4;
const ERASEABORTED: u32 = 1 << 5;

/// How often STATUS is read before an operation counts as stuck. A page takes some 20 ms; one round takes four cycles at the
/// least, so that this is 80 ms at the fastest clock of 48 MHz, and 290 ms at the 14 MHz of this example.
const PATIENCE: u32 = 1_000_000;

/// The flash of an EFM32WG with 256 KiB.
#[derive(Debug)]
pub struct Flash<M>(M);

/// What the controller says when it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashError {
    /// An address that is not aligned, or beyond the end: nothing was done.
    Request(NorFlashErrorKind),
    /// The controller knows no flash at this address (INVADDR).
    Address(u32),
    /// The page of this address is locked (LOCKED): lock bits, Reference Manual, chapter 7.
    Locked(u32),
    /// The erase of the page at this address was aborted (ERASEABORTED): it may read as anything.
    Aborted(u32),
    /// The controller did not end, or the word came too late for it (WORDTIMEOUT).
    Stuck(u32),
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Request(kind) => *kind,
            Self::Address(_) => NorFlashErrorKind::OutOfBounds,
            _ => NorFlashErrorKind::Other,
        }
    }
}

impl<M: Msc> Flash<M> {
    /// The flash behind this controller.
    pub const fn new(msc: M) -> Self {
        Self(msc)
    }

    /// Gives the controller back.
    pub fn release(self) -> M {
        self.0
    }

    /// The controller.
    pub fn msc(&mut self) -> &mut M {
        &mut self.0
    }

    /// Does something with the controller unlocked, and locks it whatever comes of it.
    fn unlocked(&mut self, operation: impl FnOnce(&mut M) -> Result<(), FlashError>) -> Result<(), FlashError> {
        self.0.set(Register::Lock, UNLOCK);
        self.0.set(Register::WriteControl, WREN);
        let outcome = operation(&mut self.0);
        self.0.set(Register::WriteControl, 0);
        self.0.set(Register::Lock, LOCK);
        outcome
    }
}

/// Loads an address, and sees whether the controller takes it.
fn load<M: Msc>(msc: &mut M, address: u32) -> Result<(), FlashError> {
    // Of an operation that a reset of the processor alone did not end.
    if !until(msc, BUSY, 0) {
        return Err(FlashError::Stuck(address));
    }
    msc.set(Register::AddressBuffer, address);
    msc.set(Register::WriteCommand, LADDRIM);
    let status = msc.get(Register::Status);
    if status & INVADDR != 0 {
        Err(FlashError::Address(address))
    } else if status & LOCKED != 0 {
        Err(FlashError::Locked(address))
    } else {
        Ok(())
    }
}

fn erase_page<M: Msc>(msc: &mut M, address: u32) -> Result<(), FlashError> {
    load(msc, address)?;
    let status = command(msc, ERASEPAGE);
    if status & BUSY != 0 {
        Err(FlashError::Stuck(address))
    } else if status & ERASEABORTED != 0 {
        Err(FlashError::Aborted(address))
    } else {
        Ok(())
    }
}

fn write_word<M: Msc>(msc: &mut M, address: u32, word: u32) -> Result<(), FlashError> {
    load(msc, address)?;
    if !until(msc, WDATAREADY, WDATAREADY) {
        return Err(FlashError::Stuck(address));
    }
    msc.set(Register::WriteData, word);
    if command(msc, WRITEONCE) & (BUSY | WORDTIMEOUT) != 0 {
        return Err(FlashError::Stuck(address));
    }
    Ok(())
}

/// Waits until the bits of `mask` in STATUS are `value`.
fn until<M: Msc>(msc: &mut M, mask: u32, value: u32) -> bool {
    (0..PATIENCE).any(|_| msc.get(Register::Status) & mask == value)
}

/// Gives a command and waits for its end; gives STATUS as it is then, with BUSY if it does not end.
///
/// In RAM: see the [module](self).
#[inline(never)]
#[cfg_attr(target_os = "none", link_section = ".data.lockgate_msc")]
fn command<M: Msc>(msc: &mut M, command: u32) -> u32 {
    msc.set(Register::WriteCommand, command);
    let mut patience = PATIENCE;
    loop {
        let status = msc.get(Register::Status);
        if status & BUSY == 0 || patience == 0 {
            return status;
        }
        patience = patience.wrapping_sub(1);
    }
}

impl<M> ErrorType for Flash<M> {
    type Error = FlashError;
}

impl<M: Msc> ReadNorFlash for Flash<M> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        check_read(self, offset, bytes.len()).map_err(FlashError::Request)?;
        self.0.copy(offset, bytes);
        Ok(())
    }

    fn capacity(&self) -> usize {
        CAPACITY
    }
}

impl<M: Msc> NorFlash for Flash<M> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check_erase(self, from, to).map_err(FlashError::Request)?;
        self.unlocked(|msc| (from..to).step_by(PAGE as usize).try_for_each(|page| erase_page(msc, page)))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len()).map_err(FlashError::Request)?;
        self.unlocked(|msc| {
            for (address, word) in (offset..).step_by(WORD).zip(bytes.chunks_exact(WORD)) {
                write_word(msc, address, word.try_into().map_or(u32::MAX, u32::from_le_bytes))?;
            }
            Ok(())
        })
    }
}
