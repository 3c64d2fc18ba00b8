//! Promise: a package gets over a serial line whatever the line loses, changes, repeats or adds, at the cost of one
//! frame for each mishap; after a reset only what is missing goes over it.

mod common;
#[path = "serial/line.rs"]
mod line;

use common::{boot, noise, provisioned, release, Bench, SMALL_LAYOUT};
use embedded_io::{Read, Seek, SeekFrom};
use line::{Host, Line, Mishap};
use lockgate::pack::Package;
use lockgate::serial::{Decoded, Decoder, Error, Frame, NotAFrame, Outcome, Port, Receiver, MAX_DATA, MAX_TEXT};
use lockgate::sim::Flash;
use lockgate::{Block, Device, Refusal, Updater, Verified};
use proptest::prelude::*;

const PAGE: &str = include_str!("../docs/serial.md");

struct Case {
    bench: Bench,
    device: Device<'static>,
    image: Vec<u8>,
    package: Package,
    flash: Flash,
}

/// A device that runs version 1.0, and an update of so many bytes in blocks of 512.
fn case(bytes: usize) -> Case {
    let bench = Bench::new(&SMALL_LAYOUT);
    let old = noise(5000, 1);
    let mut flash = provisioned(&SMALL_LAYOUT, lockgate::Slot::A, &release(&bench.key, 0, 1, &old), &old);
    let device = bench.device.checkpoint_interval(2048);
    boot(&device, &mut flash).unwrap();
    let image = noise(bytes, 4);
    let package = release(&bench.key, 1, 2, &image);
    bench.watch(&mut flash, &package, &image);
    Case { bench, device, image, package, flash }
}

impl Case {
    fn install<P: Port, const N: usize>(
        &mut self,
        receiver: &mut Receiver<P, N>,
    ) -> Result<Verified, lockgate::Error<lockgate::sim::Error, Error<P::Error>>> {
        let mut block = Block::<512>::new();
        Updater::new(&self.device, &mut self.flash, &mut block).install_seekable(receiver, |_| ())
    }

    #[track_caller]
    fn installed(&self, verified: &Verified) {
        self.bench.assert_installed(&self.flash, &self.package, &self.image, verified);
    }

    fn line(&self) -> Line {
        Line::to(Host::new(self.package.bytes()))
    }
}

/// Reads a package of 300 bytes, 64 at a time, over this line.
#[track_caller]
fn arrives(line: Line, package: &[u8]) -> Receiver<Line, 64> {
    let mut receiver = Receiver::<_, 64>::new(line);
    let mut got = vec![0; package.len()];
    receiver.read_exact(&mut got).unwrap();
    assert_eq!(got, package);
    assert_eq!(receiver.read(&mut [0]).unwrap(), 0, "the end");
    receiver
}

fn bodies(wire: &[u8]) -> Vec<Option<Vec<u8>>> {
    let (mut decoder, mut body, mut bodies) = (Decoder::new(), Vec::new(), Vec::new());
    for &byte in wire {
        match decoder.push(byte) {
            Decoded::Nothing => {}
            Decoded::Byte(byte) => body.push(byte),
            Decoded::End { whole } => bodies.push(Some(std::mem::take(&mut body)).filter(|_| whole)),
        }
    }
    bodies
}

