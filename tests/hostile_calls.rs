//! Promise (I7, I8, I14): an application that calls in an order nobody thought of, drops futures, or shares its flash between
//! handles, loses no progress, no confirmation and no counter, and spends no receipt twice.

mod common;

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Waker};
use std::cell::RefCell;

use common::driver::{complete, drive};
use common::{ask, boot, device, noise, provisioned, release, Bench, SMALL, SMALL_LAYOUT, SWAP_LAYOUT};
use embedded_io::Write;
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockgate::sim::{Flash, Landed};
use lockgate::{
    asynch, Ack, Block, BootReason, Control, Decision, Error, Machine, Refusal, Slot, Stage, Step, UpdateState,
    Updater, P256,
};

#[test]
fn asking_for_a_receipt_of_half_an_image_keeps_the_progress() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let old = noise(5000, 1);
    let mut flash: Flash = provisioned(&SMALL_LAYOUT, Slot::A, &release(&bench.key, 0, 1, &old), &old);
    let device = bench.device.checkpoint_interval(2048);
    boot(&device, &mut flash).unwrap();
    let package = release(&bench.key, 1, 2, &noise(20_001, 4));
    let mut block = Block::<512>::new();
    Updater::new(&device, &mut flash, &mut block).write_all(&package.bytes()[..18_000]).unwrap();
    flash.power_off();
    flash.power_on();
    let mut copy = flash.clone();
    let mut updater = Updater::new(&device, &mut copy, &mut block);
    updater.write_all(&package.bytes()[..package.head().len()]).unwrap();
    let without = updater.position();
    let mut updater = Updater::new(&device, &mut flash, &mut block);
    assert_eq!(updater.staged(), Err(Error::NothingStaged));
    updater.write_all(&package.bytes()[..package.head().len()]).unwrap();
    assert_eq!(updater.position(), without, "progress after staged()");
}

#[test]
fn a_receipt_is_worthless_once_the_same_update_was_started_again() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(7000, 2));
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    let receipt = updater.install(package.bytes(), |_| ()).unwrap();
    // The server sends it again, and the link is lost behind the head.
    updater.write_all(&package.bytes()[..package.head().len() + 300]).unwrap();
    let outcome = Control::new(bench.device, updater.flash()).try_next(receipt);
    assert_eq!(outcome, Err(Error::Superseded));
}

#[test]
fn a_genuine_image_whose_slot_was_begun_again_is_not_refused_for_it() {
    let (bench, flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(7000, 2));
    let mut block = Block::<512>::new();
    for more in [200usize, 600, 900, 1100, 1500] {
        let mut flash = flash.clone();
        let mut updater = Updater::new(bench.device, &mut flash, &mut block);
        let receipt = updater.install(package.bytes(), |_| ()).unwrap();
        updater.write_all(&package.bytes()[..package.head().len()]).unwrap();
        let at = updater.position() as usize;
        updater.stream_at(at as u32).unwrap();
        updater.write_all(&package.bytes()[at..(at + more).min(package.bytes().len() - 1)]).unwrap();
        let outcome = Control::new(bench.device, updater.flash()).try_next(receipt);
        assert_eq!(outcome, Err(Error::Superseded), "{more} bytes");
        boot(bench.device, &mut flash).unwrap();
        let again = Updater::new(bench.device, &mut flash, &mut block).install(package.bytes(), |_| ());
        assert!(again.is_ok(), "{more} bytes: {again:?}");
    }
}

#[test]
fn an_updater_sees_what_a_control_confirmed_through_its_flash() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
    boot(bench.device, &mut flash).unwrap();
    let newer = release(&bench.key, 2, 2, &noise(7000, 3));
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    assert_eq!(updater.install(newer.bytes(), |_| ()), Err(Refusal::Unconfirmed.into()));
    Control::new(bench.device, updater.flash()).confirm().unwrap();
    updater.restart();
    let _receipt = updater.install(newer.bytes(), |_| ()).unwrap();
}

#[test]
fn an_updater_does_not_write_over_what_a_control_wrote() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(7000, 2));
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    let receipt = updater.install(package.bytes(), |_| ()).unwrap();
    Control::new(bench.device, updater.flash()).try_next(receipt).unwrap();
    // The server has a newer one before the reset comes.
    let newer = release(&bench.key, 2, 2, &noise(7000, 3));
    let _receipt = updater.install(newer.bytes(), |_| ()).unwrap();
    assert_eq!(flash.violations(), []);
}

