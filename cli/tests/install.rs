//! `lockgate install`: files, forgeries, servers that drop, lie and vanish, and a tool that is killed.

mod bench;

use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bench::server::{Answer, Server};
use bench::{ends, events, image, text, Bench};
use lockgate::pack::{public_key_pem, Signer, SigningKey};

const SLOT_A: usize = 0x10_0000;
const SLOT_B: usize = 0x20_0000;

#[test]
fn a_package_from_a_file_is_in_the_other_slot() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 0), 3, 10_000));
    ends(bench.install("fw.lgu", &[]), 0, &["slot B", "version 1.0.0", "every one of them signed for"]);
    let flash = bench.flash();
    assert_eq!(flash.len(), 4 << 20);
    assert_eq!(flash[SLOT_B..][..10_000], image((1, 0), 10_000));

    // It runs once it was tried and confirmed; then the next one goes into slot A.
    bench.tried_and_confirmed();
    bench.file("next.lgu", &bench.package((1, 1), 3, 20_000));
    ends(bench.install("next.lgu", &[]), 0, &["slot B, version 1.0.0, security counter 3"]);
    assert_eq!(bench.flash()[SLOT_A..][..20_000], image((1, 1), 20_000));
    assert_eq!(bench.map()["boots"], "A");
    bench.tried_and_confirmed();
    ends(bench.install("next.lgu", &[]), 1, &["running already"]);
    ends(bench.install("fw.lgu", &[]), 1, &["version 1.0.0 is below the running 1.1.0"]);
}

#[test]
fn standard_input_is_a_transport() {
    let bench = Bench::new();
    let package = bench.file("fw.lgu", &bench.package((1, 0), 0, 5_000));
    let mut command = bench.install("-", &[]);
    command.stdin(fs::File::open(package).unwrap());
    ends(command, 0, &["image intact"]);
}

#[test]
fn a_link_that_stays_open_does_not_hold_it_up() {
    let bench = Bench::new();
    let package = bench.package((1, 0), 0, 5_000);
    let mut tool = bench.install("-", &[]).stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = tool.stdin.take().unwrap();
    pipe.write_all(&package).unwrap();
    let bound = Instant::now() + Duration::from_secs(20);
    while tool.try_wait().unwrap().is_none() {
        assert!(Instant::now() < bound, "it waits for more");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(tool.wait().unwrap().success());
}

#[test]
fn bytes_behind_the_package_are_refused() {
    let bench = Bench::new();
    let mut package = bench.package((1, 0), 0, 5_000);
    package.push(0);
    bench.file("fw.lgu", &package);
    ends(bench.install("fw.lgu", &[]), 1, &["bytes follow the last block"]);
}

#[test]
fn json_tells_every_step() {
    let bench = Bench::new();
    let package = bench.package((2, 0), 4, 100_000);
    bench.file("fw.lgu", &package);
    let events = events(&ends(bench.install("fw.lgu", &["--json"]), 0, &[]));
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds[..2], ["opened", "offered"]);
    assert_eq!(kinds.last(), Some(&"verified"));
    let progress: Vec<_> = events.iter().filter(|event| event["event"] == "progress").collect();
    assert!((15..=22).contains(&progress.len()), "{} progress events", progress.len());
    assert_eq!(progress.last().unwrap()["received"], package.len());
    assert_eq!(progress.last().unwrap()["written"], 100_000);
    let verified = events.last().unwrap();
    assert_eq!(verified["slot"], "B");
    assert_eq!(verified["security_counter"], 4);
    assert_eq!(verified["counters"]["unauthentic_bytes"], 0);
    assert!(verified["counters"]["bytes_programmed"].as_u64().unwrap() > 100_000);
    assert_eq!(verified["counters"]["sector_erases"], 26);
    assert_eq!(verified["counters"]["record_erases"], 1);
    assert_eq!(verified["activated"], true);
}

