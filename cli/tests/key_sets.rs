//! Key sets looked into, packed and followed: what the tool says of each that a device would not take.

mod desk;

use desk::{Desk, Parts, CLASS, IDENTITY, VENDOR};
use serde_json::Value;

const OTHER: &str = "11111111-97c4-4c0e-8d27-0a5be1f0c9d4";

/// A desk with key sets 0 to 2.
fn ready() -> Desk {
    let desk = Desk::new();
    desk.key_set();
    desk.more_key_sets();
    desk
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// `keys-0.json` in `name`, with this change.
fn described(desk: &Desk, name: &str, change: impl FnOnce(&mut Value)) {
    let mut value = json(std::str::from_utf8(&desk.read("keys-0.json")).unwrap());
    change(&mut value);
    desk.write(name, value.to_string().as_bytes());
}

/// Packs these key sets and an update that `signers` sign, whatever devices make of it.
fn forged(desk: &Desk, sets: &[&[u8]], signers: &[&str]) {
    desk.pack(&signers.iter().flat_map(|key| ["--key", key]).collect::<Vec<_>>()).good();
    let package = [&sets.concat()[..], &desk.read("fw.lgu")].concat();
    desk.write("fw.lgu", &package);
}

#[test]
fn a_set_is_judged_by_the_one_before_it() {
    let desk = ready();
    let verdicts = |file: &str, trusted: &str| {
        let said = desk.run(&["keys", "inspect", file, "--trusted", trusted, "--json"]);
        let value = json(&said.out);
        let verdicts = value["key_sets"].as_array().unwrap().iter();
        let verdicts = verdicts.map(|set| set["verdict"].as_str().unwrap_or("-").to_string()).collect::<Vec<_>>();
        (said.code.unwrap(), verdicts.join(", "), value["trusted"].as_u64(), value["reason"].as_str().map(String::from))
    };
    desk.write("both.lgk", &[desk.read("keys-1.lgk"), desk.read("keys-2.lgk")].concat());
    desk.write("wrong.lgk", &[desk.read("keys-2.lgk"), desk.read("keys-1.lgk")].concat());
    assert_eq!(verdicts("both.lgk", "keys-0.json"), (0, "taken, taken".into(), Some(2), None));
    assert_eq!(verdicts("both.lgk", "keys-1.json"), (0, "passed over, taken".into(), Some(2), None));
    assert_eq!(verdicts("both.lgk", "keys-2.json"), (0, "passed over, passed over".into(), Some(2), None));
    let gap = "key set 2: cannot follow key set 0: those between must come first";
    assert_eq!(verdicts("keys-2.lgk", "keys-0.json"), (1, "refused".into(), None, Some(gap.into())));
    assert_eq!(verdicts("wrong.lgk", "keys-0.json"), (1, "refused, -".into(), None, Some(gap.into())));
    described(&desk, "other.json", |value| value["vendor"] = OTHER.into());
    assert_eq!(verdicts("both.lgk", "other.json"), (0, "passed over, passed over".into(), Some(0), None));
    // In front of an update too, and for people.
    desk.pack(&["--rotation", "keys-1.lgk", "--key", "c.pem"]).good();
    assert_eq!(verdicts("fw.lgu", "keys-0.json"), (0, "taken".into(), Some(1), None));
    let said = desk.run(&["keys", "inspect", "fw.lgu", "--trusted", "keys-0.json"]).good();
    assert!(said.contains("signed by         ab32f9664f6e4d55\nverdict           taken\n"), "{said}");
    assert!(said.ends_with("A device that trusts this then trusts key set 1.\n"), "{said}");
    let said = desk.run(&["keys", "inspect", "keys-2.lgk", "--trusted", "keys-0.json"]);
    assert!(said.out.ends_with(&format!("REFUSED: {gap}.\n")), "{}", said.out);
    assert_eq!(said.bad(1), format!("refused: keys-2.lgk: {gap}\n"));
}

#[test]
fn a_changed_set_is_refused_wherever_it_is_shown() {
    let desk = ready();
    let set = desk.read("keys-1.lgk");
    let change = |at: usize| {
        let mut set = set.clone();
        set[at] ^= 1;
        desk.write("keys-x.lgk", &set);
        forged(&desk, &[&set], &["b.pem", "c.pem"]);
        let inspected = desk.run(&["keys", "inspect", "keys-x.lgk", "--trusted", "keys-0.json"]).bad(1);
        let package = desk.run(&["keys", "inspect", "fw.lgu", "--trusted", "keys-0.json"]).bad(1);
        let verified = desk.run(&["verify", "fw.lgu", "--trusted", "keys-0.json"]).bad(1);
        assert_eq!(package.replace("fw.lgu", "keys-x.lgk"), inspected);
        assert_eq!(package, verified);
        inspected
    };
    let head = Parts::of(&set).signed;
    // A signature, whose signature it is, a threshold, and a point.
    assert!(change(set.len() - 1).contains("the signature under trusted key ab32f9664f6e4d55 does not verify"));
    let said = change(head + 4);
    assert!(said.contains("key set 0 asks for signatures by 1 of its rotate keys and has 0"), "{said}");
    assert!(said.contains("key set 1 asks for signatures by 1 of its rotate keys and has 0"), "{said}");
    let threshold = set.windows(5).position(|window| window == [4, 0x80, 1, 0, 1]).unwrap() + 4;
    assert!(change(threshold).contains("element 4"), "{}", change(threshold));
    assert!(change(head - 1).contains("element 6"));
    // What is malformed is an error without --trusted as well.
    let said = desk.run(&["keys", "inspect", "keys-x.lgk"]);
    assert!(said.out.contains("A KEY SET THAT DEVICES REFUSE"), "{}", said.out);
    assert!(said.bad(1).contains("element 6"));
    for length in [0, 1, 16, head, set.len() - 1] {
        desk.write("keys-x.lgk", &set[..length]);
        let said = desk.run(&["keys", "inspect", "keys-x.lgk"]).bad(1);
        assert!(said.contains("ends too early") || said.contains("empty"), "{length}: {said}");
    }
    desk.write("keys-x.lgk", &set.repeat(17));
    assert!(desk.run(&["keys", "inspect", "keys-x.lgk"]).bad(1).contains("more than 16 key sets"));
}

#[test]
fn what_holds_no_key_set_is_said() {
    let desk = ready();
    desk.package();
    let said = desk.run(&["keys", "inspect", "fw.lgu"]).good();
    assert!(said.starts_with("fw.lgu: no key set in front of the update\n"), "{said}");
    let said = desk.run(&["keys", "inspect", "fw.lgu", "--rust"]).bad(1);
    assert_eq!(said, "refused: fw.lgu: no key set in front of the update: give a .lgk or a .json\n");
    assert!(desk.run(&["keys", "inspect", "a.pem"]).bad(1).contains("a.pem: not a lockgate package"));
    let said = desk.run(&["keys", "inspect", "keys-0.json", "--trusted", "keys-0.json"]).bad(2);
    assert!(said.contains("a description, which nobody signed: give the .lgk beside it"), "{said}");
    // Of a set that is refused no constant is printed.
    let said = desk.run(&["keys", "inspect", "keys-2.lgk", "--trusted", "keys-0.json", "--rust"]);
    assert_eq!((said.out.as_str(), said.code), ("", Some(1)));
    let said = desk.run(&["keys", "inspect", "keys-1.lgk", "--trusted", "keys-0.json", "--rust"]).good();
    assert!(said.contains("key_set_version(1)"), "{said}");
}

#[test]
fn descriptions_are_read_strictly() {
    let desk = ready();
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 15] = [
        ("missing field `vendor`", |value| _ = value.as_object_mut().unwrap().remove("vendor")),
        ("unknown field `more`", |value| value["more"] = 1.into()),
        ("vendor: not a UUID", |value| value["vendor"] = "me".into()),
        ("class: not a UUID", |value| value["class"] = "".into()),
        ("sign_threshold: 3 of 2 keys", |value| value["sign_threshold"] = 3.into()),
        ("rotate_threshold: 0 of 2 keys", |value| value["rotate_threshold"] = 0.into()),
        ("keys: 0 keys: a device trusts 1 to 8", |value| value["keys"] = Value::Array(Vec::new())),
        ("none has the role sign", |value| {
            (value["keys"][0]["roles"], value["keys"][1]["roles"]) = (["rotate"][..].into(), ["rotate"][..].into());
        }),
        ("two keys of the id 9169746104fc73fb", |value| value["keys"][1] = value["keys"][0].clone()),
        ("no role", |value| value["keys"][0]["roles"] = Value::Array(Vec::new())),
        ("a role is given twice", |value| value["keys"][0]["roles"] = ["sign", "sign"][..].into()),
        ("unknown variant `boss`", |value| value["keys"][0]["roles"] = ["boss"][..].into()),
        ("its point is that of the key 9169746104fc73fb", |value| value["keys"][0]["id"] = "9169746104fc73fc".into()),
        ("its point is none of P-256", |value| value["keys"][0]["point"] = "00".repeat(64).into()),
        ("its point is none of P-256", |value| value["keys"][0]["point"] = "+1".repeat(64).into()),
    ];
    desk.pack(&["--key", "a.pem"]).good();
    for (reason, change) in cases {
        described(&desk, "bad.json", change);
        for command in [
            &["keys", "rotate", "bad.json", "--add-sign", "bench.pem", "--key", "b.pem", "-o", "x.lgk"][..],
            &["keys", "inspect", "bad.json"],
            &["verify", "fw.lgu", "--trusted", "bad.json"],
        ] {
            let said = desk.run(command).bad(2);
            assert!(said.starts_with("error: bad.json: ") && said.contains(reason), "{reason}: {said}");
        }
    }
    for (file, reason) in [
        ("keys-1.lgk", "a signed key set or a package, not a description: give the .json beside it"),
        ("a.pem", "a PEM file, not the description of a key set"),
        ("image.bin", "not the description of a key set"),
    ] {
        let said = desk.run(&["verify", "fw.lgu", "--trusted", file]).bad(2);
        assert!(said.contains(reason), "{said}");
    }
    assert!(!desk.files().contains(&"x.lgk".into()));
}

