//! Key sets in front of updates, for devices that rotate their keys: who is trusted, what is taken, what is refused.

use std::slice::from_ref;

use super::bytes::{element, entry, hex, noise, number, object, section, CRITICAL, ES256};
use super::keys::{Key, CLASS, KEY_SET, UPDATE, VENDOR};
use super::update::{in_order, Update, PRIVATE};

/// The folder's list.
pub(crate) const LIST: &str = "rotation/LIST.json";
/// All test keys, in the list by these letters.
pub(crate) const LETTERS: &str = "abcdefghi";
const SIGN_THRESHOLD: u16 = 4;
const ROTATE_THRESHOLD: u16 = 5;
const KEYS: u16 = 6;
/// Bytes that a place of the key store has for a set.
const ROOM: usize = 992;

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

/// A key set in the making.
#[derive(Clone)]
struct Set {
    elements: Vec<(u16, Vec<u8>)>,
    tail: Vec<u8>,
}

impl Set {
    fn new(version: u32, keys: &str) -> Self {
        let listed = in_key_order(keys).iter().flat_map(|(letter, roles)| key(*letter, *roles)).collect::<Vec<_>>();
        let version = version.to_le_bytes();
        let values: [&[u8]; 6] = [&VENDOR.0, &CLASS.0, &version, &[1], &[1], &listed];
        let elements = (1..).zip(values).map(|(number, value)| (CRITICAL | number, value.into())).collect();
        Self { elements, tail: Vec::new() }
    }

    /// The element of this type, in its number's place.
    fn put(&self, kind: u16, value: &[u8]) -> Self {
        let mut set = self.without(kind & !CRITICAL);
        set.elements.push((kind, value.into()));
        set.elements.sort_by_key(|(kind, _)| kind & !CRITICAL);
        set
    }

    fn set(&self, number: u16, value: &[u8]) -> Self {
        self.put(CRITICAL | number, value)
    }

    /// The element behind all others.
    fn append(&self, kind: u16, value: &[u8]) -> Self {
        let mut set = self.clone();
        set.elements.push((kind, value.into()));
        set
    }

    fn without(&self, number: u16) -> Self {
        let mut set = self.clone();
        set.elements.retain(|(kind, _)| kind & !CRITICAL != number);
        set
    }

    fn thresholds(&self, sign: u8, rotate: u8) -> Self {
        self.set(SIGN_THRESHOLD, &[sign]).set(ROTATE_THRESHOLD, &[rotate])
    }

    /// The body filled up to `bytes`.
    fn fill(&self, bytes: usize) -> Self {
        self.put(PRIVATE, &vec![0xAA; bytes - self.body().len() - 4])
    }

    /// Its own bytes filled so that it has `bytes` with so many signatures.
    fn sized(&self, bytes: usize, signatures: usize) -> Self {
        self.fill(bytes - 16 - 2 - 76 * signatures)
    }

    fn body(&self) -> Vec<u8> {
        self.elements.iter().flat_map(|(kind, value)| element(*kind, value)).chain(self.tail.clone()).collect()
    }

    fn signed(&self) -> Vec<u8> {
        object(1, &self.body())
    }

    fn by(&self, letter: char) -> Vec<u8> {
        self.entry(letter, KEY_SET, 0)
    }

    /// An entry whose signature does not verify.
    fn bad(&self, letter: char) -> Vec<u8> {
        self.entry(letter, KEY_SET, 1)
    }

    fn entry(&self, letter: char, domain: &str, flip: u8) -> Vec<u8> {
        let key = Key::test(letter);
        let mut signature = key.sign(domain, &self.signed());
        signature[40] ^= flip;
        entry(ES256, &key.id(), &signature)
    }

    fn signed_by(&self, letters: &str) -> Vec<u8> {
        self.with(letters.chars().map(|letter| self.by(letter)).collect())
    }

    /// With these entries, in the order that a section has.
    fn with(&self, entries: Vec<Vec<u8>>) -> Vec<u8> {
        self.with_section(&section(&in_order(entries)))
    }

    fn with_section(&self, section: &[u8]) -> Vec<u8> {
        [&self.signed(), section].concat()
    }
}

fn key(letter: char, roles: u8) -> Vec<u8> {
    [&[roles][..], &Key::test(letter).point()].concat()
}

fn letters(keys: &str) -> Vec<(char, u8)> {
    keys.split(' ').map(|key| (key.as_bytes()[0].into(), key.as_bytes()[1] - b'0')).collect()
}

