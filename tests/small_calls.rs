//! Promise (I8, I11): calls that a program seldom makes do what they say, and an answer that fits no step changes nothing.

mod common;

use std::panic::{catch_unwind, AssertUnwindSafe};

use common::driver::drive;
use common::{ask, boot, device, noise, put, release, trust, Bench, CLASS, SMALL, SMALL_LAYOUT, SWAP_LAYOUT, VENDOR};
use lockgate::boot::{Boot, Launch, NoImage, Platform};
use lockgate::pack::SigningKey;
use lockgate::serial::{Decoder, Port, Receiver};
use lockgate::sim::{Flash, Landed};
use lockgate::{
    Ack, Block, BootReason, Control, Decision, Device, Error, KeySet, Keyring, Layout, Machine, PublicKey, Sha2, Slot,
    Stage, Step, UpdateState, Updater, Uuid, Workspace, P256,
};

/// A board that says where it would jump.
struct Says;

impl Platform for Says {
    fn arm_watchdog(&mut self) {}

    fn jump(&mut self, launch: &Launch) -> ! {
        std::panic::panic_any(Ok::<Launch, NoImage>(*launch))
    }

    fn recover(&mut self, why: NoImage) -> ! {
        std::panic::panic_any(Err::<Launch, NoImage>(why))
    }
}

#[test]
fn run_jumps_to_the_image_that_was_selected_or_recovers() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let mut run = || {
        let stage = Boot::new(bench.device, &mut flash, Says).hash::<Sha2>();
        let end = catch_unwind(AssertUnwindSafe(|| stage.run())).unwrap_err();
        let outcome = *end.downcast::<Result<Launch, NoImage>>().expect("its own words");
        flash.rot(SMALL_LAYOUT.slot_range(Slot::A).start, 0);
        outcome
    };
    let launch = run().unwrap();
    let expected = (Slot::A, SMALL_LAYOUT.slot_range(Slot::A).start, BootReason::Confirmed);
    assert_eq!((launch.slot, launch.address, launch.reason), expected);
    assert_eq!(run(), Err(NoImage::Invalid), "it rotted");
}

#[test]
fn an_application_that_asks_in_the_middle_of_an_exchange_is_told() {
    let (bench, mut flash) = device(&SWAP_LAYOUT);
    ask(&bench, &mut flash, &release(&bench.key, 1, 2, &noise(7000, 2)));
    // In the middle of what the whole boot does, most of which is the exchange.
    let mut probe = flash.clone();
    boot(bench.device, &mut probe).unwrap();
    flash.cut_at(flash.steps().midpoint(probe.steps()), Landed::All.stable());
    assert!(boot(bench.device, &mut flash).is_err());
    flash.power_off();
    flash.power_on();
    let mut control = Control::new(bench.device, &mut flash).hash::<Sha2>();
    assert_eq!(control.status().unwrap().update, UpdateState::Swapping);
    let flash = control.release();
    assert!(matches!(boot(bench.device, flash).unwrap().reason, BootReason::Trial { attempt: 1, .. }));
}

#[test]
fn an_answer_that_fits_no_step_changes_nothing() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(3000, 2));
    let proof = {
        let mut block = Block::<512>::new();
        let mut machine = Machine::<Sha2>::new(bench.device, &mut block, 4);
        let (last, front) = package.head().split_last().unwrap();
        assert!(drive(&mut machine, &mut flash, front, usize::MAX).is_none());
        machine.feed(&[*last]).unwrap();
        let Ok(Step::Verify(job)) = machine.step() else { panic!("a signature waits") };
        job.check(&mut P256)
    };
    let mut block = Block::<512>::new();
    let mut machine = Machine::<Sha2>::new(bench.device, &mut block, 4);
    let answers = |machine: &mut Machine<'_, Sha2>| {
        let wrong = [
            machine.ack(Ack::Signature(&proof)).unwrap_err(),
            machine.ack(Ack::Decision(Decision::Accept)).unwrap_err(),
            machine.ack(Ack::Done).unwrap_err(),
        ];
        assert!(wrong.iter().all(|error| matches!(error, Error::Misuse(_))), "{wrong:?}");
    };
    assert!(drive(&mut machine, &mut flash, &[], usize::MAX).is_none());
    answers(&mut machine);
    assert!(machine.offer().is_err(), "there is none");
    let head = package.head().len();
    assert!(drive(&mut machine, &mut flash, package.bytes(), usize::MAX).is_none());
    answers(&mut machine);
    assert_eq!(machine.feed(&[0]), Err(lockgate::Refusal::Trailing.into()));
    assert!(head < machine.position() as usize);
    machine.finish().unwrap();
    assert!(drive(&mut machine, &mut flash, &[], usize::MAX).is_none());
    assert_eq!(machine.status().stage, Stage::Verified);
    let receipt = machine.receipt().unwrap();
    assert_eq!(receipt.security_counter(), 2);
}