#[test]
fn the_example_of_the_page_is_what_both_ends_say() {
    let hex = |name: &str| {
        let lines = PAGE.lines().filter_map(|line| line.strip_prefix(name));
        let bytes = |line: &str| line.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        lines.map(bytes).collect::<Vec<Vec<u8>>>()
    };
    let frames = [
        Frame::Want { offset: 0, length: 8 },
        Frame::Data { offset: 0, size: 1500, bytes: b"\x89LGU\r\n\x1A\n" },
        Frame::Data { offset: 1500, size: 1500, bytes: b"" },
        Frame::Done { outcome: Outcome::Verified, text: b"version 1.2.3" },
    ];
    let (in_body, on_line) = (hex("body   "), hex("line   "));
    assert_eq!((in_body.len(), on_line.len()), (frames.len(), frames.len()));
    for ((frame, body), wire) in frames.iter().zip(&in_body).zip(&on_line) {
        assert_eq!(&frame.wire().collect::<Vec<_>>(), wire, "{frame:?}");
        assert_eq!(bodies(wire).last().unwrap().as_ref(), Some(body));
        assert_eq!(Frame::parse(body), Ok(*frame));
        // By independent code as well.
        let mut decoded = vec![0; wire.len()];
        let length = cobs::decode(&wire[1..wire.len() - 1], &mut decoded).unwrap().frame_size();
        assert_eq!(&decoded[..length], body);
    }
}

#[test]
fn a_clean_line_carries_each_byte_once() {
    let mut case = case(9000);
    let mut receiver = Receiver::<_, 256>::new(case.line());
    let verified = case.install(&mut receiver).unwrap();
    case.installed(&verified);
    assert_eq!(receiver.asked_again(), 0);
    assert_eq!(receiver.package_size(), Some(case.package.bytes().len() as u32));
    receiver.finish(Outcome::Verified, format_args!("version {}", verified.version())).unwrap();
    let line = receiver.release();
    assert_eq!(line.host.answers, case.package.bytes().len().div_ceil(256));
    assert_eq!(line.host.done, vec![(Outcome::Verified, "version 1.1.0".to_string()); 3], "told three times");
}

#[test]
fn what_is_left_in_the_uart_after_an_erase_does_no_harm() {
    let mut case = case(9000);
    let mut receiver = Receiver::<_, 64>::new(case.line().latency(80).twice(0).deaf());
    let verified = case.install(&mut receiver).unwrap();
    case.installed(&verified);
    assert_eq!(receiver.asked_again(), 0, "it is not taken for the beginning of an answer");
}

#[test]
fn the_answer_to_an_earlier_question_is_no_reason_to_ask_again() {
    let package = noise(300, 9);
    let receiver = arrives(Line::to(Host::new(&package)).latency(80).twice(20), &package);
    assert_eq!(receiver.asked_again(), 0);
}

#[test]
fn each_byte_of_the_answers_may_be_lost_changed_or_doubled_and_costs_one_frame() {
    let package = noise(300, 9);
    let clean = arrives(Line::to(Host::new(&package)), &package).release();
    assert_eq!(clean.host.answers, 6, "five with bytes, one at the end");
    for at in 0..clean.sent_by_host {
        let flips = (0..8).map(|bit| Mishap::Flipped(1 << bit));
        for mishap in flips.chain([Mishap::Lost, Mishap::Doubled, Mishap::Flipped(0xFF), Mishap::Zeroed]) {
            let line = Line::to(Host::new(&package)).mishap(at, mishap);
            let line = arrives(line, &package).release();
            assert!(line.happened(), "byte {at}");
            assert!(line.host.answers <= clean.host.answers + 1, "byte {at}, {mishap:?}: {}", line.host.answers);
            assert!(line.now <= 50, "byte {at}, {mishap:?}: {} ms of waiting", line.now);
        }
    }
}

#[test]
fn each_byte_of_the_questions_may_be_lost_or_changed() {
    let package = noise(300, 9);
    let clean = arrives(Line::to(Host::new(&package)), &package).release();
    for at in 0..clean.sent_by_device {
        for mishap in [Mishap::Lost, Mishap::Doubled, Mishap::Flipped(0x10), Mishap::Zeroed] {
            let line = Line::to(Host::new(&package)).mishap_of_device(at, mishap);
            let line = arrives(line, &package).release();
            assert!(line.host.answers <= clean.host.answers + 1, "byte {at}, {mishap:?}: {}", line.host.answers);
        }
    }
}

