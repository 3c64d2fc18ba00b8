//! What keys must be.

use super::set::{in_key_order, key, letters, one, Set, KEYS};
use super::{case, Case, FIRST};

/// Where y is 5: x.
pub(super) const SMALL_Y: &str = "d7325d7646cd60d80a92738ceb345f844cffaf35841022cab176f692de8de1d7";
/// Where x is 0: y.
pub(super) const SMALL_X: &str = "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4";
pub(super) const P: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
pub(super) const P_AND_5: &str = "ffffffff00000001000000000000000000000001000000000000000000000004";

pub(super) fn keys() -> Vec<Case> {
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
        keys.sort_by_key(|key| super::super::bytes::sha256(&[&[4], &key[1..]].concat())[..8].to_vec());
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