#[test]
fn a_device_that_reads_its_keys_waits_for_a_package() {
    const LAYOUT: Layout =
        Layout::new(&SMALL).records(0..2048).keys(2048..5120).slots(5120..32 * 1024, 32 * 1024..59 * 1024).check();
    let bench = Bench::new(&SMALL_LAYOUT);
    let rotate = SigningKey::generate();
    let device = Device::new(&LAYOUT, VENDOR, CLASS, trust(1, &[&bench.key])).rotate_keys(trust(1, &[&rotate]));
    let mut flash = Flash::<4>::sized(&SMALL);
    let (mut block, mut ring) = (Block::<1024>::new(), Keyring::default());
    let mut machine = Machine::<Sha2>::new(&device, &mut block, 4).keyring(&mut ring);
    let package = release(&bench.key, 1, 2, &noise(3000, 2));
    for steps in 0.. {
        assert!(steps < 200);
        assert_eq!(machine.status().stage, Stage::Waiting, "after {steps} steps");
        if matches!(machine.step(), Ok(Step::Receive)) {
            break;
        }
        assert!(drive(&mut machine, &mut flash, &[], 1).is_none());
    }
    assert!(drive(&mut machine, &mut flash, package.bytes(), usize::MAX).is_none());
    assert_eq!(machine.status().stage, Stage::Stored);
}

/// A line on which nothing comes; counts how long it was waited for.
#[derive(Debug, Default)]
struct Silence(u32);

impl Port for Silence {
    type Error = core::convert::Infallible;

    fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, Self::Error> {
        self.0 += timeout_ms;
        Ok(None)
    }

    fn send(&mut self, _: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }
}

#[test]
fn a_receiver_waits_as_long_as_it_was_told_and_asks_as_often() {
    use embedded_io::Read;
    let mut line = Silence::default();
    let mut receiver = Receiver::<_, 64>::new(&mut line).answer_timeout(70).gap(5).wants(3);
    assert_eq!(receiver.read(&mut []).unwrap(), 0, "nothing is asked for");
    assert!(receiver.read(&mut [0]).is_err());
    assert_eq!(format!("{receiver:?}"), "Receiver { port: Silence(210), position: 0, .. }");
    assert_eq!(line.0, 3 * 70);
}

#[test]
fn what_is_new_by_default_is_what_new_makes() {
    assert_eq!(format!("{:?}", Block::<512>::default()), format!("{:?}", Block::<512>::new()));
    assert_eq!(format!("{:?}", Keyring::default()), format!("{:?}", Keyring::new()));
    assert_eq!(format!("{:?}", Decoder::default()), format!("{:?}", Decoder::new()));
    assert_eq!(format!("{:?}", Workspace::<512>::default()), format!("{:?}", Workspace::<512>::new()));
}

#[test]
fn a_mistake_in_a_constant_says_what_there_must_be() {
    let said = |mistake: fn()| *catch_unwind(mistake).unwrap_err().downcast::<&str>().expect("a text");
    let id = said(|| assert!(Uuid::new("6b1f3a52") == Uuid([0; 16])));
    assert!(id.contains("32 hexadecimal digits"), "{id}");
    let keys = said(|| assert!(KeySet::new(2, &[PublicKey([1; 64])]).threshold() == 2));
    assert!(keys.contains("a threshold of 1 to their number"), "{keys}");
}

#[test]
fn no_receipt_is_made_again_from_another_packages_trailer() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let mut block = Block::<512>::new();
    let mut updater = Updater::new(bench.device, &mut flash, &mut block);
    drop(updater.install(release(&bench.key, 1, 2, &noise(3000, 2)).bytes(), |_| ()).unwrap());
    assert!(updater.staged().is_ok());
    // Signed as well, and whole.
    let image = noise(3000, 3);
    put(updater.flash(), &SMALL_LAYOUT, Slot::B, &release(&bench.key, 1, 2, &image), &image);
    assert_eq!(updater.staged(), Err(Error::NothingStaged));
}
