//! The simulator keeps its promises: it tears what it is told to tear, forbids what a chip forbids, and its
//! judge finds bad ports.

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use lockgate::geometry::{self, Geometry, Run};
use lockgate::sim::{conformance, Check, Error, Flash, Landed, Op, Outcome, Programming, Rule, Stability, Violation};

/// Mixed sectors, words of 8 bytes.
const MIXED: Geometry = Geometry::new("mixed", &[Run { count: 4, size: 64 }, Run { count: 2, size: 128 }], 8);
const ZEROES: Geometry = MIXED.erased_value(0x00);

const WORD: [u8; 8] = [0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE, 0xF0];

fn read<const N: usize>(flash: &mut Flash, at: u32) -> Result<[u8; N], Error> {
    let mut bytes = [0xEE; N];
    ReadNorFlash::read(flash, at, &mut bytes).map(|()| bytes)
}

fn write(flash: &mut Flash, at: u32, bytes: &[u8]) -> Result<(), Error> {
    NorFlash::write(flash, at, bytes)
}

fn erase(flash: &mut Flash, from: u32, to: u32) -> Result<(), Error> {
    NorFlash::erase(flash, from, to)
}

fn rules<const W: usize, const R: usize>(flash: &Flash<W, R>) -> Vec<Rule> {
    flash.violations().iter().map(|violation| violation.rule).collect()
}

/// A flash whose write of `WORD` at 0 was cut, power on again.
fn torn_write(outcome: Outcome, seed: u64) -> Flash {
    let mut flash = Flash::new(&MIXED).seed(seed);
    flash.cut_at(0, outcome);
    assert_eq!(write(&mut flash, 0, &WORD), Err(Error::PowerCut));
    assert!(flash.cut_fired());
    assert_eq!(read::<1>(&mut flash, 0), Err(Error::PowerCut), "power is off");
    flash.power_on();
    flash
}

/// A flash with sector 0 full of zeros, whose erase was cut, power on again.
fn torn_erase(outcome: Outcome, seed: u64) -> Flash {
    let mut flash = Flash::new(&MIXED).seed(seed);
    write(&mut flash, 0, &[0; 64]).unwrap();
    flash.cut_at(flash.steps(), outcome);
    assert_eq!(erase(&mut flash, 0, 64), Err(Error::PowerCut));
    assert!(flash.cut_fired());
    flash.power_on();
    flash
}

// Order and bounds

#[test]
fn misuse_is_an_error_that_names_address_and_size_and_changes_nothing() {
    let mut flash = Flash::new(&MIXED);
    let unaligned = |address, size| Err(Error::Unaligned { address, size });
    assert_eq!(write(&mut flash, 4, &WORD), unaligned(4, 8), "the geometry rules, not WRITE_SIZE 4");
    assert_eq!(write(&mut flash, 0, &WORD[..4]), unaligned(4, 8));
    assert_eq!(erase(&mut flash, 0, 32), unaligned(32, 64));
    assert_eq!(erase(&mut flash, 256, 320), unaligned(320, 128), "sectors differ in size");
    assert_eq!(erase(&mut flash, 64, 0), Err(Error::OutOfBounds { address: 64, end: 0, capacity: 512 }));
    assert_eq!(erase(&mut flash, 0, 640), Err(Error::OutOfBounds { address: 0, end: 640, capacity: 512 }));
    assert_eq!(write(&mut flash, 512, &WORD), Err(Error::OutOfBounds { address: 512, end: 520, capacity: 512 }));
    assert_eq!(read::<2>(&mut flash, 511), Err(Error::OutOfBounds { address: 511, end: 513, capacity: 512 }));
    assert!(read::<8>(&mut flash, u32::MAX).is_err(), "no overflow");
    let mut coarse = Flash::<8, 8>::sized(&MIXED);
    assert_eq!(ReadNorFlash::read(&mut coarse, 4, &mut [0; 8]), unaligned(4, 8));

    assert_eq!(flash.counters().refused, 9);
    assert_eq!((flash.counters().writes, flash.counters().erases, flash.steps()), (0, 0, 0));
    assert!(flash.bytes().iter().all(|&byte| byte == 0xFF));
    assert!(flash.violations().is_empty());
    assert_eq!(Error::Unaligned { address: 4, size: 8 }.kind(), NorFlashErrorKind::NotAligned);
    assert_eq!(Error::OutOfBounds { address: 0, end: 1, capacity: 0 }.kind(), NorFlashErrorKind::OutOfBounds);
    assert_eq!(Error::PowerCut.kind(), NorFlashErrorKind::Other);
    assert_eq!(Error::Unaligned { address: 4, size: 8 }.to_string(), "address 0x4 is not on an edge of 8 bytes");
}

