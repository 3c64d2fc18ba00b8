//! Registers of peripherals.

/// A register's address.
#[derive(Clone, Copy)]
pub(crate) struct Register(usize);

impl Register {
    /// The register at `offset` of the peripheral at `base`.
    pub(crate) const fn new(base: u32, offset: u32) -> Self {
        assert!(base >= 0x4000_0000 && offset.is_multiple_of(4), "no register of a peripheral");
        Self((base + offset) as usize)
    }

    /// A register of the core: System Control Space, from 0xE000E000 on.
    pub(crate) const fn core(offset: u32) -> Self {
        Self::new(0xE000_E000, offset)
    }

    pub(crate) fn read(self) -> u32 {
        // SAFETY: `new` saw to it that a register is there; reading it touches no memory.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    pub(crate) fn write(self, value: u32) {
        // SAFETY: as in `read`; none of those that are used here makes a peripheral write to memory that is Rust's (the nRF51's
        // UART has no DMA, and the flash controller is used by `flash` only, which keeps to the slots and the records).
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }

    /// Waits until it is not 0: an event, or a controller that is ready.
    pub(crate) fn wait(self) {
        while self.read() == 0 {}
    }
}