#[test]
fn an_updater_that_takes_the_same_package_again_voids_the_trial_that_waits() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(7000, 2));
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    let receipt = updater.install(package.bytes(), |_| ()).unwrap();
    Control::new(bench.device, updater.flash()).try_next(receipt).unwrap();
    updater.write_all(&package.bytes()[..package.head().len()]).unwrap();
    let at = updater.position() as usize;
    updater.stream_at(at as u32).unwrap();
    updater.write_all(&package.bytes()[at..at + 600]).unwrap();
    assert_eq!(Control::new(bench.device, updater.flash()).status().unwrap().update, UpdateState::Receiving);
    assert_eq!(boot(bench.device, &mut flash).unwrap().reason, BootReason::Confirmed);
    let again = Updater::new(bench.device, &mut flash, &mut block).install(package.bytes(), |_| ());
    assert!(again.is_ok(), "{again:?}");
}

#[test]
fn what_confirm_said_holds_after_a_future_that_was_dropped() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
    boot(bench.device, &mut flash).unwrap();
    let steps = flash.steps();
    let mut lost = Vec::new();
    for step in steps..steps + 40 {
        for seed in 0..20 {
            let mut flash = flash.clone().seed(seed);
            flash.stall_at(step, Landed::All.metastable());
            let mut control = asynch::Control::new(bench.device, &mut flash);
            {
                let mut future = pin!(control.confirm());
                let mut context = Context::from_waker(Waker::noop());
                for _ in 0..2000 {
                    if future.as_mut().poll(&mut context).is_ready() {
                        break;
                    }
                }
            }
            let again = embassy_futures::block_on(control.confirm());
            if again.is_err() || !flash.cut_fired() {
                continue;
            }
            flash.power_off();
            flash.power_on();
            let launch = boot(bench.device, &mut flash).unwrap();
            if launch.reason != BootReason::Confirmed {
                lost.push((step - steps, seed, launch.reason));
            }
        }
    }
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn a_restart_after_any_step_lets_no_lower_counter_or_version_in() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let newer = release(&bench.key, 5, 5, &noise(6000, 5));
    ask(&bench, &mut flash, &newer);
    boot(bench.device, &mut flash).unwrap();
    Control::new(bench.device, &mut flash).confirm().unwrap();
    let older = [release(&bench.key, 6, 4, &noise(7000, 6)), release(&bench.key, 4, 5, &noise(7000, 4))];
    for (steps, package) in (0..60).flat_map(|steps| older.iter().map(move |package| (steps, package))) {
        for asked in [false, true] {
            let mut flash = flash.clone();
            let mut block = Block::<512>::new();
            let mut machine = Machine::<lockgate::Sha2>::new(bench.device, &mut block, 4);
            assert!(drive(&mut machine, &mut flash, &[], steps).is_none());
            if asked {
                machine.step().unwrap();
            }
            machine.restart();
            let outcome = drive(&mut machine, &mut flash, package.bytes(), usize::MAX);
            let older = Refusal::SecurityCounter { package: 4, device: 5 };
            let refused = matches!(outcome, Some(Error::Refused(why)) if why == older || matches!(why, Refusal::Downgrade { .. }));
            assert!(refused, "{steps} steps, one more asked for: {asked}; then {outcome:?}");
        }
    }
}

#[test]
fn a_flash_that_others_used_after_any_step_is_looked_at_again_and_the_update_completes() {
    let bench = Bench::new(&SMALL_LAYOUT);
    let image = noise(2500, 2);
    let package = bench.pack(&image, 512);
    let fresh: Flash = bench.flash(&package, &image);
    for steps in 0..250 {
        let mut flash = fresh.clone();
        let mut block = Block::<512>::new();
        let mut machine = Machine::<lockgate::Sha2>::new(bench.device, &mut block, 4);
        assert!(drive(&mut machine, &mut flash, package.bytes(), steps).is_none());
        machine.distrust();
        let receipt = complete(&mut machine, &mut flash, package.bytes());
        bench.assert_installed(&flash, &package, &image, &receipt);
    }
}

#[test]
fn a_driver_that_answers_for_records_in_pieces_is_told_so() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let mut block = Block::<512>::new();
    let mut machine = Machine::<lockgate::Sha2>::new(bench.device, &mut block, 4);
    let Ok(Step::Read { at, len }) = machine.step() else { panic!("records are read first") };
    let mut bytes = vec![0; len as usize];
    flash.read(at, &mut bytes).unwrap();
    for wrong in [Ack::Read(&bytes[..32]), Ack::Read(&[]), Ack::Done] {
        assert!(matches!(machine.ack(wrong), Err(Error::Misuse(_))));
    }
    machine.ack(Ack::Read(&bytes)).unwrap();
}