#[test]
fn a_whole_install_survives_each_mishap() {
    let case = case(1500);
    let mut receiver = Receiver::<_, 256>::new(case.line());
    installs_on_a_copy(&case, &mut receiver);
    let clean = receiver.release();
    // Signatures take their time: not each byte, but some of each part of a frame.
    for at in (0..clean.sent_by_host).step_by(41) {
        for mishap in [Mishap::Lost, Mishap::Flipped(0x40), Mishap::Doubled] {
            let mut receiver = Receiver::<_, 256>::new(case.line().mishap(at, mishap));
            installs_on_a_copy(&case, &mut receiver);
            let line = receiver.release();
            assert!(line.host.answers <= clean.host.answers + 1, "byte {at}, {mishap:?}");
        }
    }
}

fn installs_on_a_copy<const N: usize>(case: &Case, receiver: &mut Receiver<Line, N>) {
    let mut flash = case.flash.clone();
    let mut block = Block::<512>::new();
    let verified = Updater::new(&case.device, &mut flash, &mut block).install_seekable(receiver, |_| ()).unwrap();
    case.bench.assert_installed(&flash, &case.package, &case.image, &verified);
}

#[test]
fn text_and_garbage_between_frames_are_passed_over() {
    let package = noise(300, 9);
    let long = noise(3000, 5);
    for junk in [&b"\r\nlogin: "[..], b"\0\0\0", b"\xFF\xFF", b"\0\x05\0\0", &long] {
        let line = Line::to(Host::new(&package)).junk_before_each_answer(junk);
        let line = arrives(line, &package).release();
        assert_eq!(line.host.answers, 6, "{junk:?}: nothing is asked again");
    }
}

#[test]
fn a_receiver_takes_a_frame_in_its_one_encoding_and_with_nothing_behind_it() {
    let read = |wire: Vec<u8>| Receiver::<_, 256>::new(Script(wire.into_iter())).wants(1).read(&mut [0; 256]);
    // Its last zero is in the size; with the check, 254 bytes follow.
    let bytes = (1..=255).map(|byte| [byte; 250]).find(|bytes| {
        let check = with_check(&data(0, 300, bytes));
        !check[check.len() - 4..].contains(&0)
    });
    let wire: Vec<u8> = Frame::Data { offset: 0, size: 300, bytes: &bytes.unwrap() }.wire().collect();
    assert_eq!(wire[wire.len() - 256], 0xFF, "a full group at the end");
    assert_eq!(read(wire.clone()), Ok(250));
    assert_eq!(read([&wire[..wire.len() - 1], &[1, 0]].concat()), Err(Error::NoAnswer { offset: 0 }));

    let wire: Vec<u8> = Frame::Data { offset: 0, size: 300, bytes: &[7; 256] }.wire().collect();
    assert_eq!(read(wire.clone()), Ok(256));
    assert_eq!(read([&wire[..wire.len() - 1], &[2, 9, 0]].concat()), Err(Error::NoAnswer { offset: 0 }));
}

#[test]
fn its_own_echo_is_no_answer() {
    let package = noise(300, 9);
    let line = arrives(Line::to(Host::new(&package)).echoing(), &package).release();
    assert_eq!(line.host.answers, 6);
}

#[test]
fn a_host_that_restarts_in_the_middle_needs_to_know_nothing() {
    let mut case = case(9000);
    // Gone for ten seconds, in the middle of an answer.
    let line = case.line().host_gone(4001, 10_000);
    let mut receiver = Receiver::<_, 256>::new(line);
    let verified = case.install(&mut receiver).unwrap();
    case.installed(&verified);
    assert!((9..=12).contains(&receiver.asked_again()), "once a second: {}", receiver.asked_again());
}

