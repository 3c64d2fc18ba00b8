//! Promise: the records cost little flash and spread their wear; and (I5) no number of failed updates lets an older counter in.

mod common;

use common::{boot, noise, provisioned, release, Bench, SMALL_LAYOUT};
use lockgate::geometry::{Geometry, Run};
use lockgate::sim::{Flash, Landed};
use lockgate::{Block, BootReason, Control, Device, Layout, Refusal, Slot, Updater};

/// 4 MiB of 4 KiB sectors would do; the slots of an ESP8266 layout are what counts.
const ESP8266: Geometry = Geometry::new("esp8266, 2 MiB", &[Run { count: 512, size: 4096 }], 4);
const LAYOUT: Layout = Layout::new(&ESP8266).records(0..0x4000).slots(0x4000..0x10_0000, 0x10_0000..0x1F_C000).check();

/// One update of 512 KiB with its trial: bytes programmed in records, and sectors of them erased.
fn cost(device: &Device<'_>, bench: &Bench, flash: &mut Flash, minor: u8) -> (u64, u64) {
    let image = noise(512 * 1024, u64::from(minor));
    let package = release(&bench.key, minor, 1, &image);
    let records = LAYOUT.records_range();
    let (bytes, erases) = (flash.programmed_in(records.clone()), flash.erases_in(records.clone()));
    let mut block = Block::<512>::new();
    let verified = Updater::new(device, &mut *flash, &mut block).install(package.bytes(), |_| ()).unwrap();
    Control::new(device, &mut *flash).try_next(verified).unwrap();
    assert!(matches!(boot(device, flash).unwrap().reason, BootReason::Trial { attempt: 1, .. }));
    Control::new(device, &mut *flash).confirm().unwrap();
    boot(device, flash).unwrap();
    (flash.programmed_in(records.clone()) - bytes, flash.erases_in(records) - erases)
}

#[test]
fn an_update_of_512_kib_costs_under_2_percent_of_programmed_bytes_and_at_most_2_erases_of_records() {
    let bench = Bench::new(&LAYOUT);
    let old = noise(5000, 1);
    let mut flash: Flash = provisioned(&LAYOUT, Slot::A, &release(&bench.key, 0, 1, &old), &old);
    boot(bench.device, &mut flash).unwrap();
    let (mut bytes, mut erases) = (0, 0);
    for minor in 1..8 {
        let (programmed, erased) = cost(bench.device, &bench, &mut flash, minor);
        (bytes, erases) = (programmed.max(bytes), erased.max(erases));
    }
    println!("records of an update of 512 KiB: {bytes} bytes programmed, {erases} sectors erased at the most");
    assert!(bytes * 50 < 512 * 1024, "{bytes} bytes");
    assert!(erases <= 2, "{erases} erases");
    // Every sector of the ring takes its turn.
    let turns: Vec<u64> = (0..4).map(|sector| flash.erases_in(sector * 4096..sector * 4096 + 4096)).collect();
    let (most, least) = (turns.iter().max().unwrap(), turns.iter().min().unwrap());
    assert!(most - least <= 1, "{turns:?}");
}

#[test]
fn a_thousand_failed_abandoned_and_reverted_updates_let_no_older_counter_in() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let images: Vec<Vec<u8>> = (0..4).map(|seed| noise(2000, seed)).collect();
    let old = release(&bench.key, 9, 6, &images[0]);
    let mut flash: Flash = provisioned(&SMALL_LAYOUT, Slot::A, &release(&bench.key, 0, 7, &images[1]), &images[1]);
    boot(bench.device, &mut flash).unwrap();
    let device = bench.device.allow_failed();
    // Counter 8: never confirmed.
    let newer = release(&bench.key, 1, 8, &images[2]);
    let mut block = Block::<512>::new();
    for round in 0..1000u64 {
        let mut updater = Updater::new(&device, &mut flash, &mut block);
        match round % 5 {
            // Tampered with, abandoned, cut.
            0 => {
                let mut bytes = newer.bytes().to_vec();
                let at = newer.head().len() + 700;
                bytes[at] ^= 1;
                updater.install(&bytes[..], |_| ()).unwrap_err();
            }
            1 => drop(embedded_io::Write::write_all(&mut updater, &newer.bytes()[..1500])),
            2 => {
                flash.cut_at(flash.steps() + round % 97, Landed::Subset.metastable());
                let _ = Updater::new(&device, &mut flash, &mut block).install(newer.bytes(), |_| ());
                flash.power_on();
            }
            // Tried, and taken back: not confirmed, or given up.
            kind => {
                let verified = updater.install(newer.bytes(), |_| ()).unwrap();
                Control::new(&device, &mut flash).try_next(verified).unwrap();
                assert!(matches!(boot(&device, &mut flash).unwrap().reason, BootReason::Trial { .. }));
                if kind == 3 {
                    Control::new(&device, &mut flash).reject().unwrap();
                }
                while matches!(boot(&device, &mut flash).unwrap().reason, BootReason::Trial { .. }) {}
            }
        }
        assert_eq!(Control::new(&device, &mut flash).status().unwrap().security_counter, 7, "round {round}");
        let error = Updater::new(&device, &mut flash, &mut block).install(old.bytes(), |_| ()).unwrap_err();
        assert_eq!(error, Refusal::SecurityCounter { package: 6, device: 7 }.into(), "round {round}");
    }
    assert_eq!(flash.violations(), []);
    println!("a sector of records was erased {} times in 1000 updates", flash.erases_in(0..1024));
}
