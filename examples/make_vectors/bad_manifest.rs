//! What is wrong in a manifest: an element's presence, place, length or value. The signatures are right.

use super::bytes::{base_image, element, CRITICAL};
use super::update::{Update, PRIVATE};
use super::vector::Vector;

const ORDER: &str = "Malformed(ElementOrder)";
const LENGTH: &str = "Malformed(ElementLength)";

pub(super) fn vectors() -> Vec<Vector> {
    // A value of the vendor's own keeps bodies from being too short where another is missing.
    let victim = Update::victim().put(PRIVATE, &[0xAA; 32]);
    let known = (1..=13).flat_map(|number| known(&victim, number)).collect();
    [known, values(&victim), unknown(&victim), places(&victim), encodings()].concat()
}

fn bad(name: &str, what: &'static str, update: &Update, refusal: &str) -> Vector {
    Vector::head(name, what, update.signed_by("a"), refusal)
}

fn fault(number: u16) -> String {
    format!("Malformed(Element {{ number: {number} }})")
}

/// What can be wrong about any known element.
fn known(victim: &Update, number: u16) -> Vec<Vector> {
    let (update, is_optional) = match number {
        3 => (victim.set(3, &[3, 0]), true),
        11 => (victim.set(11, &[1, 8, 4]), true),
        12 => (victim.set(11, &[2, 0]).set(12, &base_image(500)), true),
        13 => (victim.set(13, &[0; 4]), true),
        _ => (victim.clone(), false),
    };
    let (fault, missing) = (&fault(number)[..], &format!("Malformed(Missing {{ number: {number} }})")[..]);
    let value = update.value(number).expect("present");
    let at = update.elements.iter().position(|(kind, _)| *kind == CRITICAL | number).expect("present");
    let (mut twice, mut swapped) = (update.clone(), update.clone());
    twice.elements.insert(at, twice.elements[at].clone());
    swapped.elements.swap(at, at + 1);
    let rows = [
        ("missing", "a mandatory element is missing", update.without(number), missing),
        ("not-critical", "without its critical bit", update.put(number, value), fault),
        ("short", "a value one byte too short", update.set(number, &value[..value.len() - 1]), fault),
        ("long", "a value one byte too long", update.set(number, &[value, &[0]].concat()), fault),
        ("twice", "the same element again", twice, ORDER),
        ("behind-its-next", "changed places with the next element", swapped, if is_optional { ORDER } else { missing }),
    ];
    let name = |how| format!("element-{number:02}-{how}");
    let rows = rows.iter().skip(usize::from(is_optional));
    rows.map(|(how, what, update, refusal)| bad(&name(how), what, update, refusal)).collect()
}

/// Values out of range, or that contradict another.
fn values(victim: &Update) -> Vec<Vector> {
    let (base, heatshrink) = (base_image(500), victim.set(11, &[1, 8, 4]));
    let compressed = victim.set(11, &[2, 1, 8, 4]);
    let delta = |base| victim.set(11, &[2, 0]).set(12, &base_image(base));
    let empty = Update { payload: Vec::new(), ..heatshrink.set(9, &[0; 4]) };
    let (too_large, exponent) = ([0, 0, 0, 0x80], "block size exponent out of range");
    let rows = [
        ("component-zero", "component 0 on the wire", victim.set(3, &[0, 0]), 3),
        ("image-size-zero", "image of 0 bytes", heatshrink.set(6, &[0; 4]), 6),
        ("image-size-2-31", "image of 2^31 bytes", heatshrink.set(6, &too_large), 6),
        ("block-size-0", exponent, victim.set(8, &[0]), 8),
        ("block-size-7", exponent, victim.set(8, &[7]), 8),
        ("block-size-17", exponent, victim.set(8, &[17]), 8),
        ("block-size-255", exponent, victim.set(8, &[255]), 8),
        ("payload-length-zero", "payload of 0 bytes", empty, 9),
        ("payload-length-2-31", "payload of 2^31 bytes (not all there)", heatshrink.set(9, &too_large), 9),
        ("payload-length-raw-less", "raw, image size one more", victim.set(6, &[5, 0, 0, 0]), 9),
        ("payload-length-raw-more", "raw, image size one less", victim.set(6, &[3, 0, 0, 0]), 9),
        ("base-image-with-raw", "base image, and raw", victim.set(12, &base), 12),
        ("base-image-with-heatshrink", "base image, and no delta", heatshrink.set(12, &base), 12),
        ("base-image-missing", "delta without base image", victim.set(11, &[2, 0]), 12),
        ("base-image-missing-compressed", "compressed delta without base image", compressed, 12),
        ("base-image-size-zero", "base image of 0 bytes", delta(0), 12),
        ("base-image-size-2-31", "base image of 2^31 bytes", delta(1 << 31), 12),
    ];
    rows.map(|(name, what, update, number)| bad(name, what, &update, &fault(number))).into()
}