fn in_key_order(keys: &str) -> Vec<(char, u8)> {
    let mut keys = letters(keys);
    keys.sort_by_key(|(letter, _)| Key::test(*letter).id());
    keys
}

fn update(by: &str) -> Vec<u8> {
    Update::victim().signed_by(by)
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
    fn refused(self, rule: &'static str, refusal: impl Into<String>) -> Self {
        Self { rule, refusal: refusal.into(), ..self }
    }

    fn too_few(self, rule: &'static str, valid: u8, needed: u8) -> Self {
        self.refused(rule, format!("TooFewSignatures {{ valid: {valid}, needed: {needed} }}"))
    }

    fn bad_signature(self, letter: char) -> Self {
        self.refused("signature", format!("BadSignature {{ key: {} }}", hex(&Key::test(letter).id())))
    }

    fn malformed(self, refusal: &str) -> Self {
        self.refused("form", format!("Malformed({refusal})"))
    }

    fn cut(mut self, end: usize) -> Self {
        self.bytes.truncate(end);
        self.refused("form", format!("Truncated {{ position: {end} }}"))
    }
}

pub(crate) fn cases() -> Vec<Case> {
    [versions(), thresholds(), entries(), elements(), bodies(), keys(), updates(), numbers(), roots(), sizes()].concat()
}

/// The set that most cases begin with, and the one that follows it.
fn one() -> Set {
    Set::new(1, "c1 d2")
}

fn two() -> Set {
    Set::new(2, "e1 f2")
}

fn versions() -> Vec<Case> {
    let (first, second) = (one().signed_by("bd"), two().signed_by("df"));
    let other = |number| one().set(number, &[7; 16]);
    let stranger = |version| Set::new(version, "g1 h2").signed_by("h");
    let last = |version: u32| Set::new(version, "c1 d2").signed_by("bd");
    let gap = |package, device| format!("KeySetVersion {{ package: {package}, device: {device} }}");
    let five = FIRST.version(5);
    let front = [&second, &first].map(Clone::clone);
    vec![
        case("no-set", "no key set", FIRST, &[], "a", ""),
        case("one", "all keys change", FIRST, from_ref(&first), "c", "t"),
        case("two", "and change again", FIRST, &[first.clone(), second.clone()], "e", "tt"),
        case("same-keys", "a new version of the same keys", FIRST, &[Set::new(1, "a1 b2").signed_by("b")], "a", "t"),
        case("both-roles", "keys of both roles", Trusted::new("a3"), &[Set::new(1, "c3").signed_by("ac")], "c", "t"),
        case("gap", "version 2 behind 0", FIRST, from_ref(&second), "e", "").refused("gap", gap(2, 0)),
        case("gap-last", "the last version behind 0", FIRST, &[last(u32::MAX)], "c", "")
            .refused("gap", gap(u32::MAX, 0)),
        case(
            "gap-behind",
            "version 3 behind 1",
            FIRST,
            &[first.clone(), Set::new(3, "e1 f2").signed_by("df")],
            "e",
            "t",
        )
        .refused("gap", gap(3, 1)),
        case("gap-order", "version 2, then 1", FIRST, &front, "e", "").refused("gap", gap(2, 0)),
        case("old-same", "the trusted version, others' keys", five, &[stranger(5)], "a", "n"),
        case("old-first", "version 1, others' keys", five, &[stranger(1)], "a", "n"),
        case("old-then-new", "older ones, then the next", five, &[stranger(4), stranger(5), last(6)], "c", "nnt"),
        case("twice", "the same set again", FIRST, &[first.clone(), first.clone()], "c", "tn"),
        case("two-of-one", "another set of that version", FIRST, &[first, stranger(1)], "c", "tn"),
        case("last", "the highest version", FIRST.version(u32::MAX - 1), &[last(u32::MAX)], "c", "t"),
        case("last-again", "nothing follows it", FIRST.version(u32::MAX), &[last(u32::MAX)], "a", "n"),
        case("vendor", "another vendor's", FIRST, &[other(1).signed_by("bd")], "a", "o"),
        case("class", "another class's", FIRST, &[other(2).signed_by("bd")], "a", "o"),
        case("class-stranger", "another class's, by nobody known", FIRST, &[other(2).signed_by("h")], "a", "o"),
        case(
            "class-bad",
            "another class's, its signature bad",
            FIRST,
            &[other(2).with(vec![other(2).bad('b')])],
            "a",
            "o",
        ),
        case(
            "class-gap",
            "another class's version 9",
            FIRST,
            &[other(2).set(3, &[9, 0, 0, 0]).signed_by("b")],
            "a",
            "o",
        ),
        case(
            "class-between",
            "another class's version 2 between 1 and 2",
            FIRST,
            &[one().signed_by("bd"), two().set(2, &[7; 16]).signed_by("b"), two().signed_by("df")],
            "e",
            "tot",
        ),
        case("class-large", "another class's of 1024 bytes", FIRST, &[other(2).fill(1024).signed_by("b")], "a", "o"),
    ]
}