#[test]
fn what_is_refused_early_leaves_the_flash_as_it_was() {
    let bench = Bench::new();
    let good = bench.package((1, 0), 5, 9_000);
    let mut manifest = good.clone();
    manifest[40] ^= 1;
    bench.file("good.lgu", &good);
    bench.file("manifest.lgu", &manifest);
    bench.file("text.lgu", b"hello, this is not a package at all");
    let stranger = public_key_pem(&SigningKey::generate().public_key()).unwrap();
    bench.file("stranger.pem", stranger.as_bytes());

    let nothing = "nothing of it reached flash";
    ends(bench.install("manifest.lgu", &[]), 1, &["does not verify", nothing]);
    ends(bench.install("text.lgu", &[]), 1, &["not a lockgate package", nothing]);
    ends(bench.install("good.lgu", &["--security-counter", "6"]), 1, &["counter 5 is below the device's 6", nothing]);
    ends(bench.install("good.lgu", &["--component", "2"]), 1, &["component 0", nothing]);
    ends(bench.install("good.lgu", &["--block-buffer", "512"]), 1, &["blocks of 1024 bytes", nothing]);
    let two = ["--key", "stranger.pem", "--threshold", "2"];
    ends(bench.install("good.lgu", &two), 1, &["valid signatures by trusted keys: 1, needed: 2", nothing]);
    let older = ["--running-version", "1.0.1", "--security-counter", "5"];
    ends(bench.install("good.lgu", &older), 1, &["version 1.0.0 is below the running 1.0.1", nothing]);
    assert!(bench.flash().iter().all(|&byte| byte == 0xFF));
}

#[test]
fn a_forged_block_is_not_written_and_the_bytes_before_it_are_counted() {
    let bench = Bench::new();
    let mut package = bench.package((1, 0), 0, 40_000);
    let at = package.len() - 10_000;
    package[at] ^= 0x80;
    bench.file("fw.lgu", &package);
    let output = ends(bench.install("fw.lgu", &["--json"]), 1, &["is not the one that was signed", "signed for"]);
    let refused = events(&output).pop().unwrap();
    assert_eq!(refused["event"], "refused");
    assert_eq!(refused["counters"]["unauthentic_bytes"], 0);
    assert!(refused["counters"]["bytes_programmed"].as_u64().unwrap() > 20_000);
    assert_eq!(bench.map()["slots"][1]["intact"], false);
    assert_eq!(bench.map()["boots"], serde_json::Value::Null);
}

#[test]
fn mistakes_of_the_command_line_are_told_before_anything_is_made() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 0), 0, 5_000));
    ends(bench.install("none.lgu", &[]), 3, &["none.lgu"]);
    ends(bench.install("fw.lgu", &["--threshold", "2"]), 2, &["--threshold"]);
    ends(bench.install("fw.lgu", &["--block-buffer", "1000"]), 2, &["power of two"]);
    ends(bench.install("https://127.0.0.1:1/x", &["--ca", "fw.lgu"]), 2, &["fw.lgu"]);
    assert!(!bench.path("flash.bin").exists());
    bench.file("flash.bin", &[0xFF; 1000]);
    ends(bench.install("fw.lgu", &[]), 2, &["1000 bytes, but the flash of esp8266 has 4194304"]);
}

/// The package offset of the block that holds `offset`.
fn block_start(package: &[u8], offset: u64) -> u64 {
    let head = lockgate::pack::inspect(package).unwrap().head.len() as u64;
    head + (offset - head) / (1024 + 32) * (1024 + 32)
}

#[test]
fn a_dropped_connection_is_taken_up_where_it_ended() {
    let bench = Bench::new();
    let package = bench.package((1, 0), 0, 60_000);
    let server = Server::start(package.clone(), vec![Answer::Drop(20_000), Answer::Drop(25_000), Answer::Right]);
    let output = ends(bench.install(&server.url, &[]), 0, &["retry", "image intact"]);
    // From the first byte of the block under way: what came before a connection was lost proves nothing.
    let [None, Some(second), Some(third)] = server.asked()[..] else { panic!("{}", text(&output)) };
    assert_eq!(second, block_start(&package, 20_000));
    assert_eq!(third, block_start(&package, second + 25_000));
    assert_eq!(bench.flash()[SLOT_B..][..60_000], image((1, 0), 60_000));
}

