//! Promise (I4): what is not for this device, or too old, or too large, or not signed by enough, is refused
//! before the first erase.

mod common;

use common::{leak, noise, sha256, trust, update, Bench, CLASS, OTHER, SMALL_LAYOUT, VENDOR};
use embedded_io::Write;
use lockgate::geometry::{Geometry, Run};
use lockgate::manifest::CRITICAL;
use lockgate::pack::{Package, Signer, SigningKey, Update};
use lockgate::sim::Flash;
use lockgate::{
    Ack, Block, Decision, Device, Error, ErrorKind, Layout, Machine, Refusal, Running, Sha2, Slot, Step, Updater,
    Version, P256,
};

type Outcome = Result<(), Error<lockgate::sim::Error>>;

/// Streams `bytes` to `device`; gives the outcome and how many sectors were erased.
fn offer(device: &Device<'_>, running: Running, bytes: &[u8]) -> (Outcome, u64) {
    let mut flash: Flash = Flash::new(device.layout().geometry());
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(device, &mut flash, &mut block).running(running);
    let outcome = updater.write_all(bytes).and_then(|()| updater.finish()).map(drop);
    (outcome, flash.counters().erases)
}

#[track_caller]
fn assert_refused(device: &Device<'_>, running: Running, bytes: &[u8], refusal: Refusal) {
    let (outcome, erases) = offer(device, running, bytes);
    assert_eq!(outcome, Err(Error::Refused(refusal)));
    assert_eq!(erases, 0, "refused, but only after an erase");
}

fn build(update: &Update, key: &SigningKey) -> Package {
    build_of(update, key, 700)
}

fn build_of(update: &Update, key: &SigningKey, size: usize) -> Package {
    update.clone().block_size(256).unwrap().build(&noise(size, 1), &mut [&mut key.clone()]).unwrap()
}

#[test]
fn another_vendor_class_or_component_is_refused() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let version = Version::new(1, 0, 0, 0);
    let wrong = [
        (Update::new(OTHER, CLASS, version, 1), Refusal::WrongVendor { package: OTHER, device: VENDOR }),
        (Update::new(VENDOR, OTHER, version, 1), Refusal::WrongClass { package: OTHER, device: CLASS }),
        (update().component(3), Refusal::WrongComponent { package: 3, device: 0 }),
    ];
    for (update, refusal) in wrong {
        assert_refused(bench.device, bench.running, build(&update, &bench.key).bytes(), refusal);
    }
    let component = bench.device.component(3);
    assert_eq!(offer(&component, bench.running, build(&update().component(3), &bench.key).bytes()).0, Ok(()));
}

#[test]
fn an_older_security_counter_is_refused_whatever_its_version() {
    let mut bench = Bench::new(&SMALL_LAYOUT);
    bench.running.security_counter = 8;
    let package = build(&Update::new(VENDOR, CLASS, Version::new(99, 0, 0, 0), 7), &bench.key);
    assert_refused(bench.device, bench.running, package.bytes(), Refusal::SecurityCounter { package: 7, device: 8 });
    let allowed = bench.device.allow_downgrade();
    assert_refused(&allowed, bench.running, package.bytes(), Refusal::SecurityCounter { package: 7, device: 8 });
}

#[test]
fn a_lower_version_at_the_same_counter_is_refused_unless_the_application_opts_in() {
    let mut bench = Bench::new(&SMALL_LAYOUT);
    bench.running.security_counter = 7;
    bench.running.version = Version::new(1, 2, 4, 0);
    let package = build(&update(), &bench.key);
    let refusal = Refusal::Downgrade { package: Version::new(1, 2, 3, 0), running: Version::new(1, 2, 4, 0) };
    assert_refused(bench.device, bench.running, package.bytes(), refusal);
    assert_eq!(offer(&bench.device.allow_downgrade(), bench.running, package.bytes()).0, Ok(()));
    bench.running.security_counter = 6;
    assert_eq!(offer(bench.device, bench.running, package.bytes()).0, Ok(()), "a greater counter permits it");
}

#[test]
fn another_image_of_the_version_that_runs_is_taken_at_the_same_counter() {
    let mut bench = Bench::new(&SMALL_LAYOUT);
    bench.running.security_counter = 7;
    bench.running.version = Version::new(1, 2, 3, 0);
    bench.running.image = Some(sha256(&noise(700, 2)).into());
    assert_eq!(offer(bench.device, bench.running, build(&update(), &bench.key).bytes()).0, Ok(()));
}

