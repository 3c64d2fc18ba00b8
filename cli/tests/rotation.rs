//! Keys that change in the field: key sets made, signed, packed and followed by the tool, and taken by a device.

mod desk;

use std::sync::LazyLock;

use desk::{Desk, Parts, CLASS, VENDOR};
use lockgate::geometry::{Geometry, Run};
use lockgate::pack::{Keys, RoleKey, SignedKeys, Signer, SigningKey, Update};
use lockgate::sim::Flash;
use lockgate::{Block, Device, KeySet, Keyring, Layout, PublicKey, Running, Updater, Uuid, Version};
use serde_json::Value;

mod printed {
    //! What `keys new` prints compiles: the device of these tests is built with it. Keys a and b sign, b and the bench key
    //! rotate.
    use lockgate::{KeySet, PublicKey};
    include!("keys/key_set.rs");
    pub(super) const SIGN: KeySet = KEYS;
    pub(super) const ROTATE: KeySet = ROTATE_KEYS;
}

/// Whether a device that is built with these keys, to sign and to rotate, verifies the package.
fn device(package: &[u8], (sign, rotate): (KeySet<'_>, KeySet<'_>)) -> Result<(), String> {
    static GEOMETRY: LazyLock<Geometry> = LazyLock::new(|| {
        let runs: &'static [Run] = vec![Run { count: 16, size: 4096 }].leak();
        Geometry::new("memory", runs, 4)
    });
    static LAYOUT: LazyLock<Layout> = LazyLock::new(|| {
        let layout = Layout::new(&GEOMETRY).records(0..0x2000).keys(0x2000..0x5000);
        layout.slots(0x5000..0x9000, 0x9000..0xD000).check()
    });
    let uuid = |text| Uuid::parse(text).unwrap();
    let device = Device::new(&LAYOUT, uuid(VENDOR), uuid(CLASS), sign).rotate_keys(rotate);
    let (mut block, mut keyring) = (Block::<4096>::new(), Keyring::new());
    let flash = Flash::<1, 1>::sized(&GEOMETRY);
    let mut updater = Updater::new(&device, flash, &mut block).keyring(&mut keyring).running(Running::factory());
    updater.install(package, |_| {}).map(drop).map_err(|error| error.to_string())
}

#[test]
fn new_keys_of_the_tool_go_all_the_way_to_a_verified_package() {
    let desk = Desk::new();
    for key in
        [&["keygen", "-o", "old.pem"][..], &["keygen", "-o", "next.pem"], &["keygen", "--dev", "-o", "vault.pem"]]
    {
        desk.run(key).good();
    }
    let new =
        ["keys", "new", "--vendor", VENDOR, "--class", CLASS, "--sign", "old.pub.pem", "--rotate", "vault.pub.pem"];
    let said = desk.run(&[&new[..], &["-o", "keys-0.json"]].concat()).good();
    assert!(said.contains("rotate  BENCH KEY, not for production"), "{said}");
    assert!(said.contains("const KEYS: KeySet") && said.contains("const ROTATE_KEYS: KeySet"), "{said}");
    let change = ["--add-sign", "next.pub.pem", "--key", "vault.pem"];
    let said = desk.rotate("keys-0.json", "keys-1.lgk", &change).good();
    assert!(said.contains("sign    kept") && said.contains("sign    added"), "{said}");
    desk.pack(&["--rotation", "keys-1.lgk", "--key", "next.pem"]).good();
    let said = desk.run(&["inspect", "fw.lgu"]).good();
    assert!(said.contains("| 1 key set | prelude |"), "{said}");
    assert!(said.contains("key set           1: sign 1 of 2, rotate 1 of 1\n"), "{said}");
    let said = desk.run(&["verify", "fw.lgu", "--trusted", "keys-0.json"]).good();
    assert!(said.contains("trusted keys      key set 1\n  key set 1       taken, signed by dddd"), "{said}");
    // Without the key set the next key is a stranger's.
    desk.pack(&["--key", "next.pem"]).good();
    let said = desk.run(&["verify", "fw.lgu", "--trusted", "keys-0.json"]).bad(1);
    assert_eq!(said, "refused: fw.lgu: valid signatures by trusted keys: 0, needed: 1 (under key set 0)\n");
}

