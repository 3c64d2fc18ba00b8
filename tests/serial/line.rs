//! A serial line in memory, with a host at its other end, mishaps, and a clock of its own: nothing waits.
#![allow(unreachable_pub)]

use std::collections::VecDeque;

use lockgate::serial::{Decoded, Decoder, Frame, Outcome, Port};

/// Keeps to `docs/serial.md`, section 5.
pub struct Host {
    package: Vec<u8>,
    decoder: Decoder,
    body: Vec<u8>,
    pub answers: usize,
    pub done: Vec<(Outcome, String)>,
}

impl Host {
    pub fn new(package: &[u8]) -> Self {
        Self { package: package.into(), decoder: Decoder::new(), body: Vec::new(), answers: 0, done: Vec::new() }
    }

    fn hear(&mut self, byte: u8) -> Vec<u8> {
        match self.decoder.push(byte) {
            Decoded::Nothing => {}
            Decoded::Byte(byte) => self.body.push(byte),
            Decoded::End { whole } => {
                let body = std::mem::take(&mut self.body);
                if whole {
                    return self.answer(&body);
                }
            }
        }
        Vec::new()
    }

    fn answer(&mut self, body: &[u8]) -> Vec<u8> {
        match Frame::parse(body) {
            Ok(Frame::Want { offset, length }) => {
                let rest = self.package.get(offset as usize..).unwrap_or_default();
                let bytes = &rest[..rest.len().min(length.into())];
                self.answers += 1;
                Frame::Data { offset, size: self.package.len() as u32, bytes }.wire().collect()
            }
            Ok(Frame::Done { outcome, text }) => {
                self.done.push((outcome, String::from_utf8(text.into()).unwrap()));
                Vec::new()
            }
            _ => Vec::new(),
        }
    }
}

/// What becomes of a byte.
#[derive(Clone, Copy, Debug)]
pub enum Mishap {
    Lost,
    Doubled,
    Zeroed,
    Flipped(u8),
}

impl Mishap {
    fn befall(self, byte: u8) -> Vec<u8> {
        match self {
            Self::Lost => vec![],
            Self::Doubled => vec![byte, byte],
            Self::Zeroed => vec![0],
            Self::Flipped(bits) => vec![byte ^ bits],
        }
    }
}

/// The line, seen from the device.
pub struct Line {
    pub host: Host,
    /// Each byte, and when it is there.
    to_device: VecDeque<(u32, u8)>,
    /// Milliseconds.
    pub now: u32,
    pub sent_by_host: usize,
    pub sent_by_device: usize,
    mishap: Option<(usize, Mishap)>,
    mishap_of_device: Option<(usize, Mishap)>,
    junk: Vec<u8>,
    echo: bool,
    deaf: bool,
    twice: Option<u32>,
    latency: u32,
    /// After so many bytes of the host it is gone for so long.
    gone: Option<(usize, u32)>,
    back_at: Option<u32>,
}

impl Line {
    pub fn to(host: Host) -> Self {
        Self {
            host,
            to_device: VecDeque::new(),
            now: 0,
            sent_by_host: 0,
            sent_by_device: 0,
            mishap: None,
            mishap_of_device: None,
            junk: Vec::new(),
            echo: false,
            deaf: false,
            twice: None,
            latency: 0,
            gone: None,
            back_at: None,
        }
    }

    /// To this byte of the host's.
    pub fn mishap(mut self, at: usize, mishap: Mishap) -> Self {
        self.mishap = Some((at, mishap));
        self
    }

    /// To this byte of the device's.
    pub fn mishap_of_device(mut self, at: usize, mishap: Mishap) -> Self {
        self.mishap_of_device = Some((at, mishap));
        self
    }

    pub fn happened(&self) -> bool {
        self.mishap.is_none()
    }

    pub fn junk_before_each_answer(mut self, junk: &[u8]) -> Self {
        self.junk = junk.into();
        self
    }

    pub fn echoing(mut self) -> Self {
        self.echo = true;
        self
    }

    /// Whatever the host says, it says again after so many milliseconds.
    pub fn twice(mut self, ms: u32) -> Self {
        self.twice = Some(ms);
        self
    }

    /// The device erases flash before it asks: of what came, a FIFO of 16 bytes is left.
    pub fn deaf(mut self) -> Self {
        self.deaf = true;
        self
    }

    /// The host's answers take so many milliseconds.
    pub fn latency(mut self, ms: u32) -> Self {
        self.latency = ms;
        self
    }

    /// The host stops after so many bytes, for so many milliseconds.
    pub fn host_gone(mut self, after: usize, ms: u32) -> Self {
        self.gone = Some((after, ms));
        self
    }

    fn erase(&mut self) {
        if self.deaf && self.to_device.len() > 16 {
            self.now += 400;
            self.to_device.truncate(16);
        }
    }

    fn reaches_device(&mut self, bytes: &[u8]) {
        let due = self.now + self.latency;
        self.to_device.extend(bytes.iter().map(|&byte| (due, byte)));
    }

    fn host_says(&mut self, bytes: Vec<u8>) {
        for byte in bytes {
            if let Some((_, ms)) = self.gone.take_if(|(after, _)| *after <= self.sent_by_host) {
                self.back_at = Some(self.now.saturating_add(ms));
            }
            if self.back_at.is_some_and(|back| self.now < back) {
                continue;
            }
            match self.mishap.take_if(|(at, _)| *at == self.sent_by_host) {
                Some((_, mishap)) => self.reaches_device(&mishap.befall(byte)),
                None => self.reaches_device(&[byte]),
            }
            self.sent_by_host += 1;
        }
    }
}

impl Port for Line {
    type Error = std::convert::Infallible;

    fn receive(&mut self, timeout_ms: u32) -> Result<Option<u8>, Self::Error> {
        if timeout_ms == 0 {
            self.erase();
        }
        let until = self.now.saturating_add(timeout_ms);
        let due = self.to_device.front().copied().filter(|(due, _)| *due <= until);
        if due.is_some() {
            self.to_device.pop_front();
        }
        self.now = due.map_or(until, |(due, _)| self.now.max(due));
        Ok(due.map(|(_, byte)| byte))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.erase();
        if self.echo {
            self.reaches_device(bytes);
        }
        for &byte in bytes {
            let heard = match self.mishap_of_device.take_if(|(at, _)| *at == self.sent_by_device) {
                Some((_, mishap)) => mishap.befall(byte),
                None => vec![byte],
            };
            self.sent_by_device += 1;
            for byte in heard {
                let answer = self.host.hear(byte);
                if !answer.is_empty() {
                    let junk = self.junk.clone();
                    self.reaches_device(&junk);
                    self.host_says(answer.clone());
                    if let Some(ms) = self.twice {
                        self.latency += ms;
                        self.host_says(answer);
                        self.latency -= ms;
                    }
                }
            }
        }
        Ok(())
    }
}