#[test]
#[should_panic(expected = "write unit of 2 bytes is not a multiple of WRITE 4")]
fn a_port_wider_than_the_flash_is_not_made() {
    let _ = Flash::new(&geometry::STM32F103);
}

// Programming

#[test]
fn write_once_means_once_even_for_all_ones() {
    let mut flash = Flash::new(&MIXED);
    write(&mut flash, 0, &[0xFF; 8]).unwrap();
    let violation = Violation { rule: Rule::Reprogrammed, address: 0, operation: 1 };
    assert_eq!(write(&mut flash, 0, &WORD), Err(Error::Violation(violation)), "programming all ones counts");
    assert_eq!(write(&mut flash, 8, &WORD), Ok(()));
    assert!(write(&mut flash, 8, &[0xFF; 8]).is_err());
    assert_eq!(read(&mut flash, 0), Ok([0xFF; 8]));
    assert_eq!(rules(&flash), [Rule::Reprogrammed; 2]);
    assert_eq!(violation.to_string(), "operation 1 programs the unit at 0x0, which is programmed already");

    erase(&mut flash, 0, 64).unwrap();
    assert_eq!(write(&mut flash, 0, &WORD), Ok(()));
}

#[test]
fn and_flash_clears_bits_up_to_its_limit() {
    let mut flash = Flash::new(&MIXED).programming(Programming::And { writes: 2 });
    write(&mut flash, 0, &[0xF0; 8]).unwrap();
    write(&mut flash, 0, &[0x3C; 8]).unwrap();
    assert_eq!(read(&mut flash, 0), Ok([0x30; 8]));
    assert!(matches!(write(&mut flash, 0, &[0; 8]), Err(Error::Violation(_))));
    assert_eq!(read(&mut flash, 0), Ok([0x30; 8]));

    let mut inverse = Flash::new(&ZEROES).programming(Programming::And { writes: 2 });
    assert_eq!(read(&mut inverse, 0), Ok([0x00; 8]));
    write(&mut inverse, 0, &[0xF0; 8]).unwrap();
    write(&mut inverse, 0, &[0x0C; 8]).unwrap();
    assert_eq!(read(&mut inverse, 0), Ok([0xFC; 8]), "where 0x00 is erased, programming sets bits");
    erase(&mut inverse, 0, 64).unwrap();
    assert_eq!(read(&mut inverse, 0), Ok([0x00; 8]));
}

#[test]
fn a_used_chip_must_be_erased_before_its_first_write() {
    let mut flash = Flash::new(&MIXED).seed(3).used();
    assert_ne!(read(&mut flash, 0), Ok([0xFF; 8]));
    assert!(write(&mut flash, 0, &WORD).is_err());
    assert_eq!(rules(&flash), [Rule::NotErased]);
    erase(&mut flash, 0, 64).unwrap();
    assert_eq!(write(&mut flash, 0, &WORD), Ok(()));
}

// Cuts in a write

#[test]
fn a_cut_write_lands_as_planned() {
    let landed = |landed: Landed, seed| read::<8>(&mut torn_write(landed.stable(), seed), 0).unwrap();
    assert_eq!(landed(Landed::Nothing, 0), [0xFF; 8]);
    assert_eq!(landed(Landed::Prefix(3), 0), [0x12, 0x34, 0x56, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
    assert_eq!(landed(Landed::All, 0), WORD);
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let bytes = landed(Landed::Subset, seed);
        assert_eq!(bytes, landed(Landed::Subset, seed), "the seed decides");
        for (byte, target) in bytes.iter().zip(WORD) {
            assert_eq!(byte & target, target, "no bit is cleared that was not pending");
        }
        seen.insert(bytes);
    }
    assert!(seen.len() > 15, "chance: {seen:x?}");
}

#[test]
fn a_cut_falls_between_the_units_of_one_write() {
    let mut flash = Flash::new(&MIXED);
    flash.cut_at(2, Landed::Nothing.stable());
    assert_eq!(write(&mut flash, 48, &WORD.repeat(4)), Err(Error::PowerCut), "over a sector edge");
    flash.power_on();
    assert_eq!(read(&mut flash, 56), Ok(WORD));
    assert_eq!(read(&mut flash, 64), Ok([0xFF; 8]));
    assert_eq!(flash.steps(), 3);
    assert_eq!(write(&mut flash, 64, &WORD), Ok(()), "nothing landed, and it cannot be told from never tried");
}

#[test]
fn metastable_bits_show_what_landed_then_change_only_with_power() {
    for landed in [Landed::Nothing, Landed::Subset, Landed::All] {
        let mut flash = torn_write(landed.metastable(), 5);
        let mut stable = torn_write(landed.stable(), 5);
        assert_eq!(read::<8>(&mut flash, 0), read::<8>(&mut stable, 0), "{landed:?}");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            flash.power_on();
            let bytes = read::<8>(&mut flash, 0).unwrap();
            assert_eq!(read(&mut flash, 0), Ok(bytes), "stable within a power cycle");
            for (byte, target) in bytes.iter().zip(WORD) {
                assert_eq!(byte & target, target, "only pending bits waver");
            }
            seen.insert(bytes);
        }
        assert!(seen.len() > 15, "{landed:?}");
        erase(&mut flash, 0, 64).unwrap();
        flash.power_on();
        assert_eq!(read(&mut flash, 0), Ok([0xFF; 8]), "an erase heals");
    }
}

