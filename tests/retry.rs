//! Promise (I6, I7): a failed transport, a tampered block, a failed flash operation never poisons the next
//! try, and costs at most one erase sector.

mod common;

use common::{noise, Bench, SMALL_LAYOUT};
use embedded_io::{ErrorType, Read, Seek, SeekFrom, Write};
use lockgate::pack::Package;
use lockgate::sim::{Flash, Landed};
use lockgate::{Block, Error, ErrorKind, FinalHash, Refusal, Stage, Updater};

struct Case {
    bench: Bench,
    image: Vec<u8>,
    package: Package,
    flash: Flash,
}

/// 20 KiB in blocks of 512 on sectors of 1 KiB: two blocks a sector.
fn case() -> Case {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(20_001, 4);
    let package = bench.pack(&image, 512);
    let flash = bench.flash(&package, &image);
    Case { bench, image, package, flash }
}

#[test]
fn after_a_tampered_block_the_right_one_goes_on_where_it_stopped() {
    let Case { bench, image, package, mut flash } = case();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    let head = package.head().len();
    let mut sent = 0;
    for index in [0, 1, 7, 39] {
        let start = head + index * (512 + 32);
        let mut tampered = package.bytes().to_vec();
        tampered[start + 10] ^= 1;
        let error = updater.write_all(&tampered[updater.position() as usize..]).unwrap_err();
        assert_eq!(error, Error::Refused(Refusal::BlockHash { index: index as u32 }));
        assert_eq!((error.kind(), updater.position() as usize), (ErrorKind::Retry, start));
        sent += 1;
    }
    updater.write_all(&package.bytes()[updater.position() as usize..]).unwrap();
    let receipt = updater.finish().unwrap();
    bench.assert_installed(&flash, &package, &image, &receipt);
    assert_eq!((sent, flash.most_erases()), (4, 1), "no sector was erased twice");
}

#[test]
fn after_a_dropped_link_the_stream_goes_on_at_the_very_byte() {
    let Case { bench, image, package, flash } = case();
    for cut in [0, 1, 15, 100, 300, 1000, 1001, 9999, package.bytes().len() - 1] {
        let mut flash = flash.clone();
        let mut block = Block::<512>::new();
        let mut updater = Updater::new(bench.device, &mut flash, &mut block);
        updater.write_all(&package.bytes()[..cut]).unwrap();
        assert_eq!(updater.position() as usize, cut);
        updater.write_all(&package.bytes()[cut..]).unwrap();
        let receipt = updater.finish().unwrap();
        bench.assert_installed(&flash, &package, &image, &receipt);
    }
}

#[test]
fn a_package_said_to_end_too_early_keeps_what_is_authenticated() {
    let Case { bench, image, package, flash } = case();
    let head = package.head().len();
    for (cut, kept) in [(0, 0), (head - 1, 0), (head, head), (head + 543, head), (head + 544 * 3 + 1, head + 544 * 3)] {
        let mut flash = flash.clone();
        let mut block = Block::<512>::new();
        let mut updater = Updater::new(bench.device, &mut flash, &mut block);
        updater.write_all(&package.bytes()[..cut]).unwrap();
        assert_eq!(updater.finish().unwrap_err(), Error::Truncated { position: cut as u32 });
        assert_eq!(updater.position() as usize, kept);
        updater.write_all(&package.bytes()[kept..]).unwrap();
        let receipt = updater.finish().unwrap();
        bench.assert_installed(&flash, &package, &image, &receipt);
    }
}

#[test]
fn a_forged_head_that_never_ends_does_not_lock_the_genuine_one_out() {
    let Case { bench, image, package, mut flash } = case();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    // A key set whose signature section would be passed over, longer than the whole genuine package.
    let endless = [&package.bytes()[..9], &[1, 0, 0, 0, 4, 0, 0], &[0; 1024], &[0, 0x80], &[0; 30_000]].concat();
    updater.write_all(&endless).unwrap();
    assert!(updater.position() as usize > package.bytes().len());
    updater.stream_at(0).unwrap();
    updater.write_all(package.bytes()).unwrap();
    let receipt = updater.finish().unwrap();
    bench.assert_installed(&flash, &package, &image, &receipt);
}