fn thresholds() -> Vec<Case> {
    let set = one();
    let two_of_two = Trusted::new("a1 b2 e2").rotate(2);
    let needs_two = Set::new(1, "c1 d2 e2").thresholds(1, 2);
    let kept = Set::new(1, "c1 b2");
    let raised = Set::new(1, "c1 a2");
    let update_domain = set.with(vec![set.entry('b', UPDATE, 0), set.by('d')]);
    let all = "threshold trusted";
    vec![
        case("old-none", "no key of the trusted set", FIRST, &[set.signed_by("d")], "c", "").too_few(all, 0, 1),
        case("old-one-of-two", "one of two of the trusted set", two_of_two, &[set.signed_by("bd")], "c", "")
            .too_few(all, 1, 2),
        case("old-two-of-two", "two of two of the trusted set", two_of_two, &[set.signed_by("bde")], "c", "t"),
        case("new-none", "no key of the new set", FIRST, &[set.signed_by("b")], "c", "").too_few("threshold new", 0, 1),
        case("new-one-of-two", "one of two of the new set", FIRST, &[needs_two.signed_by("bd")], "c", "").too_few(
            "threshold new",
            1,
            2,
        ),
        case("new-two-of-two", "two of two of the new set", FIRST, &[needs_two.signed_by("bde")], "c", "t"),
        case(
            "new-one-of-three",
            "one of three, one needed",
            FIRST,
            &[Set::new(1, "c1 d2 e2 f2").signed_by("be")],
            "c",
            "t",
        ),
        case("in-both", "one key that is in both sets", FIRST, &[kept.signed_by("b")], "c", "t"),
        case("sign-key", "a sign key of the trusted set", FIRST, &[set.signed_by("ad")], "c", "").too_few(all, 0, 1),
        case("sign-key-new", "a sign key of the new set", FIRST, &[set.signed_by("bc")], "c", "").too_few(
            "threshold new",
            0,
            1,
        ),
        case(
            "sign-key-raised",
            "a sign key that the new set makes a rotate key",
            FIRST,
            &[raised.signed_by("ab")],
            "c",
            "t",
        ),
        case("sign-key-alone", "it does not stand for the trusted set", FIRST, &[raised.signed_by("a")], "c", "")
            .too_few(all, 0, 1),
        case("stranger", "a key of neither set", FIRST, &[set.signed_by("h")], "c", "").too_few(all, 0, 1),
        case("update-domain", "signed as an update", FIRST, &[update_domain], "c", "").bad_signature('b'),
        case(
            "second-by-first",
            "the second set by keys of the first one's predecessor",
            FIRST,
            &[set.signed_by("bd"), two().signed_by("bf")],
            "e",
            "t",
        )
        .too_few(all, 0, 1),
    ]
}