#[test]
fn a_marginal_bit_wavers_from_the_first_power_on_and_the_others_do_not() {
    let mut flash = torn_write(Landed::All.marginal(), 5);
    let mut seen: Vec<[u8; 8]> = Vec::new();
    for _ in 0..40 {
        let bytes: [u8; 8] = read(&mut flash, 0).unwrap();
        let wrong: u32 = bytes.iter().zip(WORD).map(|(byte, word)| (byte ^ word).count_ones()).sum();
        assert!(wrong <= 1);
        seen.push(bytes);
        flash.power_on();
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 2, "whole, and torn by one bit");
}

#[test]
fn a_torn_unit_that_reads_as_an_error_does_so_until_erased() {
    let mut flash = torn_write(Landed::Nothing.read_error(), 0);
    assert_eq!(read::<16>(&mut flash, 0), Err(Error::Unreadable { address: 0 }));
    assert_eq!(read::<1>(&mut flash, 7), Err(Error::Unreadable { address: 0 }));
    assert_eq!(read(&mut flash, 8), Ok([0xFF; 8]));
    assert!(write(&mut flash, 0, &WORD).is_err());
    assert_eq!(rules(&flash), [Rule::Unreadable]);
    erase(&mut flash, 0, 64).unwrap();
    assert_eq!(read(&mut flash, 0), Ok([0xFF; 8]));
    assert_eq!(write(&mut flash, 0, &WORD), Ok(()));
}

#[test]
fn a_torn_unit_that_reads_programmed_is_not_programmed_again() {
    for landed in [Landed::Prefix(1), Landed::Subset, Landed::All] {
        let mut flash = torn_write(landed.stable(), 1);
        assert!(write(&mut flash, 0, &WORD).is_err());
        assert_eq!(rules(&flash), [Rule::NotBlank]);
    }
}

#[test]
fn programming_over_a_metastable_unit_settles_only_the_bits_it_programs() {
    let mut flash = torn_write(Landed::Nothing.metastable(), 0);
    assert_eq!(write(&mut flash, 0, &[0xF0; 8]), Ok(()), "it reads blank: no software can know");
    assert_eq!(read(&mut flash, 0), Ok([0xF0; 8]), "and the read-back succeeds");
    let mut wavered = false;
    for _ in 0..8 {
        flash.power_on();
        let bytes = read::<8>(&mut flash, 0).unwrap();
        assert!(bytes.iter().all(|byte| byte & 0x0F == 0), "what was programmed stays");
        wavered |= bytes != [0xF0; 8];
    }
    assert!(wavered, "what was not may fall");

    let mut burnt = torn_write(Landed::Nothing.metastable(), 0);
    write(&mut burnt, 0, &[0; 8]).unwrap();
    for _ in 0..8 {
        burnt.power_on();
        assert_eq!(read(&mut burnt, 0), Ok([0; 8]), "all bits programmed: settled");
    }
}

// Cuts in an erase

#[test]
fn a_cut_erase_lands_as_planned() {
    let landed = |landed: Landed| read::<64>(&mut torn_erase(landed.stable(), 9), 0).unwrap();
    assert_eq!(landed(Landed::Nothing), [0; 64]);
    assert_eq!(landed(Landed::Prefix(10))[..12], [255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0]);
    assert_eq!(landed(Landed::All), [0xFF; 64]);
    let ones: u32 = landed(Landed::Subset).iter().map(|byte| byte.count_ones()).sum();
    assert!((180..330).contains(&ones), "a mix of old and erased: {ones} of 512 bits");
}

#[test]
fn a_cut_falls_between_the_sectors_of_one_erase() {
    let mut flash = Flash::new(&MIXED);
    write(&mut flash, 0, &[0; 192]).unwrap();
    flash.cut_at(flash.steps() + 1, Landed::Nothing.stable());
    assert_eq!(erase(&mut flash, 0, 192), Err(Error::PowerCut));
    flash.power_on();
    assert_eq!(read(&mut flash, 0), Ok([0xFF; 64]));
    assert_eq!(read(&mut flash, 64), Ok([0; 128]));
    assert_eq!(write(&mut flash, 0, &WORD), Ok(()), "this sector's erase completed");
}