#[test]
fn a_server_without_range_costs_time_and_nothing_else() {
    let bench = Bench::new();
    let package = bench.package((1, 0), 0, 60_000);
    let held = block_start(&package, 33_333);
    let server = Server::start(package, vec![Answer::Drop(33_333), Answer::IgnoreRange]);
    let output = ends(bench.install(&server.url, &["--json"]), 0, &[]);
    assert_eq!(server.asked(), [None, Some(held)]);
    let events = events(&output);
    let opened: Vec<_> = events.iter().filter(|event| event["event"] == "opened").collect();
    assert_eq!(opened[1]["offset"], 0);
    assert_eq!(opened[1]["position"], held);
    // Each sector was erased once: nothing was written a second time.
    assert_eq!(events.last().unwrap()["counters"]["sector_erases"], 16);
    assert_eq!(bench.flash()[SLOT_B..][..60_000], image((1, 0), 60_000));
}

#[test]
fn a_forged_block_from_a_server_is_asked_for_again() {
    let bench = Bench::new();
    let package = bench.package((1, 0), 0, 30_000);
    let mut forged = package.clone();
    forged[15_000] ^= 1;
    let server = Server::start(package, vec![Answer::Instead(forged), Answer::Right]);
    ends(
        bench.install(&server.url, &[]),
        0,
        &["retry", "is not the one that was signed", "every one of them signed for"],
    );
    let second = server.asked()[1].unwrap();
    assert!((13_000..=15_000).contains(&second), "asked again from {second}");
    assert_eq!(bench.flash()[SLOT_B..][..30_000], image((1, 0), 30_000));
}

#[test]
fn a_server_that_lies_about_ranges_is_noticed() {
    let bench = Bench::new();
    let package = bench.package((1, 0), 0, 30_000);
    for range in ["bytes 5-9/10", "bytes */30000", "pages 1-2/3"] {
        let server = Server::start(package.clone(), vec![Answer::Drop(9_000), Answer::ContentRange(range)]);
        ends(bench.install(&server.url, &[]), 3, &["asked for the bytes from 8", range]);
    }
}

#[test]
fn servers_that_do_not_have_it_are_not_asked_twice() {
    let bench = Bench::new();
    let server = Server::start(Vec::new(), vec![Answer::Status("404 Not Found")]);
    ends(bench.install(&server.url, &[]), 3, &["404 Not Found", "nothing of it reached flash"]);
    assert_eq!(server.asked().len(), 1);
    let server = Server::start(b"<html>sign in to the wireless network</html>".to_vec(), vec![Answer::Right]);
    ends(bench.install(&server.url, &[]), 1, &["not a lockgate package"]);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn servers_in_trouble_are_asked_again_and_then_given_up() {
    let bench = Bench::new();
    let package = bench.package((1, 0), 0, 9_000);
    let busy = Answer::Status("503 Service Unavailable");
    let server = Server::start(package.clone(), vec![busy.clone(), Answer::Garbage, Answer::Right]);
    ends(bench.install(&server.url, &[]), 0, &["retry", "image intact"]);
    fs::remove_file(bench.path("flash.bin")).unwrap();
    let server = Server::start(package, vec![busy]);
    ends(bench.install(&server.url, &["--retries", "1"]), 3, &["503 Service Unavailable"]);
    assert_eq!(server.asked().len(), 2);
    ends(bench.install("http://127.0.0.1:1/fw.lgu", &["--retries", "0"]), 3, &["nothing of it reached flash"]);
}

#[test]
fn a_package_that_the_server_has_not_wholly_is_refused_in_bounded_time() {
    let bench = Bench::new();
    let mut package = bench.package((1, 0), 0, 30_000);
    package.truncate(20_000);
    let server = Server::start(package, vec![Answer::Right]);
    let mut command = bench.install(&server.url, &[]);
    let output = command.output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output).contains("reached flash"), "{}", text(&output));
    assert!(server.asked().len() <= 5);
}