fn entries() -> Vec<Case> {
    let set = one();
    let [b, d] = ['b', 'd'].map(|letter| set.by(letter));
    let spare = Trusted::new("a1 b2 e2");
    let more = Set::new(1, "c1 d2 f2");
    let unknown = |algorithm, letter| entry(algorithm, &Key::test(letter).id(), &noise(5));
    let with = |more: &[Vec<u8>]| set.with([&[b.clone(), d.clone()], more].concat());
    let raw = |entries: &[Vec<u8>]| set.with_section(&section(entries));
    let sorted = in_order([b.clone(), d.clone()]);
    let turned: Vec<_> = sorted.iter().rev().cloned().collect();
    let double: Vec<_> = [&sorted[..1], &sorted[..]].concat();
    let many = |count: u8| with(&(0..count).map(|n| entry(2, &[n; 8], &[0])).collect::<Vec<_>>());
    let short = entry(ES256, &Key::test('d').id(), &noise(63));
    let zero = entry(ES256, &Key::test('b').id(), &[0; 64]);
    let (low, high) = (b[..44].to_vec(), super::keys::low_and_high(b[12..].try_into().expect("64 bytes")));
    let half = |signature: [u8; 64]| [&low[..12], &signature].concat();
    let stray = [&sorted.concat()[..], &[1, 0, 0]].concat();
    let stray = [&(stray.len() as u16).to_le_bytes()[..], &stray].concat();
    let order = "EntryOrder";
    let old = FIRST.version(1);
    vec![
        case(
            "bad-old",
            "a bad signature of a trusted key, though another is enough",
            spare,
            &[set.with(vec![set.bad('b'), set.by('e'), d.clone()])],
            "c",
            "",
        )
        .bad_signature('b'),
        case(
            "bad-new",
            "a bad signature of a new key, though another is enough",
            FIRST,
            &[more.with(vec![more.by('b'), more.by('d'), more.bad('f')])],
            "c",
            "",
        )
        .bad_signature('f'),
        case(
            "bad-sign-key",
            "a bad signature of a trusted sign key: not looked at",
            FIRST,
            &[with(&[set.bad('a')])],
            "c",
            "t",
        ),
        case("bad-new-sign-key", "of a sign key of the new set", FIRST, &[with(&[set.bad('c')])], "c", "t"),
        case("bad-stranger", "of a stranger", FIRST, &[with(&[set.bad('h')])], "c", "t"),
        case("unknown-key", "entries of unknown keys in between", FIRST, &[set.signed_by("bdefghi")], "c", "t"),
        case(
            "unknown-algorithm",
            "entries of unknown algorithms, one with a trusted key's id",
            FIRST,
            &[with(&[unknown(0, 'h'), unknown(2, 'b'), unknown(0xFFFF, 'd')])],
            "c",
            "t",
        ),
        case(
            "unknown-algorithm-only",
            "a trusted key's id with an unknown algorithm",
            FIRST,
            &[set.with(vec![unknown(2, 'b'), d.clone()])],
            "c",
            "",
        )
        .too_few("threshold trusted", 0, 1),
        case("s-low", "the lower s", FIRST, &[set.with(vec![half(high[0]), d.clone()])], "c", "t"),
        case("s-high", "the higher s", FIRST, &[set.with(vec![half(high[1]), d.clone()])], "c", "t"),
        case("signature-zero", "r and s 0", FIRST, &[set.with(vec![zero, d.clone()])], "c", "").bad_signature('b'),
        case("entries-32", "32 entries", FIRST, &[many(30)], "c", "t"),
        case("entries-33", "33 entries", FIRST, &[many(31)], "c", "").malformed("TooManyEntries"),
        case("entry-order", "entries out of order", FIRST, &[raw(&turned)], "c", "").malformed(order),
        case("entry-twice", "an entry twice", FIRST, &[raw(&double)], "c", "").malformed(order),
        case("entry-63", "an ES256 signature of 63 bytes", FIRST, &[set.with(vec![b.clone(), short.clone()])], "c", "")
            .malformed("EntryLength"),
        case("entry-0", "an unknown signature of 0 bytes", FIRST, &[with(&[entry(2, &[1; 8], &[])])], "c", "")
            .malformed("EntryLength"),
        case("entry-stray", "3 bytes behind the entries", FIRST, &[set.with_section(&stray)], "c", "")
            .malformed("EntryLength"),
        case(
            "section-12",
            "a section of 12 bytes",
            FIRST,
            &[set.with_section(&[&[12, 0][..], &[0; 12]].concat())],
            "c",
            "",
        )
        .malformed("SectionLength"),
        case("old-entry-order", "entries out of order in a set passed over", old, &[raw(&turned)], "a", "n"),
        case("old-entry-63", "an entry of 63 bytes there", old, &[set.with(vec![b.clone(), short])], "a", "n"),
        case(
            "old-section-12",
            "a section of 12 bytes there",
            old,
            &[set.with_section(&[&[12, 0][..], &[0; 12]].concat())],
            "a",
            "",
        )
        .malformed("SectionLength"),
    ]
}

