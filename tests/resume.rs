//! Promise (I6, I7): after a reset an install goes on at its last checkpoint, only with the same package, whatever the
//! transport can and the server does.

mod common;

use common::{boot, noise, provisioned, release, Bench, SMALL_LAYOUT};
use embedded_io::{ErrorType, Read, Seek, SeekFrom, Write};
use lockgate::pack::Package;
use lockgate::sim::{Flash, Landed};
use lockgate::{Block, BootReason, Control, Device, Error, ErrorKind, Refusal, Slot, UpdateState, Updater, Verified};

const INTERVAL: u32 = 2048;

struct Case {
    bench: Bench,
    device: Device<'static>,
    image: Vec<u8>,
    package: Package,
    flash: Flash,
}

/// Version 1.0 runs; an update of 20 KiB in blocks of 512, sectors of 1 KiB, a checkpoint every 2 KiB.
fn case() -> Case {
    let bench = Bench::new(&SMALL_LAYOUT);
    let old = noise(5000, 1);
    let mut flash = provisioned(&SMALL_LAYOUT, Slot::A, &release(&bench.key, 0, 1, &old), &old);
    let device = bench.device.checkpoint_interval(INTERVAL);
    boot(&device, &mut flash).unwrap();
    let image = noise(20_001, 4);
    let package = release(&bench.key, 1, 2, &image);
    bench.watch(&mut flash, &package, &image);
    Case { bench, device, image, package, flash }
}

/// Power fails when so many bytes of the package have been taken.
fn cut_after(case: &mut Case, bytes: usize) {
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    updater.write_all(&case.package.bytes()[..bytes]).unwrap();
    case.flash.cut_at(case.flash.steps(), Landed::Subset.metastable());
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    updater.write_all(case.package.bytes()).unwrap_err();
    assert!(case.flash.cut_fired());
    case.flash.power_on();
}

/// A server: what it has, and what it makes of a Range.
struct Server<'p> {
    package: &'p [u8],
    at: usize,
    sent: usize,
}

impl<'p> Server<'p> {
    fn new(package: &'p [u8]) -> Self {
        Self { package, at: 0, sent: 0 }
    }
}

impl ErrorType for Server<'_> {
    type Error = std::convert::Infallible;
}

impl Read for Server<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Self::Error> {
        let left = &self.package[self.at.min(self.package.len())..];
        let sent = left.len().min(bytes.len());
        bytes[..sent].copy_from_slice(&left[..sent]);
        (self.at, self.sent) = (self.at + sent, self.sent + sent);
        Ok(sent)
    }
}

impl Seek for Server<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64, Self::Error> {
        let SeekFrom::Start(at) = to else { panic!("only from the start") };
        self.at = at as usize;
        Ok(at)
    }
}

#[track_caller]
fn installed(case: &Case, verified: &Verified) {
    case.bench.assert_installed(&case.flash, &case.package, &case.image, verified);
}

#[test]
fn a_transport_that_can_seek_sends_the_head_and_what_is_missing() {
    for taken in [700, 3000, 9000, 15_000, 21_000] {
        let mut case = case();
        cut_after(&mut case, taken);
        let mut server = Server::new(case.package.bytes());
        let mut block = Block::<512>::new();
        let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
        assert_eq!(updater.position(), 0, "the head is verified again");
        let verified = updater.install_seekable(&mut server, |_| ()).unwrap();
        installed(&case, &verified);
        let again = case.package.bytes().len() - taken;
        // An interval, the sector that was being filled, and the head, which is read in pieces of 256.
        let most = again + INTERVAL as usize + 1024 + case.package.head().len() + 600;
        assert!(server.sent <= most, "{} bytes sent again after {taken}, {most} expected at the most", server.sent);
    }
}

#[test]
fn on_a_stream_that_cannot_seek_the_held_bytes_are_passed_over_and_not_written_again() {
    let mut case = case();
    cut_after(&mut case, 15_000);
    let slot = SMALL_LAYOUT.slot_range(Slot::B);
    let before = case.flash.programmed_in(slot.clone());
    let mut server = Server::new(case.package.bytes());
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    let verified = updater.install(&mut server, |_| ()).unwrap();
    assert_eq!(server.sent, case.package.bytes().len());
    installed(&case, &verified);
    let written = case.flash.programmed_in(slot) - before;
    assert!(written < 10_000, "{written} bytes written again");
}

