//! Tells the device's frames from its text, on the one line that carries both.

use lockgate::serial::{Decoded, Decoder, Frame, NotAFrame, Outcome, MAX_FROM_DEVICE};

/// Bytes of the longest frame of a device on the line, without its delimiters: one more than its body.
const LONGEST: usize = MAX_FROM_DEVICE + 1;
/// A line of text is cut there.
const LONGEST_LINE: usize = 400;

/// What the device said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Want {
        offset: u32,
        length: u16,
    },
    Done {
        outcome: Outcome,
        text: String,
    },
    /// A frame of this type, which only a later version knows.
    Later(u8),
    /// For people; nothing in it harms a terminal.
    Line(String),
}

/// Takes the bytes of the line.
#[derive(Default)]
pub(super) struct Ear {
    /// What came since the last delimiter, as long as it may be a frame.
    frame: Vec<u8>,
    /// It is none.
    text: bool,
    /// The line of text that is not complete.
    line: Vec<u8>,
}

impl Ear {
    pub(super) fn hear(&mut self, bytes: &[u8], mut tell: impl FnMut(Heard)) {
        for &byte in bytes {
            match byte {
                0 => self.delimiter(&mut tell),
                _ if self.text => self.letter(byte, &mut tell),
                _ => {
                    self.frame.push(byte);
                    if !may_be_frame(&self.frame) {
                        self.text = true;
                        let text = std::mem::take(&mut self.frame);
                        text.into_iter().for_each(|byte| self.letter(byte, &mut tell));
                    }
                }
            }
        }
    }

    /// The line of text that has no end.
    pub(super) fn rest(&mut self) -> Option<String> {
        readable(&std::mem::take(&mut self.line))
    }

    fn delimiter(&mut self, tell: &mut impl FnMut(Heard)) {
        let bytes = std::mem::take(&mut self.frame);
        if std::mem::take(&mut self.text) || bytes.is_empty() {
            return;
        }
        match parse(&bytes) {
            Ok(Some(heard)) => tell(heard),
            // An echo of our own.
            Ok(None) => {}
            // A short word before a frame, or a damaged frame.
            Err(())
                if bytes.iter().all(|&byte| byte == b' ' || byte.is_ascii_graphic() || b"\r\n\t".contains(&byte)) =>
            {
                bytes.into_iter().for_each(|byte| self.letter(byte, tell));
            }
            Err(()) => {}
        }
    }

    fn letter(&mut self, byte: u8, tell: &mut impl FnMut(Heard)) {
        if byte != b'\n' {
            self.line.push(byte);
        }
        if byte == b'\n' || self.line.len() >= LONGEST_LINE {
            if let Some(text) = readable(&std::mem::take(&mut self.line)) {
                tell(Heard::Line(text));
            }
        }
    }
}

/// Whether the bytes since a delimiter may become a frame: text has no such control character in second place, where a
/// frame has its type.
fn may_be_frame(bytes: &[u8]) -> bool {
    let kind = bytes.get(1).is_none_or(|&kind| kind < b' ' && !b"\x07\x08\t\n\r\x1B".contains(&kind));
    kind && bytes.len() <= LONGEST
}

fn parse(bytes: &[u8]) -> Result<Option<Heard>, ()> {
    let mut decoder = Decoder::new();
    let mut body = Vec::new();
    for &byte in bytes {
        if let Decoded::Byte(byte) = decoder.push(byte) {
            body.push(byte);
        }
    }
    if decoder.push(0) != (Decoded::End { whole: true }) {
        return Err(());
    }
    match Frame::parse(&body) {
        Ok(Frame::Want { offset, length }) => Ok(Some(Heard::Want { offset, length })),
        Ok(Frame::Done { outcome, text }) => Ok(Some(Heard::Done { outcome, text: harmless(text) })),
        Ok(Frame::Data { .. }) => Ok(None),
        Err(NotAFrame::Type(kind)) => Ok(Some(Heard::Later(kind))),
        Err(NotAFrame::Noise | NotAFrame::Malformed) => Err(()),
    }
}

/// A line for people, if it is one: not noise, nor what a wrong baud rate makes of text.
fn readable(line: &[u8]) -> Option<String> {
    let text = harmless(line);
    let strange = text.chars().filter(|&character| character == char::REPLACEMENT_CHARACTER).count();
    (!text.trim().is_empty() && strange * 4 <= text.chars().count()).then_some(text)
}

/// As text, without colours and other commands to a terminal.
fn harmless(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = console::strip_ansi_codes(text.trim_end());
    let tame = |character: char| match character {
        '\t' => ' ',
        control if control.is_control() => char::REPLACEMENT_CHARACTER,
        other => other,
    };
    text.chars().map(tame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(pieces: &[&[u8]]) -> Vec<Heard> {
        let mut ear = Ear::default();
        let mut all = Vec::new();
        pieces.iter().for_each(|piece| ear.hear(piece, |heard| all.push(heard)));
        all
    }

    fn line(text: &str) -> Heard {
        Heard::Line(text.into())
    }

    #[test]
    fn text_and_frames_are_told_apart_in_pieces_of_any_size() {
        let want = Frame::Want { offset: 10, length: 64 };
        let done = Frame::Done { outcome: Outcome::Refused, text: b"no\x1B[2J\x07" };
        let mut wire = b"boot v1\r\n\r\nok".to_vec();
        wire.extend(want.wire());
        wire.extend(b"! \x1B[32mgreen\x1B[0m\nA\n".iter().copied().chain(want.wire()).chain(done.wire()));
        let expected = [
            line("boot v1"),
            Heard::Want { offset: 10, length: 64 },
            line("ok! green"),
            line("A"),
            Heard::Want { offset: 10, length: 64 },
            Heard::Done { outcome: Outcome::Refused, text: "no\u{FFFD}".into() },
        ];
        for size in [1, 2, 3, 7, wire.len()] {
            assert_eq!(heard(&wire.chunks(size).collect::<Vec<_>>()), expected, "{size}");
        }
    }

    #[test]
    fn a_line_is_told_when_it_is_complete_without_a_frame_behind_it() {
        assert_eq!(heard(&[b"\0waiting\n"]), [line("waiting")]);
        assert_eq!(heard(&[b"waiting"]), []);
    }

    #[test]
    fn damaged_frames_and_unreadable_bytes_are_not_shown() {
        let mut wire: Vec<u8> = Frame::Want { offset: 0, length: 64 }.wire().collect();
        wire[9] ^= 1;
        assert_eq!(heard(&[&wire]), []);
        assert_eq!(heard(&[&[0x80, 0xFE].repeat(500), b"\n"]), []);
        assert_eq!(heard(&[&b"x".repeat(900)]).len(), 2, "a line without an end is cut");
    }
}
