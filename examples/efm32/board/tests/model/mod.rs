//! A model of the EFM32WG's flash controller and of the flash behind it, stricter than the chip where it can be.
//!
//! | what | how the model has it | from |
//! |---|---|---|
//! | busy | STATUS says BUSY for a number of reads after a command; the flash changes at the end | Reference Manual, chapter 7; `em_msc.c` polls it |
//! | lock | while locked by LOCK, WRITECTRL is not written; without WREN commands do nothing | Reference Manual, `MSC_LOCK`, `MSC_WRITECTRL` |
//! | invalid address | LADDRIM with an address without flash sets INVADDR, and loads nothing | `em_msc.c`, `MSC_LoadVerifyAddress` |
//! | locked page | LADDRIM with an address in it sets LOCKED; nothing is erased or written | `em_msc.c`, `MSC_ErasePage` |
//! | programming | clears bits, and sets none: what was there is kept in an AND; twice between erases at the most | EFM32WG Data Sheet, flash |
//! | WDATAREADY | 0 from the write of WDATA to the end of the operation | Reference Manual, `MSC_STATUS` |
//! | aborted erase | on request: ERASEABORTED, and half the page as it was | Reference Manual, `MSC_STATUS` |
//! | stuck | on request: BUSY for ever | |
//!
//! What a driver must not do stops the test: reading flash, loading an address or giving a command while BUSY, a command bit that the chip does not have, writing WDATA when it is not ready,
//! programming a word a third time.

use std::collections::BTreeSet;

use board::{Msc, Register};

pub const PAGE: u32 = 2048;
const SIZE: usize = 256 * 1024;

/// What the next operation shall fail of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Aborted,
    Stuck,
    WordTimeout,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Erase,
    Write,
}

pub struct Model {
    pub cells: Vec<u8>,
    /// How often each word was programmed since its page was erased.
    programmed: Vec<u8>,
    unlocked: bool,
    write_enabled: bool,
    buffer: u32,
    address: Option<u32>,
    data: Option<u32>,
    flags: u32,
    /// The operation under way, and how many reads of STATUS it still takes.
    busy: Option<(Operation, u32)>,
    pub locked_pages: BTreeSet<u32>,
    pub fault: Option<Fault>,
    /// Reads of STATUS that an operation takes.
    pub erase_time: u32,
    pub write_time: u32,
    /// Operations that were done.
    pub erases: u32,
    pub writes: u32,
}

const BUSY: u32 = 1;
const LOCKED: u32 = 2;
const INVADDR: u32 = 4;
const WDATAREADY: u32 = 8;
const WORDTIMEOUT: u32 = 16;
const ERASEABORTED: u32 = 32;

impl Model {
    /// A controller after a reset: unlocked (LOCK resets to 0), without WREN, before a flash that holds what somebody left.
    pub fn new() -> Self {
        Self {
            cells: vec![0xA5; SIZE],
            programmed: vec![1; SIZE / 4],
            unlocked: true,
            write_enabled: false,
            buffer: 0,
            address: None,
            data: None,
            flags: 0,
            busy: None,
            locked_pages: BTreeSet::new(),
            fault: None,
            erase_time: 200,
            write_time: 3,
            erases: 0,
            writes: 0,
        }
    }

    /// Whether nothing that goes astray can change flash.
    pub fn is_safe(&self) -> bool {
        !self.unlocked && !self.write_enabled && self.busy.is_none()
    }

    fn command(&mut self, bits: u32) {
        assert_eq!(bits & !0x113F, 0, "no such command: {bits:#x}");
        assert!(self.busy.is_none(), "command {bits:#x} while BUSY");
        if !self.write_enabled {
            return;
        }
        match bits {
            0x01 => self.load(),
            0x02 => self.begin(Operation::Erase, self.erase_time),
            0x08 => self.begin(Operation::Write, self.write_time),
            other => panic!("the model has no command {other:#x}"),
        }
    }

    fn load(&mut self) {
        self.flags &= !(LOCKED | INVADDR);
        self.address = None;
        if self.buffer as usize >= SIZE {
            self.flags |= INVADDR;
        } else if self.locked_pages.contains(&(self.buffer / PAGE * PAGE)) {
            self.flags |= LOCKED;
        } else {
            self.address = Some(self.buffer);
        }
    }

    fn begin(&mut self, operation: Operation, time: u32) {
        self.flags &= !(ERASEABORTED | WORDTIMEOUT);
        if self.address.is_none() {
            return;
        }
        let time = if self.fault == Some(Fault::Stuck) { u32::MAX } else { time };
        self.busy = Some((operation, time));
    }

    fn end(&mut self, operation: Operation) {
        let address = self.address.expect("begun with an address") as usize;
        match operation {
            Operation::Erase => {
                let page = address / PAGE as usize * PAGE as usize;
                let mut end = page + PAGE as usize;
                self.erases += 1;
                if self.fault == Some(Fault::Aborted) {
                    end -= PAGE as usize / 2;
                    self.flags |= ERASEABORTED;
                }
                self.cells[page..end].fill(0xFF);
                self.programmed[page / 4..end / 4].fill(0);
            }
            Operation::Write if self.fault == Some(Fault::WordTimeout) => self.flags |= WORDTIMEOUT,
            Operation::Write => {
                let word = self.data.take().expect("WRITEONCE without WDATA");
                let times = &mut self.programmed[address / 4];
                *times += 1;
                assert!(*times <= 2, "word {address:#x} programmed a third time");
                for (cell, byte) in self.cells[address..].iter_mut().zip(word.to_le_bytes()) {
                    *cell &= byte;
                }
                self.writes += 1;
                // The controller counts up, within the page.
                let next = address as u32 + 4;
                self.address = (!next.is_multiple_of(PAGE)).then_some(next);
            }
        }
    }

    fn status(&mut self) -> u32 {
        if let Some((operation, left)) = self.busy {
            self.busy = match left {
                u32::MAX => Some((operation, left)),
                0 => None,
                _ => Some((operation, left - 1)),
            };
            if self.busy.is_none() {
                self.end(operation);
            }
        }
        let ready = self.data.is_none() && self.busy.is_none();
        self.flags | if self.busy.is_some() { BUSY } else { 0 } | if ready { WDATAREADY } else { 0 }
    }
}

impl Msc for Model {
    fn get(&mut self, register: Register) -> u32 {
        match register {
            Register::Status => self.status(),
            Register::Lock => u32::from(!self.unlocked),
            other => panic!("nobody needs to read {other:?}"),
        }
    }

    fn set(&mut self, register: Register, value: u32) {
        match register {
            Register::Lock => self.unlocked = value == 0x1B71,
            Register::WriteControl if self.unlocked => {
                assert_eq!(value & !1, 0, "IRQERASEABORT: an interrupt would end an erase early");
                self.write_enabled = value & 1 != 0;
                if !self.write_enabled {
                    // What was on its way is gone.
                    self.data = None;
                }
            }
            Register::WriteControl => {}
            Register::WriteCommand => self.command(value),
            Register::AddressBuffer => self.buffer = value,
            Register::WriteData => {
                assert!(self.busy.is_none() && self.data.is_none(), "WDATA written when it is not ready");
                self.data = Some(value);
            }
            Register::Status => panic!("STATUS is read only"),
        }
    }

    fn copy(&mut self, address: u32, bytes: &mut [u8]) {
        assert!(self.busy.is_none(), "flash read while BUSY");
        let start = address as usize;
        bytes.copy_from_slice(&self.cells[start..start + bytes.len()]);
    }
}
