//! The emulated machine's Ethernet (OpenCores 10/100 MAC; QEMU: `hw/net/opencores_eth.c`). A chip has Wi-Fi in its place: any other
//! `smoltcp::phy::Device` will do.

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

const MODER: u32 = 0x9D03_0000;
const TX_BD_NUM: u32 = 0x9D03_0020;
const MAC_ADDR0: u32 = 0x9D03_0040;
const MAC_ADDR1: u32 = 0x9D03_0044;
/// One descriptor to send and [`RECEIVERS`] to receive, 8 bytes each.
const DESCRIPTORS: u32 = 0x9D03_0400;
const PACKETS: u32 = 0x9D80_0000;
const PACKET: u32 = 1536;
const RECEIVERS: u32 = 4;

const RESET: u32 = 1 << 11;
/// Pad short frames, append a CRC, accept broadcasts, send, receive.
const RUN: u32 = 1 << 15 | 1 << 13 | 1 << 3 | 1 << 1 | 1;
/// The descriptor is the MAC's: ready to be sent, or empty.
const OWNED: u32 = 1 << 15;
const LAST: u32 = 1 << 13;

/// A locally administered address.
pub(super) const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn read(register: u32) -> u32 {
    // SAFETY: a register of the MAC.
    unsafe { (register as *const u32).read_volatile() }
}

fn write(register: u32, value: u32) {
    // SAFETY: a register of the MAC, which touches its own packet memory only.
    unsafe { (register as *mut u32).write_volatile(value) }
}

/// The MAC.
pub(super) struct Ethernet {
    next: u32,
}

impl Ethernet {
    pub(super) fn new() -> Self {
        let [m0, m1, m2, m3, m4, m5] = MAC;
        write(MODER, RESET);
        write(MODER, 0);
        write(TX_BD_NUM, 1);
        write(MAC_ADDR0, u32::from_be_bytes([m2, m3, m4, m5]));
        write(MAC_ADDR1, u32::from_be_bytes([0, 0, m0, m1]));
        write(DESCRIPTORS, LAST);
        write(DESCRIPTORS + 4, PACKETS);
        for receiver in 0..RECEIVERS {
            write(descriptor(receiver) + 4, packet(receiver));
            give_back(receiver);
        }
        write(MODER, RUN);
        Self { next: 0 }
    }
}

fn descriptor(receiver: u32) -> u32 {
    DESCRIPTORS + 8 * (1 + receiver)
}

fn packet(receiver: u32) -> u32 {
    PACKETS + PACKET * (1 + receiver)
}

fn give_back(receiver: u32) {
    write(descriptor(receiver), OWNED | if receiver + 1 == RECEIVERS { LAST } else { 0 });
}

pub(super) struct Received(u32);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        let length = (read(descriptor(self.0)) >> 16).min(PACKET).saturating_sub(4);
        // SAFETY: the packet is the program's until it is given back.
        let outcome = f(unsafe { core::slice::from_raw_parts(packet(self.0) as *const u8, length as usize) });
        give_back(self.0);
        outcome
    }
}

pub(super) struct Sending;

impl TxToken for Sending {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        while read(DESCRIPTORS) & OWNED != 0 {}
        // SAFETY: the packet is the program's while its descriptor is.
        let outcome = f(unsafe { core::slice::from_raw_parts_mut(PACKETS as *mut u8, length.min(PACKET as usize)) });
        write(DESCRIPTORS, (length as u32) << 16 | OWNED | LAST);
        outcome
    }
}

impl Device for Ethernet {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending;

    fn receive(&mut self, _: Instant) -> Option<(Received, Sending)> {
        if read(descriptor(self.next)) & OWNED != 0 {
            return None;
        }
        let receiver = self.next;
        self.next = (receiver + 1) % RECEIVERS;
        Some((Received(receiver), Sending))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending> {
        Some(Sending)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities.max_burst_size = Some(1);
        capabilities
    }
}