#[test]
fn the_printed_constants_are_those_of_the_description() {
    let desk = Desk::new();
    let source = include_str!("keys/key_set.rs");
    assert!(desk.key_set().ends_with(source));
    assert_eq!(desk.run(&["keys", "inspect", "keys-0.json", "--rust"]).good(), source);
    assert_eq!((printed::SIGN.keys().len(), printed::ROTATE.keys().len()), (2, 2));
    desk.more_key_sets();
    let of_set = desk.run(&["keys", "inspect", "keys-2.lgk", "--rust"]).good();
    assert_eq!(of_set, desk.run(&["keys", "inspect", "keys-2.json", "--rust"]).good());
    assert!(of_set.starts_with("const KEYS: KeySet = KeySet::new(\n    2,"), "{of_set}");
    assert!(of_set.ends_with("// Device::new(.., KEYS).rotate_keys(ROTATE_KEYS).key_set_version(2)\n"), "{of_set}");
}

#[test]
fn a_device_takes_what_the_tool_says_it_takes() {
    let desk = Desk::new();
    desk.key_set();
    desk.more_key_sets();
    let both = ["--key", "c.pem", "--key", "b.pem"];
    for (rotations, signers, trusts) in [
        (&[][..], &["--key", "a.pem"][..], Ok(0)),
        (&["--rotation", "keys-1.lgk"], &["--key", "c.pem"], Ok(1)),
        (&["--rotation", "keys-2.lgk", "--rotation", "keys-1.lgk"], &both, Ok(2)),
        (&["--rotation", "keys-2.lgk"], &both, Err("cannot follow key set 0")),
        (&[], &["--key", "c.pem"], Err("valid signatures by trusted keys: 0, needed: 1")),
    ] {
        desk.pack(&[rotations, signers].concat()).good();
        let said = desk.run(&["verify", "fw.lgu", "--trusted", "keys-0.json", "--json"]);
        let json: Value = serde_json::from_str(&said.out).unwrap();
        match (device(&desk.read("fw.lgu"), (printed::SIGN, printed::ROTATE)), trusts) {
            (Ok(()), Ok(version)) => {
                assert_eq!((said.code, &json["key_set"]["version"]), (Some(0), &version.into()), "{rotations:?}");
            }
            (Err(why), Err(part)) => {
                assert_eq!((said.code, &json["verified"]), (Some(1), &false.into()), "{rotations:?}");
                let reason = json["reason"].as_str().unwrap();
                assert!(why.contains(part) && reason.contains(part), "device: {why}; tool: {reason}");
            }
            (device, _) => panic!("{rotations:?}: {device:?}"),
        }
    }
}

#[test]
fn the_device_in_a_flash_file_takes_key_sets_and_trusts_what_its_key_store_says() {
    let desk = Desk::new();
    desk.key_set();
    desk.more_key_sets();
    let on = ["--flash", "flash.bin", "--geometry", "esp8266"];
    let trusts = [&on[..], &["--trusted", "keys-0.json"]].concat();
    let install = || desk.run(&[&["install", "fw.lgu"], &trusts[..]].concat());
    let starts = || desk.run(&[&["boot", "--signatures"], &trusts[..]].concat()).good();
    let confirm = || desk.run(&[&["confirm"], &on[..]].concat()).good();
    let pack = |options: &[&str], version| {
        let identity = ["--version", version, "--security-counter", "7", "--vendor", VENDOR, "--class", CLASS];
        desk.run(&[&["pack", "image.bin", "-o", "fw.lgu"], &identity[..], options].concat()).good();
    };
    pack(&["--key", "a.pem"], "1.0.0");
    let said = install().good();
    assert!(said.contains("trusts     key set 0\n") && !said.contains("key store"), "{said}");
    assert!(starts().contains("trial 1 of 3"));
    confirm();
    desk.write("image.bin", b"another image, by a key that no device was built with");
    pack(&["--rotation", "keys-1.lgk", "--key", "c.pem"], "1.1.0");
    let said = install().good();
    assert!(said.contains("key set    1 is trusted from now on"), "{said}");
    assert!(said.contains("every one of them signed for"), "{said}");
    assert!(starts().contains("trial 1 of 3"));
    confirm();
    let shown = desk.run(&["map", "flash.bin", "--geometry", "esp8266"]).good();
    assert!(
        shown.contains("the set in place 1 sign updates; the confirmed image counts under the set in place 1"),
        "{shown}"
    );
    pack(&["--key", "a.pem"], "1.2.0");
    let said = install().bad(1);
    assert!(said.contains("valid signatures by trusted keys: 0, needed: 1; nothing of it reached flash"), "{said}");
    // A set is taken though the update behind it is refused.
    let older = ["--version", "0.9.0", "--security-counter", "6", "--vendor", VENDOR, "--class", CLASS];
    let signed = ["--rotation", "keys-2.lgk", "--key", "c.pem", "--key", "b.pem"];
    desk.run(&[&["pack", "image.bin", "-o", "fw.lgu"], &older[..], &signed].concat()).good();
    let said = install();
    assert!(said.out.contains("key set    2 is trusted from now on"), "{}", said.out);
    assert!(said.bad(1).ends_with("security counter 6 is below the device's 7; nothing but a key set reached flash\n"));
    // A device that has no room for key sets takes nothing, rather than what a revoked key signed.
    let said =
        desk.run(&[&["install", "fw.lgu", "--key", "a.pem", "--vendor", VENDOR, "--class", CLASS], &on[..]].concat());
    assert!(said.bad(1).contains("key store"), "no keyring");
    let said =
        desk.run(&["install", "fw.lgu", "--flash", "f.bin", "--geometry", "nrf52840", "--trusted", "keys-0.json"]);
    assert_eq!(
        said.bad(2),
        "error: --trusted: nrf52840 has no key store: describe the board with `keys` in its layout\n"
    );
}