#[test]
fn a_device_that_is_reset_asks_for_the_head_and_what_is_missing() {
    let mut case = case(20_000);
    // The host is gone for good; then the device loses power.
    let mut receiver = Receiver::<_, 256>::new(case.line().host_gone(15_000, u32::MAX)).wants(3);
    let error = case.install(&mut receiver).unwrap_err();
    assert!(matches!(error, lockgate::Error::Transport(Error::NoAnswer { offset: 13_000..15_000 })), "{error}");
    case.flash.power_on();
    let mut receiver = Receiver::<_, 256>::new(case.line());
    let verified = case.install(&mut receiver).unwrap();
    case.installed(&verified);
    let line = receiver.release();
    assert!(line.sent_by_host < 12_000, "{} bytes for the rest of 20 000", line.sent_by_host);
}

#[test]
fn a_reset_device_does_not_mistake_old_answers_for_the_end() {
    // Asked for by a boot stage with small frames, answered to an application with larger ones.
    let package = noise(300, 9);
    let mut line = Line::to(Host::new(&package)).latency(100);
    line.send(&Frame::Want { offset: 0, length: 3 }.wire().collect::<Vec<_>>()).unwrap();
    let mut receiver = Receiver::<_, 256>::new(line);
    let mut got = vec![0; 300];
    receiver.read_exact(&mut got).unwrap();
    assert_eq!(got, package);
}

#[test]
fn nobody_there_is_an_error_after_as_many_questions_and_no_end() {
    let mut receiver = Receiver::<_, 64>::new(Line::to(Host::new(b"")).host_gone(0, u32::MAX));
    for _ in 0..2 {
        assert_eq!(receiver.read(&mut [0; 9]), Err(Error::NoAnswer { offset: 0 }));
    }
    assert_eq!(receiver.asked_again(), 2 * 29);
    let now = receiver.port().now;
    assert!((60_000..62_000).contains(&now), "{now} ms");
}

#[test]
fn a_line_that_is_never_silent_ends_too() {
    struct Babble(u32);
    impl Port for Babble {
        type Error = ();
        fn receive(&mut self, _: u32) -> Result<Option<u8>, ()> {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Ok(Some((self.0 >> 24) as u8))
        }
        fn send(&mut self, _: &[u8]) -> Result<(), ()> {
            Ok(())
        }
    }
    let mut receiver = Receiver::<_, 64>::new(Babble(1)).wants(5);
    assert_eq!(receiver.read(&mut [0; 9]), Err(Error::NoAnswer { offset: 0 }));
}

#[test]
fn a_refusal_is_told_with_its_reason() {
    let mut case = case(900);
    let other = Bench::new(&SMALL_LAYOUT);
    let package = release(&other.key, 1, 2, &noise(900, 3));
    let mut receiver = Receiver::<_, 256>::new(Line::to(Host::new(package.bytes())));
    let error = case.install(&mut receiver).unwrap_err();
    assert!(matches!(error, lockgate::Error::Refused(Refusal::TooFewSignatures { .. })), "{error}");
    receiver.finish(Outcome::from(&error), &error).unwrap();
    let (outcome, text) = receiver.release().host.done.remove(0);
    assert_eq!((outcome, text.as_str()), (Outcome::Refused, "valid signatures by trusted keys: 0, needed: 1"));
}

#[test]
fn what_was_read_of_a_package_is_forgotten_when_its_end_is_told() {
    let mut receiver = Receiver::<_, 64>::new(Line::to(Host::new(&[1; 100])));
    let mut byte = [0];
    receiver.read_exact(&mut byte).unwrap();
    receiver.finish(Outcome::Refused, "not this one").unwrap();
    receiver.port().host = Host::new(&[2; 100]);
    receiver.seek(SeekFrom::Start(0)).unwrap();
    receiver.read_exact(&mut byte).unwrap();
    assert_eq!(byte, [2], "the next package is another");
}

#[test]
fn a_text_is_cut_between_characters() {
    let mut receiver = Receiver::<_, 64>::new(Line::to(Host::new(b"")));
    receiver.finish(Outcome::Failed, "ü".repeat(80)).unwrap();
    receiver.finish(Outcome::Failed, format_args!("x{}", "ü".repeat(80))).unwrap();
    let done = receiver.release().host.done;
    assert_eq!(done[0].1, "ü".repeat(MAX_TEXT / 2));
    assert_eq!(done[3].1, format!("x{}", "ü".repeat(MAX_TEXT / 2 - 1)));
}

