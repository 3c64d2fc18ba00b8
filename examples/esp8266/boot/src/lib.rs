//! The boot stage: decides which image runs, shows its megabyte, loads its RAM segments, and starts it.
//!
//! The ROM loads its start from flash address 0 into RAM; the rest runs from the first megabyte (`link/boot.ld`, `rt/boot.S`).

#![no_std]

mod image;

use core::panic::PanicInfo;

use board::{clock, reset, say, watchdog, Flash, DEVICE};
use lockgate::boot::{Boot, Launch, NoImage, Platform};

/// Cycles between two looks for an image: 10 s at 80 MHz.
const PAUSE: u32 = 800_000_000;

/// Called by `rt/start.S`.
#[no_mangle]
extern "C" fn main() -> ! {
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
        say!("boot: slot ", launch.slot, ", ", launch.reason);
        let why = image::start(&mut Flash::new(), launch);
        // Signed, and no image for this chip: an attempt is spent, and the old one comes back.
        say!("boot: the image cannot be started: ", why);
        reset::reset()
    }

    fn recover(&mut self, _: NoImage) -> ! {
        // No slot holds an image that verifies; slots are not exchanged here.
        say!("boot: no slot holds an image that verifies: program one with esptool");
        // If it was the flash that was not ready, the next try will find one.
        let begun = clock::cycles();
        while clock::cycles().wrapping_sub(begun) < PAUSE {
            watchdog::feed();
        }
        reset::reset()
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    reset::reset()
}