#[test]
fn a_set_that_lacks_signatures_is_refused_before_anybody_signs() {
    let desk = Desk::new();
    desk.key_set();
    let before = desk.files();
    let refused = |options: &[&str]| desk.rotate("keys-0.json", "keys-1.lgk", options).bad(1);
    // The key that is added signs for itself; the set that devices trust has not agreed.
    let said = refused(&["--remove", "bench.pem", "b.pem", "--add-rotate", "a.pem", "--key", "a.pem"]);
    let expected = "refused: keys-1.lgk: key set 0 asks for signatures by 1 of its rotate keys and has 0 (none by \
                    ab32f9664f6e4d55, ddddf612ab63d331): rotate keys of both the old and the new set must sign\n";
    assert_eq!(said, expected, "the old set");
    // The other way round, by a command that would leave a trace.
    let command = ["--sign-with", "touch called; false", "--sign-with-key", "b.pub.pem"];
    let said = refused(
        &[&["--remove", "bench.pem", "b.pem", "--add-rotate", "a.pem", "--add-sign", "b.pem"], &command[..]].concat(),
    );
    assert!(said.contains("key set 1 asks for signatures by 1 of its rotate keys and has 0 (none by 9169"), "{said}");
    let said = refused(&["--add-rotate", "a.pem", "--rotate-threshold", "3", "--key", "b.pem", "--key", "a.pem"]);
    assert!(said.contains("key set 1 asks for signatures by 3 of its rotate keys and has 2 (none by dddd"), "{said}");
    assert!(!said.contains("key set 0 asks"), "{said}");
    assert_eq!(desk.files(), before, "nobody signed, nothing was written");
}

