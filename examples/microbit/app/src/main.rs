//! An application that does nothing but keep itself up to date.
//!
//! It says who it is; on trial it tests itself and confirms; then it waits for packages on the UART (`lockgate send`).

#![no_std]
#![no_main]

mod line;
mod ram;
mod self_test;
mod update;
mod why;

use core::panic::PanicInfo;

use board::{clock, reset, say, uart, watchdog, Flash, DEVICE};
use cortex_m_rt::{entry, exception};
use lockgate::{Block, BootReason, Control, Workspace};

/// Blocks of up to so many bytes: `lockgate pack --block-size`.
const BLOCK: usize = 512;
/// Room to decode in: 256 bytes of the image, and heatshrink's window of 8.
const DECODED: usize = 512;

/// The number of this build. `build.sh` sets it in the image: the tests need several that differ.
#[repr(C)]
struct Build {
    mark: [u8; 12],
    number: u32,
}

static BUILD: Build = Build { mark: *b"BUILD NUMBER", number: 0 };

impl Build {
    fn number(&self) -> u32 {
        let _ = core::hint::black_box(&self.mark);
        // SAFETY: a reference. Volatile, since the compiler must not take what it knows of it for granted.
        unsafe { (&raw const self.number).read_volatile() }
    }
}

#[entry]
fn main() -> ! {
    // `entry` makes each a `&'static mut`.
    static mut BLOCK_BUFFER: Block<BLOCK> = Block::new();
    static mut WORKSPACE: Workspace<DECODED> = Workspace::new();

    watchdog::arm();
    uart::open();
    clock::start();
    if let BootReason::Trial { .. } = introduce() {
        on_trial();
    }
    let mut line = line::open();
    loop {
        update::look(&mut line, BLOCK_BUFFER, WORKSPACE);
        ram::say();
        line::pause();
    }
}

/// Says who runs, and why.
#[inline(never)] // what it needs is not on the stack of what follows
fn introduce() -> BootReason {
    let Ok(status) = Control::new(&DEVICE, Flash::new()).status() else { return BootReason::Confirmed };
    say!("app: build ", BUILD.number(), ", ", status.reason, ", counter ", status.security_counter);
    status.reason
}

/// A new image must show that it works before it is kept. The watchdog and the number of attempts are against one that cannot.
#[inline(never)] // as above
fn on_trial() {
    if let Err(what) = self_test::run() {
        say!("app: not working: ", what);
        reset::reset();
    }
    match Control::new(&DEVICE, Flash::new()).confirm() {
        Ok(()) => say!("app: confirmed"),
        Err(error) => say!("app: not confirmed: ", why::update(&error)),
    }
}

/// All interrupts come here, by way of the boot stage; with a peripheral access crate each has its own handler.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    if !self_test::interrupt(number) {
        say!("app: interrupt that nobody asked for");
        reset::reset();
    }
}

#[exception(trampoline = false)]
unsafe fn HardFault() -> ! {
    say!("app: fault");
    reset::reset()
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    say!("app: panic");
    reset::reset()
}
