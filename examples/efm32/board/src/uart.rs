//! UART0 on PE0 (sends) and PE1 (receives), its location 1: the board controller of the starter kit STK3800. Polled; Reference
//! Manual, chapters USART and UART, CMU, GPIO. A LEUART has other registers and 9600 baud at most.
//!
//! The receive buffer holds two bytes: what comes while flash is busy is lost, which `lockgate::serial` is made for.

use core::convert::Infallible;
use core::fmt;

use cortex_m::peripheral::{syst::SystClkSource, SYST};
use lockgate::serial::Port;

use crate::watchdog;

/// HFRCO in its band after a reset; nothing changes it. HFPERCLK is the same.
const CLOCK: u32 = 14_000_000;

/// CMU: clocks of UART0 and GPIO in HFPERCLKEN0.
const HFPERCLKEN0: u32 = 0x400C_8044;
const CLOCKS: u32 = 1 << 3 | 1 << 13;
/// GPIO, port E: modes of pins 0 to 7, four bits each (4 is push-pull, 1 is input), and DOUTSET.
const PORT_E_MODEL: u32 = 0x4000_6000 + 4 * 0x24 + 0x04;
const PORT_E_DOUTSET: u32 = 0x4000_6000 + 4 * 0x24 + 0x10;
const PINS: u32 = 0xFF;
const PIN_MODES: u32 = 4 | 1 << 4;
/// UART0.
const CMD: u32 = 0x4000_E00C;
const STATUS: u32 = 0x4000_E010;
const CLKDIV: u32 = 0x4000_E014;
const RXDATA: u32 = 0x4000_E01C;
const TXDATA: u32 = 0x4000_E034;
const ROUTE: u32 = 0x4000_E054;
/// CMD: receiver and transmitter on, both buffers cleared.
const START: u32 = 1 << 0 | 1 << 2 | 1 << 10 | 1 << 11;
/// STATUS: room in the transmit buffer; a byte in the receive buffer.
const TXBL: u32 = 1 << 6;
const RXDATAV: u32 = 1 << 7;
/// ROUTE: both pins, location 1.
const PINS_ON: u32 = 1 << 0 | 1 << 1 | 1 << 8;
/// Baud rate = clock / (16 * (1 + CLKDIV / 256)), in steps of a quarter (bits 20 to 6): 116,667, 1.3 % above 115,200.
const DIVIDER: u32 = (CLOCK * 16 / 115_200 - 256) & !0x3F;

fn get(register: u32) -> u32 {
    // SAFETY: one of the registers above; reading one touches no memory.
    unsafe { (register as *const u32).read_volatile() }
}

fn set(register: u32, value: u32) {
    // SAFETY: one of the registers above; none makes the chip touch memory.
    unsafe { (register as *mut u32).write_volatile(value) }
}

/// The serial line; it feeds the watchdog while it waits.
pub struct Uart {
    last: u32,
    cycles: u32,
}

impl Uart {
    /// 115200 baud, 8 data bits, no parity, 1 stop bit: FRAME after a reset. Takes the core's timer to count milliseconds.
    #[must_use]
    pub fn new(mut timer: SYST) -> Self {
        set(HFPERCLKEN0, get(HFPERCLKEN0) | CLOCKS);
        // High first: a line that idles low is a break.
        set(PORT_E_DOUTSET, 1);
        set(PORT_E_MODEL, (get(PORT_E_MODEL) & !PINS) | PIN_MODES);
        set(CLKDIV, DIVIDER);
        set(ROUTE, PINS_ON);
        set(CMD, START);
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(0x00FF_FFFF);
        timer.clear_current();
        timer.enable_counter();
        Self { last: 0, cycles: 0 }
    }

    /// Whole milliseconds since the last call, if that was less than a second ago.
    fn passed(&mut self) -> u32 {
        let now = SYST::get_current();
        // It counts down, 24 bits.
        self.cycles += self.last.wrapping_sub(now) & 0x00FF_FFFF;
        self.last = now;
        let ms = self.cycles / (CLOCK / 1000);
        self.cycles %= CLOCK / 1000;
        ms
    }
}

impl Port for Uart {
    type Error = Infallible;

    fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, Infallible> {
        self.passed();
        let mut waited = 0;
        loop {
            watchdog::feed();
            if get(STATUS) & RXDATAV != 0 {
                // The low 8 bits are the byte; a damaged one is given as it is.
                return Ok(Some(get(RXDATA) as u8));
            }
            if waited >= timeout_ms {
                return Ok(None);
            }
            waited += self.passed();
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        for &byte in bytes {
            while get(STATUS) & TXBL == 0 {}
            set(TXDATA, byte.into());
        }
        Ok(())
    }
}

/// Text for people, which may stand between frames.
impl fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.send(text.as_bytes()).map_err(|never| match never {})
    }
}
