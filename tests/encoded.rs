//! Promise (I1, I4, I6, I7): a payload that is compressed, or a delta of the image that runs, becomes the image that was
//! signed, or is refused; after a cut it goes on.

mod common;

use common::driver::{complete, drive};
use common::{boot, noise, provisioned, release, sha256, update, Bench, SMALL_LAYOUT};
use embedded_io::Write;
use lockgate::geometry::{Geometry, Run};
use lockgate::manifest::Window;
use lockgate::pack::{Package, Payload};
use lockgate::sim::{records, Flash, Landed};
use lockgate::{
    Block, Device, Error, Fault, Layout, Machine, Refusal, Running, Sha2, Slot, Updater, Verified, Workspace,
};

type Failure = Error<lockgate::sim::Error>;

fn window(window: u8, lookahead: u8) -> Window {
    Window::new(window, lookahead).unwrap()
}

/// An image with patterns, and the next version of it: a few bytes differ, a piece is new.
fn versions(size: usize) -> (Vec<u8>, Vec<u8>) {
    let old: Vec<u8> = noise(size, 3).chunks(7).flat_map(|chunk| [chunk, &chunk[..chunk.len() / 2]].concat()).collect();
    let old = old[..size].to_vec();
    let mut new = old.clone();
    for at in (size / 9..size).step_by(size / 5 + 1) {
        new[at] ^= 0x21;
    }
    new.splice(size / 2..size / 2, noise(99, 5));
    (old, new)
}

/// Every encoding of `new`.
fn payloads(old: &[u8], new: &[u8]) -> Vec<Payload> {
    let deltas = [None, Some(window(8, 7)), Some(window(11, 10))];
    let compressed = [window(8, 4), window(11, 4)].map(|window| Payload::heatshrink(new, window).unwrap());
    deltas.into_iter().map(|window| Payload::delta(old, new, window).unwrap()).chain(compressed).collect()
}

fn pack(bench: &Bench, payload: &Payload, block: u32) -> Package {
    update().block_size(block).unwrap().encode(payload, &mut [&mut bench.key.clone()]).unwrap()
}

/// What a device says whose running image is `old`.
fn running(old: &[u8]) -> Running {
    Running { image: Some(sha256(old).into()), ..Running::factory() }
}

/// A flash in whose slot A `old` runs.
fn flash<const W: usize, const R: usize>(bench: &Bench, package: &Package, old: &[u8], new: &[u8]) -> Flash<W, R> {
    let mut flash = bench.flash(package, new);
    flash.load(bench.layout.slot_range(Slot::A).start, old);
    flash
}

fn install<const W: usize, const R: usize, const N: usize>(
    bench: &Bench,
    flash: &mut Flash<W, R>,
    running: Running,
    package: &[u8],
    piece: usize,
) -> Result<Verified, Failure> {
    let (mut block, mut workspace) = (Block::<1024>::new(), Workspace::<N>::new());
    let mut updater = Updater::new(bench.device, flash, &mut block).running(running).workspace(&mut workspace);
    for piece in package.chunks(piece) {
        updater.write_all(piece)?;
    }
    updater.finish()
}

fn installs<const W: usize, const R: usize>(layout: &'static Layout, size: usize) {
    let bench = Bench::new(layout);
    let (old, new) = versions(size);
    for payload in payloads(&old, &new) {
        for (block, piece) in [(256, 1), (1024, 500), (512, usize::MAX)] {
            let package = pack(&bench, &payload, block);
            let mut flash = flash::<W, R>(&bench, &package, &old, &new);
            let receipt = install::<W, R, 2304>(&bench, &mut flash, running(&old), package.bytes(), piece)
                .unwrap_or_else(|error| panic!("{:?} in blocks of {block}: {error}", payload.encoding()));
            bench.assert_installed(&flash, &package, &new, &receipt);
        }
    }
}

