//! An application that does nothing but keep itself up to date: it takes packages from `lockgate send` over UART0, and says on the
//! same line what it does.

#![no_std]
#![no_main]

use core::fmt::{Display, Write};
use core::panic::PanicInfo;

use board::{device::DEVICE, watchdog, Chip, ChipFlash, Flash, Uart};
use cortex_m::peripheral::SCB;
use cortex_m_rt::entry;
use lockgate::serial::{Outcome, Receiver};
use lockgate::{Block, BootReason, Control, Digest, Error, PublicKey, Refusal, Updater, Verify, P256};

/// Blocks of up to so many bytes: `lockgate pack --block-size`.
const BLOCK: usize = 1024;
/// Bytes that are asked for at once.
const FRAME: usize = 256;

#[entry]
fn main() -> ! {
    // Too large for the stack. `entry` makes it `&'static mut`.
    static mut BLOCK_BUFFER: Block<BLOCK> = Block::new();

    watchdog::arm();
    let Some(core) = cortex_m::Peripherals::take() else { SCB::sys_reset() };
    // SAFETY: the only one in this program.
    let mut flash = Flash::new(unsafe { Chip::new() });
    let mut line = Uart::new(core.SYST);
    if introduce(&mut flash, &mut line) {
        while !look(&mut flash, &mut line, BLOCK_BUFFER) {}
    }
    SCB::sys_reset()
}

fn say(line: &mut Uart, text: impl Display) {
    // A UART without flow control cannot fail to send.
    _ = writeln!(line, "app: {text}\r");
}

/// Says who runs. A new image must show that it works before it is kept; whether it may go on.
fn introduce(flash: &mut ChipFlash, line: &mut Uart) -> bool {
    let mut control = Control::new(&DEVICE, flash);
    let status = match control.status() {
        Ok(status) => status,
        Err(error) => {
            say(line, error);
            return true;
        }
    };
    say(line, format_args!("slot {}, {:?}, counter {}", status.running, status.reason, status.security_counter));
    let BootReason::Trial { .. } = status.reason else { return true };
    let works = works();
    match if works { control.confirm() } else { control.reject() } {
        Ok(()) if works => say(line, "confirmed"),
        Ok(()) => say(line, "does not work, given up"),
        Err(error) => say(line, error),
    }
    works
}

/// Whether a new image works: a product asks its sensors and its server here.
fn works() -> bool {
    true
}

/// Takes one package. Whether it is to be tried now.
fn look(flash: &mut ChipFlash, line: &mut Uart, block: &mut Block<BLOCK>) -> bool {
    // Another one for each package: it holds bytes of the last. A host may come at any time, so it never gives up asking.
    let mut receiver = Receiver::<_, FRAME>::new(line).wants(u16::MAX);
    let mut updater: Updater<'_, _, Patient> = Updater::with_verifier(&DEVICE, &mut *flash, block, Patient);
    // Power may have failed between the last block and the request to try the image.
    let outcome = match updater.staged() {
        Ok(verified) => Ok(verified),
        Err(_) => updater.install_seekable(&mut receiver, |_| watchdog::feed()),
    };
    let verified = match outcome {
        Ok(verified) => verified,
        Err(error) => {
            // The host's image is the one that runs: for the host that is no failure.
            let told = match error {
                Error::Refused(Refusal::AlreadyRunning) => Outcome::Verified,
                ref error => Outcome::from(error),
            };
            _ = receiver.finish(told, error);
            return false;
        }
    };
    let version = verified.version();
    match Control::new(&DEVICE, flash).try_next(verified) {
        Ok(()) => {
            _ = receiver.finish(Outcome::Verified, format_args!("version {version} is tried now"));
            true
        }
        Err(error) => {
            _ = receiver.finish(Outcome::Failed, error);
            false
        }
    }
}

/// Signature checks with a fed watchdog: each takes about a second at 14 MHz.
struct Patient;

impl Verify for Patient {
    fn verify(&mut self, key: &PublicKey, digest: &Digest, signature: &[u8; 64]) -> bool {
        watchdog::feed();
        let valid = P256.verify(key, digest, signature);
        watchdog::feed();
        valid
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    SCB::sys_reset()
}
