//! An application that does nothing but keep itself up to date.
//!
//! It says who it is; on trial it confirms itself once it has reached its server (over the UART: once it has proved its own
//! flash); then it looks for an update now and again. Where packages come from is a feature: [`link`] is HTTPS or the UART.

#![no_std]

#[cfg_attr(feature = "https", path = "https/mod.rs")]
#[cfg_attr(not(feature = "https"), path = "uart.rs")]
mod link;
mod update;
mod why;

use core::panic::PanicInfo;

use board::{clock, reset, say, watchdog, Flash, DEVICE};
#[cfg(feature = "deltas")]
use lockgate::Workspace;
use lockgate::{Block, BootReason, Control, Keyring};

use link::Link;

/// Blocks of up to so many bytes: `lockgate pack --block-size`.
const BLOCK: usize = 1024;
#[cfg(feature = "deltas")]
/// Room to decode in: 256 bytes of the image, and heatshrink's window of 8.
const DECODED: usize = 512;

/// What an update works in.
struct Buffers {
    block: &'static mut Block<BLOCK>,
    keyring: &'static mut Keyring,
    #[cfg(feature = "deltas")]
    workspace: &'static mut Workspace<DECODED>,
}

/// Milliseconds between two tries of an image on trial.
const BETWEEN_TRIES: u64 = 2_000;

// Numbers of a build are addresses of symbols (`link/app.ld`, `build.sh`), so that another build is linked, not compiled.
extern "C" {
    /// The number of this build.
    static BUILD: [u8; 0];
    /// Seconds between two looks for an update.
    static INTERVAL: [u8; 0];
    /// Seconds that an image on trial tries to reach what it needs before it gives an attempt up.
    static PATIENCE: [u8; 0];
}

/// Called by `rt/start.S`.
#[no_mangle]
extern "C" fn main() -> ! {
    // Each by itself, since what is all zeros takes no flash.
    static mut BLOCK_BUFFER: Block<BLOCK> = Block::new();
    static mut KEYRING: Keyring = Keyring::new();
    #[cfg(feature = "deltas")]
    static mut WORKSPACE: Workspace<DECODED> = Workspace::new();

    watchdog::arm();
    let mut buffers = Buffers {
        // SAFETY: nobody else knows it, and this is called once.
        block: unsafe { &mut *(&raw mut BLOCK_BUFFER) },
        // SAFETY: likewise.
        keyring: unsafe { &mut *(&raw mut KEYRING) },
        // SAFETY: likewise.
        #[cfg(feature = "deltas")]
        workspace: unsafe { &mut *(&raw mut WORKSPACE) },
    };
    link::with(|link| run(link, &mut buffers));
    reset::reset()
}

fn run(link: &mut Link<'_>, buffers: &mut Buffers) -> ! {
    if introduce() {
        on_trial(link);
    }
    let interval = (&raw const INTERVAL).addr() as u64 * 1_000;
    loop {
        update::look(link, buffers);
        say!("app: idle");
        // Not all devices at once: up to a quarter more.
        link.pause(interval + u64::from(clock::cycles()) % (interval / 4 + 1));
    }
}

/// Says who runs, and why. Whether it is on trial.
#[inline(never)] // what it needs is not on the stack of what follows
fn introduce() -> bool {
    if reset::cause() == reset::Cause::Watchdog {
        say!("app: the watchdog made the last reset");
    }
    let status = match Control::new(&DEVICE, Flash::new()).status() {
        Ok(status) => status,
        Err(error) => {
            say!("app: the records cannot be read: ", why::update(&error));
            reset::reset()
        }
    };
    let build = (&raw const BUILD).addr() as u32;
    say!("app: build ", build, " in slot ", status.running, ", ", status.reason, ", counter ", status.security_counter);
    matches!(status.reason, BootReason::Trial { .. })
}

/// A new image must show that it works before it is kept. The watchdog and the number of attempts are against one that cannot. Since an
/// image that used up its attempts is never taken again, it has patience with its server and the network.
#[inline(never)] // as above
fn on_trial(link: &mut Link<'_>) {
    let patience = (&raw const PATIENCE).addr() as u64 * 1_000;
    let begun = link.now();
    while let Err(error) = link.works() {
        say!("app: not working: ", error.why());
        if link.now().saturating_sub(begun) > patience {
            reset::reset();
        }
        link.pause(BETWEEN_TRIES);
    }
    if let Err(error) = Control::new(&DEVICE, Flash::new()).confirm() {
        // Whether it is confirmed the next boot tells.
        say!("app: not confirmed: ", why::update(&error));
        reset::reset();
    }
    say!("app: confirmed");
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    say!("app: panic");
    reset::reset()
}