fn elements() -> Vec<Case> {
    let with = |kind, value: &[u8]| vec![one().put(kind, value).signed_by("bd")];
    let unknown = |number| format!("UnknownElement {{ number: {number} }}");
    let other = one().set(2, &[7; 16]).put(CRITICAL | 7, &[1]).signed_by("b");
    let old = FIRST.version(1);
    vec![
        case("critical-7", "a critical element 7", FIRST, &with(CRITICAL | 7, &[1]), "c", "")
            .refused("form", unknown(7)),
        case(
            "critical-private",
            "a critical element 0x7000: there is no private range",
            FIRST,
            &with(CRITICAL | PRIVATE, &[1]),
            "c",
            "",
        )
        .refused("form", unknown(PRIVATE)),
        case("critical-old", "a critical element 7 in an old set", old, &with(CRITICAL | 7, &[1]), "a", "")
            .refused("form", unknown(7)),
        case("critical-class", "a critical element 7 in another class's set", FIRST, &[other], "a", "")
            .refused("form", unknown(7)),
        case("element-7", "an element 7 that is not critical", FIRST, &with(7, &[1]), "c", "t"),
        case("element-7-empty", "an empty one", FIRST, &with(7, &[]), "c", "t"),
        case("element-14", "element 14, which is reserved in updates alone", FIRST, &with(14, &[1]), "c", "t"),
        case("element-0x7000", "an element 0x7000", FIRST, &with(PRIVATE, &[1; 9]), "c", "t"),
        case("element-last", "an element 0x7FFF", FIRST, &with(0x7FFF, &[1; 9]), "c", "t"),
    ]
}

fn bodies() -> Vec<Case> {
    let bad = |name, what, set: Set, refusal: &str| {
        case(name, what, FIRST, &[set.signed_by("bd")], "c", "").malformed(refusal)
    };
    let set = one();
    let value = |number| format!("Element {{ number: {number} }}");
    let missing = |number| {
        // As long as the least body all the same.
        let set = set.without(number);
        if set.body().len() < 127 {
            set.fill(131)
        } else {
            set
        }
    };
    let of_length = |number: u16, len: usize| set.set(number, &vec![1; len]).put(7, &[0; 30]);
    let body = |number| set.elements[usize::from(number) - 1].1.clone();
    let uncritical = |number| set.put(number, &body(number));
    let mut turned = set.clone();
    turned.elements.swap(0, 1);
    let mut over = set.append(7, &[1, 2]);
    over.tail = vec![8, 0, 3, 0, 1, 2];
    let mut stray = set.clone();
    stray.tail = vec![7, 0, 0];
    let mut zero = set.clone();
    zero.elements.insert(0, (0, vec![]));
    let old = |name, what, set: Set, refusal: &str| {
        case(name, what, FIRST.version(1), &[set.signed_by("bd")], "a", "").malformed(refusal)
    };
    let mut all = vec![
        bad("version-0", "version 0", set.set(3, &[0; 4]), &value(3)),
        bad("sign-threshold-0", "sign threshold 0", set.thresholds(0, 1), &value(4)),
        bad("sign-threshold-2", "sign threshold 2 of 1 key", set.thresholds(2, 1), &value(4)),
        bad("rotate-threshold-0", "rotate threshold 0", set.thresholds(1, 0), &value(5)),
        bad("rotate-threshold-2", "rotate threshold 2 of 1 key", set.thresholds(1, 2), &value(5)),
        bad("vendor-15", "a vendor of 15 bytes", of_length(1, 15), &value(1)),
        bad("class-17", "a class of 17 bytes", of_length(2, 17), &value(2)),
        bad("version-3", "a version of 3 bytes", of_length(3, 3), &value(3)),
        bad("sign-threshold-long", "a sign threshold of 2 bytes", of_length(4, 2), &value(4)),
        bad("rotate-threshold-empty", "a rotate threshold of 0 bytes", of_length(5, 0), &value(5)),
        bad("uncritical-version", "a version that is not critical", uncritical(3), &value(3)),
        bad("uncritical-keys", "keys that are not critical", uncritical(6), &value(6)),
        bad("element-0", "element 0", zero, "ElementOrder"),
        bad("element-order", "vendor and class exchanged", turned, "Missing { number: 1 }"),
        bad("element-twice", "element 7 twice", set.append(7, &[1]).append(7, &[1]), "ElementOrder"),
        bad("element-over", "an element that runs over the end", over, "ElementLength"),
        bad("element-stray", "3 bytes behind the elements", stray, "ElementLength"),
        old("old-version-0", "version 0 where version 1 is trusted", set.set(3, &[0; 4]), &value(3)),
        old("old-threshold", "a threshold of 2 of 1 key in an old set", set.thresholds(1, 2), &value(5)),
        case(
            "class-threshold",
            "in another class's set",
            FIRST,
            &[set.thresholds(1, 2).set(2, &[7; 16]).signed_by("bd")],
            "a",
            "",
        )
        .malformed(&value(5)),
    ];
    let names = [
        "missing-vendor",
        "missing-class",
        "missing-version",
        "missing-sign-threshold",
        "missing-rotate-threshold",
        "missing-keys",
    ];
    for (number, name) in (1..).zip(names) {
        let absent = format!("Missing {{ number: {number} }}");
        all.push(bad(name, "a mandatory element is missing", missing(number), &absent));
    }
    all
}