#[test]
fn reading_blank_is_no_evidence_of_erasure() {
    for outcome in [Landed::All.stable(), Outcome::HALF_ERASED] {
        let mut flash = torn_erase(outcome, 0);
        assert_eq!(read(&mut flash, 0), Ok([0xFF; 64]), "it looks erased");
        assert!(write(&mut flash, 0, &WORD).is_err());
        assert_eq!(rules(&flash), [Rule::NotErased]);
        erase(&mut flash, 0, 64).unwrap();
        assert_eq!(write(&mut flash, 0, &WORD), Ok(()));
    }
}

#[test]
fn a_half_erased_sector_reads_blank_sometimes() {
    let mut flash = torn_erase(Outcome::HALF_ERASED, 4);
    let mut blanks = 0;
    for _ in 0..40 {
        flash.power_on();
        let bytes = read::<64>(&mut flash, 0).unwrap();
        assert_eq!(read(&mut flash, 0), Ok(bytes));
        blanks += u32::from(bytes == [0xFF; 64]);
    }
    assert!((8..32).contains(&blanks), "{blanks} of 40");
}

#[test]
fn a_torn_erase_may_leave_units_that_read_as_errors() {
    let mut flash = torn_erase(Landed::Subset.read_error(), 2);
    let broken = (0..64).step_by(8).filter(|&at| read::<8>(&mut flash, at).is_err()).count();
    assert!((1..8).contains(&broken), "{broken} of 8");
    assert_eq!(read::<8>(&mut flash, 64), Ok([0xFF; 8]));
    erase(&mut flash, 0, 64).unwrap();
    assert_eq!(read(&mut flash, 0), Ok([0xFF; 64]));
}

#[test]
fn a_second_torn_erase_heals_nothing() {
    let mut flash = torn_erase(Landed::All.read_error(), 2);
    let broken = |flash: &mut Flash| (0..64).step_by(8).filter(|&at| read::<8>(flash, at).is_err()).count();
    let before = broken(&mut flash);
    flash.cut_at(flash.steps(), Landed::All.stable());
    assert_eq!(erase(&mut flash, 0, 64), Err(Error::PowerCut));
    flash.power_on();
    assert_eq!(broken(&mut flash), before);
}

#[test]
fn every_class_of_outcome_is_listed_once() {
    let classes = Outcome::CLASSES;
    assert_eq!(classes.len(), 4 * 3 + 1);
    for (i, class) in classes.iter().enumerate() {
        assert!(!classes[..i].contains(class));
    }
    assert!(classes.contains(&Outcome::HALF_ERASED) && classes.contains(&Landed::All.marginal()));
    for stability in [Stability::Stable, Stability::Metastable, Stability::ReadError] {
        assert_eq!(classes.iter().filter(|class| class.stability == stability).count(), 4);
    }
}

#[test]
fn a_cut_beyond_the_end_does_not_claim_to_have_fired() {
    let mut flash = Flash::new(&MIXED);
    flash.cut_at(1, Landed::All.stable());
    write(&mut flash, 0, &WORD).unwrap();
    assert!(!flash.cut_fired());
    flash.power_off();
    assert_eq!(write(&mut flash, 8, &WORD), Err(Error::PowerCut));
    assert_eq!(erase(&mut flash, 0, 64), Err(Error::PowerCut));
    flash.power_on();
    assert_eq!(write(&mut flash, 8, &WORD), Err(Error::PowerCut));
    assert!(flash.cut_fired());
}

// Faults with power on

#[test]
fn injected_faults_are_reported_where_a_chip_reports_them() {
    let mut flash = Flash::new(&MIXED).seed(1);
    write(&mut flash, 0, &WORD).unwrap();
    flash.fail_read(3);
    assert_eq!(read::<1>(&mut flash, 5), Err(Error::Unreadable { address: 0 }));

    flash.fail_write(18);
    assert_eq!(write(&mut flash, 8, &WORD.repeat(3)), Err(Error::WriteFailed { address: 16 }));
    assert_eq!(read(&mut flash, 8), Ok(WORD));
    let torn = read::<8>(&mut flash, 16).unwrap();
    assert!(torn != WORD && torn != [0xFF; 8], "some bits are set: {torn:x?}");
    assert_eq!(write(&mut flash, 24, &WORD), Ok(()), "once, and there only");

    flash.fail_erase(20);
    assert_eq!(erase(&mut flash, 0, 64), Err(Error::EraseFailed { address: 0 }));
    assert!(write(&mut flash, 56, &WORD).is_err(), "not erased");
    assert_eq!(erase(&mut flash, 0, 64), Ok(()));
    assert_eq!(read(&mut flash, 0), Ok([0xFF; 64]));
}