macro_rules! uniform {
    ($name:literal, $count:literal x $size:literal, write $write:literal) => {{
        const GEOMETRY: Geometry = Geometry::new($name, &[Run { count: $count, size: $size }], $write);
        const RECORDS: u32 = if 2 * $size < 2048 { 2048 } else { 2 * $size };
        const HALF: u32 = $count / 2 * $size;
        const LAYOUT: Layout =
            Layout::new(&GEOMETRY).records(0..RECORDS).slots(RECORDS..HALF, HALF..$count * $size).check();
        &LAYOUT
    }};
}

#[test]
fn every_encoding_becomes_the_image_on_every_write_unit() {
    installs::<1, 1>(uniform!("unit 1", 128 x 128, write 1), 3001);
    installs::<4, 4>(&SMALL_LAYOUT, 9001);
    installs::<8, 8>(uniform!("unit 8", 32 x 2048, write 8), 9001);
    installs::<32, 4>(uniform!("unit 32", 16 x 8192, write 32), 20_003);
    installs::<4, 32>(uniform!("read 32", 64 x 1024, write 4), 5003);
}

#[test]
fn a_patch_of_chunks_that_are_empty_is_decoded_to_its_end() {
    let bench = Bench::new(&SMALL_LAYOUT);
    // By hand: the image is four bytes of what runs, behind more empty chunks than one step of the decoder takes.
    let old = noise(3000, 8);
    let patch = [&[0, 4, 0][..], &[0; 3 * 200], &[4, 0, 0, 0, 0, 0, 0]].concat();
    let (payload, new) = Payload::patch(&old, patch).unwrap();
    assert_eq!(new, old[..4]);
    let package = pack(&bench, &payload, 512);
    let mut flash = flash::<4, 1>(&bench, &package, &old, &new);
    let receipt = install::<4, 1, 512>(&bench, &mut flash, running(&old), package.bytes(), 100).unwrap();
    bench.assert_installed(&flash, &package, &new, &receipt);
}

#[track_caller]
fn refused<const N: usize>(payload: &Payload, running: Running, expected: impl Fn(&Refusal) -> bool) {
    let bench = Bench::new(&SMALL_LAYOUT);
    let package = pack(&bench, payload, 512);
    let mut flash: Flash = Flash::sized(SMALL_LAYOUT.geometry()).seed(7).used();
    let outcome = install::<4, 1, N>(&bench, &mut flash, running, package.bytes(), 500);
    assert!(matches!(&outcome, Err(Error::Refused(refusal)) if expected(refusal)), "{outcome:?}");
    let slot = SMALL_LAYOUT.slot_range(Slot::B);
    assert_eq!(flash.erases_in(slot), 0, "refused before the first erase");
}

#[test]
fn a_delta_of_another_image_than_the_one_that_runs_is_refused_before_the_first_erase() {
    let (old, new) = versions(5000);
    let delta = Payload::delta(&old, &new, Some(window(8, 7))).unwrap();
    refused::<512>(&delta, running(&noise(5000, 8)), |refusal| {
        matches!(refusal, Refusal::WrongBase { running: Some(_), .. })
    });
    refused::<512>(&delta, Running::factory(), |refusal| matches!(refusal, Refusal::WrongBase { running: None, .. }));
}

#[test]
fn a_delta_of_a_base_that_fills_its_slot_is_taken_and_of_one_byte_more_refused() {
    let capacity = SMALL_LAYOUT.slot_capacity(Slot::A) as usize;
    let base = noise(capacity + 1, 8);
    let (fits, new) = (&base[..capacity], &base[..5000]);
    refused::<512>(&Payload::delta(&base, new, None).unwrap(), running(&base), |refusal| {
        matches!(refusal, Refusal::WrongBase { running: Some(_), .. })
    });
    let bench = Bench::new(&SMALL_LAYOUT);
    let package = pack(&bench, &Payload::delta(fits, new, None).unwrap(), 512);
    let mut flash: Flash = flash(&bench, &package, fits, new);
    let receipt = install::<4, 1, 512>(&bench, &mut flash, running(fits), package.bytes(), 500).unwrap();
    bench.assert_installed(&flash, &package, new, &receipt);
}

