//! USART2, polled: PA2 sends, PA3 receives (Nucleo and Discovery boards have it on their ST-LINK or their pin header).

use core::convert::Infallible;

use cortex_m::peripheral::{DCB, DWT};
use lockgate::serial::Port;
use stm32f4xx_hal::pac::USART2;
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::rcc::Rcc;
use stm32f4xx_hal::serial::{Rx, Serial, Tx};
use stm32f4xx_hal::watchdog::IndependentWatchdog;
use stm32f4xx_hal::{gpio, pac};

/// The serial line; it feeds the watchdog while it waits.
pub struct Uart {
    tx: Tx<USART2>,
    rx: Rx<USART2>,
    per_ms: u32,
    watchdog: IndependentWatchdog,
}

impl Uart {
    /// 115200 baud. Counts time by the core's cycle counter. `None` if the clock does not allow that baud rate.
    pub fn new(
        uart: USART2,
        pins: (gpio::Pin<'A', 2>, gpio::Pin<'A', 3>),
        rcc: &mut Rcc,
        mut dcb: DCB,
        mut dwt: DWT,
        watchdog: pac::IWDG,
    ) -> Option<Self> {
        dcb.enable_trace();
        dwt.enable_cycle_counter();
        let per_ms = rcc.clocks.hclk().to_kHz();
        let (tx, rx) = Serial::new(uart, pins, 115_200.bps(), rcc).ok()?.split();
        Some(Self { tx, rx, per_ms, watchdog: IndependentWatchdog::new(watchdog) })
    }
}

impl Port for Uart {
    type Error = Infallible;

    fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, Infallible> {
        let (mut ms, mut begun) = (0, DWT::cycle_count());
        loop {
            match self.rx.read() {
                Ok(byte) => return Ok(Some(byte)),
                // Noise, framing and overrun are told once, and the next byte is given.
                Err(nb::Error::Other(_)) => {}
                Err(nb::Error::WouldBlock) if ms >= timeout_ms => return Ok(None),
                Err(nb::Error::WouldBlock) => {}
            }
            while DWT::cycle_count().wrapping_sub(begun) >= self.per_ms {
                begun = begun.wrapping_add(self.per_ms);
                ms += 1;
                self.watchdog.feed();
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        for &byte in bytes {
            while let Err(nb::Error::WouldBlock) = self.tx.write(byte) {}
        }
        Ok(())
    }
}
