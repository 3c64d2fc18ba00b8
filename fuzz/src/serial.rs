//! Oracles for the serial line: whatever came before it, a frame that was encoded is decoded; what is taken for a frame has one
//! encoding, which the crate `cobs` reads as well; a receiver ends on any noise, and gives no byte that is not the package's.

use std::collections::VecDeque;
use std::convert::Infallible;

use embedded_io::{Read, Seek, SeekFrom};
use lockgate::serial::{Decoded, Decoder, Frame, Outcome, Port, Receiver, MAX_DATA, MAX_TEXT};

use crate::script::Script;

/// Noise, then a frame, then a receiver on a noisy line.
pub fn serial(data: &[u8]) {
    let mut script = Script(data);
    let (choice, noise) = (script.byte(), script.byte());
    let noise = script.bytes(noise);
    decodes_after(noise, choice, &mut script);
    receives(&mut script);
}

/// The bodies of a line with what was on the line for each.
fn bodies(line: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (mut decoder, mut body, mut raw, mut bodies) = (Decoder::new(), vec![], vec![], vec![]);
    for &byte in line {
        match decoder.push(byte) {
            Decoded::Nothing => raw.push(byte),
            Decoded::Byte(decoded) => {
                raw.push(byte);
                body.push(decoded);
            }
            Decoded::End { whole } => {
                let (raw, body) = (std::mem::take(&mut raw), std::mem::take(&mut body));
                let reference = reference(&raw);
                if whole {
                    assert_eq!(reference.as_ref(), Some(&body), "another decoder reads something else");
                    bodies.push((body, raw));
                }
            }
        }
    }
    bodies
}

/// What the crate `cobs` makes of it.
fn reference(raw: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = vec![0; raw.len() + 1];
    let length = cobs::decode(raw, &mut decoded).ok()?.frame_size();
    decoded.truncate(length);
    Some(decoded)
}

fn decodes_after(noise: &[u8], choice: usize, script: &mut Script<'_>) {
    let (offset, length) = (script.below(1 << 16) as u32, script.below(MAX_DATA));
    let text = script.bytes(length.min(MAX_TEXT));
    let outcomes = [Outcome::Verified, Outcome::Refused, Outcome::Failed];
    let frame = match choice % 3 {
        0 => Frame::Want { offset, length: length as u16 + 1 },
        1 => Frame::Data { offset: if text.is_empty() { 1500 } else { offset % 1000 }, size: 1500, bytes: text },
        _ => Frame::Done { outcome: outcomes[choice / 3 % 3], text },
    };
    let wire: Vec<u8> = frame.wire().collect();
    assert_eq!((wire.first(), wire.last()), (Some(&0), Some(&0)));
    assert!(!wire[1..wire.len() - 1].contains(&0));
    let found = bodies(&[noise, &wire].concat());
    let (body, _) = found.last().expect("a frame behind noise");
    assert_eq!(Frame::parse(body), Ok(frame), "after {noise:02x?}");
    // Whatever in the noise is a frame has one encoding: its own.
    for (body, raw) in &found {
        if let Ok(frame) = Frame::parse(body) {
            let wire: Vec<u8> = frame.wire().collect();
            assert_eq!(raw[..], wire[1..wire.len() - 1], "two encodings of {frame:?}");
        }
    }
}

/// A host that answers rightly, but for what the script does to the line.
struct Line<'s, 'd> {
    script: &'s mut Script<'d>,
    package: &'s [u8],
    asked: Vec<u8>,
    coming: VecDeque<u8>,
    calls: u32,
}

impl Port for Line<'_, '_> {
    type Error = Infallible;

    fn receive(&mut self, _: u32) -> Result<Option<u8>, Infallible> {
        self.calls += 1;
        assert!(self.calls < 400_000, "it listens for ever");
        Ok(self.coming.pop_front())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.asked.extend(bytes);
        let bodies = bodies(&self.asked);
        if bodies.is_empty() {
            return Ok(());
        }
        self.asked.clear();
        for (body, _) in bodies {
            let Ok(Frame::Want { offset, length }) = Frame::parse(&body) else { continue };
            let at = (offset as usize).min(self.package.len());
            let bytes = &self.package[at..(at + usize::from(length)).min(self.package.len())];
            let mut answer: Vec<u8> = Frame::Data { offset, size: self.package.len() as u32, bytes }.wire().collect();
            match self.script.byte() % 6 {
                1 => answer.truncate(self.script.below(answer.len())),
                2 => {
                    let at = self.script.below(answer.len());
                    answer[at] ^= self.script.byte() as u8;
                }
                3 => answer.insert(self.script.below(answer.len()), self.script.byte() as u8),
                4 => answer.splice(0..0, self.script.bytes(64).iter().copied()).for_each(drop),
                5 => answer.clear(),
                _ => {}
            }
            self.coming.extend(answer);
        }
        Ok(())
    }
}

fn receives(script: &mut Script<'_>) {
    let package: Vec<u8> = (0..700u32).map(|i| (i * 31 >> 3) as u8).collect();
    let line = Line { script, package: &package, asked: vec![], coming: VecDeque::new(), calls: 0 };
    let mut receiver = Receiver::<_, 64>::new(line).wants(8);
    let (mut at, mut room, mut failures) = (0usize, [0; 50], 0);
    while failures < 3 {
        match receiver.read(&mut room) {
            Ok(0) => break,
            // A check of 32 bits does not hold by chance: what comes is the package's.
            Ok(read) => {
                assert_eq!(room[..read], package[at..at + read], "at {at}");
                at += read;
            }
            Err(_) => {
                failures += 1;
                receiver.seek(SeekFrom::Start(at as u64)).expect("a place in the package");
            }
        }
    }
    assert!(at == package.len() || failures == 3, "ended at {at} of {}", package.len());
}