#[test]
fn a_window_larger_than_the_workspace_is_refused_before_the_first_erase() {
    let (old, new) = versions(5000);
    let large = |refusal: &Refusal| matches!(refusal, Refusal::WindowTooLarge { window: 2048, workspace: 256 });
    refused::<512>(&Payload::heatshrink(&new, window(11, 4)).unwrap(), Running::factory(), large);
    refused::<512>(&Payload::delta(&old, &new, Some(window(11, 4))).unwrap(), running(&old), large);
}

#[test]
fn without_a_workspace_only_raw_payloads_are_taken() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let (_, new) = versions(5000);
    let package = pack(&bench, &Payload::heatshrink(&new, window(8, 4)).unwrap(), 512);
    let mut flash: Flash = Flash::sized(SMALL_LAYOUT.geometry()).used();
    let outcome = common::install::<4, 1, 1024>(&bench, &mut flash, package.bytes());
    assert!(matches!(outcome, Err(Error::Refused(Refusal::Encoding))), "{outcome:?}");
}

/// A package whose payload was meddled with before it was signed.
fn signed(bench: &Bench, payload: &Payload, meddle: impl Fn(&mut Vec<u8>)) -> Package {
    update().block_size(512).unwrap().encode(&payload.meddled(meddle), &mut [&mut bench.key.clone()]).unwrap()
}

#[test]
fn a_payload_that_was_signed_and_does_not_decode_leaves_the_running_image_as_it_is() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let (old, new) = versions(5000);
    for payload in payloads(&old, &new) {
        for spoil in [|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1), |bytes: &mut Vec<u8>| bytes.push(0)] {
            let package = signed(&bench, &payload, spoil);
            let mut flash: Flash = flash(&bench, &package, &old, &new);
            flash.clear_oracles();
            let outcome = install::<4, 1, 2304>(&bench, &mut flash, running(&old), package.bytes(), 500);
            let refusal = matches!(outcome, Err(Error::Refused(Refusal::Payload(Fault::Truncated | Fault::Trailing))));
            assert!(refusal, "{:?}: {outcome:?}", payload.encoding());
            let start = SMALL_LAYOUT.slot_range(Slot::A).start as usize;
            assert_eq!(&flash.bytes()[start..start + old.len()], &old[..], "what runs");
            // The next package finds nothing of it.
            let good = pack(&bench, &payload, 512);
            let receipt = install::<4, 1, 2304>(&bench, &mut flash, running(&old), good.bytes(), 500).unwrap();
            assert_eq!(receipt.image_digest(), sha256(&new));
        }
    }
}

/// A patch that makes another image than the one that was signed.
#[test]
fn a_patch_that_makes_another_image_is_refused_by_its_digest() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let (old, new) = versions(5000);
    let package = signed(&bench, &Payload::delta(&old, &new, None).unwrap(), |bytes| bytes[2500] ^= 1);
    let mut flash: Flash = flash(&bench, &package, &old, &new);
    flash.clear_oracles();
    let outcome = install::<4, 1, 512>(&bench, &mut flash, running(&old), package.bytes(), 500);
    assert!(matches!(outcome, Err(Error::Refused(Refusal::ImageDigest))), "{outcome:?}");
}

/// A flash in whose slot A `old` runs, and where power failed after `cut` bytes of the package, and once more when it came
/// again.
fn interrupted(bench: &Bench, device: &Device, package: &Package, old: &[u8], cut: usize) -> Flash {
    let mut flash: Flash = provisioned(&SMALL_LAYOUT, Slot::A, &release(&bench.key, 0, 1, old), old);
    boot(device, &mut flash).unwrap();
    let (mut block, mut workspace) = (Block::<512>::new(), Workspace::<2304>::new());
    let mut updater = Updater::new(device, &mut flash, &mut block).workspace(&mut workspace);
    updater.write_all(&package.bytes()[..cut]).unwrap();
    flash.cut_at(flash.steps(), Landed::Subset.metastable());
    let mut updater = Updater::new(device, &mut flash, &mut block).workspace(&mut workspace);
    updater.write_all(package.bytes()).unwrap_err();
    assert!(flash.cut_fired());
    flash.power_on();
    flash
}

