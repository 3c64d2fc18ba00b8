//! What is wrong about a signature section, with the trusted signature mostly in it and right.

use super::bytes::{entry, noise};
use super::keys::low_and_high;
use super::update::Update;
use super::vector::Vector;

const SECTION: &str = "Malformed(SectionLength)";
const LENGTH: &str = "Malformed(EntryLength)";
const ORDER: &str = "Malformed(EntryOrder)";

pub(super) fn vectors() -> Vec<Vector> {
    [lengths(), places()].concat()
}

/// Entries of a wrong length, or that run over the section's end.
fn lengths() -> Vec<Vector> {
    let (update, victim) = (Update::new(&noise(40), 256), Update::victim());
    let a = update.by('a');
    let unknown = |signature: &[u8]| entry(2, &[0; 8], signature);
    let only = |entry: &[u8]| update.with(&[entry.into()]);
    let beside = |entry: &[u8]| update.with(&[a.clone(), entry.into()]);
    let stranger = |signature: &[u8]| update.with(&[entry(1, &[0; 8], signature), a.clone()]);
    let trusted = |signature: &[u8]| update.with(&[update.entry('a', signature)]);
    // With as little behind the section as there can be: a decoder that waits for the rest of the entry finds
    // the package's end.
    let cut = |bytes: usize| victim.with(&[victim.by('a'), unknown(&[0x11])[..bytes].into()]);
    let header = "the section ends in an entry's header or in front of its signature";
    let over = [&unknown(&[])[..10], &[0xFF, 0xFF, 0x11]].concat();
    Vector::heads([
        ("section-0", "no entry", update.with(&[]), SECTION),
        ("section-12", "12 bytes: an entry without a signature", only(&unknown(&[])), SECTION),
        ("entry-length-0", "an unknown entry without a signature", beside(&unknown(&[])), LENGTH),
        ("entry-es256-63", "63 bytes of a trusted signature", trusted(&a[12..75]), LENGTH),
        ("entry-es256-65", "a trusted signature and a byte", trusted(&[&a[12..], &[0]].concat()), LENGTH),
        ("entry-es256-63-untrusted", "63 bytes of an untrusted signature", stranger(&[0x11; 63]), LENGTH),
        ("entry-es256-72-untrusted", "72 bytes of an untrusted signature", stranger(&[0x30; 72]), LENGTH),
        ("section-entry-cut-1", header, cut(1), LENGTH),
        ("section-entry-cut-11", header, cut(11), LENGTH),
        ("section-entry-cut-12", header, cut(12), LENGTH),
        (
            "section-signature-cut",
            "a signature runs over the section's end",
            beside(&unknown(&[0x11; 20])[..31]),
            LENGTH,
        ),
        ("section-signature-65535", "a signature of 65535 bytes", beside(&over), LENGTH),
        ("section-trusted-cut", "the section ends a byte before its trusted entry", only(&a[..75]), LENGTH),
    ])
}

/// Entries that are not in order, the same again, or too many.
fn places() -> Vec<Vector> {
    let update = Update::new(&noise(40), 256);
    let of = |entries: &[&Vec<u8>]| update.with(&entries.iter().copied().cloned().collect::<Vec<_>>());
    let a = &update.by('a');
    let mut reversed = [a.clone(), update.by('b')];
    reversed.sort_by(|one, other| other.cmp(one));
    let unknown = &entry(2, &[0; 8], &[0x11]);
    let [low, high] = &[0x00FF, 0x0100].map(|algorithm| entry(algorithm, &[0; 8], &[1]));
    let [first, last] = &[1u64, 1 << 56].map(|id| entry(2, &id.to_le_bytes(), &[1]));
    let both_s = low_and_high(a[12..].try_into().expect("64 bytes")).map(|signature| update.entry('a', &signature));
    let mut strangers = [a.clone(), update.entry('c', &[1; 64]), update.entry('c', &[2; 64])];
    strangers.sort_by_key(|entry| entry[..10].to_vec());
    let many: Vec<_> = [a.clone()].into_iter().chain((0..32).map(|i| entry(0xFF00, &[i; 8], &[i]))).collect();
    let numbers = "algorithms ascending as bytes, not as numbers";
    Vector::heads([
        ("entry-order-key", "key ids not ascending", update.with(&reversed), ORDER),
        ("entry-order-algorithm", "algorithms not ascending", of(&[unknown, a]), ORDER),
        ("entry-order-algorithm-bytes", numbers, of(&[a, high, low]), ORDER),
        ("entry-order-key-bytes", "key ids ascending from the last byte", of(&[a, first, last]), ORDER),
        ("entry-twice", "a trusted entry again", of(&[a, a]), ORDER),
        ("entry-twice-other-s", "one key, both its signatures", update.with(&both_s), ORDER),
        ("entry-twice-untrusted", "an untrusted key id again", update.with(&strangers), ORDER),
        ("entry-twice-unknown", "an unknown algorithm's key id again", of(&[a, unknown, unknown]), ORDER),
        ("entries-33", "33 entries", update.with(&many), "Malformed(TooManyEntries)"),
    ])
}
