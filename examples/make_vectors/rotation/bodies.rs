//! What a body must be.

use super::super::bytes::CRITICAL;
use super::super::update::PRIVATE;
use super::set::{one, Set};
use super::{case, Case, FIRST};

pub(super) fn elements() -> Vec<Case> {
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

pub(super) fn bodies() -> Vec<Case> {
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

/// Sets of versions 1 to `count`, by keys that stay.
pub(super) fn row(count: u32) -> Vec<Vec<u8>> {
    (1..=count).map(|version| Set::new(version, "a1 b2").signed_by("b")).collect()
}

pub(super) fn numbers() -> Vec<Case> {
    let old = FIRST.version(20);
    vec![
        case("sets-16", "16 sets", FIRST, &row(16), "a", "tttttttttttttttt"),
        case("sets-17", "17 sets", FIRST, &row(17), "a", "tttttttttttttttt").refused("number", "TooManyKeySets"),
        case("old-16", "16 sets that are passed over", old, &row(16), "a", "nnnnnnnnnnnnnnnn"),
        case("old-17", "17 of them", old, &row(17), "a", "nnnnnnnnnnnnnnnn").refused("number", "TooManyKeySets"),
    ]
}
