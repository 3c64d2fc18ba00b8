//! Key sets in front of updates, for devices that rotate their keys: who is trusted, what is taken, what is refused.
//!
//! `order`, `entries`, `bodies` and `points` hold the cases, of sets that `set` makes.

mod bodies;
mod entries;
mod order;
mod points;
mod set;

use super::bytes::{hex, number};
use super::keys::{Key, CLASS, VENDOR};
use set::{letters, update};

/// The folder's list.
pub(crate) const LIST: &str = "rotation/LIST.json";
/// All test keys, in the list by these letters.
pub(crate) const LETTERS: &str = "abcdefghi";

/// The set that a device trusts first.
#[derive(Clone, Copy)]
pub(crate) struct Trusted {
    pub(crate) version: u32,
    pub(crate) thresholds: [u8; 2],
    /// Letters, each with its key's roles.
    pub(crate) keys: &'static str,
    /// Its rotate keys are the device's root.
    pub(crate) rooted: bool,
}

impl Trusted {
    const fn new(keys: &'static str) -> Self {
        Self { version: 0, thresholds: [1, 1], keys, rooted: false }
    }

    const fn version(self, version: u32) -> Self {
        Self { version, ..self }
    }

    const fn rotate(self, threshold: u8) -> Self {
        Self { thresholds: [1, threshold], ..self }
    }

    const fn rooted(self) -> Self {
        Self { rooted: true, ..self }
    }
}

/// A sign key and a rotate key.
const FIRST: Trusted = Trusted::new("a1 b2");

/// A file, and what becomes of its objects.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) trusted: Trusted,
    pub(crate) bytes: Vec<u8>,
    /// What becomes of the key sets that are got through.
    pub(crate) key_sets: Vec<&'static str>,
    /// The versions taken.
    pub(crate) taken: Vec<u32>,
    /// The rule that ends it, as the reference names it, and the refusal, as Rust's `Debug` writes it; empty: the
    /// update is accepted.
    pub(crate) rule: &'static str,
    pub(crate) refusal: String,
}

/// `outcomes` has a letter for each set that is got through: taken, not newer, another class.
fn case(name: &'static str, what: &'static str, trusted: Trusted, sets: &[Vec<u8>], by: &str, outcomes: &str) -> Case {
    let key_sets: Vec<_> = outcomes
        .chars()
        .map(|outcome| match outcome {
            't' => "taken",
            'n' => "not newer",
            _ => "another class",
        })
        .collect();
    let taken = key_sets.iter().zip(sets).filter(|(outcome, _)| **outcome == "taken");
    Case {
        name,
        what,
        trusted,
        // Vendor, class and version stand in front, each 4 bytes behind the one before.
        taken: taken.map(|(_, set)| number(&set[60..64])).collect(),
        bytes: [sets.concat(), update(by)].concat(),
        key_sets,
        rule: "",
        refusal: String::new(),
    }
}

impl Case {
    pub(super) fn refused(self, rule: &'static str, refusal: impl Into<String>) -> Self {
        Self { rule, refusal: refusal.into(), ..self }
    }

    pub(super) fn too_few(self, rule: &'static str, valid: u8, needed: u8) -> Self {
        self.refused(rule, format!("TooFewSignatures {{ valid: {valid}, needed: {needed} }}"))
    }

    pub(super) fn bad_signature(self, letter: char) -> Self {
        self.refused("signature", format!("BadSignature {{ key: {} }}", hex(&Key::test(letter).id())))
    }

    pub(super) fn malformed(self, refusal: &str) -> Self {
        self.refused("form", format!("Malformed({refusal})"))
    }

    pub(super) fn cut(mut self, end: usize) -> Self {
        self.bytes.truncate(end);
        self.refused("form", format!("Truncated {{ position: {end} }}"))
    }
}

pub(crate) fn cases() -> Vec<Case> {
    [
        order::versions(),
        order::thresholds(),
        entries::entries(),
        bodies::elements(),
        bodies::bodies(),
        points::keys(),
        order::updates(),
        bodies::numbers(),
        order::roots(),
        entries::sizes(),
    ]
    .concat()
}

/// The list beside the files.
pub(crate) fn list() -> String {
    let table: Vec<_> = LETTERS
        .chars()
        .map(|letter| {
            let key = Key::test(letter);
            let (x, y) = (hex(&key.point()[..32]), hex(&key.point()[32..]));
            format!("    \"{letter}\": {{\"id\": \"{}\", \"x\": \"{x}\", \"y\": \"{y}\"}}", hex(&key.id()))
        })
        .collect();
    let cases: Vec<_> = cases().iter().map(entry_of).collect();
    let (table, cases) = (table.join(",\n"), cases.join(",\n"));
    format!(
        "{{\n  \"vendor\": \"{VENDOR}\",\n  \"class\": \"{CLASS}\",\n  \"keys\": {{\n{table}\n  }},\n  \
         \"vectors\": [\n{cases}\n  ]\n}}\n"
    )
}

fn entry_of(case: &Case) -> String {
    let Trusted { version, thresholds: [sign, rotate], keys, rooted } = case.trusted;
    let keys = letters(keys);
    let listed: Vec<_> =
        keys.iter().map(|(key, roles)| format!("{{\"key\": \"{key}\", \"roles\": {roles}}}")).collect();
    let root: Vec<_> = keys.iter().filter(|(_, roles)| roles & 2 != 0).map(|(key, _)| format!("\"{key}\"")).collect();
    let root = if rooted {
        format!("{{\"rotate_threshold\": {rotate}, \"keys\": [{}]}}", root.join(", "))
    } else {
        "null".into()
    };
    let or_null = |text: &str| if text.is_empty() { "null".into() } else { format!("\"{text}\"") };
    let sets: Vec<_> = case.key_sets.iter().map(|set| format!("\"{set}\"")).collect();
    format!(
        "    {{\"file\": \"{}.lgu\", \"what\": \"{}\",\n     \"trusted\": {{\"version\": {version}, \
         \"sign_threshold\": {sign}, \"rotate_threshold\": {rotate}, \"keys\": [{}]}}, \"root\": {root},\n     \"key_sets\": [{}], \
         \"taken\": {:?}, \"rule\": {}, \"refusal\": {}, \"accepted\": {}}}",
        case.name,
        case.what,
        listed.join(", "),
        sets.join(", "),
        case.taken,
        or_null(case.rule),
        or_null(&case.refusal),
        case.rule.is_empty(),
    )
}