#[test]
fn a_stall_is_seen_at_once_and_wavers_from_the_next_power_on() {
    let mut flash = Flash::new(&MIXED);
    flash.stall_at(0, Landed::All.metastable());
    assert_eq!(write(&mut flash, 0, &[0; 8]), Err(Error::Stalled));
    assert_eq!(read(&mut flash, 0), Ok([0; 8]), "power is on");
    flash.power_on();
    assert_ne!(read(&mut flash, 0), Ok([0; 8]));
}

#[test]
fn rotten_and_stuck_bits_are_silent() {
    let mut flash = Flash::new(&MIXED);
    write(&mut flash, 0, &WORD).unwrap();
    flash.rot(1, 0);
    assert_eq!(read(&mut flash, 1), Ok([0x35]));
    flash.rot(8, 7);
    assert!(write(&mut flash, 8, &WORD).is_err());
    assert_eq!(rules(&flash), [Rule::NotBlank]);

    flash.stick(64, 0x81, 0x01);
    assert_eq!(read(&mut flash, 64), Ok([0x7F]));
    erase(&mut flash, 64, 128).unwrap();
    assert_eq!(read(&mut flash, 64), Ok([0x7F]), "for ever");
    flash.stick(72, 0x01, 0x01);
    write(&mut flash, 72, &WORD).unwrap();
    assert_eq!(read(&mut flash, 72), Ok([0x13]), "and the write says nothing");
}

// What a test looks at

#[test]
fn the_oracle_finds_bytes_that_were_never_authentic() {
    let mut flash = Flash::new(&MIXED);
    let image = WORD.repeat(2);
    flash.oracle(64..128, image.clone());
    write(&mut flash, 64, &image).unwrap();
    write(&mut flash, 80, &[0xFF; 8]).unwrap();
    write(&mut flash, 0, &[0xAB; 8]).unwrap();
    assert!(flash.violations().is_empty(), "the image, padding, and elsewhere anything");

    let mut forged = WORD;
    forged[5] ^= 1;
    erase(&mut flash, 64, 128).unwrap();
    assert_eq!(write(&mut flash, 64, &forged), Ok(()), "no flash knows");
    write(&mut flash, 88, &[0xFF, 0xFF, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]).unwrap();
    let found = |address, operation| Violation { rule: Rule::Unauthentic, address, operation };
    assert_eq!(flash.violations(), [found(69, 4), found(90, 5)]);

    flash.oracle(64..128, forged);
    erase(&mut flash, 64, 128).unwrap();
    write(&mut flash, 64, &forged).unwrap();
    assert_eq!(flash.violations().len(), 2, "one oracle that accepts is enough");
}

#[test]
fn totals_and_logs_tell_what_was_done() {
    let mut flash = Flash::new(&MIXED).logged();
    let mut other = flash.clone();
    erase(&mut flash, 64, 192).unwrap();
    write(&mut flash, 64, &WORD.repeat(2)).unwrap();
    erase(&mut flash, 64, 128).unwrap();
    read::<3>(&mut flash, 65).unwrap();

    let counters = flash.counters();
    assert_eq!((counters.reads, counters.read_bytes, counters.writes, counters.programmed_bytes), (1, 3, 1, 16));
    assert_eq!((counters.erases, flash.steps()), (3, 5));
    assert_eq!((flash.erases_in(64..128), flash.erases_in(0..512), flash.most_erases()), (2, 3, 2));
    assert_eq!((flash.programmed_in(64..72), flash.programmed_in(0..512), flash.programmed_in(128..512)), (8, 16, 0));
    assert_eq!(flash.log()[0], Op::Erase { from: 64, to: 192 });
    assert!(matches!(flash.log()[1], Op::Write { at: 64, len: 16, .. }));

    erase(&mut other, 64, 192).unwrap();
    let mut forged = WORD.repeat(2);
    forged[9] ^= 0x40;
    write(&mut other, 64, &forged).unwrap();
    assert_eq!(flash.log()[0], other.log()[0]);
    assert_ne!(flash.log()[1], other.log()[1], "contents count");
    other.clear_log();
    assert!(other.log().is_empty());
}

#[test]
fn contents_are_loaded_as_a_factory_does_and_poked_as_an_attacker_does() {
    let mut flash = Flash::new(&MIXED).used();
    let mut image = vec![0xFF; 64];
    image[..8].copy_from_slice(&WORD);
    flash.load(0, &image);
    assert_eq!(&flash.bytes()[..64], image);
    assert_eq!(write(&mut flash, 8, &WORD), Ok(()), "the factory left it blank");
    assert!(write(&mut flash, 0, &WORD).is_err());
    flash.poke(0, &[0xFF; 8]);
    assert_eq!(read(&mut flash, 0), Ok([0xFF; 8]));
    assert!(write(&mut flash, 0, &WORD).is_err(), "blank or not, it is programmed");
    assert_eq!(rules(&flash), [Rule::Reprogrammed; 2]);
    assert_eq!(flash.steps(), 1);
}

