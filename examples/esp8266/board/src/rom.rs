//! The mask ROM's functions and the assembly of `rt/`, as Rust sees them.
//!
//! Addresses are in `link/rom.ld`; what the functions take and give is in Espressif's ESP8266_NONOS_SDK (`include/spi_flash.h`,
//! `include/osapi.h`) and in the ROM's published disassemblies.

/// A ROM function of up to three arguments.
pub(crate) type Function = unsafe extern "C" fn(u32, u32, u32) -> u32;

extern "C" {
    /// Reads whole words. 0 is success.
    #[link_name = "SPIRead"]
    pub(crate) fn spi_read(address: u32, to: u32, size: u32) -> u32;
    /// Programs whole words. 0 is success.
    #[link_name = "SPIWrite"]
    pub(crate) fn spi_write(address: u32, from: u32, size: u32) -> u32;
    /// Erases the 4 KiB sector of this number; the other arguments are not looked at. 0 is success.
    #[link_name = "SPIEraseSector"]
    pub(crate) fn spi_erase_sector(sector: u32, _: u32, _: u32) -> u32;
    #[link_name = "SPIParamCfg"]
    pub(crate) fn spi_configure(id: u32, chip: u32, block: u32, sector: u32, page: u32, status_mask: u32) -> u32;
    pub(crate) fn uart_tx_one_char(byte: u32) -> u32;
    /// 0 and a byte, or 1 if the receive FIFO (128 bytes) is empty.
    pub(crate) fn uart_rx_one_char(byte: *mut u8) -> u32;
    pub(crate) fn rtc_get_reset_reason() -> u32;
    pub(crate) fn software_reset();

    // rt/start.S
    pub(crate) fn rom_call(function: Function, a: u32, b: u32, c: u32) -> u32;
    pub(crate) fn cycle_count() -> u32;
}

/// Reads a register.
pub(crate) fn read(register: u32) -> u32 {
    // SAFETY: the callers in this crate name registers of the chip, which can be read at any time.
    unsafe { (register as *const u32).read_volatile() }
}

/// Writes a register.
pub(crate) fn write(register: u32, value: u32) {
    // SAFETY: the callers in this crate name registers of the watchdog: writing them touches no memory that Rust knows of.
    unsafe { (register as *mut u32).write_volatile(value) }
}
