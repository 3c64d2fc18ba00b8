//! Numbers of `include/lockgate.h`, read while this is compiled: each is written down once, and the two sides cannot disagree.

const TEXT: &[u8] = include_bytes!("../include/lockgate.h");

/// The number behind `name`, as `#define NAME 12` or `NAME = 0x12` has it.
///
/// # Panics
///
/// In a constant it does not compile: there is no such number.
pub(crate) const fn number(name: &str) -> u32 {
    let name = name.as_bytes();
    let mut at = 1;
    while at + name.len() < TEXT.len() {
        if !is_word(TEXT[at - 1]) && is_at(name, at) {
            let mut start = at + name.len();
            while TEXT[start] == b' ' || TEXT[start] == b'=' {
                start += 1;
            }
            if start > at + name.len() && TEXT[start].is_ascii_digit() {
                return parse(start);
            }
        }
        at += 1;
    }
    panic!("lockgate.h has no such number")
}

const fn is_at(name: &[u8], at: usize) -> bool {
    let mut i = 0;
    while i < name.len() {
        if TEXT[at + i] != name[i] {
            return false;
        }
        i += 1;
    }
    true
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

const fn parse(mut at: usize) -> u32 {
    let hexadecimal = TEXT[at] == b'0' && TEXT[at + 1] == b'x';
    let base = if hexadecimal { 16 } else { 10 };
    if hexadecimal {
        at += 2;
    }
    let mut value = 0;
    while is_word(TEXT[at]) {
        let digit = match TEXT[at] {
            digit @ b'0'..=b'9' => digit - b'0',
            letter @ b'a'..=b'f' => letter - b'a' + 10,
            _ => panic!("lockgate.h has a number in a form that is not read here"),
        };
        assert!((digit as u32) < base);
        value = value * base + digit as u32;
        at += 1;
    }
    value
}
