//! Colours, on a terminal and if nobody objects; and numbers that people can read.

use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal};

/// The colours there are, by what they mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Doubt,
    Trailer,
    Quiet,
    Strong,
}

/// Whether to colour, decided once.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    colours: bool,
}

impl Style {
    /// For standard output.
    pub(crate) fn stdout() -> Self {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self { colours: io::stdout().is_terminal() && !refused }
    }

    pub(crate) fn colours(self) -> bool {
        self.colours
    }

    /// `text` in a tone, or as it is.
    pub(crate) fn paint(self, tone: Tone, text: impl Display) -> String {
        if !self.colours {
            return text.to_string();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Doubt => "33",
            Tone::Trailer => "36",
            Tone::Quiet => "2",
            Tone::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Columns of the terminal, if standard output is one.
pub(crate) fn columns() -> Option<usize> {
    console::Term::stdout()
        .size_checked()
        .map(|(_, columns)| usize::from(columns))
        .filter(|_| io::stdout().is_terminal())
}

/// Columns for a picture: those of the terminal, within what reads well; 100 where there is none.
pub(crate) fn width() -> usize {
    columns().unwrap_or(100).clamp(60, 110)
}

/// `text` in lines of at most `width` columns, broken at its commas: what lies between them are phrases. Only a
/// phrase that is longer than a line is broken between words.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let columns = |text: &str| console::measure_text_width(text.trim_end());
    let mut lines = vec![String::new()];
    let mut put = |part: &str| match lines.last_mut() {
        Some(line) if line.is_empty() || console::measure_text_width(line) + columns(part) <= width => {
            line.push_str(part)
        }
        _ => lines.push(part.into()),
    };
    for phrase in text.split_inclusive(", ") {
        match columns(phrase) <= width {
            true => put(phrase),
            false => phrase.split_inclusive(' ').for_each(&mut put),
        }
    }
    lines.into_iter().map(|line| line.trim_end().to_string()).collect()
}

/// `1 234 567`: thousands apart, as SI writes them.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1 byte`, `2 bytes`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{} {many}", grouped(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_commas() {
        assert_eq!(wrapped("one, two, three", 9), ["one, two,", "three"]);
        assert_eq!(wrapped("some words, much longer than that", 11), ["some words,", "much longer", "than that"]);
        assert_eq!(wrapped("indivisible", 9), ["indivisible"]);
        assert_eq!(wrapped("", 9), [""]);
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1 234 567");
        assert_eq!(count(1, "sector", "sectors"), "1 sector");
        assert_eq!(count(1024, "sector", "sectors"), "1 024 sectors");
    }
}
