//! What a signature section may hold, and how large a set may be.

use super::super::bytes::{entry, noise, section, ES256};
use super::super::keys::Key;
use super::super::update::in_order;
use super::set::{one, Set};
use super::{case, Case, Trusted, FIRST};

/// Bytes that a place of the key store has for a set.
const ROOM: usize = 992;

pub(super) fn entries() -> Vec<Case> {
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
    let (low, high) = (b[..44].to_vec(), super::super::keys::low_and_high(b[12..].try_into().expect("64 bytes")));
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

pub(super) fn sizes() -> Vec<Case> {
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