#[test]
fn the_image_that_runs_is_not_installed_again() {
    let mut bench = Bench::new(&SMALL_LAYOUT);
    let package = build(&update(), &bench.key);
    bench.running.image = Some(package.manifest().image_digest.into());
    assert_eq!(offer(bench.device, bench.running, package.bytes()).0, Ok(()), "a greater counter permits it");
    bench.running.security_counter = 7;
    assert_refused(bench.device, bench.running, package.bytes(), Refusal::AlreadyRunning);
    assert_eq!(offer(&bench.device.allow_downgrade(), bench.running, package.bytes()).0, Ok(()));
}

#[test]
fn blocks_and_heads_larger_than_the_buffer_are_refused() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(3000, 2);
    let package = bench.pack(&image, 1024);
    assert_refused(bench.device, bench.running, package.bytes(), Refusal::BlockTooLarge { block: 1024, buffer: 512 });
    let large = update().element(0x7000, &[7; 300]).unwrap();
    let (outcome, erases) = offer(bench.device, bench.running, build(&large, &bench.key).bytes());
    assert!(matches!(outcome, Err(Error::Refused(Refusal::HeadTooLarge { have: 512, .. }))), "{outcome:?}");
    assert_eq!(erases, 0);
}

#[test]
fn an_unknown_critical_element_is_refused_and_an_unknown_other_is_not() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let critical = update().element(0x7001 | CRITICAL, b"x").unwrap();
    let refusal = Refusal::UnknownElement { number: 0x7001 };
    assert_refused(bench.device, bench.running, build(&critical, &bench.key).bytes(), refusal);
    let knows = bench.device.private_elements(&[0x7001]);
    assert_eq!(offer(&knows, bench.running, build(&critical, &bench.key).bytes()).0, Ok(()));
    let other = update().element(0x7001, b"x").unwrap();
    assert_eq!(offer(bench.device, bench.running, build(&other, &bench.key).bytes()).0, Ok(()));
}

#[test]
fn an_image_linked_for_another_address_is_refused() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let (a, b) = (0x1000, 0x2000);
    let packed = |address| build(&update().load_address(address), &bench.key);
    let device = bench.device.load_addresses(a, b);
    assert_refused(&device, bench.running, packed(a).bytes(), Refusal::LoadAddress { package: a });
    assert_eq!(offer(&device, bench.running, packed(b).bytes()).0, Ok(()));
    let in_b = Running { slot: Slot::B, ..bench.running };
    assert_eq!(offer(&device, in_b, packed(a).bytes()).0, Ok(()));
    assert_refused(bench.device, bench.running, packed(a).bytes(), Refusal::LoadAddress { package: a });
    assert_refused(&device, bench.running, build(&update(), &bench.key).bytes(), Refusal::NoLoadAddress);
    assert_eq!(
        offer(&bench.device.load_addresses(a, a), bench.running, build(&update(), &bench.key).bytes()).0,
        Ok(())
    );
}

#[test]
fn fewer_signatures_than_the_threshold_are_refused_and_strangers_do_not_count() {
    let (mut a, mut b, mut stranger) = (SigningKey::generate(), SigningKey::generate(), SigningKey::generate());
    let device = leak(Device::new(&SMALL_LAYOUT, VENDOR, CLASS, trust(2, &[&a, &b])));
    let image = noise(100, 1);
    let signed = |signers: &mut [&mut dyn Signer]| update().block_size(256).unwrap().build(&image, signers).unwrap();
    let too_few = Refusal::TooFewSignatures { valid: 1, needed: 2 };
    assert_refused(device, Running::factory(), signed(&mut [&mut a]).bytes(), too_few);
    assert_refused(device, Running::factory(), signed(&mut [&mut a, &mut stranger]).bytes(), too_few);
    let none = Refusal::TooFewSignatures { valid: 0, needed: 2 };
    assert_refused(device, Running::factory(), signed(&mut [&mut stranger]).bytes(), none);
    let both = signed(&mut [&mut a, &mut b, &mut stranger]);
    assert_eq!(offer(device, Running::factory(), both.bytes()).0, Ok(()));
}

#[test]
fn a_strangers_entry_at_the_very_end_does_not_spare_the_manifest_its_judgement() {
    let bench = Bench::new(&SMALL_LAYOUT);
    // Entries stand in the order of their key ids.
    let mut stranger = std::iter::repeat_with(SigningKey::generate)
        .find(|key| key.public_key().id::<Sha2>() > bench.key.public_key().id::<Sha2>())
        .unwrap();
    let foreign = Update::new(OTHER, CLASS, Version::new(1, 0, 0, 0), 1).block_size(256).unwrap();
    let package = foreign.build(&noise(100, 1), &mut [&mut bench.key.clone(), &mut stranger]).unwrap();
    let refusal = Refusal::WrongVendor { package: OTHER, device: VENDOR };
    assert_refused(bench.device, bench.running, package.bytes(), refusal);
}

