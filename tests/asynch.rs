//! Promise (I10): the async updater does what the blocking one does, operation by operation, and a dropped
//! future loses nothing.

mod common;

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use common::{install, noise, Bench, SMALL_LAYOUT};
use embassy_futures::block_on;
use embedded_io_async::{ErrorType, Read, Seek, SeekFrom, Write};
use lockgate::asynch::{self, Updater};
use lockgate::sim::{Flash, Landed};
use lockgate::{Block, BootReason, Error, ErrorKind, Reason, Refusal, Slot};

struct Pieces<'p>(&'p [u8], usize);

impl ErrorType for Pieces<'_> {
    type Error = embedded_io::ErrorKind;
}

impl Read for Pieces<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        let n = buf.len().min(self.1).min(self.0.len());
        buf[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

#[test]
fn the_async_updater_does_the_same_flash_operations() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(9001, 1);
    let package = bench.pack(&image, 1024);
    let mut blocking: Flash = bench.flash(&package, &image);
    let mut asynch = blocking.clone();
    let expected = install::<4, 1, 1024>(&bench, &mut blocking, package.bytes()).unwrap();
    let mut block = Block::<1024>::new();
    let mut updater = Updater::new(bench.device, &mut asynch, &mut block);
    let receipt = block_on(updater.install(Pieces(package.bytes(), 77), |_| ())).unwrap();
    assert_eq!(receipt, expected);
    assert_eq!(asynch.log(), blocking.log());
    bench.assert_installed(&asynch, &package, &image, &receipt);
}

#[test]
fn the_async_updater_refuses_alike() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(900, 1);
    let package = bench.pack(&image, 256);
    let mut bytes = package.bytes().to_vec();
    bytes[package.head().len() + 300] ^= 1;
    let mut flash: Flash = bench.flash(&package, &image);
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    assert_eq!(block_on(updater.write_all(&bytes)), Err(Error::Refused(Refusal::BlockHash { index: 1 })));
    assert_eq!(flash.violations(), []);
}

/// A file behind a link that is lost at byte `lost`, once.
struct File<'p> {
    bytes: &'p [u8],
    at: usize,
    lost: usize,
}

impl ErrorType for File<'_> {
    type Error = embedded_io::ErrorKind;
}

impl Read for File<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        let n = buf.len().min(self.bytes.len() - self.at);
        if (self.at..self.at + n).contains(&self.lost) {
            self.lost = usize::MAX;
            return Err(embedded_io::ErrorKind::ConnectionReset);
        }
        buf[..n].copy_from_slice(&self.bytes[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

impl Seek for File<'_> {
    async fn seek(&mut self, to: SeekFrom) -> Result<u64, Self::Error> {
        let SeekFrom::Start(at) = to else { panic!("{to:?}") };
        self.at = at as usize;
        Ok(at)
    }
}

#[test]
fn the_async_updater_seeks_over_what_the_slot_holds_and_makes_its_receipt_again() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(20_001, 1);
    let package = bench.pack(&image, 512);
    let mut flash: Flash = bench.flash(&package, &image);
    let mut block = Block::<512>::new();
    let mut file = File { bytes: package.bytes(), at: 0, lost: 15_000 };
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    let lost = block_on(updater.install_seekable(&mut file, |_| ()));
    assert_eq!(lost, Err(Error::Transport(embedded_io::ErrorKind::ConnectionReset)));
    // After a reset the file is read from its head on, and from the checkpoint on.
    let mut read = 0;
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    let receipt = block_on(updater.install_seekable(&mut file, |_| read += 1)).unwrap();
    bench.assert_installed(&flash, &package, &image, &receipt);
    assert!(read < 20_001 / 256, "{read} reads");
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    block_on(updater.flush()).unwrap();
    let again = block_on(updater.staged()).unwrap();
    assert_eq!(again.manifest_digest(), receipt.manifest_digest());
    assert_eq!(
        block_on(updater.install(Pieces(&package.bytes()[..3000], 77), |_| ())).unwrap_err().kind(),
        ErrorKind::Retry
    );
}

#[test]
fn the_async_control_writes_the_first_record_and_gives_an_image_up() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let mut flash: Flash = Flash::sized(SMALL_LAYOUT.geometry());
    let mut control = asynch::Control::new(bench.device, &mut flash);
    block_on(control.initialize(Slot::B, 7)).unwrap();
    assert_eq!(block_on(control.status()).unwrap().security_counter, 7);
    assert!(matches!(block_on(control.initialize(Slot::A, 0)), Err(Error::Misuse(_))));
    assert_eq!(block_on(control.reject()), Err(Error::NotOnTrial));
    let (bench, mut flash) = common::device(&SMALL_LAYOUT);
    common::ask(&bench, &mut flash, &common::release(&bench.key, 5, 5, &noise(6000, 5)));
    common::boot(bench.device, &mut flash).unwrap();
    block_on(asynch::Control::new(bench.device, &mut flash).reject()).unwrap();
    let launch = common::boot(bench.device, &mut flash).unwrap();
    assert_eq!(launch.reason, BootReason::Reverted(Reason::Rejected));
    // A flash that cannot be written says so.
    let mut flash: Flash = Flash::sized(SMALL_LAYOUT.geometry());
    SMALL_LAYOUT.records_range().step_by(4).for_each(|address| flash.fail_write(address));
    let outcome = block_on(asynch::Control::new(bench.device, &mut flash).initialize(Slot::A, 0));
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Flash);
}