/// Where y is 5: x.
const SMALL_Y: &str = "d7325d7646cd60d80a92738ceb345f844cffaf35841022cab176f692de8de1d7";
/// Where x is 0: y.
const SMALL_X: &str = "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4";
const P: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
const P_AND_5: &str = "ffffffff00000001000000000000000000000001000000000000000000000004";

fn keys() -> Vec<Case> {
    let wrong = "Element { number: 6 }";
    let listed = |keys: &[(char, u8)]| keys.iter().flat_map(|(letter, roles)| key(*letter, *roles)).collect::<Vec<_>>();
    // The list as it is given, filled up to the least body if need be.
    let of = |keys: &[u8]| {
        let set = one().set(KEYS, keys);
        if set.body().len() < 127 {
            set.fill(131)
        } else {
            set
        }
    };
    let bad = |name, what, keys: &[u8]| case(name, what, FIRST, &[of(keys).signed_by("bd")], "c", "").malformed(wrong);
    let sorted = in_key_order("c1 d2");
    let good = listed(&sorted);
    let turned: Vec<_> = sorted.iter().rev().copied().collect();
    let twice = [sorted[0], sorted[0], sorted[1]];
    let both = [(sorted[0].0, 1), (sorted[0].0, 2), sorted[1]];
    let roles = |roles| {
        listed(
            &in_key_order("c1 d2 e1")
                .into_iter()
                .map(|(l, r)| (l, if l == 'e' { roles } else { r }))
                .collect::<Vec<_>>(),
        )
    };
    let nine = listed(&in_key_order("a1 b1 c1 d2 e1 f1 g1 h1 i1"));
    // Points that no key id is known of, in their order among the others.
    let point = |x: &str, y: &str, roles: u8| {
        let bytes = [x, y].concat();
        let digit = |at: usize| u8::from_str_radix(&bytes[at..at + 2], 16).expect("hexadecimal");
        let point: Vec<u8> = (0..bytes.len()).step_by(2).map(digit).collect();
        let mut keys: Vec<Vec<u8>> = letters("c1 d2").iter().map(|(letter, roles)| key(*letter, *roles)).collect();
        keys.push([&[roles][..], &point].concat());
        keys.sort_by_key(|key| super::bytes::sha256(&[&[4], &key[1..]].concat())[..8].to_vec());
        keys.concat()
    };
    let zeros = "00".repeat(32);
    let five = format!("{:0>64}", 5);
    let least =
        |name, what, x: &str, y: &str| case(name, what, FIRST, &[of(&point(x, y, 1)).signed_by("bd")], "c", "t");
    let off = |name, what, x: &str, y: &str| {
        case(name, what, FIRST, &[of(&point(x, y, 1)).signed_by("bd")], "c", "").refused("form", "KeyPoint")
    };
    let off_curve = of(&point(&zeros, &five, 1));
    vec![
        bad("key-order", "keys out of order", &listed(&turned)),
        bad("key-twice", "a key twice", &listed(&twice)),
        bad("key-twice-roles", "a key twice, with one role each", &listed(&both)),
        bad("roles-0", "roles 0", &roles(0)),
        bad("roles-4", "roles 4", &roles(4)),
        bad("roles-7", "roles 7", &roles(7)),
        bad("roles-0x81", "roles 0x81", &roles(0x81)),
        bad("keys-0", "no key", &[]),
        bad("keys-64", "64 bytes of keys", &good[..64]),
        bad("keys-66", "a byte behind the keys", &[&good[..], &[0]].concat()),
        bad("keys-129", "a key without its last byte", &good[..129]),
        bad("keys-9", "9 keys", &nine),
        case("keys-8", "8 keys", FIRST, &[Set::new(1, "a1 b1 c1 d2 e1 f1 g1 h1").signed_by("bd")], "c", "t"),
        case("no-rotate-key", "no key that rotates", FIRST, &[Set::new(1, "c1 d1").signed_by("b")], "c", "")
            .malformed("Element { number: 5 }"),
        case("no-sign-key", "no key that signs", FIRST, &[Set::new(1, "c2 d2").signed_by("bd")], "c", "")
            .malformed("Element { number: 4 }"),
        least("x-0", "a key whose x is 0", &zeros, SMALL_X),
        least("y-5", "a key whose y is 5", SMALL_Y, &five),
        off("x-p", "the same point with x = p", P, SMALL_X),
        off("y-p-and-5", "the same point with y = p + 5", SMALL_Y, P_AND_5),
        off("off-curve", "a sign key that is no point", &zeros, &five),
        off("zeros", "a sign key of zeros", &zeros, &zeros),
        case(
            "old-off-curve",
            "a sign key that is no point in an old set",
            FIRST.version(1),
            &[off_curve.signed_by("bd")],
            "a",
            "n",
        ),
        case(
            "class-off-curve",
            "a sign key that is no point in another class's set",
            FIRST,
            &[off_curve.set(2, &[7; 16]).signed_by("b")],
            "a",
            "o",
        ),
    ]
}