// The async twin

mod twin {
    use super::*;
    use core::{
        future::Future,
        pin::pin,
        task::{Context, Poll, Waker},
    };
    use embedded_storage_async::nor_flash as asynch;

    fn poll_times<T>(future: impl Future<Output = T>, times: u32) -> Option<T> {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        (0..times).find_map(|_| match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    }

    #[test]
    fn does_the_same_after_one_yield() {
        let (mut blocking, mut flash) = (Flash::new(&MIXED).logged(), Flash::new(&MIXED).logged());
        write(&mut blocking, 0, &WORD).unwrap();
        erase(&mut blocking, 64, 128).unwrap();
        assert_eq!(poll_times(asynch::NorFlash::write(&mut flash, 0, &WORD), 2), Some(Ok(())));
        assert_eq!(poll_times(asynch::NorFlash::erase(&mut flash, 64, 128), 2), Some(Ok(())));
        assert_eq!(flash.log(), blocking.log());
        let mut bytes = [0; 8];
        assert_eq!(poll_times(asynch::ReadNorFlash::read(&mut flash, 0, &mut bytes), 2), Some(Ok(())));
        assert_eq!(bytes, WORD);
        assert!(matches!(poll_times(asynch::NorFlash::write(&mut flash, 0, &WORD), 2), Some(Err(Error::Violation(_)))));
    }

    #[test]
    fn dropped_at_the_yield_has_not_begun() {
        let mut flash = Flash::new(&MIXED);
        assert_eq!(poll_times(asynch::NorFlash::write(&mut flash, 0, &WORD), 1), None);
        assert_eq!(poll_times(asynch::NorFlash::erase(&mut flash, 0, 64), 1), None);
        assert_eq!((flash.steps(), flash.counters().writes), (0, 0));
        assert_eq!(read(&mut flash, 0), Ok([0xFF; 8]));
    }

    #[test]
    fn dropped_midway_leaves_a_torn_unit_with_power_on() {
        let mut flash = Flash::new(&MIXED);
        flash.stall_at(1, Landed::Prefix(2).stable());
        assert_eq!(poll_times(asynch::NorFlash::write(&mut flash, 0, &WORD.repeat(2)), 50), None);
        assert!(flash.cut_fired());
        assert_eq!(read(&mut flash, 0), Ok(WORD));
        assert_eq!(read(&mut flash, 8), Ok([0x12, 0x34, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]));

        flash.stall_at(flash.steps(), Landed::Subset.stable());
        assert_eq!(erase(&mut flash, 0, 64), Err(Error::Stalled), "the blocking twin fails instead");
        assert!(write(&mut flash, 56, &WORD).is_err());
        assert_eq!(rules(&flash), [Rule::NotErased]);
    }
}

// The judge

#[test]
fn conformance_passes_the_simulator_on_every_geometry() {
    for &chip in geometry::ALL {
        // Across the first change of sector size where there is one.
        let change = chip.runs().first().filter(|_| chip.runs().len() > 1).map_or(0, |run| (run.count - 1) * run.size);
        let mut end = change;
        for _ in 0..3 {
            end = chip.sector(end).unwrap().end();
        }
        let mut flash = Flash::<1>::sized(chip).used();
        let report =
            conformance(&mut flash, chip, change..end).unwrap_or_else(|finding| panic!("{}: {finding}", chip.name()));
        assert_eq!((report.sectors, report.finer_sectors), (3, false));
        assert!(flash.violations().is_empty(), "{}: it asks nothing of a flash that the contract forbids", chip.name());
        assert_eq!(flash.erases_in(0..chip.capacity()), flash.erases_in(change..end), "nothing outside is erased");
        assert_eq!(flash.programmed_in(0..chip.capacity()), flash.programmed_in(change..end), "nor written");
        assert!(flash.most_erases() <= 10, "{} erases", flash.most_erases());
        assert_eq!(report.erases, flash.counters().erases);
        assert_eq!((report.written, report.read), (flash.counters().programmed_bytes, flash.counters().read_bytes));
    }
}

#[test]
fn conformance_passes_other_sizes_and_values() {
    let all = 0..512;
    conformance(&mut Flash::<8, 8>::sized(&MIXED), &MIXED, all.clone()).unwrap();
    conformance(&mut Flash::<8, 32>::sized(&MIXED), &MIXED, all.clone()).unwrap();
    conformance(&mut Flash::<2, 4>::sized(&ZEROES), &ZEROES, all.clone()).unwrap();
    conformance(&mut Flash::new(&MIXED).programming(Programming::And { writes: 2 }), &MIXED, all.clone()).unwrap();
    const SMALLEST: Geometry = Geometry::new("smallest", &[Run { count: 4, size: 32 }], 32);
    conformance(&mut Flash::<32, 32>::sized(&SMALLEST), &SMALLEST, 0..128).unwrap();
    conformance(&mut Flash::<32, 1>::sized(&SMALLEST), &SMALLEST, 32..96).unwrap();

    const COARSE: Geometry = Geometry::new("coarse", &[Run { count: 4, size: 128 }], 8);
    const FINE: Geometry = Geometry::new("fine", &[Run { count: 8, size: 64 }], 8);
    let report = conformance(&mut Flash::new(&FINE), &COARSE, all).unwrap();
    assert!(report.finer_sectors, "a geometry may be coarser than the chip");
}

#[test]
fn conformance_judges_only_whole_sectors_of_the_flash() {
    for (start, end) in [(0, 64), (32, 256), (0, 100), (384, 640), (64, 0), (512, 1024)] {
        let mut flash = Flash::new(&MIXED);
        assert_eq!(conformance(&mut flash, &MIXED, start..end).unwrap_err().check, Check::Range);
        assert_eq!(flash.steps(), 0);
    }
}

/// A port over a good flash with one thing broken.
struct Broken<const WRITE: usize = 4, const READ: usize = 1> {
    flash: Flash<WRITE, READ>,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    EraseRoundsOut(u32),
    EraseRoundsSilentlyIn,
    EraseOnlyFirstSector,
    EraseTakesItsNeighbour,
    EraseEndInclusive,
    EraseDoesNothing,
    EraseInsistsOnLargeSectors,
    EraseTwinsOfTheSectorNumber,
    WriteErases,
    WriteDropsTheLastUnit,
    WriteStopsAtTheSectorEdge,
    WriteWrapsInPages,
    WritePads,
    WriteNeedsAlignedRam,
    ReadIgnoresOffset,
    ReadFromWords,
    ReadClampsToTheEnd,
    Capacity,
    InvertedEraseIsFine,
}

impl<const WRITE: usize, const READ: usize> ErrorType for Broken<WRITE, READ> {
    type Error = Error;
}

impl<const WRITE: usize, const READ: usize> ReadNorFlash for Broken<WRITE, READ> {
    const READ_SIZE: usize = READ;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        match self.fault {
            Fault::ReadIgnoresOffset => ReadNorFlash::read(&mut self.flash, 0, bytes),
            Fault::ReadFromWords if bytes.len() < 64 => ReadNorFlash::read(&mut self.flash, offset & !3, bytes),
            Fault::ReadClampsToTheEnd => {
                let fits = bytes.len().min(512usize.saturating_sub(offset as usize));
                ReadNorFlash::read(&mut self.flash, offset.min(512), &mut bytes[..fits])
            }
            _ => ReadNorFlash::read(&mut self.flash, offset, bytes),
        }
    }