/// Goes on after power failed `cut` bytes into the package; gives where the update goes on, and how often sectors of the
/// slot were erased in all.
fn resumed(payload: &Payload, old: &[u8], new: &[u8], cut: usize) -> (u32, u64) {
    let bench = Bench::new(&SMALL_LAYOUT);
    let device = bench.device.checkpoint_interval(1024);
    let package = pack(&bench, payload, 256);
    let mut flash = interrupted(&bench, &device, &package, old, cut);
    let (mut block, mut workspace) = (Block::<512>::new(), Workspace::<512>::new());
    let mut updater = Updater::new(&device, &mut flash, &mut block).workspace(&mut workspace);
    updater.write_all(&package.bytes()[..package.head().len()]).unwrap();
    let position = updater.position();
    updater.stream_at(position).unwrap();
    updater.write_all(&package.bytes()[position as usize..]).unwrap();
    let receipt = updater.finish().unwrap();
    assert_eq!(receipt.image_digest(), sha256(new));
    (position, flash.erases_in(SMALL_LAYOUT.slot_range(Slot::B)))
}

/// 20 sectors of the image, two or three more for a checkpoint's interval, and the trailer's twice.
const ONCE: u64 = 26;

#[test]
fn a_compressed_image_goes_on_at_its_checkpoint() {
    let (old, new) = versions(20_001);
    let payload = Payload::heatshrink(&new, window(8, 4)).unwrap();
    let length = payload.bytes().len();
    let (position, erases) = resumed(&payload, &old, &new, length * 3 / 4);
    assert!(position as usize > length / 2, "{length} bytes, on at {position}");
    assert!(erases < ONCE, "{erases} erases of 20 sectors");
}

#[test]
fn a_delta_is_sent_again_and_nothing_of_the_image_is_written_twice() {
    let (old, new) = versions(20_001);
    for window in [None, Some(window(8, 7))] {
        let payload = Payload::delta(&old, &new, window).unwrap();
        let cut = payload.bytes().len() * 3 / 4 + 300;
        let (_, erases) = resumed(&payload, &old, &new, cut);
        assert!(erases < ONCE, "{erases} erases of 20 sectors");
    }
}

#[test]
fn what_the_slot_holds_of_a_delta_is_read_a_piece_at_a_time_and_if_it_is_another_image_all_is_written_again() {
    let (old, new) = versions(20_001);
    let bench = Bench::new(&SMALL_LAYOUT);
    let device = bench.device.checkpoint_interval(1024);
    let slot = SMALL_LAYOUT.slot_range(Slot::B);
    for window in [None, Some(window(8, 7))] {
        let package = pack(&bench, &Payload::delta(&old, &new, window).unwrap(), 256);
        let mut flash = interrupted(&bench, &device, &package, &old, package.bytes().len() * 3 / 4);
        flash.clear_oracles();
        let lies = slot.start + 3000;
        let other = flash.bytes()[lies as usize] ^ 0x10;
        flash.poke(lies, &[other]);
        let (mut block, mut workspace) = (Block::<512>::new(), Workspace::<512>::new());
        let mut updater = Updater::new(&device, &mut flash, &mut block).workspace(&mut workspace);
        let outcome = updater.write_all(package.bytes());
        assert!(matches!(outcome, Err(Error::Refused(Refusal::ImageDigest))), "{outcome:?}");
        let written = flash.programmed_in(slot.start..slot.end - 2048);
        let receipt = install::<4, 1, 512>(&bench, &mut flash, running(&old), package.bytes(), 500).unwrap();
        assert_eq!(receipt.image_digest(), sha256(&new));
        let again = flash.programmed_in(slot.start..slot.end - 2048) - written;
        assert!(again as usize >= new.len(), "{again} bytes were written again");
    }
}

