//! The boot stage on embassy-stm32. Blocking: it has nothing else to do.

#![no_std]
#![no_main]

use core::panic::PanicInfo;

use app::device::DEVICE;
use app::layout::LAYOUT;
use app::Sectors;
use cortex_m::peripheral::SCB;
use cortex_m_rt::entry;
use embassy_stm32::flash::Flash;
use embassy_stm32::peripherals::IWDG;
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_stm32::Peri;
use lockgate::boot::{Boot, Launch, NoImage, Platform};

/// 20 s at 32 kHz; the LSI has 17 to 47 kHz (DS8626, internal clock sources), and an erase of 128 KiB takes up to 4 s (flash memory programming).
const WATCHDOG_US: u32 = 20_000_000;

#[entry]
fn main() -> ! {
    // embassy's default: the internal clock of 16 MHz, caches off (`rcc/f247.rs` writes the latency alone to ACR).
    let chip = embassy_stm32::init(Default::default());
    // The HAL unlocks the flash for each operation and locks it after: the image finds it locked.
    let flash = Sectors::new(Flash::new_blocking(chip.FLASH), LAYOUT.geometry());
    Boot::new(&DEVICE, flash, Board(Watchdog::Off(chip.IWDG))).run()
}

enum Watchdog {
    Off(Peri<'static, IWDG>),
    On(IndependentWatchdog<'static, IWDG>),
    Starting,
}

struct Board(Watchdog);

impl Platform for Board {
    fn arm_watchdog(&mut self) {
        self.0 = match core::mem::replace(&mut self.0, Watchdog::Starting) {
            Watchdog::Off(registers) => {
                let mut watchdog = IndependentWatchdog::new(registers, WATCHDOG_US);
                watchdog.unleash();
                Watchdog::On(watchdog)
            }
            other => other,
        };
    }

    fn feed_watchdog(&mut self) {
        // One that an application's soft reset left running does not exist: every reset stops it.
        if let Watchdog::On(watchdog) = &mut self.0 {
            watchdog.pet();
        }
    }

    fn jump(&mut self, launch: &Launch) -> ! {
        let table = 0x0800_0000 + launch.address;
        // embassy's time driver runs: no interrupt of it may come to the image before that has set up its own.
        cortex_m::interrupt::disable();
        // SAFETY: `Boot` has hashed the image; its first words are its vector table, on a multiple of 512 (RM0090 lists 98 vectors).
        // Nothing of the boot stage is used any more. Enabled interrupts are taken back, pending ones dropped.
        unsafe {
            let nvic = &*cortex_m::peripheral::NVIC::PTR;
            for (disable, clear) in nvic.icer.iter().zip(&nvic.icpr) {
                disable.write(u32::MAX);
                clear.write(u32::MAX);
            }
            (*SCB::PTR).vtor.write(table);
            cortex_m::interrupt::enable();
            cortex_m::asm::bootload(table as *const u32)
        }
    }

    fn recover(&mut self, _: NoImage) -> ! {
        // No slot holds an image that verifies: wait for a programmer.
        loop {
            self.feed_watchdog();
        }
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    SCB::sys_reset()
}
