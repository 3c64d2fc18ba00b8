//! In which order sets come, who must sign them, and by whom the update behind them is judged.

use std::slice::from_ref;

use super::super::bytes::hex;
use super::super::keys::{Key, UPDATE};
use super::super::update::{in_order, Update};
use super::set::{one, two, update, Set};
use super::{case, Case, Trusted, FIRST};

pub(super) fn versions() -> Vec<Case> {
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

pub(super) fn thresholds() -> Vec<Case> {
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

pub(super) fn updates() -> Vec<Case> {
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

pub(super) fn roots() -> Vec<Case> {
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