#[test]
fn a_swapped_image_is_judged_by_the_address_of_the_slot_it_will_run_in() {
    const SWAP: Layout = Layout::new(&common::SMALL)
        .records(0..2048)
        .slots(2048..2048 + 28 * 1024, 33 * 1024..61 * 1024)
        .swap(61 * 1024..63 * 1024)
        .check();
    let bench = Bench::new(&SWAP);
    let device = bench.device.load_addresses(0x1000, 0x2000);
    let packed = |address| build(&update().load_address(address), &bench.key);
    assert_eq!(offer(&device, bench.running, packed(0x1000).bytes()).0, Ok(()));
    assert_refused(&device, bench.running, packed(0x2000).bytes(), Refusal::LoadAddress { package: 0x2000 });
    let in_b = Running { slot: Slot::B, ..bench.running };
    let (outcome, erases) = offer(&device, in_b, packed(0x1000).bytes());
    assert_eq!((outcome.unwrap_err().kind(), erases), (ErrorKind::Bug, 0), "slot B is where it would be written");
}

#[test]
fn where_another_bootloader_starts_images_an_update_is_taken_while_none_waits_for_it() {
    const FOREIGN: Layout = Layout::new(&common::SMALL)
        .records(0..2048)
        .slots(2048..2048 + 28 * 1024, 33 * 1024..61 * 1024)
        .foreign()
        .check();
    let bench = Bench::new(&FOREIGN);
    let mut flash: Flash = Flash::new(FOREIGN.geometry());
    // Without records, and where the one before it is whole.
    for size in [3000, 5000, 4000] {
        let mut block = Block::<512>::new();
        let package = build_of(&update(), &bench.key, size);
        let receipt = Updater::new(bench.device, &mut flash, &mut block).install(package.bytes(), |_| ()).unwrap();
        assert_eq!(receipt.slot(), Slot::B);
    }
}

#[test]
fn a_flash_smaller_than_its_layout_is_found_before_the_first_erase() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let package = build(&update(), &bench.key);
    let smaller = Geometry::new("smaller", &[Run { count: 62, size: 1024 }], 4);
    let mut flash: Flash = Flash::new(&smaller);
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    assert_eq!(updater.write_all(package.bytes()).unwrap_err().kind(), ErrorKind::Bug);
    assert_eq!(flash.counters().erases, 0);
}

/// Feeds a package until a signature waits.
fn feed_head(machine: &mut Machine<'_>, mut bytes: &[u8]) {
    while let Ok(Step::Receive) = machine.step() {
        let taken = machine.feed(bytes).unwrap();
        bytes = &bytes[taken..];
    }
}

/// Has the signature of a genuine package checked, then spends the proof on one that `forge` made of it.
#[track_caller]
fn assert_proof_is_void(forge: impl FnOnce(&mut [u8], usize)) {
    let bench = Bench::new(&SMALL_LAYOUT);
    let good = build(&update(), &bench.key);
    let mut block = Block::<512>::new();
    let mut machine: Machine = Machine::new(bench.device, &mut block, 4);
    while let Ok(Step::Read { .. }) = machine.step() {
        machine.ack(Ack::Failed).unwrap(); // no records
    }
    feed_head(&mut machine, good.bytes());
    let Ok(Step::Verify(job)) = machine.step() else { panic!("a signature waits") };
    let proof = job.check(&mut P256);
    machine.disconnected();
    let mut forged = good.bytes().to_vec();
    forge(&mut forged, good.head().len());
    feed_head(&mut machine, &forged);
    assert!(matches!(machine.step(), Ok(Step::Verify(_))), "the forged one waits for its own check");
    assert!(matches!(machine.ack(Ack::Signature(&proof)), Err(Error::Refused(Refusal::BadSignature { .. }))));
}

#[test]
fn a_checked_signature_does_not_count_for_other_bytes_under_the_same_key() {
    assert_proof_is_void(|package, head| package[head - 64..head].fill(0x55));
}

#[test]
fn a_signature_that_was_checked_for_one_update_does_not_count_for_another() {
    // The same signature, under a manifest with another image digest.
    assert_proof_is_void(|package, _| package[100] ^= 1);
}