    fn capacity(&self) -> usize {
        let real = ReadNorFlash::capacity(&self.flash);
        if self.fault == Fault::Capacity {
            real / 2
        } else {
            real
        }
    }
}

impl<const WRITE: usize, const READ: usize> NorFlash for Broken<WRITE, READ> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = 64;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        let flash = &mut self.flash;
        let sector = |at: u32| MIXED.sector(at);
        match self.fault {
            Fault::EraseRoundsOut(size) => NorFlash::erase(flash, from / size * size, to.next_multiple_of(size)),
            Fault::EraseRoundsSilentlyIn => {
                let inner = sector(from).map_or(from, |s| if s.start == from { from } else { s.end() });
                NorFlash::erase(flash, inner, sector(to).map_or(to, |s| s.start))
            }
            Fault::EraseOnlyFirstSector => NorFlash::erase(flash, from, sector(from).map_or(to, |s| s.end().min(to))),
            Fault::EraseTakesItsNeighbour | Fault::EraseEndInclusive => {
                // The one always, the other in erases of several sectors only.
                let several = sector(from).is_some_and(|s| s.end() < to);
                let more = several || self.fault == Fault::EraseTakesItsNeighbour;
                let beyond = sector(to).filter(|s| more && s.start == to).map_or(to, |s| s.end());
                NorFlash::erase(flash, from, beyond)
            }
            Fault::EraseDoesNothing => Ok(()),
            Fault::EraseInsistsOnLargeSectors if !from.is_multiple_of(128) || !to.is_multiple_of(128) => {
                Err(Error::Unaligned { address: from, size: 128 })
            }
            Fault::EraseTwinsOfTheSectorNumber if from == 192 => {
                NorFlash::erase(flash, 0, 64).and_then(|()| NorFlash::erase(flash, from, to))
            }
            Fault::InvertedEraseIsFine if from > to => Ok(()),
            _ => NorFlash::erase(flash, from, to),
        }
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        let flash = &mut self.flash;
        let sector = MIXED.sector(offset);
        match self.fault {
            Fault::WriteErases => {
                if let Some(sector) = sector {
                    NorFlash::erase(flash, sector.start, sector.end())?;
                }
                NorFlash::write(flash, offset, bytes)
            }
            Fault::WriteDropsTheLastUnit if bytes.len() > 8 => {
                NorFlash::write(flash, offset, &bytes[..bytes.len() - 8])
            }
            Fault::WriteStopsAtTheSectorEdge => {
                let fits = sector.map_or(bytes.len(), |s| bytes.len().min((s.end() - offset) as usize));
                NorFlash::write(flash, offset, &bytes[..fits])
            }
            Fault::WriteWrapsInPages => {
                // As SPI NOR does with a page program over a page edge, here of 32 bytes.
                let edge = 32 - offset % 32;
                if bytes.len() as u32 <= edge {
                    return NorFlash::write(flash, offset, bytes);
                }
                NorFlash::write(flash, offset, &bytes[..edge as usize])?;
                let _ = NorFlash::write(flash, offset / 32 * 32, &bytes[edge as usize..]);
                Ok(())
            }
            Fault::WritePads if !bytes.len().is_multiple_of(8) => {
                let mut padded = bytes.to_vec();
                padded.resize(bytes.len().next_multiple_of(8), 0xFF);
                NorFlash::write(flash, offset, &padded)
            }
            Fault::WriteNeedsAlignedRam if bytes.as_ptr().align_offset(4) != 0 => {
                Err(Error::WriteFailed { address: offset })
            }
            _ => NorFlash::write(flash, offset, bytes),
        }
    }
}

