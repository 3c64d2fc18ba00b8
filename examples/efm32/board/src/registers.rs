//! The way to the flash controller: on the chip its registers, in tests a model of them.

/// Registers of the MSC (Reference Manual, chapter 7), by their offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Register {
    /// Bit 0 WREN: writing and erasing is possible. Bit 1 IRQERASEABORT: an interrupt ends an erase early.
    WriteControl = 0x08,
    /// Commands: see `msc.rs`.
    WriteCommand = 0x0C,
    /// The address for the next LADDRIM.
    AddressBuffer = 0x10,
    /// The word to write.
    WriteData = 0x18,
    /// See `msc.rs`.
    Status = 0x1C,
    /// 0x1B71 unlocks, anything else locks; reads 1 while it is locked.
    Lock = 0x3C,
}

/// The flash controller, and the flash behind it.
pub trait Msc {
    /// Reads a register.
    fn get(&mut self, register: Register) -> u32;

    /// Writes a register.
    fn set(&mut self, register: Register, value: u32);

    /// Copies flash, from `address` on. Not called while the controller is busy.
    fn copy(&mut self, address: u32, bytes: &mut [u8]);
}

/// The chip's own.
#[derive(Debug)]
pub struct Chip(());

/// The MSC's registers.
const MSC: u32 = 0x400C_0000;

impl Chip {
    /// The controller.
    ///
    /// # Safety
    ///
    /// Nothing else may use the MSC's registers for writing while this exists.
    #[must_use]
    pub const unsafe fn new() -> Self {
        Self(())
    }
}

impl Msc for Chip {
    // Inlined always: the caller may be in RAM because flash cannot be read.
    #[inline(always)]
    fn get(&mut self, register: Register) -> u32 {
        // SAFETY: a register of the MSC, which is always clocked; reading one has no effect on memory.
        unsafe { ((MSC + register as u32) as *const u32).read_volatile() }
    }

    #[inline(always)]
    fn set(&mut self, register: Register, value: u32) {
        // SAFETY: as above. What a command does to flash is the driver's business: it keeps to the layout it is asked for.
        unsafe { ((MSC + register as u32) as *mut u32).write_volatile(value) }
    }

    fn copy(&mut self, address: u32, bytes: &mut [u8]) {
        for (byte, address) in bytes.iter_mut().zip(address..) {
            // SAFETY: the driver stays within flash, which is mapped at 0. Volatile, since Rust knows of no variable there.
            *byte = unsafe { (address as *const u8).read_volatile() };
        }
    }
}