#[test]
fn a_stream_that_starts_over_is_passed_over_up_to_the_byte_that_is_wanted() {
    let Case { bench, image, package, mut flash } = case();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    updater.write_all(&package.bytes()[..9000]).unwrap();
    assert!(matches!(updater.stream_at(9001), Err(Error::Misuse(_))), "bytes would be missing");
    updater.stream_at(0).unwrap();
    updater.write_all(package.bytes()).unwrap();
    let receipt = updater.finish().unwrap();
    bench.assert_installed(&flash, &package, &image, &receipt);
    assert_eq!(flash.most_erases(), 1);
}

#[test]
fn another_package_in_the_middle_starts_over_from_its_own_head() {
    let Case { bench, image, package, mut flash } = case();
    let before = noise(15_000, 9);
    let before = bench.pack(&before, 512);
    flash.clear_oracles();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    updater.write_all(&before.bytes()[..9000]).unwrap();
    // The caller gives the first one up: a fresh updater on the same flash.
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, updater.release(), &mut block);
    updater.write_all(package.bytes()).unwrap();
    let receipt = updater.finish().unwrap();
    bench.assert_installed(&flash, &package, &image, &receipt);
}

#[test]
fn after_a_restart_the_same_updater_takes_another_package() {
    let Case { bench, image, package, flash } = case();
    let other = bench.pack(&noise(18_000, 5), 512);
    // In its blocks, after its last, and with a byte too many behind it.
    for sent in [&other.bytes()[..9000], other.bytes(), &[other.bytes(), &[0]].concat()] {
        let mut flash = flash.clone();
        flash.clear_oracles();
        let mut block = Block::<512>::new();
        let mut updater = Updater::new(bench.device, &mut flash, &mut block);
        let _ = updater.write_all(sent);
        updater.restart();
        assert_eq!(updater.position(), 0);
        updater.write_all(package.bytes()).unwrap();
        let receipt = updater.finish().unwrap();
        bench.assert_installed(&flash, &package, &image, &receipt);
    }
}

#[test]
fn after_a_restart_the_same_package_goes_on_at_the_sector_that_was_being_filled() {
    let Case { bench, image, package, mut flash } = case();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    updater.write_all(&package.bytes()[..9000]).unwrap();
    updater.restart();
    updater.write_all(package.bytes()).unwrap();
    let receipt = updater.finish().unwrap();
    bench.assert_installed(&flash, &package, &image, &receipt);
    let image_sectors = image.len().div_ceil(1024) as u64;
    let erases = flash.erases_in(bench.layout.slot_range(bench.target()));
    assert_eq!(erases, image_sectors + 1 + 2, "the trailer's sector and one more, again");
}

#[test]
fn install_reads_the_package_and_not_a_byte_more() {
    let bench = Bench::new(&SMALL_LAYOUT);
    for size in [1, 10, 300, 5000] {
        let image = noise(size, 6);
        let package = bench.pack(&image, 256);
        let mut flash: Flash = bench.flash(&package, &image);
        let link = [package.bytes(), b"the next thing on this link"].concat();
        let mut rest = &link[..];
        let mut block = Block::<512>::new();
        let mut updater = Updater::new(bench.device, &mut flash, &mut block);
        let receipt = updater.install(&mut rest, |_| ()).unwrap();
        assert_eq!(rest, b"the next thing on this link", "image of {size} bytes");
        bench.assert_installed(&flash, &package, &image, &receipt);
    }
}

#[test]
fn install_reads_a_head_in_its_parts_and_not_byte_by_byte() {
    struct Counted<'p>(&'p [u8], u32);
    impl ErrorType for Counted<'_> {
        type Error = std::convert::Infallible;
    }
    impl Read for Counted<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Self::Error> {
            self.1 += 1;
            self.0.read(bytes)
        }
    }
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(100, 6);
    let package = bench.pack(&image, 256);
    let mut flash: Flash = bench.flash(&package, &image);
    let mut block = Block::<512>::new();
    let mut link = Counted(package.bytes(), 0);
    let receipt = Updater::new(bench.device, &mut flash, &mut block).install(&mut link, |_| ()).unwrap();
    bench.assert_installed(&flash, &package, &image, &receipt);
    // Prelude, manifest, the section's length, the entry, its signature; the block.
    assert_eq!(link.1, 6);
}

