//! Time: no call works for longer than on one block, so that a caller can count, feed a watchdog, and end what does not.

use embedded_io::Write;
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use lockgate::sim::Flash;
use lockgate::wire::{ObjectType, Prelude, ES256, MAX_KEY_SET, MAX_KEY_SETS, MAX_SIGNATURES};
use lockgate::{Ack, Block, Decision, Error, FinalHash, KeyId, Machine, Refusal, Step, Updater, P256};

use super::kit::{entry, with_entries};
use crate::common::counted::{hashed, Counted};
use crate::common::{device, noise, release, Bench, SMALL_LAYOUT, SWAP_LAYOUT};

const BLOCK: usize = 512;
/// A block with prefix and link; that is more than the largest manifest with its domain, and than all ids of keys.
const MOST: usize = BLOCK + 16 + 32;

/// What a machine asked for while it took `bytes`, all of them handed to it at once. No call may hash more than [`MOST`].
#[derive(Debug, Default)]
struct Work {
    calls: usize,
    longest: usize,
    signatures: usize,
}

fn run(bench: &Bench, flash: &mut Flash, mut bytes: &[u8]) -> (Work, Result<(), Error>) {
    let mut block = Block::<BLOCK>::new();
    let mut machine: Machine<'_, Counted> = Machine::new(bench.device, &mut block, 4);
    let mut work = Work::default();
    let outcome = loop {
        hashed();
        let step = match machine.step() {
            Ok(step) => step,
            Err(error) => break Err(error),
        };
        let done = match step {
            Step::Receive if bytes.is_empty() => break Err(Error::Truncated { position: machine.position() }),
            Step::Receive => machine.feed(bytes).map(|taken| bytes = &bytes[taken..]),
            Step::Verify(job) => {
                work.signatures += 1;
                let checked = job.check(&mut P256);
                machine.ack(Ack::Signature(&checked))
            }
            Step::Offer => machine.ack(Ack::Decision(Decision::Accept)),
            Step::Erase { from, to } => {
                flash.erase(from, to).unwrap();
                machine.ack(Ack::Done)
            }
            Step::Write { at, bytes } => {
                flash.write(at, bytes).unwrap();
                machine.ack(Ack::Done)
            }
            Step::Read { at, len } => {
                let mut read = vec![0; len.min(256) as usize];
                flash.read(at, &mut read).unwrap();
                machine.ack(Ack::Read(&read))
            }
            Step::Stored => machine.finish(),
            Step::Complete => break Ok(()),
        };
        work.calls += 1;
        work.longest = work.longest.max(hashed());
        if let Err(error) = done {
            break Err(error);
        }
    };
    (work, outcome)
}

#[test]
fn no_call_hashes_more_than_one_block() {
    for layout in [&SMALL_LAYOUT, &SWAP_LAYOUT] {
        let (bench, mut flash) = device(layout);
        let (work, outcome) = run(&bench, &mut flash, release(&bench.key, 1, 2, &noise(9000, 2)).bytes());
        assert_eq!(outcome, Ok(()));
        assert!(work.longest <= MOST && work.longest >= BLOCK, "{work:?}");
    }
}

/// A flash that looks, whenever it is used, at what was hashed since it was used last.
struct Watched<'f> {
    flash: &'f mut Flash,
    longest: usize,
}

impl Watched<'_> {
    fn fed(&mut self) {
        self.longest = self.longest.max(hashed());
    }
}

impl ErrorType for Watched<'_> {
    type Error = lockgate::sim::Error;
}

impl ReadNorFlash for Watched<'_> {
    const READ_SIZE: usize = <Flash>::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.fed();
        self.flash.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl NorFlash for Watched<'_> {
    const WRITE_SIZE: usize = <Flash>::WRITE_SIZE;
    const ERASE_SIZE: usize = <Flash>::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.fed();
        self.flash.erase(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.fed();
        self.flash.write(offset, bytes)
    }
}

#[test]
fn a_flash_driver_that_feeds_the_watchdog_feeds_it_at_least_once_a_block() {
    // Of the whole install, the hash of the whole image and a receipt made again included.
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let device = bench.device.final_hash(FinalHash::Always);
    let package = release(&bench.key, 1, 2, &noise(9000, 2));
    let mut watched = Watched { flash: &mut flash, longest: 0 };
    let mut block = Block::<BLOCK>::new();
    let mut updater: Updater<'_, _, _, _, Counted> = Updater::with_verifier(&device, &mut watched, &mut block, P256);
    updater.write_all(package.bytes()).unwrap();
    let _receipt = updater.finish().unwrap();
    let _receipt = updater.staged().unwrap();
    watched.fed();
    // The head is hashed for its digest and for its signatures before the flash is used again.
    assert!(watched.longest < 2 * BLOCK && watched.longest >= BLOCK, "{} bytes", watched.longest);
}

#[test]
fn entries_of_strangers_are_looked_at_one_in_a_call() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(9000, 2));
    let strangers: Vec<_> = (0..32).map(|id| entry(ES256, KeyId([id; 8]), &[0x55; 64])).collect();
    let (work, outcome) = run(&bench, &mut flash, &with_entries(&package, &strangers));
    assert_eq!(outcome, Err(Refusal::TooFewSignatures { valid: 0, needed: 1 }.into()));
    assert!(work.longest <= MOST, "{work:?}");
}

#[test]
fn a_head_that_goes_on_and_on_ends_by_the_formats_limits_in_few_calls() {
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let prelude = Prelude { object: ObjectType::KeySet, body: MAX_KEY_SET }.encode();
    let section = vec![0xA5; usize::from(MAX_SIGNATURES)];
    let spam = [&prelude[..], &[0x5A; MAX_KEY_SET], &MAX_SIGNATURES.to_le_bytes(), &section].concat();
    let endless = spam.repeat(usize::from(MAX_KEY_SETS) + 4);
    let (work, outcome) = run(&bench, &mut flash, &endless);
    assert_eq!(outcome, Err(Refusal::TooManyKeySets.into()));
    assert_eq!((work.signatures, work.longest <= MOST), (0, true), "{work:?}");
    assert!(work.calls <= 16 * usize::from(MAX_KEY_SETS) + 64, "{work:?}");
    assert!(spam.len() * usize::from(MAX_KEY_SETS) < 600_000, "what an attacker can make a device listen to");
}

#[test]
fn steps_are_bounded_by_the_bytes_that_arrive() {
    // A caller may allow so many calls for each block and stop: nothing genuine needs more.
    let (bench, mut flash) = device(&SMALL_LAYOUT);
    let package = release(&bench.key, 1, 2, &noise(20_000, 2));
    let (work, outcome) = run(&bench, &mut flash, package.bytes());
    assert_eq!(outcome, Ok(()));
    let (blocks, records) = (20_000 / BLOCK + 1, 400);
    assert!(work.calls <= 12 * blocks + records, "{work:?} for {blocks} blocks");
}
