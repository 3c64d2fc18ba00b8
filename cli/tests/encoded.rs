//! Compressed and delta packages through the tool: made, chosen by an index, installed, cut, refused.

mod bench;

use std::fs;

use bench::server::{Answer, Server};
use bench::{ends, events, image, text, Bench, CLASS, VENDOR};
use lockgate::pack::SigningKey;

const SLOT_B: usize = 0x20_0000;
const SIZE: usize = 30_000;

/// A bench whose flash runs `old.bin` from slot A, as a factory left it; `new.bin` is next, `other.bin` runs elsewhere.
fn ready() -> Bench {
    let bench = Bench::new();
    let key = SigningKey::generate();
    bench.file("private.pem", key.to_pem().as_ref().as_bytes());
    bench.file("key.pem", key.to_pem().as_ref().as_bytes());
    let old = image((1, 0), SIZE);
    let mut new = old.clone();
    new[10_000] ^= 1;
    new.splice(20_000..20_000, [7; 50]);
    bench.file("old.bin", &old);
    bench.file("new.bin", &new);
    bench.file("other.bin", &image((9, 9), SIZE));
    pack(&bench, &["old.bin", "-o", "old.lgu"], "1.1.0");
    let mut factory = bench.lockgate(&["factory", "old.lgu", "--geometry", "esp8266", "--key", "key.pem"]);
    factory.args(["-o", "flash.bin"]);
    ends(factory, 0, &[]);
    bench
}

fn pack(bench: &Bench, args: &[&str], version: &str) -> String {
    let mut command = bench.lockgate(&["pack", "--key", "private.pem", "--security-counter", "3"]);
    command.args(["--vendor", VENDOR, "--class", CLASS, "--version", version]).args(args);
    text(&ends(command, 0, &[]))
}

fn read(bench: &Bench, name: &str) -> Vec<u8> {
    fs::read(bench.path(name)).unwrap()
}

/// Slot B holds `new.bin`.
fn installed(bench: &Bench) -> bool {
    let new = read(bench, "new.bin");
    bench.flash()[SLOT_B..][..new.len()] == new
}

#[test]
fn a_delta_is_installed_tried_and_confirmed() {
    let bench = ready();
    pack(&bench, &["new.bin", "--base", "old.bin", "-o", "fw.lgu"], "1.2.3");
    let size = read(&bench, "fw.lgu").len();
    assert!(size < 1000, "{size}");
    let output = ends(bench.install("fw.lgu", &["--json"]), 0, &[]);
    let events = events(&output);
    assert_eq!(events[1]["encoding"]["name"], "delta");
    assert_eq!(events[1]["image_size"], SIZE + 50);
    let progress = events.iter().rfind(|event| event["event"] == "progress").unwrap();
    assert_eq!(
        (progress["received"].as_u64(), progress["written"].as_u64()),
        (Some(size as u64), Some(SIZE as u64 + 50))
    );
    assert_eq!(events.last().unwrap()["counters"]["unauthentic_bytes"], 0);
    assert!(installed(&bench));
    bench.tried_and_confirmed();
    assert_eq!(bench.map()["boots"], "B");
    ends(bench.install("fw.lgu", &[]), 1, &["running already"]);
}

#[test]
fn after_a_power_cut_it_is_decoded_again_and_not_written_twice() {
    for how in ["heatshrink", "none"] {
        let bench = ready();
        pack(&bench, &["new.bin", "--base", "old.bin", "--compress", how, "-o", "fw.lgu"], "1.2.3");
        ends(bench.install("fw.lgu", &["--cut-after", "5000"]), 4, &["power cut", "every one of them signed for"]);
        let says = ["bytes of the image are in the slot, the payload is decoded again", "every one of them signed for"];
        ends(bench.install("fw.lgu", &[]), 0, &says);
        assert!(installed(&bench));
    }
}

