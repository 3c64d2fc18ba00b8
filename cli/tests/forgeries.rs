//! No package that was changed is verified, and nobody is told that it is intact.

mod desk;

use desk::{Desk, Parts};

/// Verifies and inspects `package`: both refuse, in one line each; gives the two reasons.
#[track_caller]
fn refused(desk: &Desk, package: &[u8]) -> (String, String) {
    desk.write("forged.lgu", package);
    let verified = desk.run(&["verify", "forged.lgu", "--key", "a.pub.pem"]);
    assert!(verified.out.is_empty(), "{}", verified.out);
    (verified.bad(1), desk.run(&["inspect", "forged.lgu"]).bad(1))
}

/// As [`refused`], where only the signatures are wrong: `inspect` does not look at them.
#[track_caller]
fn unsigned(desk: &Desk, package: &[u8]) -> String {
    desk.write("forged.lgu", package);
    let said = desk.run(&["inspect", "forged.lgu"]).good();
    assert!(said.contains("No signature was checked"), "{said}");
    desk.run(&["verify", "forged.lgu", "--key", "a.pub.pem"]).bad(1)
}

fn changed(package: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut package = package.to_vec();
    change(&mut package);
    package
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    let desk = Desk::new();
    let package = desk.package();
    let head = Parts::of(&package).head;
    // Every byte of the head, and bytes of every block and link.
    for at in (0..head).chain((head..package.len()).step_by(61)) {
        desk.write("forged.lgu", &changed(&package, |bytes| bytes[at] ^= 1 << (at % 8)));
        let reason = desk.run(&["verify", "forged.lgu", "--key", "a.pub.pem"]).bad(1);
        assert!(reason.starts_with("refused: forged.lgu: "), "byte {at}: {reason}");
    }
}

#[test]
fn a_wrong_signature_is_named_by_its_key() {
    let desk = Desk::new();
    let package = desk.package();
    let last = Parts::of(&package).head - 1;
    let reason = unsigned(&desk, &changed(&package, |bytes| bytes[last] ^= 0x10));
    assert_eq!(reason, "refused: forged.lgu: the signature under trusted key 9169746104fc73fb does not verify\n");
    let reason = unsigned(&desk, &changed(&package, |bytes| bytes[last - 63..=last].fill(0)));
    assert!(reason.contains("9169746104fc73fb does not verify"), "{reason}");
}

#[test]
fn a_changed_manifest_is_not_the_signed_one() {
    let desk = Desk::new();
    let package = desk.package();
    // The security counter's value: raised to get past a newer device.
    let element = [5, 0x80, 4, 0, 7, 0, 0, 0];
    let at = package.windows(8).position(|window| window == element).unwrap() + 4;
    let reason = unsigned(&desk, &changed(&package, |bytes| bytes[at] = 99));
    assert!(reason.contains("9169746104fc73fb does not verify"), "{reason}");
}

#[test]
fn another_image_under_the_same_manifest_is_refused() {
    let desk = Desk::new();
    let package = desk.package();
    let head = Parts::of(&package).head;
    desk.write("image.bin", &desk::image(2501)[1..]);
    let other = desk.package();
    let (reason, inspected) = refused(&desk, &[&package[..head], &other[Parts::of(&other).head..]].concat());
    assert_eq!(reason, "refused: forged.lgu: block 0 is not the one that was signed\n");
    assert_eq!(inspected, "refused: forged.lgu: block 0 is not the one the manifest names\n");
}

#[test]
fn swapped_and_changed_blocks_are_named() {
    let desk = Desk::new();
    let package = desk.package();
    let block = Parts::of(&package).head;
    let swapped = changed(&package, |bytes| {
        let (first, second) = bytes[block..].split_at_mut(1056);
        first.swap_with_slice(&mut second[..1056]);
    });
    assert!(refused(&desk, &swapped).0.contains("block 0 is not the one that was signed"));
    let (reason, inspected) = refused(&desk, &changed(&package, |bytes| *bytes.last_mut().unwrap() ^= 1));
    assert!(reason.contains("block 2 is not the one that was signed"), "{reason}");
    assert!(inspected.contains("block 2 is not the one that block 1 names"), "{inspected}");
}