#[test]
fn position_tells_where_to_go_on_as_soon_as_the_head_is_through() {
    let mut case = case();
    cut_after(&mut case, 15_000);
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    let head = case.package.head().len();
    updater.write_all(&case.package.bytes()[..head]).unwrap();
    let at = updater.position() as usize;
    assert!(at > 11_000 && at <= 15_000, "position {at}");
    assert_eq!((at - head) % 544, 0, "the first byte of a block");
    // A server that ignores Range begins again: said so, its bytes are passed over.
    updater.stream_at(0).unwrap();
    updater.write_all(case.package.bytes()).unwrap();
    let verified = updater.finish().unwrap();
    installed(&case, &verified);
}

#[test]
fn a_server_that_ignores_range_unnoticed_is_found_at_the_first_block() {
    let mut case = case();
    cut_after(&mut case, 15_000);
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    let head = case.package.head().len();
    updater.write_all(&case.package.bytes()[..head]).unwrap();
    let position = updater.position();
    // The whole file again, where only its end was asked for.
    let error = updater.write_all(case.package.bytes()).unwrap_err();
    assert!(matches!(error, Error::Refused(Refusal::BlockHash { .. })), "{error}");
    assert_eq!((error.kind(), updater.position()), (ErrorKind::Retry, position), "nothing is lost");
    updater.write_all(&case.package.bytes()[position as usize..]).unwrap();
    let verified = updater.finish().unwrap();
    installed(&case, &verified);
}

#[test]
fn a_server_that_has_less_or_more_is_told_from_one_that_is_right() {
    let mut case = case();
    cut_after(&mut case, 15_000);
    let bytes = case.package.bytes().to_vec();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    let short = &bytes[..bytes.len() - 1000];
    assert!(matches!(updater.install_seekable(Server::new(short), |_| ()), Err(Error::Truncated { .. })));
    let long = [&bytes[..], b"more"].concat();
    let position = updater.position() as usize;
    updater.stream_at(position as u32).unwrap();
    assert_eq!(updater.write_all(&long[position..]), Err(Refusal::Trailing.into()));
    let verified = updater.finish().unwrap();
    installed(&case, &verified);
}

#[test]
fn another_package_starts_over_and_the_first_one_then_does() {
    let mut case = case();
    cut_after(&mut case, 15_000);
    let other = release(&case.bench.key, 2, 2, &noise(9000, 5));
    case.flash.clear_oracles();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    updater.write_all(&other.bytes()[..other.head().len()]).unwrap();
    assert_eq!(updater.position() as usize, other.head().len(), "nothing of it is held");
    updater.write_all(&other.bytes()[other.head().len()..4000]).unwrap();
    // The first one again: what there was of it is void.
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    updater.write_all(&case.package.bytes()[..case.package.head().len()]).unwrap();
    assert_eq!(updater.position() as usize, case.package.head().len());
    updater.write_all(&case.package.bytes()[case.package.head().len()..]).unwrap();
    let verified = updater.finish().unwrap();
    installed(&case, &verified);
}

#[test]
fn the_same_image_signed_anew_is_another_package() {
    let mut case = case();
    cut_after(&mut case, 15_000);
    let again = release(&case.bench.key, 3, 3, &case.image);
    case.flash.clear_oracles();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    updater.write_all(&again.bytes()[..again.head().len()]).unwrap();
    assert_eq!(updater.position() as usize, again.head().len());
}

#[test]
fn a_device_that_records_no_checkpoints_starts_over() {
    let mut case = case();
    case.device = case.device.checkpoint_interval(u32::MAX);
    cut_after(&mut case, 15_000);
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    updater.write_all(&case.package.bytes()[..case.package.head().len()]).unwrap();
    assert_eq!(updater.position() as usize, case.package.head().len());
}

#[test]
fn a_slot_that_was_changed_behind_a_checkpoint_is_found_and_the_next_try_completes() {
    let mut case = case();
    cut_after(&mut case, 15_000);
    case.flash.rot(SMALL_LAYOUT.slot_range(Slot::B).start + 100, 0);
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    let error = updater.install_seekable(Server::new(case.package.bytes()), |_| ()).unwrap_err();
    assert_eq!(error, Refusal::ImageDigest.into());
    // A reset, so that nothing but the records knows.
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    let verified = updater.install_seekable(Server::new(case.package.bytes()), |_| ()).unwrap();
    installed(&case, &verified);
}

