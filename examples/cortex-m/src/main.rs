//! Firmware that updates itself over a UART.
//!
//! It prints a banner, takes a package from the UART, checks it block by block while it arrives, puts the
//! image into slot B of a flash, and says how that went. Everything a device needs to say about itself is
//! in the constants below; `update` is all the code it takes.

#![no_std]
#![no_main]

mod ram_flash;
mod stack;
mod uart;

use core::fmt::Write;
use core::panic::PanicInfo;

use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use lockgate::boot::{Boot, Launch, NoImage, Platform};
use lockgate::{
    Block, Control, Device, Error, KeySet, Layout, PublicKey, Running, Slot, Updater, Uuid, Verified, Version,
};

use ram_flash::{FlashError, RamFlash, GEOMETRY};
use uart::{Receiver, Transmitter, UartError};

// `const KEYS: KeySet`, as `lockgate keygen --print` writes it: see build.rs.
include!(concat!(env!("OUT_DIR"), "/keys.rs"));

/// 16 KiB for a boot stage, 8 KiB for records, two slots of 116 KiB.
const LAYOUT: Layout =
    Layout::new(&GEOMETRY).boot(0..0x4000).records(0x4000..0x6000).slots(0x6000..0x2_3000, 0x2_3000..0x4_0000).check();

const VENDOR: Uuid = Uuid::new("6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4");
const CLASS: Uuid = Uuid::new("b24c6a6e-4f0b-4d5c-9a43-6c1d7f7f3a10");
const DEVICE: Device<'static> = Device::new(&LAYOUT, VENDOR, CLASS, KEYS);

/// What runs. On a chip the records and the running image's trailer tell; here nothing is in slot A.
const RUNNING: Running = Running { slot: Slot::A, version: Version::new(1, 0, 0, 0), security_counter: 2, image: None };

/// Image bytes between two lines of progress.
const PROGRESS_STEP: u32 = 8192;

#[entry]
fn main() -> ! {
    // Too large for the stack. `entry` makes them `&'static mut`.
    static mut FLASH: RamFlash = RamFlash::new();
    static mut BLOCK: Block<1024> = Block::new();

    let Some(core) = cortex_m::Peripherals::take() else { exit(false) };
    let (mut tx, rx) = uart::open(core.SYST);
    say(&mut tx, format_args!("lockgate cortex-m example {}, waiting for a package", RUNNING.version));

    let outcome = update(FLASH, BLOCK, rx, &mut tx);
    match &outcome {
        Ok(verified) => say(
            &mut tx,
            format_args!(
                "verified slot={} version={} counter={} digest={}",
                verified.slot(),
                verified.version(),
                verified.security_counter(),
                verified.image_digest(),
            ),
        ),
        Err(error) => say(&mut tx, format_args!("refused: {error}")),
    }
    let slot = LAYOUT.slot_range(Slot::B).start;
    say(
        &mut tx,
        format_args!("erased {} sectors, wrote {} bytes", FLASH.sectors_erased(slot), FLASH.bytes_written(slot)),
    );
    let tried = match outcome {
        Ok(verified) => try_out(FLASH, verified, &mut tx),
        Err(_) => Ok(()),
    };
    say(&mut tx, format_args!("peak stack {} bytes", stack::peak()));
    exit(tried.is_ok() && outcome_is_new(FLASH))
}

/// What a device does next, without the resets in between: the receipt is used, the boot stage counts an attempt and would
/// start the image, the application confirms itself, and the boot stage finds it confirmed.
fn try_out(flash: &mut RamFlash, verified: Verified, tx: &mut Transmitter) -> Result<(), Error<FlashError>> {
    Control::new(&DEVICE, &mut *flash).try_next(verified)?;
    select(flash, tx);
    Control::new(&DEVICE, &mut *flash).confirm()?;
    select(flash, tx);
    Ok(())
}

/// Whether an image is confirmed in slot B.
fn outcome_is_new(flash: &mut RamFlash) -> bool {
    Control::new(&DEVICE, flash).status().is_ok_and(|status| status.confirmed == Slot::B)
}

fn select(flash: &mut RamFlash, tx: &mut Transmitter) {
    match Boot::new(&DEVICE, flash, Board).select() {
        Ok(launch) => say(tx, format_args!("boot stage: slot {}, {:?}", launch.slot, launch.reason)),
        Err(why) => say(tx, format_args!("boot stage: {why}")),
    }
}

/// The emulated board has no watchdog, and nothing is started on it.
struct Board;

impl Platform for Board {
    fn arm_watchdog(&mut self) {}

    fn jump(&mut self, _: &Launch) -> ! {
        exit(false)
    }

    fn recover(&mut self, _: NoImage) -> ! {
        exit(false)
    }
}

/// Receives one package and puts its image into the slot that does not run.
fn update(
    flash: &mut RamFlash,
    block: &mut Block<1024>,
    rx: Receiver,
    tx: &mut Transmitter,
) -> Result<Verified, Error<FlashError, UartError>> {
    let mut next_line = 0;
    Updater::new(&DEVICE, flash, block).running(RUNNING).install(rx, |progress| {
        if let Some(image) = progress.image.filter(|_| progress.written >= next_line) {
            say(tx, format_args!("progress {}/{image}", progress.written));
            next_line = image.min(progress.written + PROGRESS_STEP);
        }
    })
}

fn say(tx: &mut Transmitter, line: core::fmt::Arguments<'_>) {
    // A UART without flow control cannot fail to send.
    let _ = writeln!(tx, "{line}");
}

/// Ends the emulator: semihosting, `SYS_EXIT`. On a board without a debugger the core stops here.
fn exit(success: bool) -> ! {
    loop {
        debug::exit(if success { EXIT_SUCCESS } else { EXIT_FAILURE });
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(false)
}
