//! A GET of HTTP/1.1 (RFC 9110, RFC 9112) from an offset on, in constant memory.
//!
//! It understands the two answers that bring bytes, 206 and 200, with a length. Nothing is followed, decoded or guessed.

use embedded_io::{BufRead, ErrorType, Read, Write};

use crate::error::Error;

/// Most bytes of status lines and header fields.
pub const MAX_HEAD: usize = 4096;
/// Bytes of a header line that are kept: the longest `Content-Range` of 32-bit numbers has 53.
const LINE: usize = 64;

/// The Host field.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    /// A DNS name.
    pub name: &'a str,
    /// A TCP port: mentioned if it is not 443.
    pub port: u16,
}

/// Sends a request for the bytes from `from` on, and reads the answer up to its body.
///
/// # Errors
///
/// [`Error::Path`]; those of the channel; and those of an answer that is not a body of known length from `from` or from 0 on.
#[inline(never)]
pub fn get<C>(mut channel: C, host: Host<'_>, path: &str, from: u32) -> Result<Response<C>, Error>
where
    C: BufRead + Write + ErrorType<Error = Error>,
{
    request(&mut channel, host, path, from)?;
    let mut head = Head { left: MAX_HEAD, line: [0; LINE], used: 0, cut: false };
    let status = loop {
        // Interim answers come first (RFC 9110, section 15.2), and are of no interest.
        match head.status(&mut channel)? {
            100..=199 => while head.field(&mut channel)?.is_some() {},
            status => break status,
        }
    };
    match status {
        200 | 206 => {}
        300..=399 => return Err(Error::Redirect(status)),
        416 => return Err(Error::RangeNotSatisfiable),
        _ => return Err(Error::Status(status)),
    }
    let (mut length, mut range) = (None, None);
    while let Some((name, value)) = head.field(&mut channel)? {
        if name.eq_ignore_ascii_case(b"content-length") {
            let value = value.and_then(decimal).ok_or(Error::ContentLength)?;
            if length.replace(value).is_some() {
                return Err(Error::ContentLength);
            }
        } else if name.eq_ignore_ascii_case(b"content-range") && status == 206 {
            let value = value.and_then(content_range).ok_or(Error::ContentRange)?;
            if range.replace(value).is_some() {
                return Err(Error::ContentRange);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Err(Error::Chunked);
        } else if name.eq_ignore_ascii_case(b"content-encoding")
            && !value.is_some_and(|value| value.eq_ignore_ascii_case(b"identity"))
        {
            return Err(Error::ContentEncoding);
        }
    }
    let length = length.ok_or(Error::ContentLength)?;
    let start = match (status, range) {
        (206, None) => return Err(Error::ContentRange),
        (206, Some((start, _))) if start != from => return Err(Error::WrongRange { asked: from, got: start }),
        (206, Some((_, bytes))) if bytes != length => return Err(Error::ContentRange),
        (206, Some((start, _))) => start,
        _ => 0,
    };
    Ok(Response { channel, start, missing: length })
}

fn request<C>(channel: &mut C, host: Host<'_>, path: &str, from: u32) -> Result<(), Error>
where
    C: Write + ErrorType<Error = Error>,
{
    // A space or a line end in it would make two requests of one.
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(Error::Path);
    }
    let mut digits = [0; 10];
    channel.write_all(b"GET ")?;
    channel.write_all(path.as_bytes())?;
    channel.write_all(b" HTTP/1.1\r\nHost: ")?;
    channel.write_all(host.name.as_bytes())?;
    if host.port != 443 {
        channel.write_all(b":")?;
        channel.write_all(in_decimal(host.port.into(), &mut digits))?;
    }
    if from > 0 {
        channel.write_all(b"\r\nRange: bytes=")?;
        channel.write_all(in_decimal(from, &mut digits))?;
        channel.write_all(b"-")?;
    }
    channel.write_all(b"\r\nUser-Agent: lockgate\r\nConnection: close\r\n\r\n")?;
    channel.flush()
}

/// The body of an answer: reads end (`Ok(0)`) after its last byte, and not before.
#[derive(Debug)]
pub struct Response<C> {
    channel: C,
    start: u32,
    missing: u32,
}

impl<C> Response<C> {
    /// The offset in the resource of the body's first byte: what was asked for, or 0 where the server knows no ranges.
    #[must_use]
    pub fn start(&self) -> u32 {
        self.start
    }

    /// Bytes of the body that were not read yet.
    #[must_use]
    pub fn missing(&self) -> u32 {
        self.missing
    }

    fn took(&mut self, bytes: usize) {
        self.missing = self.missing.saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    fn most(&self, bytes: usize) -> usize {
        bytes.min(usize::try_from(self.missing).unwrap_or(usize::MAX))
    }
}

impl<C: ErrorType> ErrorType for Response<C> {
    type Error = C::Error;
}

impl<C: Read + ErrorType<Error = Error>> Read for Response<C> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let most = self.most(buffer.len());
        let Some(buffer) = buffer.get_mut(..most).filter(|buffer| !buffer.is_empty()) else { return Ok(0) };
        match self.channel.read(buffer)? {
            0 => Err(Error::Truncated { missing: self.missing }),
            bytes => {
                self.took(bytes);
                Ok(bytes)
            }
        }
    }
}

/// Without a buffer of the caller's: the bytes as they lie in the record.
impl<C: BufRead + ErrorType<Error = Error>> BufRead for Response<C> {
    fn fill_buf(&mut self) -> Result<&[u8], Error> {
        if self.missing == 0 {
            return Ok(&[]);
        }
        let most = self.most(usize::MAX);
        match self.channel.fill_buf()? {
            [] => Err(Error::Truncated { missing: self.missing }),
            bytes => Ok(bytes.get(..most).unwrap_or(bytes)),
        }
    }

    fn consume(&mut self, bytes: usize) {
        let bytes = self.most(bytes);
        self.channel.consume(bytes);
        self.took(bytes);
    }
}

/// The reader of lines, and how much it may still read.
struct Head {
    left: usize,
    line: [u8; LINE],
    used: usize,
    /// The line was longer than what is kept of it.
    cut: bool,
}

/// A field's name, and its value unless the line was too long to keep.
type Field<'l> = (&'l [u8], Option<&'l [u8]>);

impl Head {
    /// Reads a line, and keeps its first bytes. It ends in CR LF, or in LF alone (RFC 9112, section 2.2).
    fn line<C>(&mut self, channel: &mut C) -> Result<(), Error>
    where
        C: BufRead + ErrorType<Error = Error>,
    {
        (self.used, self.cut) = (0, false);
        loop {
            let bytes = channel.fill_buf()?;
            if bytes.is_empty() {
                return Err(Error::Closed);
            }
            let end = bytes.iter().position(|&byte| byte == b'\n');
            let part = end.and_then(|end| bytes.get(..end)).unwrap_or(bytes);
            self.keep(part);
            let read = part.len().saturating_add(usize::from(end.is_some()));
            channel.consume(read);
            self.left = self.left.checked_sub(read).ok_or(Error::HeadTooLarge)?;
            if end.is_some() {
                return Ok(());
            }
        }
    }

    /// What was kept of the line, without its end.
    fn kept(&self) -> &[u8] {
        let line = self.line.get(..self.used).unwrap_or_default();
        line.strip_suffix(b"\r").filter(|_| !self.cut).unwrap_or(line)
    }

    /// Whether what was kept can be the begin of a status line.
    fn begins_as_http(&self) -> bool {
        self.kept().iter().zip(b"HTTP/1.").all(|(byte, expected)| byte == expected)
    }

    fn keep(&mut self, part: &[u8]) {
        for &byte in part {
            let Some(place) = self.line.get_mut(self.used) else {
                // The CR of a line that just fits is no loss.
                self.cut |= byte != b'\r';
                continue;
            };
            *place = byte;
            self.used = self.used.saturating_add(1);
        }
    }

    /// Reads a status line (RFC 9112, section 4).
    fn status<C>(&mut self, channel: &mut C) -> Result<u16, Error>
    where
        C: BufRead + ErrorType<Error = Error>,
    {
        match self.line(channel) {
            // Something else, that has no lines.
            Err(Error::HeadTooLarge | Error::Closed) if !self.begins_as_http() => return Err(Error::NotHttp),
            line => line?,
        }
        match self.kept().strip_prefix(b"HTTP/1.") {
            Some([b'0'..=b'9', b' ', status @ ..]) => {
                let (status, rest) = status.split_at_checked(3).ok_or(Error::NotHttp)?;
                let status = decimal(status).filter(|_| matches!(rest, [] | [b' ', ..])).ok_or(Error::NotHttp)?;
                u16::try_from(status).ok().filter(|&status| status >= 100).ok_or(Error::NotHttp)
            }
            _ => Err(Error::NotHttp),
        }
    }

    /// Reads a field (RFC 9112, section 5); `None` is the end of the head.
    fn field<C>(&mut self, channel: &mut C) -> Result<Option<Field<'_>>, Error>
    where
        C: BufRead + ErrorType<Error = Error>,
    {
        self.line(channel)?;
        let (line, cut) = (self.kept(), self.cut);
        if line.is_empty() {
            return Ok(None);
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            // A name that long is of no interest; anything else has none.
            return if cut { Ok(Some((line, None))) } else { Err(Error::Field) };
        };
        let (name, value) = line.split_at_checked(colon).ok_or(Error::Field)?;
        // No space stands in front of a colon (section 5.1), and no line is continued by a space (5.2).
        if name.is_empty() || name.iter().any(|byte| !byte.is_ascii_graphic()) {
            return Err(Error::Field);
        }
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        Ok(Some((name, if cut { None } else { Some(value) })))
    }
}

/// `bytes first-last/size`, or `*` for an unknown size (RFC 9110, section 14.4): first, and bytes in the range.
fn content_range(value: &[u8]) -> Option<(u32, u32)> {
    let (unit, value) = value.split_at_checked(6)?;
    let (first, value) = cut(value, b'-')?;
    let (last, size) = cut(value, b'/')?;
    let (first, last) = (decimal(first)?, decimal(last)?);
    let fits = size == b"*" || decimal(size)? > last;
    let bytes = last.checked_sub(first)?.checked_add(1)?;
    (unit.eq_ignore_ascii_case(b"bytes ") && fits).then_some((first, bytes))
}

/// What stands before and behind the first `mark`.
fn cut(bytes: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&byte| byte == mark)?;
    Some((bytes.get(..at)?, bytes.get(at..)?.get(1..)?))
}

/// Digits and nothing else, below 2^32.
fn decimal(digits: &[u8]) -> Option<u32> {
    let number = digits
        .iter()
        .try_fold(0_u32, |number, &digit| number.checked_mul(10)?.checked_add(char::from(digit).to_digit(10)?))?;
    (!digits.is_empty()).then_some(number)
}

/// `core::fmt` would bring kilobytes along.
fn in_decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = u8::try_from(number % 10).unwrap_or_default() | b'0';
        start = start.saturating_sub(1);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}