#[test]
fn seeking_costs_nothing_within_what_is_at_hand() {
    let package = noise(300, 9);
    let mut receiver = Receiver::<_, 128>::new(Line::to(Host::new(&package)));
    let one = |receiver: &mut Receiver<Line, 128>| {
        let mut byte = [0];
        receiver.read_exact(&mut byte).unwrap();
        byte[0]
    };
    assert_eq!(receiver.seek(SeekFrom::End(0)), Err(Error::Seek), "nobody has told yet where that is");
    assert_eq!(one(&mut receiver), package[0]);
    assert_eq!(receiver.seek(SeekFrom::Start(100)), Ok(100));
    assert_eq!(one(&mut receiver), package[100]);
    assert_eq!(receiver.seek(SeekFrom::Current(-60)), Ok(41));
    assert_eq!(one(&mut receiver), package[41]);
    assert_eq!(receiver.port().host.answers, 1);
    assert_eq!(receiver.seek(SeekFrom::End(-1)), Ok(299));
    assert_eq!(one(&mut receiver), package[299]);
    assert_eq!(receiver.seek(SeekFrom::Start(1 << 32)), Err(Error::Seek));
    assert_eq!(receiver.seek(SeekFrom::Current(-301)), Err(Error::Seek));
    assert_eq!(receiver.stream_position(), Ok(300), "a failed seek leaves it where it was");
    assert_eq!(receiver.port().host.answers, 2);
}

#[test]
fn a_body_has_one_encoding() {
    let full = [0xFF].into_iter().chain([7; 254]);
    let short: Vec<u8> = full.clone().chain([0]).collect();
    let long: Vec<u8> = full.clone().chain([1, 0]).collect();
    let more: Vec<u8> = full.chain([1, 1, 0]).collect();
    assert_eq!(bodies(&short), [Some(vec![7; 254])]);
    assert_eq!(bodies(&long), [None], "the same body, encoded otherwise");
    assert_eq!(bodies(&more), [Some([&[7; 254][..], &[0]].concat())]);
    assert_eq!(bodies(b"\x03\x07\0"), [None], "cut short");
    assert_eq!(bodies(b"\0\0"), [None, None]);
}

fn with_check(bytes: &[u8]) -> Vec<u8> {
    // Bitwise, as the page says it.
    let check = !bytes.iter().fold(!0_u32, |check, &byte| {
        (0..8).fold(check ^ u32::from(byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xEDB8_8320 } else { c >> 1 })
    });
    [bytes, &check.to_le_bytes()].concat()
}

/// A `data` without its check.
fn data(offset: u32, size: u32, bytes: &[u8]) -> Vec<u8> {
    [&[2][..], &offset.to_le_bytes(), &size.to_le_bytes(), bytes].concat()
}

#[test]
fn rules_that_a_frame_breaks_make_it_none() {
    let parse = |bytes: &[u8]| Frame::parse(&with_check(bytes)).map(|_| ());
    let data = |offset: u32, size: u32, bytes: usize| data(offset, size, &vec![1; bytes]);
    for good in [
        &[1, 0, 0, 0, 0, 1, 0][..],
        &[1, 0xFF, 0xFF, 0xFF, 0xFF, 0, 4],
        &data(0, 9, 9),
        &data(9, 9, 0),
        &data(10, 9, 0),
        &data(u32::MAX - 4, u32::MAX, 4),
        &data(0, 5000, MAX_DATA),
        &[3, 2],
        &[&[3, 0][..], &[b'x'; MAX_TEXT]].concat(),
    ] {
        assert_eq!(parse(good), Ok(()), "{good:?}");
    }
    for bad in [
        &[1, 0, 0, 0, 0, 0, 0][..],
        &[1, 0, 0, 0, 0, 1, 4],
        &[1, 0, 0, 0, 0, 1],
        &[1, 0, 0, 0, 0, 1, 0, 0],
        &data(1, 9, 9),
        &data(8, 9, 0),
        &data(u32::MAX - 3, u32::MAX, 4),
        &data(u32::MAX, u32::MAX, 1),
        &data(0, 5000, MAX_DATA + 1),
        &[2, 0, 0, 0, 0, 0, 0, 0],
        &[3],
        &[3, 3],
        &[&[3, 0][..], &[b'x'; MAX_TEXT + 1]].concat(),
    ] {
        assert_eq!(parse(bad), Err(NotAFrame::Malformed), "{bad:?}");
    }
    assert_eq!(parse(&[4, 1, 2]), Err(NotAFrame::Type(4)), "of a later version");
    assert_eq!(parse(&[]), Err(NotAFrame::Noise));
    assert_eq!(Frame::parse(&[]), Err(NotAFrame::Noise));
    assert_eq!(Frame::parse(&[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]), Err(NotAFrame::Noise));
}