/// Installs with one fault set by `fail`; goes on from `position()` after each error, three times at most.
#[track_caller]
fn survives(case: &Case, mut flash: Flash, expected: ErrorKind) -> Flash {
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(case.bench.device, &mut flash, &mut block);
    let mut errors = 0;
    let receipt = loop {
        let rest = &case.package.bytes()[updater.position() as usize..];
        // What is held already is passed over when the head has to be read again.
        match updater.write_all(rest).and_then(|()| updater.finish()) {
            Ok(receipt) => break receipt,
            Err(error) => {
                assert_eq!(error.kind(), expected, "{error}");
                errors += 1;
                assert!(errors <= 3, "{error}");
            }
        }
    };
    assert_eq!(errors, 1, "the fault was met");
    case.bench.assert_installed(&flash, &case.package, &case.image, &receipt);
    flash
}

#[test]
fn a_failed_write_costs_one_sector_and_no_word_is_programmed_twice() {
    let case = case();
    let slot = case.bench.layout.slot_range(case.bench.target());
    for at in [slot.start, slot.start + 4, slot.start + 1020, slot.start + 5000, slot.end - 1024, slot.end - 1020] {
        let mut flash = case.flash.clone();
        flash.fail_write(at);
        let flash = survives(&case, flash, ErrorKind::Flash);
        let image_sectors = case.image.len().div_ceil(1024) as u64;
        // The sector again, and the trailer's.
        let erases = flash.erases_in(slot.clone());
        assert!(erases <= image_sectors + 1 + 2, "{erases} erases");
    }
}

#[test]
fn a_failed_write_in_a_block_larger_than_a_sector_goes_on_in_the_middle_of_the_block() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(20_001, 4);
    let package = bench.pack(&image, 8192);
    let slot = bench.layout.slot_range(bench.target());
    for sector in [0, 1, 7, 8, 11, 19] {
        let mut flash: Flash = bench.flash(&package, &image);
        flash.fail_write(slot.start + sector * 1024 + 200);
        let mut block = Block::<8192>::new();
        let mut updater = Updater::new(bench.device, &mut flash, &mut block);
        assert_eq!(updater.write_all(package.bytes()).unwrap_err().kind(), ErrorKind::Flash);
        updater.write_all(package.bytes()).unwrap();
        let receipt = updater.finish().unwrap();
        bench.assert_installed(&flash, &package, &image, &receipt);
        for other in 0..20 {
            let erases = flash.erases_in(slot.start + other * 1024..slot.start + (other + 1) * 1024);
            assert_eq!(erases, if other == sector { 2 } else { 1 }, "sector {other} after a fault in {sector}");
        }
    }
}

#[test]
fn after_a_failed_write_another_package_starts_from_its_own_first_block() {
    let Case { bench, image, package, mut flash } = case();
    let other = noise(18_000, 5);
    let other = bench.pack(&other, 512);
    let slot = bench.layout.slot_range(bench.target());
    flash.fail_write(slot.start + 9000);
    flash.clear_oracles();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    assert_eq!(updater.write_all(other.bytes()).unwrap_err().kind(), ErrorKind::Flash);
    updater.write_all(package.bytes()).unwrap();
    let receipt = updater.finish().unwrap();
    bench.assert_installed(&flash, &package, &image, &receipt);
}

#[test]
fn a_failed_erase_is_tried_again_and_costs_nothing_else() {
    let case = case();
    let slot = case.bench.layout.slot_range(case.bench.target());
    for at in [slot.start, slot.start + 4096, slot.end - 1024] {
        let mut flash = case.flash.clone();
        flash.fail_erase(at);
        let flash = survives(&case, flash, ErrorKind::Flash);
        assert_eq!(flash.programmed_in(slot.start..slot.end - 1024), 20_004);
    }
}

#[test]
fn a_write_that_lands_wrong_is_seen_by_the_read_back() {
    let case = case();
    let slot = case.bench.layout.slot_range(case.bench.target());
    for at in [slot.start + 3, slot.start + 6000] {
        let mut flash = case.flash.clone();
        flash.stick(at, 0xFF, 0xFF);
        assert_ne!(case.image[(at - slot.start) as usize], 0xFF, "a bit to go wrong");
        let mut block = Block::<512>::new();
        let mut updater = Updater::new(case.bench.device, &mut flash, &mut block);
        let error = updater.write_all(case.package.bytes()).unwrap_err();
        assert!(matches!(error, Error::Mismatch { address } if address <= at && at < address + 256), "{error}");
        assert_eq!(updater.status().stage, Stage::Waiting);
    }
}

