//! The attacker on the server: has every package that was ever signed, for every device, and no key.

use lockgate::pack::{Package, Update};
use lockgate::sim::Flash;
use lockgate::wire::{ObjectType, Prelude, MAX_KEY_SET, MAX_KEY_SETS, MAX_SIGNATURES};
use lockgate::{Control, ErrorKind, Refusal, Running, Slot, Updater, Version};

use crate::common::{boot, device, noise, release, Bench, CLASS, OTHER, SMALL_LAYOUT, VENDOR};
use crate::kit::offer;

fn genuine(bench: &Bench, update: Update) -> Package {
    update.block_size(512).unwrap().build(&noise(2000, 5), &mut [&mut bench.key.clone()]).unwrap()
}

#[track_caller]
fn refused_before_an_erase(bench: &Bench, flash: &mut Flash, package: &Package, refusal: Refusal) {
    let erases = flash.counters().erases;
    assert_eq!(offer(bench.device, flash, package.bytes()), Err(refusal.into()));
    assert_eq!(flash.counters().erases, erases, "refused after an erase");
}

#[test]
fn another_devices_package_is_refused_before_an_erase() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let version = Version::new(9, 0, 0, 0);
    let vendor = genuine(&bench, Update::new(OTHER, CLASS, version, 9));
    refused_before_an_erase(&bench, &mut flash, &vendor, Refusal::WrongVendor { package: OTHER, device: VENDOR });
    let class = genuine(&bench, Update::new(VENDOR, OTHER, version, 9));
    refused_before_an_erase(&bench, &mut flash, &class, Refusal::WrongClass { package: OTHER, device: CLASS });
    let component = genuine(&bench, Update::new(VENDOR, CLASS, version, 9).component(1));
    refused_before_an_erase(&bench, &mut flash, &component, Refusal::WrongComponent { package: 1, device: 0 });
    let linked = genuine(&bench, Update::new(VENDOR, CLASS, version, 9).load_address(0x4000));
    refused_before_an_erase(&bench, &mut flash, &linked, Refusal::LoadAddress { package: 0x4000 });
}

#[test]
fn not_defended_components_of_different_releases_are_taken_together() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let (radio, mut its_flash) = (bench.device.component(1), flash.clone());
    let ninth = genuine(&bench, Update::new(VENDOR, CLASS, Version::new(9, 0, 0, 0), 9));
    let second = genuine(&bench, Update::new(VENDOR, CLASS, Version::new(2, 0, 0, 0), 2).component(1));
    assert!(offer(bench.device, &mut flash, ninth.bytes()).is_ok());
    assert!(offer(&radio, &mut its_flash, second.bytes()).is_ok());
}

#[test]
fn an_older_release_is_refused_though_it_was_signed() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    // What runs has version 1.0 and counter 1.
    let counter = genuine(&bench, Update::new(VENDOR, CLASS, Version::new(9, 0, 0, 0), 0));
    refused_before_an_erase(&bench, &mut flash, &counter, Refusal::SecurityCounter { package: 0, device: 1 });
    let lower = genuine(&bench, Update::new(VENDOR, CLASS, Version::new(0, 9, 0, 0), 1));
    let (package, running) = (Version::new(0, 9, 0, 0), Version::new(1, 0, 0, 0));
    refused_before_an_erase(&bench, &mut flash, &lower, Refusal::Downgrade { package, running });
}

#[test]
fn a_counter_below_the_fuses_is_refused_where_the_application_tells_what_they_say() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(2000, 2));
    let mut block = lockgate::Block::<512>::new();
    let running = Running { security_counter: 5, version: Version::new(1, 0, 0, 0), ..Running::factory() };
    let mut updater = Updater::new(bench.device, &mut flash, &mut block).running(running);
    let error = updater.install(package.bytes(), |_| ()).unwrap_err();
    assert_eq!(error, Refusal::SecurityCounter { package: 2, device: 5 }.into());
}

#[test]
fn key_set_spam_ends_at_the_limit_and_costs_no_memory() {
    let (bench, flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(2000, 2));
    let prelude = Prelude { object: ObjectType::KeySet, body: MAX_KEY_SET }.encode();
    let section = vec![0xA5; usize::from(MAX_SIGNATURES)];
    let spam = [&prelude[..], &[0x5A; MAX_KEY_SET], &MAX_SIGNATURES.to_le_bytes(), &section].concat();
    let most = usize::from(MAX_KEY_SETS);
    // The limit itself is passed over, and the update behind it is taken.
    let within = [&spam.repeat(most)[..], package.bytes()].concat();
    assert!(offer(bench.device, &mut flash.clone(), &within).is_ok());
    let mut flash = flash;
    let erases = flash.counters().erases;
    assert_eq!(offer(bench.device, &mut flash, &spam.repeat(most + 1)), Err(Refusal::TooManyKeySets.into()));
    assert_eq!(flash.counters().erases, erases);
}

#[test]
fn what_is_no_package_is_refused_by_its_first_bytes() {
    let (bench, flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(2000, 2));
    for (at, value) in [(0, 0x88), (4, 0x0A), (8, 2), (9, 0), (9, 3), (10, 1), (13, 0xFF), (14, 1)] {
        let mut bytes = package.bytes()[..16].to_vec();
        bytes[at] = value;
        let mut flash = flash.clone();
        let error = offer(bench.device, &mut flash, &bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "byte {at}: {error}");
    }
}

#[test]
fn not_defended_a_release_that_is_not_the_newest_is_taken() {
    // Frozen: the server goes on offering what was new last year. Its counter and version still allow it.
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let last_year = release(&bench.key, 1, 2, &noise(2000, 2));
    let receipt = offer(bench.device, &mut flash, last_year.bytes()).unwrap();
    Control::new(bench.device, &mut flash).try_next(receipt).unwrap();
    boot(bench.device, &mut flash).unwrap();
    Control::new(bench.device, &mut flash).confirm().unwrap();
    // What there is against it: the device can say what it runs.
    let status = Control::new(bench.device, &mut flash).status().unwrap();
    assert_eq!((status.running, status.security_counter), (Slot::B, 2));
}
