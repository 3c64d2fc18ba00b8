//! Starting an image: its stack pointer and its reset vector are the first two words.

use core::arch::asm;

use board::{Flash, RAM, SLOT_A};
use embedded_storage::nor_flash::ReadNorFlash;

/// Starts the image at `address`. Returns if what is there is no vector table of this chip.
pub(crate) fn start(address: u32) {
    let mut words = [0; 8];
    let Ok(()) = Flash::new().read(address, &mut words) else { return };
    let [s0, s1, s2, s3, r0, r1, r2, r3] = words;
    let (stack, reset) = (u32::from_le_bytes([s0, s1, s2, s3]), u32::from_le_bytes([r0, r1, r2, r3]));
    let stands = stack > RAM.start && stack <= RAM.end && stack.is_multiple_of(8);
    // Bit 0 says Thumb, the only instruction set there is.
    let runs = !reset.is_multiple_of(2) && SLOT_A.contains(&reset);
    if stands && runs {
        // SAFETY: the image has been verified; it sets up everything else by itself, as after a reset. Nothing of the boot stage is used again.
        unsafe { asm!("msr msp, {0}", "bx {1}", in(reg) stack, in(reg) reset, options(noreturn)) }
    }
}
