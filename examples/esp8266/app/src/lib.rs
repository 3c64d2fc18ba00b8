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

use board::{reset, say, watchdog, Flash, DEVICE};
use lockgate::{Block, BootReason, Control};

use link::Link;

/// Blocks of up to so many bytes: `lockgate pack --block-size`.
const BLOCK: usize = 1024;

/// How often an image on trial tries to reach its server before it gives an attempt up.
const TRIES: u8 = 3;

extern "C" {
    /// The number of this build is the address of this symbol (`build.sh`).
    static BUILD: [u8; 0];
}

/// Called by `rt/start.S`.
#[no_mangle]
extern "C" fn main() -> ! {
    watchdog::arm();
    let mut block = Block::<BLOCK>::new();
    link::with(|link| run(link, &mut block));
    reset::reset()
}

fn run(link: &mut Link<'_>, block: &mut Block<BLOCK>) -> ! {
    let reason = introduce();
    if let BootReason::Trial { .. } = reason {
        on_trial(link);
    }
    loop {
        update::look(link, block);
        say!("app: idle");
        link.pause();
    }
}

/// Says who runs, and why.
#[inline(never)] // what it needs is not on the stack of what follows
fn introduce() -> BootReason {
    match Control::new(&DEVICE, Flash::new()).status() {
        Ok(status) => {
            let build = (&raw const BUILD).addr() as u32;
            say!(
                "app: build ",
                build,
                " in slot ",
                status.running,
                ", ",
                status.reason,
                ", counter ",
                status.security_counter
            );
            if reset::cause() == reset::Cause::Watchdog {
                say!("app: the watchdog made the last reset");
            }
            status.reason
        }
        Err(_) => BootReason::Confirmed,
    }
}

/// A new image must show that it works before it is kept. The watchdog and the number of attempts are against one that cannot.
#[inline(never)] // as above
fn on_trial(link: &mut Link<'_>) {
    for tries in 0.. {
        let Err(error) = link.works() else { break };
        say!("app: not working: ", error.why());
        if tries == TRIES || !error.may_pass() {
            reset::reset();
        }
        link.pause();
    }
    match Control::new(&DEVICE, Flash::new()).confirm() {
        Ok(()) => say!("app: confirmed"),
        Err(error) => say!("app: not confirmed: ", why::update(&error)),
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    say!("app: panic");
    reset::reset()
}