fn updates() -> Vec<Case> {
    let set = one().signed_by("bd");
    let few = |case: Case, valid, needed| case.too_few("update threshold", valid, needed);
    let sets = || [set.clone()];
    let two_sign = [Set::new(1, "c1 e1 d2").thresholds(2, 1).signed_by("bd")];
    let made = Update::victim();
    let bad = |letter| {
        let mut entry = made.by(letter);
        entry[40] ^= 1;
        entry
    };
    let behind = |case: Case, update: Vec<u8>| {
        let front = case.bytes.len() - self::update("c").len();
        Case { bytes: [&case.bytes[..front], &update].concat(), ..case }
    };
    let unknown = Update::victim().set(18, &[1]).signed_by("c");
    let next = |bytes: Vec<u8>| [set.clone(), bytes];
    let magic = [&[0][..], &set[1..]].concat();
    vec![
        few(case("revoked", "an update by the key before", FIRST, &sets(), "a", "t"), 0, 1),
        few(case("by-rotate-key", "an update by a rotate key", FIRST, &sets(), "d", "t"), 0, 1),
        few(case("early", "an update by the next key, without its set", FIRST, &[], "c", ""), 0, 1),
        few(case("two-early", "an update by the key after the next", FIRST, &sets(), "e", "t"), 0, 1),
        few(case("one-of-two", "the new sign threshold is 2", FIRST, &two_sign, "c", "t"), 1, 2),
        case("two-of-two", "both sign", FIRST, &two_sign, "ce", "t"),
        case("old-and-new", "by the key before and the new one", FIRST, &sets(), "ac", "t"),
        behind(
            case("revoked-bad", "a bad signature of the key before: not looked at", FIRST, &sets(), "c", "t"),
            made.with(&in_order([bad('a'), made.by('c')])),
        ),
        behind(case("new-bad", "a bad signature of the new key", FIRST, &sets(), "c", "t"), made.with(&[bad('c')]))
            .refused("update signature", format!("BadSignature {{ key: {} }}", hex(&Key::test('c').id()))),
        behind(case("broken", "a broken update behind a set", FIRST, &sets(), "c", "t"), unknown)
            .refused("form", "UnknownElement { number: 18 }"),
        case(
            "set-then-malformed",
            "a malformed set behind one that is taken",
            FIRST,
            &next(two().thresholds(1, 2).signed_by("df")),
            "e",
            "t",
        )
        .malformed("Element { number: 5 }"),
        case("set-then-magic", "not an object behind a set", FIRST, &next(magic), "c", "t")
            .refused("form", "NotAPackage"),
        case("alone", "a set alone", FIRST, &sets(), "c", "t").cut(set.len()),
        case("cut-in-update", "it ends within the update", FIRST, &sets(), "c", "t").cut(set.len() + 100),
        case("cut-in-signature", "it ends within the set's last signature", FIRST, &sets(), "c", "").cut(set.len() - 1),
        case("cut-in-second", "it ends within the second set", FIRST, &next(two().signed_by("df")), "c", "t")
            .cut(set.len() + 300),
    ]
}