/// Elements that are reserved, or critical and unknown.
fn unknown(victim: &Update) -> Vec<Vector> {
    let bad = |name: &str, what, kind, value: &[u8]| {
        bad(name, what, &victim.put(kind, value), &format!("UnknownElement {{ number: {} }}", kind & !CRITICAL))
    };
    let reserved = [14, 15, 16].map(|number| {
        let [not, critical] = ["not-critical", "critical"].map(|how| format!("element-{number}-{how}"));
        [bad(&not, "a reserved element", number, &[1]), bad(&critical, "a reserved element", CRITICAL | number, &[1])]
    });
    let text = bad("element-17-critical", "text that must be understood", CRITICAL | 17, b"text");
    let others = [18, 0x6FFF, 0x7001, 0x7FFF]
        .map(|number| bad(&format!("element-{number:#x}-critical"), "unknown and critical", CRITICAL | number, &[1]));
    reserved.into_iter().flatten().chain([text]).chain(others).collect()
}

/// Elements where no element may be, or that run over the body's end.
fn places(victim: &Update) -> Vec<Vector> {
    let first = |kind| Update { elements: [&[(kind, vec![1])], &victim.elements[..]].concat(), ..victim.clone() };
    let tail = |bytes: &[u8]| Update { tail: bytes.into(), ..victim.clone() };
    let header = "the body ends in an element's header";
    let only_a_byte = Update { tail: vec![0], ..Update::victim() };
    let rows = [
        // In front of element 1 it would be read as element 1 that is missing.
        ("element-0-last", "number 0, at the end", tail(&element(0, &[1])), ORDER),
        ("element-0-first", "number 0, at the front", first(0), ORDER),
        ("element-0-first-critical", "number 0 and critical", first(CRITICAL), ORDER),
        ("element-private-twice", "a private element again", tail(&element(PRIVATE, &[1])), ORDER),
        ("element-private-order", "an unknown element behind a greater one", tail(&element(0x6FFF, &[1])), ORDER),
        ("element-header-cut-1", header, tail(&[0x01]), LENGTH),
        ("element-header-cut-2", header, tail(&[0x01, 0x70]), LENGTH),
        ("element-header-cut-3", header, tail(&[0x01, 0x70, 0]), LENGTH),
        ("element-value-cut", "a value runs over the end", tail(&[0x01, 0x70, 3, 0, 1, 2]), LENGTH),
        ("element-value-65535", "a value of 65535 bytes", tail(&[0x01, 0x70, 0xFF, 0xFF, 1]), LENGTH),
        ("element-body-and-a-byte", "one byte behind the last element", only_a_byte, LENGTH),
    ];
    rows.map(|(name, what, update, refusal)| bad(name, what, &update, refusal)).into()
}

fn encodings() -> Vec<Vector> {
    let victim = Update::victim();
    let delta = victim.set(12, &base_image(500));
    let rows: [(_, _, &[u8]); 24] = [
        ("encoding-0", "raw is said by absence", &[0, 0]),
        ("encoding-0-long", "raw is said by absence", &[0, 8, 4]),
        ("encoding-3", "first byte 3", &[3, 8, 4]),
        ("encoding-255", "first byte 255", &[255, 0]),
        ("encoding-heatshrink-2-bytes", "no lookahead", &[1, 8]),
        ("encoding-heatshrink-4-bytes", "a byte too many", &[1, 8, 4, 0]),
        ("encoding-heatshrink-window-7", "window 7", &[1, 7, 4]),
        ("encoding-heatshrink-window-12", "window 12", &[1, 12, 4]),
        ("encoding-heatshrink-lookahead-2", "lookahead 2", &[1, 8, 2]),
        ("encoding-heatshrink-lookahead-8", "lookahead as large as the window", &[1, 8, 8]),
        ("encoding-heatshrink-lookahead-9", "lookahead larger than the window", &[1, 8, 9]),
        ("encoding-heatshrink-lookahead-11", "lookahead 11", &[1, 11, 11]),
        ("encoding-delta-1-byte", "no second byte", &[2]),
        ("encoding-delta-3-bytes", "not compressed, a byte too many", &[2, 0, 0]),
        ("encoding-delta-4-bytes", "not compressed, with parameters", &[2, 0, 8, 4]),
        ("encoding-delta-2", "second byte 2", &[2, 2]),
        ("encoding-delta-2-long", "second byte 2, with parameters", &[2, 2, 8, 4]),
        ("encoding-delta-heatshrink-2-bytes", "no parameters", &[2, 1]),
        ("encoding-delta-heatshrink-3-bytes", "no lookahead", &[2, 1, 8]),
        ("encoding-delta-heatshrink-window-7", "window 7", &[2, 1, 7, 4]),
        ("encoding-delta-heatshrink-window-12", "window 12", &[2, 1, 12, 4]),
        ("encoding-delta-heatshrink-lookahead-2", "lookahead 2", &[2, 1, 8, 2]),
        ("encoding-delta-heatshrink-lookahead-8", "lookahead as large as the window", &[2, 1, 8, 8]),
        ("encoding-delta-heatshrink-lookahead-11", "lookahead 11", &[2, 1, 11, 11]),
    ];
    let update = |value: &[u8]| if value[0] == 2 { delta.set(11, value) } else { victim.set(11, value) };
    rows.map(|(name, what, value)| bad(name, what, &update(value), &fault(11))).into()
}
