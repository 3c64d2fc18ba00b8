//! The application on embassy-stm32: async flash, a buffered UART (USART2, PA2 and PA3), messages by defmt over RTT.
//!
//! Async or not, the F405 has one bank: while it is erased the core cannot fetch code and stands still, other tasks too. The
//! async driver is of use for what waits for the line, and on chips with two banks.

#![no_std]
#![no_main]

use core::panic::PanicInfo;

use app::asynch::Port;
use app::device::DEVICE;
use app::layout::LAYOUT;
use app::{Event, Sectors, Station, BLOCK};
use cortex_m::peripheral::SCB;
use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_stm32::bind_interrupts;
use embassy_stm32::flash::{self, Flash};
use embassy_stm32::peripherals::{IWDG, USART2};
use embassy_stm32::usart::{self, BufferedUart, BufferedUartRx, BufferedUartTx};
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_time::{with_timeout, Duration};
use embedded_io_async::{Read, Write};
use lockgate::{Block, P256};

bind_interrupts!(struct Irqs {
    FLASH => flash::InterruptHandler;
    USART2 => usart::BufferedInterruptHandler<USART2>;
});

/// As the boot stage's.
const WATCHDOG_US: u32 = 20_000_000;

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    let chip = embassy_stm32::init(Default::default());
    let mut watchdog = IndependentWatchdog::new(chip.IWDG, WATCHDOG_US);
    watchdog.unleash();
    let (mut sending, mut receiving) = ([0; 64], [0; 512]);
    let uart = BufferedUart::new(
        chip.USART2,
        chip.PA3,
        chip.PA2,
        &mut sending,
        &mut receiving,
        Irqs,
        usart::Config::default(), // 115200 baud, 8N1
    );
    let Ok(uart) = uart else { SCB::sys_reset() };
    let (tx, rx) = uart.split();
    let mut flash = Sectors::new(Flash::new(chip.FLASH, Irqs), LAYOUT.geometry());
    let mut block = Block::<BLOCK>::new(); // in the task, which is a static
    app::asynch::run(&DEVICE, &mut flash, Line { tx, rx, watchdog }, &mut Board, &mut block, P256).await;
    SCB::sys_reset()
}

struct Line<'l> {
    tx: BufferedUartTx<'l>,
    rx: BufferedUartRx<'l>,
    watchdog: IndependentWatchdog<'static, IWDG>,
}

impl Port for Line<'_> {
    type Error = usart::Error;

    async fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, usart::Error> {
        self.watchdog.pet();
        let mut byte = [0];
        match with_timeout(Duration::from_millis(timeout_ms.into()), self.rx.read(&mut byte)).await {
            Ok(Ok(_)) => Ok(Some(byte[0])),
            // Noise, framing, overrun: a byte is gone, which the frames' checks find out.
            Ok(Err(_)) | Err(_) => Ok(None),
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), usart::Error> {
        self.tx.write_all(bytes).await?;
        self.tx.flush().await
    }
}

struct Board;

impl Station for Board {
    fn say(&mut self, event: &Event<'_>) {
        defmt::info!("app: {}", defmt::Display2Format(event));
    }

    fn feed(&mut self) {
        // The line feeds it, which is waited for between any two blocks.
    }

    fn works(&mut self) -> bool {
        // A product asks its sensors and its server here.
        true
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    SCB::sys_reset()
}