#[test]
fn a_receipt_that_was_lost_is_made_again_from_the_slot() {
    let mut case = case();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    assert_eq!(updater.staged(), Err(Error::NothingStaged));
    let lost = updater.install(case.package.bytes(), |_| ()).unwrap();
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    let verified = updater.staged().unwrap();
    assert_eq!(verified, lost);
    Control::new(&case.device, &mut case.flash).try_next(verified).unwrap();
    assert!(matches!(boot(&case.device, &mut case.flash).unwrap().reason, BootReason::Trial { attempt: 1, .. }));
}

#[test]
fn a_slot_that_is_not_whole_gives_no_receipt() {
    let mut case = case();
    cut_after(&mut case, 21_000);
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    assert!(matches!(updater.staged(), Err(Error::Refused(Refusal::ImageDigest) | Error::NothingStaged)));
    let verified = updater.install(case.package.bytes(), |_| ()).unwrap();
    installed(&case, &verified);
}

#[test]
fn a_receipt_is_worthless_once_anything_newer_was_started() {
    let mut case = case();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    let first = updater.install(case.package.bytes(), |_| ()).unwrap();
    case.flash.clear_oracles();
    let other = release(&case.bench.key, 2, 2, &noise(9000, 5));
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    updater.write_all(&other.bytes()[..other.head().len()]).unwrap();
    let mut control = Control::new(&case.device, &mut case.flash);
    assert_eq!(control.try_next(first), Err(Error::Superseded));
    assert_eq!(control.status().unwrap().update, UpdateState::Receiving);
    assert_eq!(boot(&case.device, &mut case.flash).unwrap().reason, BootReason::Confirmed);
}

#[test]
fn an_update_that_starts_voids_a_trial_that_waits() {
    let mut case = case();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    let first = updater.install(case.package.bytes(), |_| ()).unwrap();
    Control::new(&case.device, &mut case.flash).try_next(first).unwrap();
    case.flash.clear_oracles();
    let other = release(&case.bench.key, 2, 2, &noise(9000, 5));
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    updater.write_all(&other.bytes()[..other.head().len()]).unwrap();
    assert_eq!(boot(&case.device, &mut case.flash).unwrap().reason, BootReason::Confirmed);
}

#[test]
fn a_flash_that_is_lent_between_two_calls_may_come_back_with_other_records() {
    let case = case();
    let bytes = case.package.bytes();
    // In the head, in a block, after the last block: the records grow behind the updater's back.
    for taken in [0, 10, 5000, 15_000, bytes.len()] {
        let mut flash = case.flash.clone();
        let mut block = Block::<512>::new();
        let mut updater = Updater::new(&case.device, &mut flash, &mut block);
        updater.write_all(&bytes[..taken]).unwrap();
        let writes = 40;
        for _ in 0..writes {
            // Two handles on one flash: each must see what the other wrote.
            let flash = updater.flash();
            let mut other = Block::<512>::new();
            let mut second = Updater::new(&case.device, &mut *flash, &mut other);
            assert!(matches!(second.staged(), Ok(_) | Err(Error::NothingStaged | Error::Refused(_))));
        }
        let verified = loop {
            let at = updater.position() as usize;
            match updater.write_all(&bytes[at..]).and_then(|()| updater.finish()) {
                Ok(verified) => break verified,
                Err(Error::Interrupted | Error::Superseded) => {}
                Err(error) => panic!("after {taken} bytes: {error}"),
            }
        };
        let mut control = Control::new(&case.device, updater.flash());
        // The slot was started anew if the other handle found it void.
        control.try_next(verified).unwrap();
        assert_eq!(control.status().unwrap().update, UpdateState::Pending);
        let error = updater.write_all(&[0; 100]).unwrap_err();
        assert!(matches!(error, Error::Refused(Refusal::NotAPackage)), "{error}");
        assert_eq!(flash.violations(), []);
    }
}

#[test]
fn a_receipt_can_be_used_through_the_updaters_own_flash() {
    let mut case = case();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    let verified = updater.install(case.package.bytes(), |_| ()).unwrap();
    Control::new(&case.device, updater.flash()).try_next(verified).unwrap();
    // The updater goes on with the next package, and with records that it did not write.
    let other = release(&case.bench.key, 2, 3, &noise(3000, 6));
    case.flash.clear_oracles();
    let mut updater = Updater::new(&case.device, &mut case.flash, &mut block);
    let second = updater.install(other.bytes(), |_| ()).unwrap();
    Control::new(&case.device, updater.flash()).try_next(second).unwrap();
    assert_eq!(case.flash.violations(), []);
}
