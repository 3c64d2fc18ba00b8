//! The two times of a certificate, as seconds since 1970-01-01 UTC.

use crate::certificate::Refusal;
use crate::der::{Reader, GENERALIZED_TIME, UTC_TIME};

/// Reads a `Time` (RFC 5280, section 4.1.2.5): both forms have seconds and end in Z. A time before 1970 counts as 0.
pub(crate) fn read(reader: &mut Reader<'_>) -> Result<u64, Refusal> {
    let element = reader.element()?;
    match element.tag {
        UTC_TIME => utc(element.value),
        GENERALIZED_TIME => generalized(element.value),
        _ => None,
    }
    .ok_or(Refusal::Malformed)
}

/// `YYMMDDHHMMSSZ`; from 50 on, YY is of the twentieth century (section 4.1.2.5.1).
fn utc(text: &[u8]) -> Option<u64> {
    let (&year, rest) = text.split_first_chunk::<2>()?;
    let year = two(year)?;
    unix(year.checked_add(if year >= 50 { 1900 } else { 2000 })?, rest)
}

/// `YYYYMMDDHHMMSSZ` (section 4.1.2.5.2).
fn generalized(text: &[u8]) -> Option<u64> {
    let (&[y0, y1, y2, y3], rest) = text.split_first_chunk::<4>()?;
    unix(two([y0, y1])?.checked_mul(100)?.checked_add(two([y2, y3])?)?, rest)
}

fn two([tens, ones]: [u8; 2]) -> Option<u32> {
    let digit = |byte: u8| char::from(byte).to_digit(10);
    digit(tens)?.checked_mul(10)?.checked_add(digit(ones)?)
}

/// `rest` is `MMDDHHMMSSZ`.
fn unix(year: u32, rest: &[u8]) -> Option<u64> {
    let &[mo0, mo1, d0, d1, h0, h1, mi0, mi1, s0, s1, b'Z'] = rest else { return None };
    let (month, day) = (two([mo0, mo1])?, two([d0, d1])?);
    let (hour, minute, second) = (two([h0, h1])?, two([mi0, mi1])?, two([s0, s1])?);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    // Days of the year before the month, in a common year, and days of the month.
    let (before, days) = match month {
        1 => (0, 31),
        2 => (31, if leap { 29 } else { 28 }),
        3 => (59, 31),
        4 => (90, 30),
        5 => (120, 31),
        6 => (151, 30),
        7 => (181, 31),
        8 => (212, 31),
        9 => (243, 30),
        10 => (273, 31),
        11 => (304, 30),
        12 => (334, 31),
        _ => return None,
    };
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 0001-01-01 of the Gregorian calendar; 1970-01-01 is day 719,162.
    let years = year.checked_sub(1)?;
    let leaps = (years / 4).checked_sub(years / 100)?.checked_add(years / 400)?;
    let of_year = u32::from(leap && month > 2).checked_add(before)?.checked_add(day)?.checked_sub(1)?;
    let since_one = years.checked_mul(365)?.checked_add(leaps)?.checked_add(of_year)?;
    let Some(since_1970) = since_one.checked_sub(719_162) else { return Some(0) };
    let of_day = hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    u64::from(since_1970).checked_mul(86_400)?.checked_add(u64::from(of_day))
}