#[test]
fn packages_hold_key_sets_without_gaps_and_for_their_devices() {
    let desk = ready();
    let pack = |options: &[&str]| desk.pack(&[options, &["--key", "b.pem", "--key", "c.pem"]].concat());
    let sets = |versions: &[&'static str]| versions.iter().flat_map(|set| ["--rotation", set]).collect::<Vec<_>>();
    desk.rotate("keys-2.json", "keys-3.lgk", &["--add-sign", "a.pem", "--key", "b.pem"]).good();
    let said = pack(&sets(&["keys-3.lgk", "keys-1.lgk"])).bad(2);
    assert_eq!(said, "error: keys-3.lgk: key set 3 cannot follow key set 1 (keys-1.lgk): give those between as well\n");
    let said = pack(&sets(&["keys-1.lgk", "keys-2.lgk", "keys-1.lgk"])).bad(2);
    assert_eq!(said, "error: keys-1.lgk: key set 1, as is keys-1.lgk: give each version once\n");
    let said = pack(&sets(&["keys-1.lgk"; 17])).bad(2);
    assert_eq!(said, "error: --rotation: 17 key sets: 16 can stand in front of an update\n");
    for (field, value) in [("vendor", VENDOR), ("class", CLASS)] {
        let mut args = ["pack", "image.bin", "--key", "b.pem", "--rotation", "keys-1.lgk", "-o", "fw.lgu"].to_vec();
        args.extend(IDENTITY.map(|option| if option == value { OTHER } else { option }));
        let said = desk.run(&args).bad(1);
        assert!(said.contains(&format!("keys-1.lgk: for {field} {value}, the package is for {OTHER}")), "{said}");
    }
    // What follows by its number, but is no successor.
    described(&desk, "mine.json", |value| value["keys"].as_array_mut().unwrap().truncate(2));
    desk.rotate(
        "mine.json",
        "mine-1.lgk",
        &["--add-rotate", "a.pem", "--remove", "ab32f9664f6e4d55", "--key", "b.pem", "--key", "a.pem"],
    );
    let said = pack(&sets(&["mine-1.lgk", "keys-2.lgk"])).bad(1);
    assert!(said.contains("keys-2.lgk: key set 1 asks for signatures by 1 of its rotate keys and has 0"), "{said}");
    for (file, reason) in [
        ("keys-1.json", "a description, which nobody signed: give the .lgk beside it"),
        ("b.pem", "not a lockgate package"),
        ("image.bin", "not a lockgate package"),
        ("missing.lgk", "cannot be read"),
    ] {
        let said = pack(&["--rotation", file]).err;
        assert!(said.contains(file) && said.contains(reason), "{said}");
    }
    desk.write("two.lgk", &[desk.read("keys-1.lgk"), desk.read("keys-2.lgk")].concat());
    assert!(pack(&["--rotation", "two.lgk"]).bad(1).contains("two.lgk: not one key set"));
    let over = ["pack", "image.bin", "--key", "c.pem", "--rotation", "keys-1.lgk", "-o", "keys-1.lgk"];
    let said = desk.run(&[&over[..], &IDENTITY].concat()).bad(2);
    assert_eq!(said, "error: keys-1.lgk: is an input as well: name another output with -o\n");
    assert!(!desk.files().contains(&"fw.lgu".into()), "nothing was packed so far");
    let said = pack(&sets(&["keys-2.lgk", "keys-1.lgk"])).good();
    assert!(said.contains("key set           1, in front of the update\nkey set           2, in front"), "{said}");
}

#[test]
fn an_update_that_the_new_keys_did_not_sign_is_not_packed() {
    let desk = ready();
    let both = ["--rotation", "keys-1.lgk", "--rotation", "keys-2.lgk"];
    let said =
        desk.pack(&[&both[..], &["--sign-with", "touch called; false", "--sign-with-key", "b.pem"]].concat()).bad(1);
    assert!(
        said.starts_with("refused: --key: key set 2 asks for 2 of its sign keys, 1 given: devices that take it"),
        "{said}"
    );
    // a signed before, and does no more.
    let said = desk.pack(&["--rotation", "keys-1.lgk", "--key", "a.pem"]).bad(1);
    assert!(
        said.contains("key set 1 asks for 1 of its sign keys, 0 given") && said.contains("ab32f9664f6e4d55"),
        "{said}"
    );
    assert!(!desk.files().iter().any(|name| name == "called" || name == "fw.lgu"));
    // Devices that do not rotate keys take the same package by the old key.
    desk.pack(&["--rotation", "keys-1.lgk", "--key", "a.pem", "--key", "b.pem"]).good();
    desk.run(&["verify", "fw.lgu", "--key", "a.pem"]).good();
    desk.run(&["verify", "fw.lgu", "--trusted", "keys-0.json"]).good();
}

#[test]
fn each_package_of_several_bases_brings_the_key_sets() {
    let desk = ready();
    for (name, byte) in [("one.bin", 1), ("two.bin", 2)] {
        let mut image = desk.read("image.bin");
        image[100] ^= byte;
        desk.write(name, &image);
    }
    desk.pack(&["--base", "one.bin", "--base", "two.bin", "--rotation", "keys-1.lgk", "--key", "c.pem"]).good();
    let packages: Vec<String> = desk.files().into_iter().filter(|name| name.ends_with(".lgu")).collect();
    assert_eq!(packages.len(), 3, "{packages:?}");
    let index = String::from_utf8(desk.read("fw.lgi")).unwrap();
    for name in packages {
        let found = json(&desk.run(&["inspect", &name, "--json"]).good());
        assert_eq!((&found["key_sets"], &found["rotations"][0]["version"]), (&1.into(), &1.into()), "{name}");
        if found["base_image"].is_null() {
            desk.run(&["verify", &name, "--trusted", "keys-0.json"]).good();
        } else {
            let verified = ["one.bin", "two.bin"]
                .map(|base| desk.run(&["verify", &name, "--trusted", "keys-0.json", "--base", base]).code == Some(0));
            assert_eq!(verified.iter().filter(|good| **good).count(), 1, "{name}");
        }
        assert!(index.contains(&found["package_size"].to_string()), "{name}: its size stands in {index}");
    }
}

#[test]
fn verify_judges_the_update_under_the_set_taken_last() {
    let desk = ready();
    let verify = |trusted: &str| desk.run(&["verify", "fw.lgu", "--trusted", trusted]);
    let (one, two) = (desk.read("keys-1.lgk"), desk.read("keys-2.lgk"));
    // Enough for set 1, too few for set 2; and a key that only set 0 has.
    forged(&desk, &[&one, &two], &["c.pem"]);
    let few = "refused: fw.lgu: valid signatures by trusted keys: 1, needed: 2 (under key set 2)\n";
    assert_eq!(verify("keys-0.json").bad(1), few);
    assert_eq!(verify("keys-2.json").bad(1), few);
    forged(&desk, &[&one], &["a.pem"]);
    assert!(verify("keys-0.json").bad(1).contains("needed: 1 (under key set 1)"));
    forged(&desk, &[&two], &["b.pem", "c.pem"]);
    assert!(verify("keys-0.json").bad(1).contains("key set 2: cannot follow key set 0: those between must come first"));
    assert!(verify("keys-1.json").good().contains("key set 2       taken, signed by dddd"));
    assert!(verify("keys-2.json").good().contains("key set 2       passed over: not newer than the trusted key set 2"));
    // An update for others than the key set is for.
    described(&desk, "other.json", |value| value["class"] = OTHER.into());
    assert!(verify("other.json").bad(1).contains(OTHER));
    let said = desk.run(&["verify", "fw.lgu", "--trusted", "keys-0.json", "--json"]);
    assert_eq!((said.code, &json(&said.out)["verified"]), (Some(1), &false.into()));
    let value = json(&desk.run(&["verify", "fw.lgu", "--trusted", "keys-1.json", "--json"]).good());
    assert_eq!((&value["threshold"], &value["key_set"]["version"]), (&2.into(), &2.into()));
    assert_eq!(value["key_set"]["rotations"][0]["verdict"], "taken");
    for more in [&["--key", "a.pem"][..], &["--threshold", "1"]] {
        let said = desk.run(&[&["verify", "fw.lgu", "--trusted", "keys-1.json"], more].concat());
        assert!(said.code == Some(2) && said.err.contains("cannot be used with"), "{said:?}");
    }
}
