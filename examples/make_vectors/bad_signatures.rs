//! What is wrong about a signature or about who signed, in a section that keeps the format.

use super::bytes::{entry, hex, sha256};
use super::keys::{Key, KEY_SET, ORDER, UPDATE};
use super::update::{in_order, Update};
use super::vector::Vector;

pub(super) fn vectors() -> Vec<Vector> {
    let update = Update::victim();
    let right = Key::test('a').sign(UPDATE, &update.signed());
    let mut flipped = right;
    flipped[63] ^= 1;
    [signatures(&update, right, flipped), signers(&update, &right, &flipped)].concat()
}

fn refused(name: char) -> String {
    format!("BadSignature {{ key: {} }}", hex(&Key::test(name).id()))
}

/// Signatures whose numbers are wrong, of something else, or by someone else.
fn signatures(update: &Update, right: [u8; 64], flipped: [u8; 64]) -> Vec<Vector> {
    let (r, s) = right.split_at(32);
    let half = |r: &[u8], s: &[u8]| [r, s].concat().try_into().expect("64 bytes");
    let mut reversed = [r, s].concat();
    reversed.reverse();
    let (a, signed) = (Key::test('a'), update.signed());
    let by_b = Key::test('b').sign(UPDATE, &signed);
    let unpadded = sha256(&[UPDATE.as_bytes(), &signed].concat());
    let twice = sha256(&sha256(&[format!("{UPDATE:\0<32}").as_bytes(), &signed].concat()));
    let other = update.set(5, &[8, 0, 0, 0]).signed();
    [
        ("signature-r-zero", "r = 0", half(&[0; 32], s)),
        ("signature-s-zero", "s = 0", half(r, &[0; 32])),
        ("signature-zero", "r = s = 0", [0; 64]),
        ("signature-r-order", "r = n", half(&ORDER, s)),
        ("signature-s-order", "s = n", half(r, &ORDER)),
        ("signature-r-above", "r = 2^256 - 1", half(&[0xFF; 32], s)),
        ("signature-s-above", "s = 2^256 - 1", half(r, &[0xFF; 32])),
        ("signature-halves-swapped", "s || r", half(s, r)),
        ("signature-little-endian", "r and s little-endian", half(&reversed[32..], &reversed[..32])),
        ("signature-bit", "the last bit of s", flipped),
        ("signature-by-another", "key b's signature under key a's id", by_b),
        ("signature-key-set-domain", "signed as a key set", a.sign(KEY_SET, &signed)),
        ("signature-other-domain", "domain of another version", a.sign("lockgate update ES256 v2", &signed)),
        ("signature-domain-unpadded", "domain not padded", a.sign_digest(unpadded)),
        ("signature-no-domain", "no domain: over the manifest digest", a.sign_digest(sha256(&signed))),
        ("signature-no-prelude", "prelude not signed", a.sign(UPDATE, &update.body())),
        ("signature-hashed-twice", "the digest hashed again", a.sign_digest(twice)),
        ("signature-of-another-update", "of an update that differs in a bit", a.sign(UPDATE, &other)),
    ]
    .map(|(name, what, signature)| {
        Vector::head(name, what, update.with(&[update.entry('a', &signature)]), &refused('a'))
    })
    .into()
}

/// Signers of whom too few are trusted, or one signed wrongly.
fn signers(update: &Update, right: &[u8], flipped: &[u8]) -> Vec<Vector> {
    let by = |names| update.signed_by(names);
    let beside = |names: &str, wrong| update.with(&in_order(names.chars().map(|name| update.by(name)).chain([wrong])));
    let few = |valid, needed| format!("TooFewSignatures {{ valid: {valid}, needed: {needed} }}");
    let unknown = update.with(&[entry(2, &Key::test('a').id(), right)]);
    let [wrong_b, wrong_c] = ['b', 'c'].map(|name| update.entry(name, right));
    let wrong_a = update.entry('a', flipped);
    let stranger = "one trusted and one stranger, two needed";
    let one_wrong = "one right, one wrong, both trusted, one needed";
    let beyond = "two right and one wrong, all trusted, two needed";
    [
        ("signers-stranger", "signed by a key that is not trusted", by("c"), (1, "a"), few(0, 1)),
        ("signers-strangers", "signed by two keys that are not trusted", by("bc"), (1, "a"), few(0, 1)),
        ("signers-unknown-algorithm", "no entry of a known algorithm", unknown, (1, "a"), few(0, 1)),
        ("signers-one-of-two", "one signature, two needed", by("a"), (2, "ab"), few(1, 2)),
        ("signers-one-and-a-stranger", stranger, by("ac"), (2, "ab"), few(1, 2)),
        ("signers-two-of-three", "two signatures, three needed", by("ab"), (3, "abc"), few(2, 3)),
        ("signers-wrong-beside-right", one_wrong, beside("a", wrong_b), (1, "ab"), refused('b')),
        ("signers-right-behind-wrong", one_wrong, beside("b", wrong_a), (1, "ab"), refused('a')),
        ("signers-wrong-beyond-threshold", beyond, beside("ab", wrong_c), (2, "abc"), refused('c')),
    ]
    .map(|(name, what, bytes, (threshold, keys), refusal)| {
        Vector::head(name, what, bytes, &refusal).trusting(threshold, keys)
    })
    .into()
}