#[test]
fn a_slot_that_was_changed_while_the_flash_was_lent_is_found_though_the_boot_stage_hashes() {
    let Case { bench, package, mut flash, .. } = case();
    let device = bench.device.final_hash(FinalHash::BootStage);
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&device, &mut flash, &mut block);
    updater.write_all(package.bytes()).unwrap();
    updater.flash().rot(bench.layout.slot_range(bench.target()).start + 777, 3);
    assert_eq!(updater.finish(), Err(Refusal::ImageDigest.into()));
}

#[test]
fn finish_may_be_called_again_after_a_read_that_failed() {
    let Case { bench, image, package, mut flash } = case();
    let at = bench.layout.slot_range(bench.target()).start + 4096;
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    updater.write_all(package.bytes()).unwrap();
    updater.flash().fail_read(at);
    assert!(matches!(updater.finish(), Err(Error::Flash(_))));
    // It reads well the next time.
    updater.flash().load(at, &image[4096..4100]);
    let receipt = updater.finish().unwrap();
    bench.assert_installed(&flash, &package, &image, &receipt);
}

#[test]
fn an_image_that_rots_before_the_end_is_found_by_the_final_hash() {
    let case = case();
    let slot = case.bench.layout.slot_range(case.bench.target());
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(case.bench.device, case.flash.clone(), &mut block);
    updater.write_all(case.package.bytes()).unwrap();
    let mut flash = updater.release();
    flash.rot(slot.start + 777, 3);
    // The machine is dropped with its updater: the same image again, rot and all, through a fresh one.
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(case.bench.device, Rotting { flash, at: slot.start + 777 }, &mut block);
    updater.write_all(case.package.bytes()).unwrap();
    assert_eq!(updater.finish().unwrap_err(), Error::Refused(Refusal::ImageDigest));
    assert_eq!(updater.position(), 0, "the slot is void: start over");
}

#[test]
fn with_a_boot_stage_that_hashes_only_an_interrupted_install_is_hashed_at_the_end() {
    let Case { bench, image, package, flash } = case();
    let device = bench.device.final_hash(FinalHash::BootStage);
    let slot = bench.layout.slot_range(bench.target());
    let mut whole = flash.clone();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&device, &mut whole, &mut block);
    updater.write_all(package.bytes()).unwrap();
    let receipt = updater.finish().unwrap();
    bench.assert_installed(&whole, &package, &image, &receipt);
    // A slot that is hashed is read twice.
    let mut hashed = flash.clone();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut hashed, &mut block);
    updater.write_all(package.bytes()).unwrap();
    let _receipt = updater.finish().unwrap();
    let more = hashed.counters().read_bytes - whole.counters().read_bytes;
    assert_eq!(more, image.len().next_multiple_of(4) as u64, "each byte was read back once");

    let mut interrupted = flash.clone();
    interrupted.fail_write(slot.start + 9000);
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(&device, Rotting::never(interrupted), &mut block);
    updater.write_all(package.bytes()).unwrap_err();
    updater.flash().flash.rot(slot.start + 700, 1);
    updater.write_all(package.bytes()).unwrap();
    assert_eq!(updater.finish().unwrap_err(), Error::Refused(Refusal::ImageDigest));
}

/// A flash in which one bit falls over after the byte's first read.
struct Rotting {
    flash: Flash,
    at: u32,
}

impl Rotting {
    fn never(flash: Flash) -> Self {
        Self { flash, at: u32::MAX }
    }
}

impl embedded_storage::nor_flash::ErrorType for Rotting {
    type Error = lockgate::sim::Error;
}

impl embedded_storage::nor_flash::ReadNorFlash for Rotting {
    const READ_SIZE: usize = 1;
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        embedded_storage::nor_flash::ReadNorFlash::read(&mut self.flash, offset, bytes)?;
        if (offset..offset + bytes.len() as u32).contains(&self.at) {
            self.flash.rot(self.at, 0);
        }
        Ok(())
    }
    fn capacity(&self) -> usize {
        embedded_storage::nor_flash::ReadNorFlash::capacity(&self.flash)
    }
}

