//! The UART, polled: nRF51 Series Reference Manual 3.0, chapter 29. 115200 baud, no flow control, on the pins that the micro:bit leads to its
//! USB port.
//!
//! The receiver holds 6 bytes, half a millisecond.

use crate::register::Register;

/// Pins of the micro:bit: "target TX" and "target RX" of its schematic.
const TX: u32 = 24;
const RX: u32 = 25;

const UART: u32 = 0x4000_2000;
const STARTRX: Register = Register::new(UART, 0x000);
const STARTTX: Register = Register::new(UART, 0x008);
const RXDRDY: Register = Register::new(UART, 0x108);
const TXDRDY: Register = Register::new(UART, 0x11C);
const ENABLE: Register = Register::new(UART, 0x500);
const PSELTXD: Register = Register::new(UART, 0x50C);
const PSELRXD: Register = Register::new(UART, 0x514);
const RXD: Register = Register::new(UART, 0x518);
const TXD: Register = Register::new(UART, 0x51C);
const BAUDRATE: Register = Register::new(UART, 0x524);

const ENABLED: u32 = 4;
const BAUD_115200: u32 = 0x01D7_E000;

const GPIO: u32 = 0x5000_0000;
const OUTSET: Register = Register::new(GPIO, 0x508);
const DIRSET: Register = Register::new(GPIO, 0x518);
const PIN_CNF_RX: Register = Register::new(GPIO, 0x700 + 4 * RX);

/// The clocks ("Clock management"): the crystal oscillator, since the RC oscillator is too far off for a UART.
const CLOCK: u32 = 0x4000_0000;
const HFCLKSTART: Register = Register::new(CLOCK, 0x000);
const HFCLKSTARTED: Register = Register::new(CLOCK, 0x100);

/// Turns it on, with the crystal.
pub fn open() {
    HFCLKSTARTED.write(0);
    HFCLKSTART.write(1);
    HFCLKSTARTED.wait();
    // Idle is high; 0 is an input, connected, without a pull resistor.
    OUTSET.write(1 << TX);
    DIRSET.write(1 << TX);
    PIN_CNF_RX.write(0);
    PSELTXD.write(TX);
    PSELRXD.write(RX);
    BAUDRATE.write(BAUD_115200);
    ENABLE.write(ENABLED);
    STARTTX.write(1);
    STARTRX.write(1);
}

/// Sends one byte, and waits until it is out.
pub fn send(byte: u8) {
    TXDRDY.write(0);
    TXD.write(u32::from(byte));
    TXDRDY.wait();
}

/// A byte that was received, if there is one. Bytes with framing errors are given as they are.
#[must_use]
pub fn receive() -> Option<u8> {
    if RXDRDY.read() == 0 {
        return None;
    }
    // In this order: reading frees a place, and the event may come again at once.
    RXDRDY.write(0);
    Some(RXD.read() as u8)
}