#[test]
fn what_the_slot_holds_and_cannot_be_read_is_written_again_by_who_starts_over() {
    let (old, new) = versions(20_001);
    let bench = Bench::new(&SMALL_LAYOUT);
    let device = bench.device.checkpoint_interval(1024);
    let deltas = [None, Some(window(8, 7))].map(|window| Payload::delta(&old, &new, window).unwrap());
    for payload in deltas.into_iter().chain([Payload::heatshrink(&new, window(8, 4)).unwrap()]) {
        let package = pack(&bench, &payload, 256);
        let (mut block, mut workspace) = (Block::<512>::new(), Workspace::<512>::new());
        let mut flash = interrupted(&bench, &device, &package, &old, package.bytes().len() * 3 / 4);
        flash.fail_read(SMALL_LAYOUT.slot_range(Slot::B).start + 100);
        let mut updater = Updater::new(&device, &mut flash, &mut block).workspace(&mut workspace);
        let outcome = updater.write_all(package.bytes()).and_then(|()| updater.finish());
        assert!(matches!(outcome, Err(Error::Flash(_))), "{:?}: {outcome:?}", payload.encoding());
        updater.restart();
        updater.write_all(package.head()).unwrap();
        // Nor does a power cut lead back to it.
        assert_eq!(records(&SMALL_LAYOUT, &mut updater.release()).checkpoint, None);
        let mut updater = Updater::new(&device, &mut flash, &mut block).workspace(&mut workspace);
        updater.write_all(package.bytes()).unwrap();
        assert_eq!(updater.finish().unwrap().image_digest(), sha256(&new));
    }
}

#[test]
fn a_flash_that_others_used_after_any_step_is_looked_at_again_and_the_update_completes() {
    let (old, new) = versions(1500);
    let bench = Bench::new(&SMALL_LAYOUT);
    for payload in payloads(&old, &new) {
        let package = pack(&bench, &payload, 256);
        let fresh: Flash = flash(&bench, &package, &old, &new);
        for steps in 0..160 {
            let mut flash = fresh.clone();
            let (mut block, mut workspace) = (Block::<512>::new(), Workspace::<2304>::new());
            let mut machine = Machine::<Sha2>::new(bench.device, &mut block, 4).workspace(&mut workspace);
            machine.know(running(&old));
            assert!(drive(&mut machine, &mut flash, package.bytes(), steps).is_none());
            machine.distrust();
            let receipt = complete(&mut machine, &mut flash, package.bytes());
            assert_eq!(receipt.image_digest(), sha256(&new), "{:?}, {steps} steps", payload.encoding());
        }
    }
}

#[test]
fn the_async_twin_takes_them_as_well() {
    use embassy_futures::block_on;
    use lockgate::asynch;
    let bench = Bench::new(&SMALL_LAYOUT);
    let (old, new) = versions(9001);
    for payload in payloads(&old, &new) {
        let package = pack(&bench, &payload, 512);
        let mut flash: Flash = flash(&bench, &package, &old, &new);
        let (mut block, mut workspace) = (Block::<512>::new(), Workspace::<2304>::new());
        let mut updater =
            asynch::Updater::new(bench.device, &mut flash, &mut block).running(running(&old)).workspace(&mut workspace);
        let receipt = block_on(updater.install(package.bytes(), |_| ())).unwrap();
        bench.assert_installed(&flash, &package, &new, &receipt);
    }
}

#[test]
fn what_decodes_with_a_window_of_8_takes_at_most_a_kibibyte() {
    assert!(core::mem::size_of::<Workspace<512>>() <= 1024, "{}", core::mem::size_of::<Workspace<512>>());
}