#[test]
fn a_bad_signature_under_a_trusted_key_is_refused_however_many_others_are_good() {
    let keys = [SigningKey::generate(), SigningKey::generate(), SigningKey::generate()];
    let device = leak(Device::new(&SMALL_LAYOUT, VENDOR, CLASS, trust(1, &[&keys[0], &keys[1], &keys[2]])));
    let [mut a, mut b, mut c] = keys;
    let package = update().block_size(256).unwrap().build(&noise(100, 1), &mut [&mut a, &mut b, &mut c]).unwrap();
    for entry in 1..=3 {
        let mut bytes = package.bytes().to_vec();
        let at = package.head().len() - 76 * entry + 20;
        bytes[at] ^= 1;
        let (outcome, erases) = offer(device, Running::factory(), &bytes);
        assert!(matches!(outcome, Err(Error::Refused(Refusal::BadSignature { .. }))), "{outcome:?}");
        assert_eq!(erases, 0);
    }
}

#[test]
fn only_as_many_signatures_as_the_threshold_are_kept_in_the_trailer() {
    let (mut a, mut b) = (SigningKey::generate(), SigningKey::generate());
    let device = leak(Device::new(&SMALL_LAYOUT, VENDOR, CLASS, trust(1, &[&a, &b])));
    let package = update().build(&noise(100, 1), &mut [&mut a, &mut b]).unwrap();
    let mut flash: Flash = Flash::new(SMALL_LAYOUT.geometry());
    let mut block = Block::<1024>::new();
    let mut updater = Updater::new(device, &mut flash, &mut block);
    updater.write_all(package.bytes()).unwrap();
    let _receipt = updater.finish().unwrap();
    let trailer = &flash.bytes()[SMALL_LAYOUT.slot_range(Slot::B).end as usize - 1024..];
    let kept = package.head().len() - 76;
    let signed = kept - 78;
    assert_eq!(trailer[..signed], package.head()[..signed]);
    assert_eq!(trailer[signed..signed + 2], 76u16.to_le_bytes(), "the section is as long as what was kept");
    assert_eq!(trailer[signed + 2..kept], package.head()[signed + 2..kept]);
    assert_eq!(trailer[kept..kept + 76], [0xFF; 76]);
}

#[test]
fn a_head_that_fills_the_trailer_is_taken_and_one_byte_more_is_refused() {
    let mut keys: Vec<SigningKey> = std::iter::repeat_with(SigningKey::generate).take(8).collect();
    let device = leak(Device::new(&SMALL_LAYOUT, VENDOR, CLASS, trust(8, &keys.iter().collect::<Vec<_>>())));
    let mut padded = |bytes: usize| {
        let mut signers: Vec<&mut dyn Signer> = keys.iter_mut().map(|key| key as &mut dyn Signer).collect();
        let update = update().block_size(256).unwrap().element(0x7000, &vec![7; bytes]).unwrap();
        update.build(&noise(100, 1), &mut signers).unwrap()
    };
    let room = 1024 - padded(0).head().len();
    let too_large = |needed| Err(Refusal::TrailerTooLarge { needed }.into());
    for (more, expected) in [(0, Ok(())), (1, too_large(1025)), (2, too_large(1026))] {
        let package = padded(room + more);
        let mut flash: Flash = Flash::new(SMALL_LAYOUT.geometry());
        let mut block = Block::<2048>::new();
        let outcome = Updater::new(device, &mut flash, &mut block).write_all(package.bytes());
        assert_eq!(outcome, expected, "a head of {} bytes", package.head().len());
    }
}

#[test]
fn the_application_sees_authentic_manifests_and_can_defer_or_refuse_before_anything_is_erased() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(700, 1);
    let package = update().block_size(256).unwrap().element(0x7002, b"note").unwrap();
    let package = package.build(&image, &mut [&mut bench.key.clone()]).unwrap();
    let mut flash: Flash = bench.flash(&package, &image);
    let mut block = Block::<512>::new();
    let mut answers = vec![Decision::Accept, Decision::Refuse, Decision::Defer];
    let mut updater = Updater::new(bench.device, &mut flash, &mut block).policy(|offer| {
        assert_eq!(offer.digest, package.manifest_digest());
        assert_eq!(offer.manifest, *package.manifest());
        assert_eq!(offer.elements().last().unwrap().unwrap().value, b"note");
        answers.pop().unwrap()
    });
    let deferred = updater.write_all(package.bytes()).unwrap_err();
    assert_eq!(deferred, Error::Deferred);
    assert_eq!((deferred.kind(), updater.position()), (ErrorKind::Retry, 0));
    assert_eq!(updater.write_all(package.bytes()), Err(Error::Refused(Refusal::Policy)));
    updater.write_all(package.bytes()).unwrap();
    let receipt = updater.finish().unwrap();
    bench.assert_installed(&flash, &package, &image, &receipt);
}