#[test]
fn a_read_back_of_no_bytes_or_too_many_is_told_so_and_changes_nothing() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(3000, 2));
    let mut block = Block::<512>::new();
    let mut machine = Machine::<lockgate::Sha2>::new(bench.device, &mut block, 4);
    let (mut rest, mut wrong) = (package.bytes(), 0);
    loop {
        match machine.step().unwrap() {
            Step::Receive => rest = &rest[machine.feed(rest).unwrap()..],
            Step::Verify(job) => {
                let outcome = job.check(&mut P256);
                machine.ack(Ack::Signature(&outcome)).unwrap();
            }
            Step::Offer => machine.ack(Ack::Decision(Decision::Accept)).unwrap(),
            Step::Erase { from, to } => {
                flash.erase(from, to).unwrap();
                machine.ack(Ack::Done).unwrap();
            }
            Step::Write { at, bytes } => {
                flash.write(at, bytes).unwrap();
                machine.ack(Ack::Done).unwrap();
            }
            Step::Read { at, len } => {
                let mut bytes = vec![0; len as usize + 1];
                if machine.status().incoming.is_some() {
                    assert!(matches!(machine.ack(Ack::Read(&[])), Err(Error::Misuse(_))));
                    wrong += 1;
                }
                if machine.status().stage == Stage::Receiving {
                    assert!(matches!(machine.ack(Ack::Read(&bytes)), Err(Error::Misuse(_))));
                }
                bytes.pop();
                flash.read(at, &mut bytes).unwrap();
                machine.ack(Ack::Read(&bytes)).unwrap();
            }
            Step::Stored => machine.finish().unwrap(),
            Step::Complete => break,
        }
    }
    assert!(wrong > 6, "{wrong} answers");
    assert_eq!(machine.receipt().unwrap().manifest_digest(), package.manifest_digest());
}

#[test]
fn two_handles_on_one_flash_see_each_other() {
    struct Shared<'f>(&'f RefCell<Flash>);
    impl ErrorType for Shared<'_> {
        type Error = lockgate::sim::Error;
    }
    impl ReadNorFlash for Shared<'_> {
        const READ_SIZE: usize = 1;
        fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
            self.0.borrow_mut().read(at, bytes)
        }
        fn capacity(&self) -> usize {
            self.0.borrow().capacity()
        }
    }
    impl NorFlash for Shared<'_> {
        const WRITE_SIZE: usize = 4;
        const ERASE_SIZE: usize = 1;
        fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
            self.0.borrow_mut().erase(from, to)
        }
        fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Self::Error> {
            self.0.borrow_mut().write(at, bytes)
        }
    }
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
    boot(bench.device, &mut flash).unwrap();
    let flash = RefCell::new(flash);
    let mut one = Control::new(bench.device, Shared(&flash));
    let mut two = Control::new(bench.device, Shared(&flash));
    one.status().unwrap();
    two.status().unwrap();
    one.confirm().unwrap();
    assert_eq!(two.reject(), Err(Error::NotOnTrial));
    assert_eq!(two.status().unwrap().security_counter, 2);
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, Shared(&flash), &mut block);
    let receipt = updater.install(release(&bench.key, 2, 2, &noise(3000, 3)).bytes(), |_| ()).unwrap();
    one.try_next(receipt).unwrap();
    assert_eq!(flash.borrow().violations(), []);
}

#[test]
fn a_device_that_records_no_checkpoints_believes_none() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let writing = bench.device.checkpoint_interval(2048);
    let never = bench.device.checkpoint_interval(u32::MAX);
    let package = release(&bench.key, 1, 2, &noise(20_001, 4));
    let mut block = Block::<512>::new();
    Updater::new(&writing, &mut flash, &mut block).write_all(&package.bytes()[..18_000]).unwrap();
    let mut updater = Updater::new(&never, &mut flash, &mut block);
    updater.write_all(package.head()).unwrap();
    assert_eq!(updater.position() as usize, package.head().len());
}

#[test]
fn a_first_record_cannot_say_slot_b_where_images_run_in_a() {
    let bench = Bench::new(&SWAP_LAYOUT);
    let mut flash: Flash = Flash::new(&SMALL);
    let told = Control::new(bench.device, &mut flash).initialize(Slot::B, 1);
    assert!(matches!(told, Err(Error::Misuse(_))), "{told:?}");
}
