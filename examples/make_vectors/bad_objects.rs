//! What is wrong about an object as such: its prelude, or the objects that are in front of it and behind it.

use super::bytes::{noise, object};
use super::keys::{key_sets, sealed, KEY_SET, UPDATE};
use super::update::Update;
use super::vector::Vector;

fn changed(bytes: &[u8], at: usize, value: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] = value;
    bytes
}

pub(super) fn preludes() -> Vec<Vector> {
    let update = Update::victim();
    let package = update.signed_by("a");
    let sealed = |signed: &[u8]| [sealed(UPDATE, signed), update.payload.clone()].concat();
    // The prelude is signed: it is changed first.
    let prelude = |at, value| sealed(&changed(&update.signed(), at, value));
    let body = |body: &[u8]| sealed(&object(2, body));
    let text_mode = [&package[..4], &package[5..]].concat();
    let (reserved, what) = ("Malformed(Reserved)", "a reserved byte is 1");
    let (length, cut) = ("Malformed(BodyLength)", "body of 152 bytes: the last byte of its last element is not there");
    Vector::heads([
        ("prelude-magic-first", "first byte without bit 7", prelude(0, 0x09), "NotAPackage"),
        ("prelude-magic-last", "last byte of the magic", prelude(7, 0x0B), "NotAPackage"),
        ("prelude-magic-text-mode", "CR LF became LF", text_mode, "NotAPackage"),
        ("prelude-version-0", "format version 0", prelude(8, 0), "FormatVersion { found: 0 }"),
        ("prelude-version-2", "format version 2", prelude(8, 2), "FormatVersion { found: 2 }"),
        ("prelude-type-0", "object type 0", prelude(9, 0), "ObjectType { found: 0 }"),
        ("prelude-type-3", "object type 3, an index", prelude(9, 3), "ObjectType { found: 3 }"),
        ("prelude-type-255", "object type 255", prelude(9, 255), "ObjectType { found: 255 }"),
        ("prelude-reserved-10", what, prelude(10, 1), reserved),
        ("prelude-reserved-11", what, prelude(11, 1), reserved),
        ("prelude-reserved-14", what, prelude(14, 1), reserved),
        ("prelude-reserved-15", what, prelude(15, 1), reserved),
        ("body-empty", "body of 0 bytes", body(&[]), length),
        ("body-152", cut, body(&update.body()[..152]), length),
        ("body-513", "body of 513 bytes", body(&update.fill(513).body()), length),
    ])
}

pub(super) fn sequences() -> Vec<Vector> {
    let update = Update::new(&noise(40), 256);
    let package = update.signed_by("a");
    let set = key_sets(1);
    let behind = |front: &[u8]| [front, &package].concat();
    let prelude = |at, value| behind(&changed(&set, at, value));
    let body = |bytes: usize| behind(&sealed(KEY_SET, &object(1, &[&set[16..143], &[0; 1025]].concat()[..bytes])));
    let section = |bytes: &[u8]| behind(&[&set[..143], bytes].concat());
    let twelve = section(&[12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let alone = format!("Truncated {{ position: {} }}", set.len());
    let broken = [&set[..], &Update::victim().set(18, &[1]).signed_by("a")].concat();
    let (unknown, what) = ("UnknownElement { number: 18 }", "a critical unknown element behind a key set");
    let (length, section_length) = ("Malformed(BodyLength)", "Malformed(SectionLength)");
    let mut all = Vector::heads([
        ("key-sets-17", "17 key sets", behind(&key_sets(17)), "TooManyKeySets"),
        ("key-set-alone", "no update behind the key set", set.clone(), &alone),
        ("key-set-magic", "a key set's magic", prelude(3, 0), "NotAPackage"),
        ("key-set-version", "a key set's format version", prelude(8, 2), "FormatVersion { found: 2 }"),
        ("key-set-reserved", "a key set's reserved byte", prelude(10, 1), "Malformed(Reserved)"),
        ("key-set-type-3", "an index in front", prelude(9, 3), "ObjectType { found: 3 }"),
        ("key-set-body-0", "a key set's body of 0 bytes", body(0), length),
        ("key-set-body-126", "a key set's body of 126 bytes", body(126), length),
        ("key-set-body-1025", "a key set's body of 1025 bytes", body(1025), length),
        ("key-set-section-0", "a key set without signatures", section(&[0, 0]), section_length),
        ("key-set-section-12", "a key set's section of 12 bytes", twelve, section_length),
        ("key-set-then-bad-update", what, broken, unknown),
    ]);
    let tails = [
        ("update-twice", "an update behind the update", [&update.payload, &package[..]].concat()),
        ("key-set-behind", "a key set behind the update", [&update.payload, &set[..]].concat()),
    ];
    all.extend(tails.map(|(name, what, payload)| Vector::payload(name, what, &update, &payload, "Trailing")));
    all
}
