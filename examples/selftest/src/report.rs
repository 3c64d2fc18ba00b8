//! Runs the life on an emulated machine, and says how it went and what it took.

use core::panic::PanicInfo;

use lockgate::Block;

use crate::flash::RamFlash;
use crate::machine::{self, say};

/// Loops of two instructions each, by which the machine's counter is gauged.
const LOOPS: u32 = 500_000;

/// The whole program. `run.sh` reads what it says.
pub fn main() -> ! {
    static FLASH: Once<RamFlash> = Once::new(RamFlash::new());
    static BLOCK: Once<Block<512>> = Once::new(Block::new());

    machine::paint();
    machine::start();
    let (Some(flash), Some(block)) = (FLASH.take(), BLOCK.take()) else { machine::exit(false) };
    let mut last = machine::ticks();
    machine::spin(LOOPS);
    let gauge = u64::from(machine::since(&mut last));
    let (mut total, mut failures) = (0u64, 0u32);

    crate::live(flash, block, &mut |strategy, what, kept| {
        total += u64::from(machine::since(&mut last));
        failures += u32::from(!kept);
        let mark = if kept { "ok    " } else { "FAILED" };
        say(format_args!("{mark} {strategy}: {what}\n"));
        // What the console takes is not lockgate's.
        machine::since(&mut last);
    });

    let instructions = (total * u64::from(2 * LOOPS)).checked_div(gauge).unwrap_or(0);
    say(format_args!("stack {} bytes\ninstructions {instructions}\n", machine::peak()));
    say(format_args!("{}\n", if failures == 0 { "PASS" } else { "FAIL" }));
    machine::exit(failures == 0)
}

/// A static that is lent out once.
struct Once<T>(core::cell::UnsafeCell<T>, core::cell::Cell<bool>);

// SAFETY: these machines have one thread, and no interrupt is enabled.
unsafe impl<T> Sync for Once<T> {}

impl<T> Once<T> {
    const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value), core::cell::Cell::new(false))
    }

    #[allow(clippy::mut_from_ref)] // once
    fn take(&'static self) -> Option<&'static mut T> {
        if self.1.replace(true) {
            return None;
        }
        // SAFETY: the flag sees to it that nobody else has it.
        Some(unsafe { &mut *self.0.get() })
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say(format_args!("panic: {}\nFAIL\n", info.message()));
    machine::exit(false)
}
