//! UART0 of the MPS2 board, polled: Arm Cortex-M System Design Kit Technical Reference Manual (DDI 0479C),
//! APB UART, programmers model.
//!
//! It holds one byte and has no flow control: on a wire, what arrives while flash is written would be lost,
//! and is reported as an overrun. A product uses RTS/CTS, DMA or a protocol with acknowledgements; QEMU holds
//! bytes back until they are read.

use core::fmt;

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::SYST;
use embedded_io::{ErrorKind, ErrorType, Read};

/// Arm Application Note AN386, memory map: UART0.
const BASE: usize = 0x4000_4000;
/// AN386, clocks: the core and the APB run at 25 MHz.
const CLOCK: u32 = 25_000_000;
const BAUD: u32 = 115_200;

/// A package is at its end, complete or not, once the line was quiet for so many quarters of a second. A
/// UART has no other way to say so.
const QUIET_QUARTERS: u32 = 8;

/// Offsets of registers.
#[derive(Clone, Copy)]
enum Register {
    Data = 0x00,
    State = 0x04,
    Control = 0x08,
    BaudDivider = 0x10,
}

/// STATE: bit 0 transmit buffer full, bit 1 receive buffer full, bit 3 receive buffer overrun (write 1 to
/// clear).
const TX_FULL: u32 = 1 << 0;
const RX_FULL: u32 = 1 << 1;
const RX_OVERRUN: u32 = 1 << 3;
/// CTRL: bit 0 transmit enable, bit 1 receive enable.
const TX_ENABLE: u32 = 1 << 0;
const RX_ENABLE: u32 = 1 << 1;

fn read(register: Register) -> u32 {
    let address = (BASE + register as usize) as *const u32;
    // SAFETY: a word-aligned register of a peripheral that is always there; reading it touches no memory.
    unsafe { address.read_volatile() }
}

fn write(register: Register, value: u32) {
    let address = (BASE + register as usize) as *mut u32;
    // SAFETY: as in `read`; this UART has no DMA, so no write can make it touch memory.
    unsafe { address.write_volatile(value) }
}

/// Turns the UART on. Takes the core's timer to tell when the line is quiet.
pub fn open(mut timer: SYST) -> (Transmitter, Receiver) {
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(CLOCK / 4 - 1);
    write(Register::BaudDivider, CLOCK / BAUD);
    write(Register::Control, TX_ENABLE | RX_ENABLE);
    (Transmitter(()), Receiver { timer })
}

/// The sending half.
pub struct Transmitter(());

impl fmt::Write for Transmitter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while read(Register::State) & TX_FULL != 0 {}
            write(Register::Data, u32::from(byte));
        }
        Ok(())
    }
}

/// The receiving half.
pub struct Receiver {
    timer: SYST,
}

impl Receiver {
    /// Waits for a byte; `false` if the line stays quiet.
    fn wait(&mut self) -> bool {
        let mut quarters = 0;
        self.timer.clear_current();
        self.timer.enable_counter();
        while read(Register::State) & RX_FULL == 0 {
            quarters += u32::from(self.timer.has_wrapped());
            if quarters == QUIET_QUARTERS {
                return false;
            }
        }
        true
    }
}

/// Bytes were lost: they came faster than they were read.
#[derive(Clone, Copy, Debug)]
pub struct UartError;

impl fmt::Display for UartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("receive buffer overrun")
    }
}

impl core::error::Error for UartError {}

impl embedded_io::Error for UartError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl ErrorType for Receiver {
    type Error = UartError;
}

/// Waits for the first byte and takes what is there; 0 once the line is quiet.
impl Read for Receiver {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, UartError> {
        if buffer.is_empty() || !self.wait() {
            return Ok(0);
        }
        let mut taken = 0;
        for byte in buffer {
            let state = read(Register::State);
            if state & RX_OVERRUN != 0 {
                write(Register::State, RX_OVERRUN);
                return Err(UartError);
            }
            if state & RX_FULL == 0 {
                break;
            }
            // The low 8 bits are the byte.
            *byte = read(Register::Data) as u8;
            taken += 1;
        }
        Ok(taken)
    }
}
