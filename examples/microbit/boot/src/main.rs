//! The boot stage: decides which image runs, exchanges the slots if it is another one, and starts it.

#![no_std]
#![no_main]

mod image;
mod vectors;

use core::panic::PanicInfo;

use board::{reset, say, uart, watchdog, Flash, DEVICE};
use cortex_m_rt::entry;
use lockgate::boot::{Boot, Launch, NoImage, Platform};

#[entry]
fn main() -> ! {
    uart::open();
    #[cfg(not(feature = "signatures"))]
    let boot = Boot::new(&DEVICE, Flash::new(), Board);
    #[cfg(feature = "signatures")]
    let boot = Boot::with_signatures(&DEVICE, Flash::new(), Board, lockgate::P256);
    boot.run()
}

struct Board;

impl Platform for Board {
    fn arm_watchdog(&mut self) {
        watchdog::arm();
    }

    fn feed_watchdog(&mut self) {
        watchdog::feed();
    }

    fn jump(&mut self, launch: &Launch) -> ! {
        say!("boot: ", launch.reason);
        image::start(launch.address);
        // Signed, and no image for this chip: an attempt is spent, and the old one comes back.
        say!("boot: the image has no vector table");
        reset::reset()
    }

    fn recover(&mut self, why: NoImage) -> ! {
        if why == NoImage::Exchange {
            say!("boot: a sector cannot be written, trying again");
            reset::reset();
        }
        say!("boot: no slot holds an image that verifies: program one");
        loop {
            watchdog::feed();
        }
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    reset::reset()
}