#[test]
fn a_set_that_a_device_could_not_keep_is_refused() {
    let desk = Desk::new();
    let names: Vec<String> = (0..8).map(|n| format!("k{n}.pem")).collect();
    for name in &names {
        desk.run(&["keygen", "-o", name]).good();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let new =
        ["keys", "new", "--vendor", VENDOR, "--class", CLASS, "-o", "keys-0.json", "--sign", "k0.pem", "--rotate"];
    desk.run(&[&new[..], &names].concat()).good();
    let signers = |count: usize| names[..count].iter().flat_map(|name| ["--key", name]).collect::<Vec<_>>();
    let change = ["--add-sign", "k1.pem"];
    let said = desk.rotate("keys-0.json", "keys-1.lgk", &[&change[..], &signers(6)].concat()).bad(1);
    assert!(
        said.contains("with 6 signatures the key set has 1056 bytes, devices keep 992: let fewer keys sign"),
        "{said}"
    );
    desk.rotate("keys-0.json", "keys-1.lgk", &[&change[..], &signers(5)].concat()).good();
    let said = desk.rotate("keys-1.json", "keys-2.lgk", &["--add-sign", "a.pem", "--key", "k0.pem"]).bad(2);
    assert_eq!(said, "error: key set 2: 9 keys: a device trusts 1 to 8\n");
}

/// One key set with the signatures of both, which say the same.
fn merged(one: &[u8], other: &[u8]) -> Vec<u8> {
    let signed = Parts::of(one).signed;
    assert_eq!(one[..signed], other[..signed]);
    let mut entries: Vec<&[u8]> = one[signed + 2..].chunks(76).chain(other[signed + 2..].chunks(76)).collect();
    entries.sort_by_key(|entry| &entry[..10]);
    entries.dedup_by_key(|entry| &entry[..10]);
    [&one[..signed], &(76 * entries.len() as u16).to_le_bytes(), &entries.concat()].concat()
}

#[test]
fn only_signatures_that_count_take_room() {
    let mut private: Vec<SigningKey> = (0..8).map(|_| SigningKey::generate()).collect();
    let points: Vec<PublicKey> = private.iter().map(Signer::public_key).collect();
    let all = |version| Keys {
        vendor: Uuid::parse(VENDOR).unwrap(),
        class: Uuid::parse(CLASS).unwrap(),
        version,
        sign_threshold: 1,
        rotate_threshold: 5,
        keys: points.iter().map(|&key| RoleKey { key, sign: true, rotate: true }).collect(),
    };
    let sign = |keys: &mut [SigningKey]| {
        let mut signers: Vec<&mut dyn Signer> = keys.iter_mut().map(|key| key as _).collect();
        all(1).sign(&mut signers).unwrap()
    };
    let (first, last) = (sign(&mut private[..5]), sign(&mut private[5..]));
    let strangers = sign(&mut [SigningKey::generate(), SigningKey::generate()]);
    let update = Update::new(all(0).vendor, all(0).class, Version::new(1, 0, 0, 0), 1);
    let update = update.build(b"image", &mut [&mut private[0]]).unwrap();
    let device = |set: &[u8]| {
        let built = (KeySet::checked(1, &points).unwrap(), KeySet::checked(5, &points).unwrap());
        device(&[set, update.bytes()].concat(), built)
    };
    let verify = |set: &[u8]| SignedKeys::read(set).unwrap().0.verify(&all(0)).map(drop).map_err(|why| why.to_string());
    for (set, expected) in [
        (first.clone(), Ok(())),
        (last.clone(), Err("valid signatures by trusted keys: 3, needed: 5")),
        (merged(&first, &strangers), Ok(())),
        (merged(&first, &last), Err("the key set and its signatures need 1208 bytes")),
    ] {
        let (device, tool) = (device(&set), verify(&set));
        assert_eq!(device, tool);
        match (tool, expected) {
            (Err(why), Err(part)) => assert!(why.starts_with(part), "{why}"),
            (tool, expected) => assert_eq!(tool.is_ok(), expected.is_ok()),
        }
    }
}

#[test]
fn both_files_or_neither_and_none_written_over() {
    let desk = Desk::new();
    desk.key_set();
    let change = ["--add-sign", "bench.pem", "--key", "b.pem"];
    // Whoever signs is not asked in vain.
    let command = ["--add-sign", "bench.pem", "--sign-with", "touch called; false", "--sign-with-key", "b.pem"];
    for taken in ["keys-1.json", "keys-1.lgk"] {
        desk.write(taken, b"mine");
        let before = desk.files();
        let said = desk.rotate("keys-0.json", "keys-1.lgk", &command).bad(3);
        assert_eq!(said, format!("error: {taken}: exists already: choose another name\n"));
        assert_eq!((desk.files(), desk.read(taken)), (before, b"mine".to_vec()));
        std::fs::remove_file(desk.path(taken)).unwrap();
    }
    let before = desk.files();
    assert!(desk.rotate("keys-0.json", "nowhere/keys-1.lgk", &change).bad(3).contains("nowhere/keys-1.lgk"));
    assert!(desk.rotate("keys-0.json", "keys-1.json", &change).bad(2).contains("--output: the description is made"));
    assert!(desk.rotate("keys-0.json", "keys-0.lgk", &change).bad(3).contains("keys-0.json: exists already"));
    let new = ["keys", "new", "--vendor", VENDOR, "--class", CLASS, "--sign", "a.pem", "--rotate", "b.pem", "-o"];
    for name in ["keys-0.json", "a.pem"] {
        let said = desk.run(&[&new[..], &[name]].concat()).bad(3);
        assert_eq!(said, format!("error: {name}: exists already: choose another name\n"));
    }
    assert_eq!(desk.files(), before);
    desk.rotate("keys-0.json", "keys-1.lgk", &change).good();
    assert_eq!(desk.files().len(), before.len() + 2);
    #[cfg(unix)]
    for name in ["keys-0.json", "keys-1.json", "keys-1.lgk"] {
        use std::os::unix::fs::PermissionsExt;
        // They hold no secret, and others build and pack with them.
        let mode = desk.path(name).metadata().unwrap().permissions().mode() & 0o777;
        assert!(mode & 0o044 != 0 && mode & 0o133 == 0, "{name}: {mode:o}");
    }
}

#[test]
fn whoever_takes_keys_away_is_warned() {
    let desk = Desk::new();
    desk.key_set();
    let warned = |options: &[&str]| {
        let said = desk.rotate("keys-0.json", "keys-1.lgk", options);
        assert_eq!(said.code, Some(0), "{said:?}");
        for name in ["keys-1.lgk", "keys-1.json"] {
            std::fs::remove_file(desk.path(name)).unwrap();
        }
        said.err
    };
    assert_eq!(warned(&["--remove", "a.pem", "--add-sign", "bench.pem", "--key", "b.pem"]), "", "b still signs");
    let err =
        warned(&["--remove", "a.pem", "b.pem", "--add-sign", "bench.pem", "--add-rotate", "b.pem", "--key", "b.pem"]);
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.starts_with("warning: no sign key of key set 0 is left"), "{err}");
    let err = warned(&["--remove", "bench.pem", "--key", "b.pem"]);
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(
        err.starts_with("warning: rotate keys are removed (ddddf612ab63d331)") && err.contains("`Device::rooted`"),
        "{err}"
    );
}