#[test]
fn what_does_not_fit_the_device_is_refused_before_the_first_erase() {
    let bench = ready();
    pack(&bench, &["new.bin", "--base", "old.bin", "-o", "fw.lgu"], "1.2.3");
    pack(&bench, &["new.bin", "--base", "other.bin", "-o", "other.lgu"], "1.2.3");
    pack(&bench, &["new.bin", "--compress", "heatshrink:11,4", "-o", "window.lgu"], "1.2.3");
    let before = bench.flash();
    let nothing = "nothing of it reached flash";
    ends(bench.install("other.lgu", &[]), 1, &["a delta of image", "fetch the whole image", nothing]);
    ends(bench.install("window.lgu", &["--workspace", "512"]), 1, &["window has 2048 bytes", nothing]);
    ends(bench.install("fw.lgu", &["--workspace", "0"]), 1, &["no decoder", nothing]);
    assert!(bench.flash() == before);
    ends(bench.install("window.lgu", &["--workspace", "2304"]), 0, &["compressed to", "every one of them signed for"]);
    assert!(installed(&bench));
}

#[test]
fn a_link_that_drops_and_a_forged_block_do_not_spoil_it() {
    let bench = ready();
    pack(&bench, &["new.bin", "--base", "old.bin", "--compress", "none", "-o", "fw.lgu"], "1.2.3");
    let package = read(&bench, "fw.lgu");
    let before = bench.flash();
    let server = Server::start(package.clone(), vec![Answer::Drop(9_000), Answer::Right]);
    ends(bench.install(&server.url, &[]), 0, &["retry", "every one of them signed for"]);
    assert!(installed(&bench));

    bench.file("flash.bin", &before);
    let mut forged = package.clone();
    forged[15_000] ^= 1;
    bench.file("fw.lgu", &forged);
    ends(bench.install("fw.lgu", &[]), 1, &["is not the one that was signed", "every one of them signed for"]);
    bench.file("fw.lgu", &package);
    ends(bench.install("fw.lgu", &[]), 0, &["resumed", "every one of them signed for"]);
    assert!(installed(&bench));
}

#[test]
fn an_index_leads_each_device_to_its_package() {
    let bench = ready();
    let said = pack(&bench, &["new.bin", "--base", "old.lgu", "--base", "other.bin", "-o", "fw-1.2.3.lgu"], "1.2.3");
    assert!(said.contains("fw-1.2.3.lgi"), "{said}");
    let index = String::from_utf8(read(&bench, "fw-1.2.3.lgi")).unwrap();
    let lines: Vec<Vec<&str>> = index.lines().map(|line| line.split(' ').collect()).collect();
    assert_eq!(lines[0], ["lockgate", "index", "1"]);
    assert_eq!(lines[1][..4], ["image", "1.2.3", "3", "30050"]);
    assert_eq!(lines.len(), 5);
    for line in &lines[2..] {
        assert_eq!(read(&bench, line[4]).len().to_string(), line[2], "{line:?}");
    }
    assert_eq!((lines[4][1], lines[4][3], lines[4][4]), ("*", "0", "fw-1.2.3.lgu"));
    assert!(lines[2..4].iter().any(|line| line[4] == "fw-1.2.3-from-1.1.0.lgu"));

    let before = bench.flash();
    ends(bench.install("fw-1.2.3.lgi", &[]), 0, &["fw-1.2.3-from-1.1.0.lgu", "as a delta of"]);
    assert!(installed(&bench));
    // No room for a window: the package for everybody.
    bench.file("flash.bin", &before);
    ends(bench.install("fw-1.2.3.lgi", &["--workspace", "256"]), 0, &[" fw-1.2.3.lgu"]);
    assert!(installed(&bench));
    // A forged index costs a refusal.
    bench.file("flash.bin", &before);
    let forged = index.replace(lines[2][1], &"0".repeat(64)).replace(lines[3][1], lines[2][1]);
    bench.file("forged.lgi", forged.as_bytes());
    let said = ends(bench.install("forged.lgi", &[]), i32::from(lines[2][4].contains("1.1.0")), &[]);
    assert!(!text(&said).contains("SIGNED FOR BY NOBODY"));
    bench.file("broken.lgi", b"lockgate index 1\nnothing\n");
    ends(bench.install("broken.lgi", &[]), 1, &["broken.lgi: line 2 is none of an image"]);
    let none: String = index.lines().take(2).map(|line| format!("{line}\n")).collect();
    bench.file("none.lgi", format!("{none}package {} 9 512 fw.lgu\n", "a".repeat(64)).as_bytes());
    ends(bench.install("none.lgi", &[]), 1, &["none.lgi: it lists no package for this device"]);
}

