//! Images as linkers and converters write them. A device takes raw binaries only: what is packed is what lies
//! in the slot, byte for byte.

use std::path::Path;

use lockgate::wire::MAGIC;

use crate::failure::Failure;
use crate::files;

/// A raw image. Anything that is known to be no image is refused, with the way to make one of it.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = files::read(path)?;
    match container(&bytes) {
        Some((what, hint)) => Err(Failure::refused(path.display(), format_args!("{what}, not a raw binary: {hint}"))),
        None => Ok(bytes),
    }
}

/// What a file is that holds an image but is none.
fn container(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const OBJCOPY: &str = "make one with `objcopy -O binary firmware.elf firmware.bin`";
    if bytes.starts_with(b"\x7fELF") {
        Some(("an ELF file", OBJCOPY))
    } else if bytes.starts_with(b"UF2\n\x57\x51\x5d\x9e") {
        Some(("a UF2 file", "make one from the ELF file with `objcopy -O binary firmware.elf firmware.bin`"))
    } else if is_hex_line(bytes, b":", 0) {
        Some(("an Intel HEX file", "make one with `objcopy -I ihex -O binary firmware.hex firmware.bin`"))
    } else if is_hex_line(bytes, b"S0", 0xFF) {
        Some(("a Motorola S-record file", "make one with `objcopy -I srec -O binary firmware.srec firmware.bin`"))
    } else if is_pem(bytes) {
        Some(("a PEM file", "a key or a certificate is no image"))
    } else if bytes.starts_with(&MAGIC) {
        Some(("a lockgate package", "it is packed already"))
    } else {
        None
    }
}

/// Whether it is nothing but text, with a PEM in it: code may well carry a certificate along.
fn is_pem(bytes: &[u8]) -> bool {
    files::is_text(bytes) && bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

/// Whether the first line is `mark` and hexadecimal bytes whose sum is `sum`: code may well begin with a
/// colon, but not with a whole record.
fn is_hex_line(bytes: &[u8], mark: &[u8], sum: u8) -> bool {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let Some(digits) = line.strip_prefix(mark) else { return false };
    let pairs = digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let Some(record) = pairs.collect::<Option<Vec<u8>>>() else { return false };
    record.len() >= 4 && record.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte)) == sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_from_images() {
        let what = |bytes: &[u8]| container(bytes).map(|(what, _)| what);
        assert_eq!(what(b"\x7fELF\x01\x01"), Some("an ELF file"));
        assert_eq!(what(b"UF2\n\x57\x51\x5d\x9e\0\0"), Some("a UF2 file"));
        assert_eq!(what(b":020000040800F2\r\n:00000001FF\r\n"), Some("an Intel HEX file"));
        assert_eq!(what(b":00000001FF"), Some("an Intel HEX file"));
        assert_eq!(what(b"S00600004844521B\n"), Some("a Motorola S-record file"));
        assert_eq!(what(&MAGIC), Some("a lockgate package"));
        assert_eq!(what("Schl\u{fc}ssel\n-----BEGIN EC PRIVATE KEY-----\n".as_bytes()), Some("a PEM file"));
        assert_eq!(what(b"\x12\0\0-----BEGIN CERTIFICATE-----\n"), None, "code that holds one");
        for image in [&b""[..], b":", b":-)", b":020000040800F3\n", b"S0", b"UF2\n", b"\x7fEL", b"\xe9\x03\x02\x40"] {
            assert_eq!(what(image), None, "{}", image.escape_ascii());
        }
    }
}