#[test]
fn signed_key_sets_hold_what_their_descriptions_say() {
    let desk = Desk::new();
    desk.key_set();
    desk.more_key_sets();
    for version in [1, 2] {
        let bytes = desk.read(&format!("keys-{version}.lgk"));
        let (set, rest) = SignedKeys::read(&bytes).unwrap();
        assert_eq!((set.keys.version, rest.len()), (version, 0));
        let of = |name: String| -> Value {
            serde_json::from_str(&desk.run(&["keys", "inspect", &name, "--json"]).good()).unwrap()
        };
        let described: Value = serde_json::from_slice(&desk.read(&format!("keys-{version}.json"))).unwrap();
        assert_eq!(of(format!("keys-{version}.json")), described);
        let mut signed = of(format!("keys-{version}.lgk"))["key_sets"][0].clone();
        assert_eq!(signed.as_object_mut().unwrap().remove("signatures").unwrap().as_array().unwrap().len(), 1);
        assert_eq!(signed, described);
    }
    // By the library alone.
    let bytes = desk.read("keys-1.lgk");
    let (set, _) = SignedKeys::read(&bytes).unwrap();
    let old = Keys { version: 0, ..set.keys.clone() };
    assert_eq!(set.verify(&old).unwrap().len(), 1);
}

#[cfg(unix)]
#[test]
fn a_command_signs_key_sets() {
    let desk = Desk::new();
    desk.key_set();
    let sign = "openssl pkeyutl -sign -inkey b.pem";
    let openssl = std::process::Command::new("openssl").arg("version").output();
    if !openssl.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "openssl is missing: CI must have it");
        return;
    }
    let with = |command| ["--add-sign", "bench.pem", "--sign-with", command, "--sign-with-key", "b.pub.pem"];
    let said = desk.rotate("keys-0.json", "keys-1.lgk", &with(sign)).good();
    assert!(said.contains("signed by         ab32f9664f6e4d55\n"), "{said}");
    desk.run(&["keys", "inspect", "keys-1.lgk", "--trusted", "keys-0.json"]).good();
    // Somebody else's signature, and none.
    let said = desk.rotate("keys-0.json", "keys-2.lgk", &with("openssl pkeyutl -sign -inkey a.pem")).bad(1);
    assert!(said.contains("the signature made for key ab32f9664f6e4d55 does not verify under it"), "{said}");
    let said = desk.rotate("keys-0.json", "keys-2.lgk", &with("false")).bad(3);
    assert!(said.contains("key ab32f9664f6e4d55 did not sign: the --sign-with command"), "{said}");
    assert!(!desk.files().iter().any(|name| name.starts_with("keys-2")));
}