#[test]
fn truncated_anywhere_is_refused() {
    let desk = Desk::new();
    let package = desk.package();
    let head = Parts::of(&package).head;
    for length in [0, 1, 15, 16, 17, head - 1, head, head + 1, head + 1056, package.len() - 1] {
        let (reason, _) = refused(&desk, &package[..length]);
        assert!(reason.contains("ends"), "{length}: {reason}");
    }
    let (reason, inspected) = refused(&desk, &package[..2000]);
    assert_eq!(reason, "refused: forged.lgu: the package ends at byte 2000, before it is complete\n");
    assert_eq!(inspected, "refused: forged.lgu: truncated in block 1: 2000 bytes of 2811\n");
}

#[test]
fn extended_is_refused() {
    let desk = Desk::new();
    let package = desk.package();
    let (reason, inspected) = refused(&desk, &[&package[..], b"more"].concat());
    assert_eq!(reason, "refused: forged.lgu: bytes follow the last block\n");
    assert_eq!(inspected, "refused: forged.lgu: 4 bytes follow the last block\n");
    let said = desk.run(&["inspect", "forged.lgu"]);
    assert!(said.out.contains("TRAILING") && said.out.contains("THE CHAIN OF BLOCKS IS BROKEN"), "{}", said.out);
    let (_, twice) = refused(&desk, &[&package[..], &package].concat());
    assert!(twice.contains("2811 bytes follow the last block"), "{twice}");
}

#[test]
fn other_format_versions_and_objects_are_named() {
    let desk = Desk::new();
    let package = desk.package();
    for (at, value, reason) in [
        (8, 0, "format version 0 is not supported"),
        (8, 2, "format version 2 is not supported"),
        (9, 3, "object type 3 has no place in a package"),
        (10, 1, "a reserved field is not 0"),
        (0, b'L', "not a lockgate package"),
    ] {
        let (verified, inspected) = refused(&desk, &changed(&package, |bytes| bytes[at] = value));
        assert!(verified.contains(reason), "{verified}");
        assert_eq!(verified, inspected);
    }
}

#[test]
fn signatures_taken_away_or_doubled_are_refused() {
    let desk = Desk::new();
    desk.pack(&["--key", "a.pem", "--key", "b.pem"]).good();
    let package = desk.read("fw.lgu");
    let Parts { signed, head } = Parts::of(&package);
    let section = &package[signed + 2..head];
    let with = |section: &[u8]| {
        let length = (section.len() as u16).to_le_bytes();
        [&package[..signed], &length, section, &package[head..]].concat()
    };
    assert!(refused(&desk, &with(&[])).0.contains("section's length is out of range"));
    assert!(refused(&desk, &with(&[&section[..76]; 2].concat())).0.contains("not in strictly ascending order"));
    assert!(refused(&desk, &with(&[&section[76..], &section[..76]].concat())).0.contains("ascending"));
    // Only b's is left: a device that trusts a alone has none it can believe.
    assert!(unsigned(&desk, &with(&section[76..])).contains("valid signatures by trusted keys: 0, needed: 1"));
    // One of the two is not enough for a threshold of two, whichever it is.
    for entry in [&section[..76], &section[76..]] {
        desk.write("forged.lgu", &with(entry));
        let both = ["verify", "forged.lgu", "--key", "a.pub.pem", "--key", "b.pub.pem", "--threshold", "2"];
        assert!(desk.run(&both).bad(1).contains("valid signatures by trusted keys: 1, needed: 2"));
    }
}

#[test]
fn nonsense_under_an_untrusted_key_costs_nothing() {
    let desk = Desk::new();
    desk.pack(&["--key", "a.pem", "--key", "b.pem"]).good();
    let head = Parts::of(&desk.read("fw.lgu")).head;
    // b's entry is the last; who does not trust b does not look at it, and who does refuses.
    desk.write("forged.lgu", &changed(&desk.read("fw.lgu"), |bytes| bytes[head - 1] ^= 1));
    let said = desk.run(&["verify", "forged.lgu", "--key", "a.pub.pem"]).good();
    assert!(said.contains("passed over     ab32f9664f6e4d55"), "{said}");
    let both = desk.run(&["verify", "forged.lgu", "--key", "a.pub.pem", "--key", "b.pub.pem"]).bad(1);
    assert!(both.contains("the signature under trusted key ab32f9664f6e4d55 does not verify"), "{both}");
}