impl embedded_storage::nor_flash::NorFlash for Rotting {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 1;
    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        embedded_storage::nor_flash::NorFlash::erase(&mut self.flash, from, to)
    }
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        embedded_storage::nor_flash::NorFlash::write(&mut self.flash, offset, bytes)
    }
}

/// A file on a server whose connection drops every `drop_after` bytes.
struct Server<'s> {
    file: &'s [u8],
    at: usize,
    left: usize,
    served: usize,
}

impl ErrorType for Server<'_> {
    type Error = embedded_io::ErrorKind;
}

impl Read for Server<'_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        if self.left == 0 {
            return Err(embedded_io::ErrorKind::ConnectionReset);
        }
        let n = buf.len().min(self.left).min(self.file.len() - self.at);
        buf[..n].copy_from_slice(&self.file[self.at..self.at + n]);
        (self.at, self.left, self.served) = (self.at + n, self.left - n, self.served + n);
        Ok(n)
    }
}

impl Seek for Server<'_> {
    fn seek(&mut self, pos: SeekFrom) -> Result<u64, Self::Error> {
        let SeekFrom::Start(at) = pos else { return Err(embedded_io::ErrorKind::Unsupported) };
        self.at = at as usize;
        Ok(at)
    }
}

#[test]
fn a_seekable_source_that_drops_all_the_time_costs_a_block_a_drop() {
    let Case { bench, image, package, mut flash } = case();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    let mut server = Server { file: package.bytes(), at: 0, left: 1000, served: 0 };
    let mut last = 0;
    let receipt = loop {
        match updater.install_seekable(&mut server, |progress| {
            assert!(progress.written >= last, "what is written never goes back");
            last = progress.written;
        }) {
            Ok(receipt) => break receipt,
            Err(error) => assert_eq!(error, Error::Transport(embedded_io::ErrorKind::ConnectionReset)),
        }
        server.left = 1000;
    };
    // Each drop costs the part of a block that was not authenticated yet.
    let drops = package.bytes().len().div_ceil(1000);
    assert!(server.served <= package.bytes().len() + drops * 2 * 544, "{} bytes served", server.served);
    bench.assert_installed(&flash, &package, &image, &receipt);
}

#[test]
fn after_a_failed_write_a_seekable_source_reads_the_head_again_and_then_goes_on_at_the_sector() {
    let Case { bench, image, package, mut flash } = case();
    let slot = bench.layout.slot_range(bench.target());
    flash.fail_write(slot.start + 15 * 1024 + 512);
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    let mut server = Server { file: package.bytes(), at: 0, left: usize::MAX, served: 0 };
    let error = updater.install_seekable(&mut server, |_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Flash);
    server.served = 0;
    let receipt = updater.install_seekable(&mut server, |_| ()).unwrap();
    let rest = package.bytes().len() - package.head().len() - 30 * (512 + 32);
    // The head, at most one chunk read too far, and what comes after the sector's edge.
    assert!(server.served <= package.head().len() + 256 + rest, "{} bytes served", server.served);
    bench.assert_installed(&flash, &package, &image, &receipt);
}

#[test]
fn a_power_cut_in_an_install_leaves_nothing_that_a_fresh_start_stumbles_over() {
    let Case { bench, image, package, flash } = case();
    let mut steps = flash.clone();
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut steps, &mut block);
    updater.write_all(package.bytes()).unwrap();
    let _receipt = updater.finish().unwrap();
    for step in (0..steps.steps()).step_by(37) {
        for outcome in [Landed::Subset.stable(), Landed::Subset.metastable(), Landed::Prefix(2).read_error()] {
            let mut flash = flash.clone();
            flash.cut_at(step, outcome);
            let mut block = Block::<512>::new();
            let mut updater = Updater::new(bench.device, &mut flash, &mut block);
            updater.write_all(package.bytes()).unwrap_err();
            assert!(flash.cut_fired(), "the cut at step {step} fired");
            flash.power_on();
            flash.power_on();
            let mut block = Block::<512>::new();
            let mut updater = Updater::new(bench.device, &mut flash, &mut block);
            updater.write_all(package.bytes()).unwrap();
            let receipt = updater.finish().unwrap();
            bench.assert_installed(&flash, &package, &image, &receipt);
        }
    }
}