#[test]
fn a_set_is_written_whole_or_not_at_all() {
    let bench = ready();
    let names = || {
        let mut names: Vec<_> = fs::read_dir(bench.home()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let run = |args: &[&str]| {
        let mut command = bench.lockgate(&["pack", "new.bin", "--key", "private.pem", "--security-counter", "3"]);
        command.args(["--vendor", VENDOR, "--class", CLASS, "--version", "1.2.3"]).args(args);
        command
    };
    ends(run(&["--base", "old.bin", "--base", "missing.bin", "-o", "fw.lgu"]), 3, &["missing.bin"]);
    ends(run(&["--base", "old.bin", "--base", "new.bin", "-o", "fw.lgu"]), 1, &["identical to the base new.bin"]);
    ends(run(&["--base", "old.bin", "--base", "old.lgu", "-o", "fw.lgu"]), 2, &["the same image as the base old.bin"]);
    ends(run(&["--base", "old.bin", "--base", "other.bin", "-o", "nowhere/fw.lgu"]), 3, &["no directory nowhere"]);
    ends(run(&["--base", "old.bin", "--base", "other.bin", "-o", "fw.lgi"]), 2, &["--output"]);
    assert_eq!(names(), before);

    // Auto: a base that does not help has no package of its own.
    let set = ["--base", "old.bin", "--base", "other.bin", "--encoding", "auto", "-o", "fw.lgu", "--json"];
    let said: serde_json::Value = serde_json::from_str(&text(&ends(run(&set), 0, &[]))).unwrap();
    let packages = said["packages"].as_array().unwrap();
    assert_eq!(packages.len(), 2);
    assert_eq!(packages[0]["encoding"]["name"], "delta");
    assert_eq!(packages[1]["encoding"], "raw");
    assert_eq!(packages[0]["sizes"].as_array().unwrap().len(), 4);
    // What was there is replaced, and that is said.
    let said: serde_json::Value = serde_json::from_str(&text(&ends(run(&set), 0, &[]))).unwrap();
    assert!(said["packages"].as_array().unwrap().iter().all(|package| package["replaced"] == true));
}

#[test]
fn a_payload_comes_out_as_it_went_in() {
    let bench = ready();
    pack(&bench, &["new.bin", "-o", "raw.lgu"], "1.2.3");
    ends(bench.lockgate(&["inspect", "raw.lgu", "--payload", "raw.out"]), 0, &[]);
    assert_eq!(read(&bench, "raw.out"), read(&bench, "new.bin"));
    pack(&bench, &["new.bin", "--base", "old.bin", "-o", "delta.lgu"], "1.2.3");
    ends(bench.lockgate(&["inspect", "delta.lgu", "--payload", "fw.patch"]), 0, &["only --base can tell"]);
    pack(&bench, &["--patch", "fw.patch", "--base", "old.bin", "-o", "again.lgu"], "1.2.3");
    let payload = |name: &str| {
        let output = ends(bench.lockgate(&["inspect", name, "--base", "old.lgu", "--json"]), 0, &[]);
        serde_json::from_str::<serde_json::Value>(&text(&output)).unwrap()["first_block_hash"].clone()
    };
    assert_eq!(payload("delta.lgu"), payload("again.lgu"));
}
