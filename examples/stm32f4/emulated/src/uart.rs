//! UART0 of the MPS2 board, polled: Arm Cortex-M System Design Kit Technical Reference Manual (DDI 0479C), APB UART,
//! programmers model. It holds one byte; QEMU holds others back until it is read.

use core::convert::Infallible;

use app::asynch;
use cortex_m::peripheral::SYST;
use lockgate::serial::Port;

use crate::{Clock, CLOCK};

/// Arm Application Note AN386, memory map: UART0. Registers are words: data, state, control, (interrupts), baud divider.
const DATA: *mut u32 = 0x4000_4000 as *mut u32;
const STATE: *mut u32 = 0x4000_4004 as *mut u32;
const CONTROL: *mut u32 = 0x4000_4008 as *mut u32;
const BAUD_DIVIDER: *mut u32 = 0x4000_4010 as *mut u32;

/// STATE: bit 0 transmit buffer full, bit 1 receive buffer full. CONTROL: bit 0 transmit enable, bit 1 receive enable.
const TX_FULL: u32 = 1;
const RX_FULL: u32 = 2;
const BOTH: u32 = 3;

/// The serial line.
pub struct Uart(Clock);

fn read(register: *mut u32) -> u32 {
    // SAFETY: one of the registers above, which are always there; reading it touches no memory.
    unsafe { register.read_volatile() }
}

fn write(register: *mut u32, value: u32) {
    // SAFETY: as in `read`; this UART has no DMA.
    unsafe { register.write_volatile(value) }
}

impl Uart {
    /// Turns it on.
    #[must_use]
    pub fn new(timer: SYST) -> Self {
        write(BAUD_DIVIDER, CLOCK / 115_200);
        write(CONTROL, BOTH);
        Self(Clock::new(timer))
    }

    fn poll() -> Option<u8> {
        // The low 8 bits are the byte.
        (read(STATE) & RX_FULL != 0).then(|| read(DATA) as u8)
    }
}

impl Port for Uart {
    type Error = Infallible;

    fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, Infallible> {
        self.0.passed();
        let mut waited = 0;
        loop {
            let byte = Self::poll();
            if byte.is_some() || waited >= timeout_ms {
                return Ok(byte);
            }
            waited += self.0.passed();
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        for &byte in bytes {
            while read(STATE) & TX_FULL != 0 {}
            write(DATA, byte.into());
        }
        Ok(())
    }
}

/// A UART without interrupts: others may run between two looks.
impl asynch::Port for Uart {
    type Error = Infallible;

    async fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, Infallible> {
        self.0.passed();
        let mut waited = 0;
        loop {
            let byte = Self::poll();
            if byte.is_some() || waited >= timeout_ms {
                return Ok(byte);
            }
            embassy_futures::yield_now().await;
            waited += self.0.passed();
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        Port::send(self, bytes)
    }
}