/// Polls `future` up to `polls` times, then drops it.
fn poll_some<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

#[test]
fn futures_dropped_at_any_await_leave_an_update_that_completes() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(5000, 1);
    let package = bench.pack(&image, 512);
    let flash: Flash = bench.flash(&package, &image);
    for polls in 1..60 {
        let mut flash = flash.clone();
        let mut block = Block::<512>::new();
        let mut updater = Updater::new(bench.device, &mut flash, &mut block);
        let mut interruptions = 0;
        let _ = poll_some(updater.write_all(package.bytes()), polls);
        let receipt = loop {
            // Where the stream goes on after a dropped future is what position() says.
            let at = updater.position();
            updater.stream_at(at).unwrap();
            match block_on(async {
                updater.write_all(&package.bytes()[at as usize..]).await?;
                updater.finish().await
            }) {
                Ok(receipt) => break receipt,
                Err(error) => {
                    assert_eq!(error, Error::Interrupted);
                    interruptions += 1;
                    assert_eq!(interruptions, 1);
                }
            }
        };
        bench.assert_installed(&flash, &package, &image, &receipt);
    }
}

#[test]
fn a_future_dropped_in_the_middle_of_a_flash_operation_has_its_sector_erased_again() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(5000, 1);
    let package = bench.pack(&image, 512);
    let flash: Flash = bench.flash(&package, &image);
    for step in (0..1300).step_by(13) {
        let mut flash = flash.clone();
        flash.stall_at(step, Landed::Subset.stable());
        let mut block = Block::<512>::new();
        let mut updater = Updater::new(bench.device, &mut flash, &mut block);
        assert!(poll_some(updater.write_all(package.bytes()), 10_000).is_none(), "step {step} stalls");
        let receipt = loop {
            let at = updater.position();
            updater.stream_at(at).unwrap();
            match block_on(async {
                updater.write_all(&package.bytes()[at as usize..]).await?;
                updater.finish().await
            }) {
                Ok(receipt) => break receipt,
                Err(error) => assert_eq!((&error, error.kind()), (&Error::Interrupted, ErrorKind::Retry)),
            }
        };
        assert!(flash.cut_fired());
        bench.assert_installed(&flash, &package, &image, &receipt);
    }
}

#[test]
fn the_async_control_does_what_the_blocking_one_does_and_survives_being_dropped_midway() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let old = noise(5000, 1);
    let package = common::release(&bench.key, 0, 1, &old);
    let mut flash: Flash = common::provisioned(&SMALL_LAYOUT, Slot::A, &package, &old);
    common::boot(bench.device, &mut flash).unwrap();
    let image = noise(7000, 2);
    let package = common::release(&bench.key, 1, 2, &image);
    let mut block = Block::<512>::new();
    let mut updater = asynch::Updater::new(bench.device, &mut flash, &mut block);
    let verified = block_on(updater.install(package.bytes(), |_| ())).unwrap();
    block_on(asynch::Control::new(bench.device, &mut flash).try_next(verified)).unwrap();
    let launch = common::boot(bench.device, &mut flash).unwrap();
    assert!(matches!(launch.reason, BootReason::Trial { attempt: 1, .. }));
    // Dropped in the middle of each write that confirm makes.
    let undisturbed = {
        let mut copy = flash.clone();
        let before = copy.steps();
        block_on(asynch::Control::new(bench.device, &mut copy).confirm()).unwrap();
        copy.steps() - before
    };
    assert!(undisturbed > 10);
    for step in 0..undisturbed {
        let mut flash = flash.clone();
        flash.stall_at(flash.steps() + step, Landed::Subset.metastable());
        let mut control = asynch::Control::new(bench.device, &mut flash);
        assert!(stalls(control.confirm()), "step {step} stalls");
        block_on(control.confirm()).unwrap();
        assert_eq!(block_on(control.status()).unwrap().security_counter, 2);
        assert_eq!(flash.violations(), []);
    }
}

/// Polls many times; whether it then still waits, and is dropped.
fn stalls<T>(future: impl Future<Output = T>) -> bool {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..2000).all(|_| future.as_mut().poll(&mut context).is_pending())
}