#[test]
fn conformance_finds_what_is_broken_and_says_how_to_mend_it() {
    let cases: &[(Fault, Check, &str)] = &[
        (Fault::EraseRoundsOut(128), Check::EraseExact, "changed its neighbour"),
        (Fault::EraseRoundsOut(64), Check::Alignment, "rather than round"),
        (Fault::EraseRoundsSilentlyIn, Check::Alignment, "rather than round"),
        (Fault::EraseOnlyFirstSector, Check::Erases, "erase every sector of from..to"),
        (Fault::EraseTakesItsNeighbour, Check::EraseExact, "changed its neighbour"),
        (Fault::EraseEndInclusive, Check::EraseExact, "beyond its end, which is exclusive"),
        (Fault::EraseDoesNothing, Check::Erases, "wait until the flash is ready"),
        (Fault::EraseInsistsOnLargeSectors, Check::Succeeds, "the chip's real sectors"),
        (Fault::EraseTwinsOfTheSectorNumber, Check::EraseExact, "a distant one"),
        (Fault::WriteErases, Check::WriteKeeps, "programs and never erases"),
        (Fault::WriteDropsTheLastUnit, Check::ReadBack, "the last one too"),
        (Fault::WriteStopsAtTheSectorEdge, Check::ReadBack, "never programmed"),
        (Fault::WriteWrapsInPages, Check::ReadBack, ""),
        (Fault::WritePads, Check::Alignment, "rather than round or pad"),
        (Fault::WriteNeedsAlignedRam, Check::Buffers, "copy through an aligned buffer"),
        (Fault::ReadIgnoresOffset, Check::ReadBack, "check address"),
        (Fault::ReadFromWords, Check::Reads, "every multiple of READ_SIZE 1"),
        (Fault::ReadClampsToTheEnd, Check::Bounds, "beyond capacity() 0x200"),
        (Fault::Capacity, Check::Capacity, "capacity() is 256 but the geometry has 512"),
        (Fault::InvertedEraseIsFine, Check::Bounds, "erase from 0x80 down to 0x0"),
    ];
    for &(fault, check, advice) in cases {
        let mut port = Broken { flash: Flash::new(&MIXED), fault };
        let finding = conformance(&mut port, &MIXED, 0..512).expect_err(&format!("{fault:?}"));
        assert_eq!(finding.check, check, "{fault:?}: {finding}");
        assert!(finding.to_string().contains(advice), "{fault:?}: {finding}");
    }
}

#[test]
fn conformance_finds_sizes_that_do_not_fit_the_geometry() {
    const WORDS: Geometry = Geometry::new("words", &[Run { count: 8, size: 64 }], 4);
    let finding = conformance(&mut Flash::<8>::sized(&MIXED), &WORDS, 0..512).unwrap_err();
    assert_eq!(finding.check, Check::Sizes);
    assert!(finding.to_string().contains("WRITE_SIZE 8 does not divide"), "{finding}");

    let finding = conformance(&mut Flash::new(&ZEROES), &MIXED, 0..512).unwrap_err();
    assert_eq!(finding.check, Check::Erases);
    assert!(finding.to_string().contains("0xff"), "{finding}");
}
