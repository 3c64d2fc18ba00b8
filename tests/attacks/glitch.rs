//! The attacker with a glitcher: makes one decision come out wrong. What stands behind it has to notice.

use lockgate::boot::{Boot, NoImage};
use lockgate::pack::{Signer, SigningKey};
use lockgate::sim::Flash;
use lockgate::wire::ES256;
use lockgate::{
    Ack, Block, BootReason, Control, Device, Digest, Error, Machine, PublicKey, Reason, Refusal, Sha2, Slot, Step,
    Updater, Verify, P256,
};

use crate::common::{boot, device, leak, noise, put, release, trust, Bench, Board, CLASS, SMALL_LAYOUT, VENDOR};
use crate::kit::{entry, with_entries};
use crate::records::signed_boot;

/// Signature arithmetic that was glitched: it says yes.
struct Glitched;

impl Verify for Glitched {
    fn verify(&mut self, _: &PublicKey, _: &Digest, _: &[u8; 64]) -> bool {
        true
    }
}

#[test]
fn a_check_glitched_at_install_is_made_up_for_by_a_boot_stage_that_checks_signatures() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    install_glitched(&bench, &mut flash);
    let launch = signed_boot(bench.device, &mut flash).unwrap();
    assert_eq!((launch.slot, launch.reason), (Slot::A, BootReason::Reverted(Reason::Invalid)));
}

#[test]
fn a_check_glitched_at_boot_starts_nothing_whose_hash_is_not_the_trailers() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    flash.rot(SMALL_LAYOUT.slot_range(Slot::A).start, 0);
    let mut board = Board::default();
    let outcome = Boot::with_signatures(bench.device, &mut flash, &mut board, Glitched).select();
    assert_eq!(outcome, Err(NoImage::Invalid));
}

/// A package under the trusted key's id, signed by nobody.
fn forged(bench: &Bench) -> Vec<u8> {
    let package = release(&bench.key, 9, 9, &noise(3000, 66));
    let mut bytes = package.bytes().to_vec();
    bytes[package.head().len() - 64..package.head().len()].fill(0x55);
    bytes
}

/// It was installed where every check of a signature came out as yes, and is to be tried.
fn install_glitched(bench: &Bench, flash: &mut Flash) {
    let mut block = Block::<512>::new();
    let mut updater: Updater<'_, _, _> = Updater::with_verifier(bench.device, &mut *flash, &mut block, Glitched);
    let receipt = updater.install(&forged(bench)[..], |_| ()).unwrap();
    Control::new(bench.device, flash).try_next(receipt).unwrap();
}

#[test]
fn not_defended_a_check_glitched_at_install_lets_an_image_in_where_the_boot_stage_checks_hashes() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    install_glitched(&bench, &mut flash);
    assert_eq!(boot(bench.device, &mut flash).unwrap().slot, Slot::B);
}

#[test]
fn not_defended_a_check_glitched_both_at_install_and_at_boot_lets_an_image_in() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    install_glitched(&bench, &mut flash);
    let mut board = Board::default();
    assert_eq!(Boot::with_signatures(bench.device, &mut flash, &mut board, Glitched).select().unwrap().slot, Slot::B);
}

#[test]
fn not_defended_a_check_glitched_at_boot_starts_what_was_written_into_the_flash() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let image = noise(3000, 66);
    let mut board = Board::default();
    // By whoever has no key: a stranger's id is in the way, and a yes is never asked for.
    put(&mut flash, &SMALL_LAYOUT, Slot::A, &release(&SigningKey::generate(), 9, 9, &image), &image);
    let stranger = Boot::with_signatures(bench.device, flash.clone(), &mut board, Glitched).select();
    assert_eq!(stranger, Err(NoImage::Invalid));
    let package = release(&bench.key, 9, 9, &image);
    put(&mut flash, &SMALL_LAYOUT, Slot::A, &package, &image);
    flash.rot(SMALL_LAYOUT.slot_range(Slot::A).end - 1024 + package.head().len() as u32 - 1, 0);
    assert!(signed_boot(bench.device, &mut flash).is_err());
    assert!(Boot::with_signatures(bench.device, &mut flash, &mut board, Glitched).select().is_ok());
}

#[test]
fn a_proof_of_one_signature_does_not_serve_another() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let good = release(&bench.key, 1, 2, &noise(900, 2));
    let mut forged = good.bytes().to_vec();
    forged[100] ^= 1;
    let mut block = Block::<512>::new();
    let mut machine: Machine<'_, Sha2> = Machine::new(bench.device, &mut block, 4);
    feed(&mut machine, &mut flash, good.bytes());
    let Ok(Step::Verify(job)) = machine.step() else { panic!("a signature waits") };
    let proof = job.check(&mut P256);
    machine.disconnected();
    feed(&mut machine, &mut flash, &forged);
    assert!(matches!(machine.ack(Ack::Signature(&proof)), Err(Error::Refused(Refusal::BadSignature { .. }))));
}

#[test]
fn a_proof_of_one_key_does_not_serve_another() {
    let (one, two) = (SigningKey::generate(), SigningKey::generate());
    let device = leak(Device::new(&SMALL_LAYOUT, VENDOR, CLASS, trust(1, &[&one, &two])));
    let package = release(&one, 1, 2, &noise(900, 2));
    let signature = package.head()[package.head().len() - 64..].to_vec();
    // The very same signature of the very same update, under the other key's id.
    let other = with_entries(&package, &[entry(ES256, two.public_key().id::<Sha2>(), &signature)]);
    let mut flash = Flash::new(SMALL_LAYOUT.geometry());
    let mut block = Block::<512>::new();
    let mut machine: Machine<'_, Sha2> = Machine::new(device, &mut block, 4);
    feed(&mut machine, &mut flash, package.bytes());
    let Ok(Step::Verify(job)) = machine.step() else { panic!("a signature waits") };
    let proof = job.check(&mut P256);
    machine.disconnected();
    feed(&mut machine, &mut flash, &other);
    assert!(matches!(machine.ack(Ack::Signature(&proof)), Err(Error::Refused(Refusal::BadSignature { .. }))));
}

/// Feeds until a signature waits.
fn feed(machine: &mut Machine<'_, Sha2>, flash: &mut Flash, mut bytes: &[u8]) {
    use embedded_storage::nor_flash::ReadNorFlash;
    loop {
        match machine.step().unwrap() {
            Step::Read { at, len } => {
                let mut read = vec![0; len as usize];
                flash.read(at, &mut read).unwrap();
                machine.ack(Ack::Read(&read)).unwrap();
            }
            Step::Receive => {
                let taken = machine.feed(bytes).unwrap();
                bytes = &bytes[taken..];
            }
            Step::Verify(_) => return,
            step => panic!("{step:?}"),
        }
    }
}