/// A line that brings these bytes, once, and then nothing.
struct Script(std::vec::IntoIter<u8>);

impl Port for Script {
    type Error = ();
    fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, ()> {
        // Not to what is thrown away in front of the question.
        Ok(if timeout_ms == 0 { None } else { self.0.next() })
    }
    fn send(&mut self, _: &[u8]) -> Result<(), ()> {
        Ok(())
    }
}

proptest! {
    #[test]
    fn no_input_panics(line in proptest::collection::vec(prop_oneof![2 => Just(0_u8), 1 => Just(0xFF), 9 => any::<u8>()], 0..600)) {
        for body in bodies(&line).into_iter().flatten() {
            _ = Frame::parse(&body);
        }
        _ = Frame::parse(&line);
        let mut receiver = Receiver::<_, 64>::new(Script(line.into_iter())).wants(3);
        prop_assert_eq!(receiver.read(&mut [0; 64]), Err(Error::NoAnswer { offset: 0 }));
    }

    #[test]
    fn good_frames_in_any_order_never_give_bytes_of_another_place(
        frames in proptest::collection::vec((0..400_u32, 0..90_usize), 0..30),
        read in 1..80_usize,
    ) {
        let package = noise(300, 9);
        let wire = frames.into_iter().flat_map(|(offset, length)| {
            let bytes = &package[package.len().min(offset as usize)..];
            let bytes = &bytes[..bytes.len().min(length)];
            Frame::Data { offset, size: 300, bytes }.wire().collect::<Vec<_>>()
        });
        let mut receiver = Receiver::<_, 64>::new(Script(wire.collect::<Vec<_>>().into_iter())).wants(1);
        let (mut at, mut got) = (0, [0; 80]);
        while let Ok(count) = receiver.read(&mut got[..read]) {
            if count == 0 {
                prop_assert_eq!(at, 300, "no end before the end");
                break;
            }
            prop_assert_eq!(&got[..count], &package[at..at + count]);
            at += count;
        }
    }

    #[test]
    fn what_is_encoded_is_decoded_here_and_elsewhere(
        bytes in proptest::collection::vec(prop_oneof![1 => Just(0_u8), 60 => any::<u8>()], 1..=MAX_DATA),
        offset in 0..1_000_000_u32,
    ) {
        let frame = Frame::Data { offset, size: offset + bytes.len() as u32, bytes: &bytes };
        let wire: Vec<u8> = frame.wire().collect();
        let inner = &wire[1..wire.len() - 1];
        prop_assert!(!inner.contains(&0));
        let found = bodies(&wire);
        let body = found[1].as_ref().unwrap();
        prop_assert_eq!(Frame::parse(body), Ok(frame));
        let mut encoded = vec![0; cobs::max_encoding_length(body.len())];
        let length = cobs::encode(body, &mut encoded);
        prop_assert_eq!(&encoded[..length], inner, "the crate `cobs` encodes it the same way");
    }
}