/// Sets of versions 1 to `count`, by keys that stay.
fn row(count: u32) -> Vec<Vec<u8>> {
    (1..=count).map(|version| Set::new(version, "a1 b2").signed_by("b")).collect()
}

fn numbers() -> Vec<Case> {
    let old = FIRST.version(20);
    vec![
        case("sets-16", "16 sets", FIRST, &row(16), "a", "tttttttttttttttt"),
        case("sets-17", "17 sets", FIRST, &row(17), "a", "tttttttttttttttt").refused("number", "TooManyKeySets"),
        case("old-16", "16 sets that are passed over", old, &row(16), "a", "nnnnnnnnnnnnnnnn"),
        case("old-17", "17 of them", old, &row(17), "a", "nnnnnnnnnnnnnnnn").refused("number", "TooManyKeySets"),
    ]
}

fn roots() -> Vec<Case> {
    let (root, pair) = (FIRST.rooted(), Trusted::new("a1 b2 g2").rotate(2).rooted());
    let second = two();
    let behind = |trusted: Trusted, by: &str| {
        let first = if trusted.thresholds[1] == 2 { one().signed_by("bdg") } else { one().signed_by("bd") };
        [first, second.signed_by(by)]
    };
    let spoilt = [one().signed_by("bd"), second.with(vec![second.bad('b'), second.by('d'), second.by('f')])];
    let root_few = "threshold root";
    vec![
        case("root", "the root signs the first set", root, &[one().signed_by("bd")], "c", "t"),
        case("root-second", "and the second", root, &behind(root, "bdf"), "e", "tt"),
        case("root-silent", "it does not sign the second", root, &behind(root, "df"), "e", "t").too_few(root_few, 0, 1),
        case("root-two", "a root of two", pair, &behind(pair, "bdfg"), "e", "tt"),
        case("root-one-of-two", "one of the two", pair, &behind(pair, "bdf"), "e", "t").too_few(root_few, 1, 2),
        case("root-alone", "it does not stand for the trusted set", root, &behind(root, "bf"), "e", "t").too_few(
            "threshold trusted",
            0,
            1,
        ),
        case("root-bad", "a bad signature of the root", root, &spoilt, "e", "t").bad_signature('b'),
        case("no-root-bad", "the same where there is no root: not looked at", FIRST, &spoilt, "e", "tt"),
        case("no-root-silent", "without a root the first keys have no say", FIRST, &behind(FIRST, "df"), "e", "tt"),
        case("root-is-no-sign-key", "sign keys built in are no root", root, &behind(root, "adf"), "e", "t")
            .too_few(root_few, 0, 1),
    ]
}

fn sizes() -> Vec<Case> {
    let exact = one().sized(ROOM, 2);
    let over = one().sized(ROOM + 1, 2);
    let large = one().fill(1024);
    let eight = Set::new(1, "b2 c3 d2 e2 f2 g2 h2 i2");
    let strangers = |set: &Set| {
        let unknown = entry(2, &Key::test('b').id(), &noise(4000));
        set.with(vec![set.by('b'), set.by('d'), set.by('h'), unknown])
    };
    let too_large = |case: Case, needed: usize| case.refused("room", format!("KeySetTooLarge {{ needed: {needed} }}"));
    vec![
        case("size-992", "992 bytes with two signatures", FIRST, &[exact.signed_by("bd")], "c", "t"),
        too_large(case("size-993", "993 bytes", FIRST, &[over.signed_by("bd")], "c", ""), 993),
        case("size-992-strangers", "and entries that are not counted", FIRST, &[strangers(&exact)], "c", "t"),
        too_large(case("size-993-strangers", "993 bytes, and such entries", FIRST, &[strangers(&over)], "c", ""), 993),
        too_large(case("body-1024", "a body of 1024 bytes", FIRST, &[large.signed_by("bd")], "c", ""), 1194),
        case("old-body-1024", "one in an old set", FIRST.version(1), &[large.signed_by("bd")], "a", "n"),
        case("keys-8-entries-5", "8 keys, 5 of whom sign", FIRST, &[eight.signed_by("bcdef")], "c", "t"),
        too_large(case("keys-8-entries-6", "6 of whom", FIRST, &[eight.signed_by("bcdefg")], "c", ""), 1056),
        case(
            "too-large-unsigned",
            "993 bytes that the trusted set did not sign",
            FIRST,
            &[over.signed_by("d")],
            "c",
            "",
        )
        .too_few("threshold trusted", 0, 1),
    ]
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
