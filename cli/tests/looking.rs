//! What `inspect` shows of packages that are out of the ordinary.

mod desk;

use std::process::Stdio;

use desk::{Desk, CLASS, VENDOR};
use lockgate::pack::{SigningKey, Update};
use lockgate::{Uuid, Version};
use serde_json::Value;

fn update() -> Update {
    Update::new(Uuid::parse(VENDOR).unwrap(), Uuid::parse(CLASS).unwrap(), Version::new(1, 0, 0, 0), 1)
}

fn key(desk: &Desk) -> SigningKey {
    SigningKey::from_pem(std::str::from_utf8(&desk.read("a.pem")).unwrap()).unwrap()
}

#[test]
fn unknown_elements_are_listed_and_cannot_harm_a_terminal() {
    let desk = Desk::new();
    let update = update().element(0x7001, b"red \x1b[31m").unwrap().element(0x7002, b"").unwrap();
    desk.write("fw.lgu", update.build(b"image", &mut [&mut key(&desk)]).unwrap().bytes());
    let said = desk.run(&["inspect", "fw.lgu"]).good();
    assert!(said.contains(r"element 0x7001    9 bytes, not critical: red \x1b[31m"), "{said}");
    assert!(said.contains("element 0x7002    0 bytes, not critical"), "{said}");
    desk.run(&["verify", "fw.lgu", "--key", "a.pem"]).good();
}

#[test]
fn critical_elements_of_the_vendor_are_pointed_out() {
    let desk = Desk::new();
    let update = update().element(0xF001, b"x").unwrap();
    desk.write("fw.lgu", update.build(b"image", &mut [&mut key(&desk)]).unwrap().bytes());
    let said = desk.run(&["inspect", "fw.lgu"]).good();
    assert!(said.contains("element 0x7001    1 byte, CRITICAL: x"), "{said}");
    let reason = desk.run(&["verify", "fw.lgu", "--key", "a.pem"]).bad(1);
    assert!(reason.contains("manifest element 28673 is unknown to this device"), "{reason}");
    let said = desk.run(&["verify", "fw.lgu", "--key", "a.pem", "--knows", "0x7001"]).good();
    assert!(said.contains("element 0x7001    the vendor's own and critical"), "{said}");
}

#[test]
fn a_critical_element_that_nobody_knows_is_refused() {
    let desk = Desk::new();
    let package = update().element(0x7001, b"x").unwrap().build(b"image", &mut [&mut key(&desk)]).unwrap();
    let mut bytes = package.bytes().to_vec();
    let at = bytes.windows(4).position(|window| window == [0x01, 0x70, 1, 0]).unwrap();
    (bytes[at], bytes[at + 1]) = (0x12, 0x80); // number 18
    desk.write("fw.lgu", &bytes);
    let reason = desk.run(&["inspect", "fw.lgu"]).bad(1);
    assert!(reason.contains("manifest element 18 is unknown to this device"), "{reason}");
}

#[test]
fn key_sets_in_front_are_counted_and_shown() {
    let desk = Desk::new();
    let package = desk.package();
    // A key set's prelude, a body of 127 bytes and signatures of 13: passed over by these lengths.
    let mut set = package[..16].to_vec();
    (set[9], set[12], set[13]) = (1, 127, 0);
    set.extend([0xAA; 127]);
    set.extend([13, 0]);
    set.extend([0xBB; 13]);
    desk.write("fw.lgu", &[&set[..], &set, &package].concat());
    let said = desk.run(&["inspect", "fw.lgu"]).good();
    assert!(said.contains("| 2 key sets | prelude |") && said.contains("| 316        | 16"), "{said}");
    let json: Value = serde_json::from_str(&desk.run(&["inspect", "fw.lgu", "--json"]).good()).unwrap();
    assert_eq!((&json["key_sets"], &json["package_size"]), (&2.into(), &(316 + package.len()).into()));
    // Devices that do not rotate keys pass them over, whatever they hold.
    assert!(said.contains("key set           MALFORMED, devices that rotate keys refuse it: "), "{said}");
    assert!(json["rotations"][1]["malformed"].is_string(), "{json}");
    desk.run(&["verify", "fw.lgu", "--key", "a.pem"]).good();
}

#[test]
fn a_broken_chain_is_in_the_json_too() {
    let desk = Desk::new();
    let package = desk.package();
    desk.write("fw.lgu", &package[..package.len() - 1]);
    let said = desk.run(&["inspect", "fw.lgu", "--json"]);
    assert_eq!(said.code, Some(1));
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["chain"], "truncated in block 2: 2810 bytes of 2811");
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 24, "{keys:?}");
}

#[test]
fn a_small_package_has_one_block_and_a_large_block_its_buffer() {
    let desk = Desk::new();
    desk.write("image.bin", b"x");
    desk.pack(&["--key", "a.pem", "--block-size", "65536"]).good();
    let said = desk.run(&["inspect", "fw.lgu"]).good();
    assert!(said.contains("| signatures | block 0 |\n"), "{said}");
    assert!(said.contains("blocks            1 of 65 536 bytes"), "{said}");
    assert!(said.contains("buffer needed     65 536 bytes"), "{said}");
    desk.run(&["verify", "fw.lgu", "--key", "a.pem"]).good();
}

#[test]
fn nobody_at_the_other_end_of_the_pipe_is_no_failure() {
    let desk = Desk::new();
    desk.package();
    for args in [&["inspect", "fw.lgu"][..], &["completions", "zsh"], &["verify", "fw.lgu", "--key", "a.pem"]] {
        let mut child = desk.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        desk::Said::from(child.wait_with_output().unwrap()).good();
    }
}

#[test]
fn every_shell_gets_its_completions() {
    let desk = Desk::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = desk.run(&["completions", shell]).good();
        for command in ["keygen", "keys", "rotate", "pack", "inspect", "verify", "factory", "completions"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
}