#[test]
fn a_killed_install_leaves_a_flash_that_the_next_one_completes_on() {
    let bench = Bench::new();
    bench.file("old.lgu", &bench.package((1, 0), 0, 30_000));
    ends(bench.install("old.lgu", &[]), 0, &["slot B"]);
    bench.tried_and_confirmed();
    let package = bench.package((1, 1), 0, 200_000);
    bench.file("new.lgu", &package);

    let mut killed = bench.install("-", &[]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut pipe = killed.stdin.take().unwrap();
    pipe.write_all(&package[..120_000]).unwrap();
    // The pipe stays open: the tool waits for the rest, as a device does.
    let bound = Instant::now() + Duration::from_secs(20);
    while bench.flash()[SLOT_A + 100_000] == 0xFF && bench.flash()[SLOT_A + 100_001] == 0xFF {
        assert!(Instant::now() < bound, "nothing is written");
        std::thread::sleep(Duration::from_millis(20));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();

    let map = bench.map();
    assert_eq!(map["boots"], "B", "the old image is still there");
    assert_eq!(map["slots"][0]["intact"], false);
    ends(bench.install("new.lgu", &[]), 0, &["slot B, version 1.0.0", "resumed", "version 1.1.0"]);
    let map = bench.map();
    assert_eq!(map["boots"], "A");
    assert_eq!(map["slots"][0]["version"], "1.1.0");
    assert_eq!(bench.flash()[SLOT_A..][..200_000], image((1, 1), 200_000));
}

#[test]
fn every_board_can_be_installed_to() {
    for geometry in lockgate::geometry::ALL {
        let bench = Bench::new();
        bench.file("fw.lgu", &bench.package((1, 0), 0, 20_001));
        let mut command = bench.lockgate(&["install", "fw.lgu", "--flash", "flash.bin", "--geometry", geometry.name()]);
        command.args(["--key", "key.pem", "--vendor", bench::VENDOR, "--class", bench::CLASS]);
        // Where images run in place, one that does not say for which slot it is linked is refused.
        match geometry.name() {
            "stm32h743" => ends(command, 1, &["names no load address", "pack with --load-address 0x080a0000"]),
            _ => ends(command, 0, &["slot B", "image intact", "every one of them signed for"]),
        };
    }
}

#[test]
fn after_a_power_cut_the_rest_is_asked_for_and_nothing_else() {
    let bench = Bench::new();
    let package = bench.package((1, 0), 0, 60_000);
    let server = Server::start(package.clone(), vec![Answer::Right]);
    ends(bench.install(&server.url, &["--cut-after", "9000"]), 4, &["power cut: flash.bin", "slot B"]);
    let cut = bench.flash();
    let output = ends(bench.install(&server.url, &["--json"]), 0, &[]);
    let resumed = events(&output).into_iter().find(|event| event["event"] == "resumed").unwrap();
    let position = resumed["position"].as_u64().unwrap();
    assert_eq!(server.asked(), [None, None, Some(position)]);
    assert_eq!(position, block_start(&package, position));
    let head = lockgate::pack::inspect(&package).unwrap().head.len() as u64;
    assert_eq!(resumed["bytes_not_sent_again"], position - head);
    assert!(position > 30_000, "{resumed}");
    assert_eq!(bench.flash()[SLOT_B..][..60_000], image((1, 0), 60_000));

    // A server without Range, and standard input: what is there is passed over.
    bench.file("flash.bin", &cut);
    let server = Server::start(package.clone(), vec![Answer::IgnoreRange]);
    ends(bench.install(&server.url, &[]), 0, &["resumed", "starts again at byte 0", "image intact"]);
    assert_eq!(server.asked(), [None, Some(position)]);
    bench.file("flash.bin", &cut);
    let mut command = bench.install("-", &[]);
    command.stdin(fs::File::open(bench.file("fw.lgu", &package)).unwrap());
    ends(command, 0, &["resumed", "sent again and passed over", "every one of them signed for"]);

    // A block that is forged behind the checkpoint is refused as any other.
    bench.file("flash.bin", &cut);
    let mut forged = package;
    forged[50_000] ^= 1;
    bench.file("forged.lgu", &forged);
    ends(bench.install("forged.lgu", &[]), 1, &["resumed", "is not the one that was signed", "signed for"]);
}
