//! Power cuts on purpose, and the trial of an image: what a flash file lives through from one command to the next.

mod bench;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use bench::{ends, events, image, text, Bench};
use serde_json::Value;

const OUTCOMES: [&str; 4] = ["nothing", "prefix", "subset", "all"];
const OLD: usize = 9_000;
const NEW: usize = 21_000;

/// Small chips, so that many lives fit into a test: slots are selected, or exchanged.
const SELECT: &str = r#"
name = "select"
[flash]
write_unit = 8
sectors = [{ count = 80, size = 0x400 }]
[layout]
records = "0..0x1000"
slot_a = "0x1000..0x8000"
slot_b = "0x8000..0xF000"
"#;
const SWAP: &str = r#"
name = "swap"
[flash]
write_unit = 4
sectors = [{ count = 80, size = 0x400 }]
[layout]
records = "0..0x1000"
slot_a = "0x1000..0x8000"
slot_b = "0x8000..0xF000"
swap = "0xF000..0xF400"
"#;

/// A bench with a board, and a device from its factory in `flash.bin`: version 1.0.0, counter 3, in slot A. `new.lgu` is
/// version 1.1.0, counter 4.
struct Device {
    bench: Bench,
    factory: Vec<u8>,
}

impl Device {
    fn new(board: &str) -> Self {
        let bench = Bench::new();
        bench.file("board.toml", (board.to_string() + RUNS_ANYWHERE).as_bytes());
        bench.file("old.lgu", &bench.package((1, 0), 3, OLD));
        bench.file("new.lgu", &bench.package((1, 1), 4, NEW));
        let factory = ["factory", "old.lgu", "--geometry", "board.toml", "--key", "key.pem", "-o", "flash.bin"];
        ends(bench.lockgate(&factory), 0, &[]);
        let factory = bench.flash();
        Self { bench, factory }
    }

    fn reset_to_factory(&self) {
        self.bench.file("flash.bin", &self.factory);
    }

    fn run(&self, command: &[&str], more: &[&str]) -> Command {
        let mut command = self.bench.lockgate(command);
        command.args(["--flash", "flash.bin", "--geometry", "board.toml"]).args(more);
        command
    }

    fn install(&self, package: &str, more: &[&str]) -> Command {
        let mut command = self.run(&["install", package, "--key", "key.pem"], more);
        command.args(["--vendor", bench::VENDOR, "--class", bench::CLASS]);
        command
    }

    /// The events of an install that ends with `code`.
    #[track_caller]
    fn installs(&self, package: &str, code: i32, more: &[&str]) -> Vec<Value> {
        events(&ends(self.install(package, &[more, &["--json"]].concat()), code, &[]))
    }

    /// What the boot stage says, if it starts an image.
    #[track_caller]
    fn boots(&self) -> Value {
        serde_json::from_slice(&ends(self.run(&["boot"], &["--json"]), 0, &[]).stdout).unwrap()
    }

    /// The boot stage starts `slot`, for this reason.
    #[track_caller]
    fn starts(&self, slot: &str, why: &str) -> Value {
        let started = self.boots();
        assert_eq!((&started["slot"], &started["why"]["reason"]), (&slot.into(), &why.into()), "{started}");
        started
    }

    /// The records, as `map` shows them.
    #[track_caller]
    fn records(&self) -> Value {
        let output = ends(self.run(&["map"], &["--key", "key.pem", "--json"]), 0, &[]);
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["records"].take()
    }

    /// The slot that holds version 1.1.0 when it runs: with a swap, slot A.
    fn new_runs_in(&self) -> &'static str {
        let swap = fs::read_to_string(self.bench.path("board.toml")).unwrap().contains("swap =");
        if swap {
            "A"
        } else {
            "B"
        }
    }

    fn slot(&self, slot: &str) -> Vec<u8> {
        let start = if slot == "A" { 0x1000 } else { 0x8000 };
        self.bench.flash()[start..start + 0x7000].to_vec()
    }
}

/// Images of these tests name no load address.
const RUNS_ANYWHERE: &str = "runs_at = [0x0, 0x0]\n";

fn steps(events: &[Value]) -> u64 {
    events.last().unwrap()["counters"]["steps"].as_u64().unwrap()
}

/// Steps to cut at: dense at both ends, where records are written, thin between.
fn steps_of(total: u64, dense: u64, thin: u64) -> Vec<u64> {
    (0..total).filter(|step| *step < dense || step + dense >= total || step % thin == 0).collect()
}

#[test]
fn an_install_cut_anywhere_is_finished_by_the_same_command() {
    for board in [SELECT, SWAP] {
        let device = Device::new(board);
        let total = steps(&device.installs("new.lgu", 0, &[]));
        let (mut resumed, mut waited) = (0, 0);
        for (index, step) in steps_of(total, 14, total / 18).into_iter().enumerate() {
            device.reset_to_factory();
            let old = device.slot("A");
            let outcome = OUTCOMES[index % 4];
            let number = step.to_string();
            let cut = ["--cut-after", &number, "--cut-outcome", outcome];
            let says = [format!("power cut: flash.bin: in flash step {step}, in a"), "same command".into()];
            ends(device.install("new.lgu", &cut), 4, &says.each_ref().map(String::as_str));
            assert!(device.slot("A") == old, "the image that runs is touched by a cut in step {step}, {outcome}");
            if index % 3 == 0 && device.records()["state"]["phase"] != "pending" {
                device.starts("A", "confirmed");
            }

            let events = device.installs("new.lgu", 0, &[]);
            let told = |kind: &str| events.iter().find(|event| event["event"] == kind);
            if let Some(event) = told("resumed") {
                resumed += 1;
                assert!(event["bytes_not_sent_again"].as_u64().unwrap() >= 8192, "{event}");
                let opened: Vec<_> = events.iter().filter(|event| event["event"] == "opened").collect();
                assert_eq!(opened[1]["offset"], event["position"]);
            }
            waited += u32::from(told("staged").is_some() || told("pending").is_some());
            assert_eq!(events.last().unwrap()["counters"]["unauthentic_bytes"], 0);
            assert_eq!(device.slot("B")[..NEW], image((1, 1), NEW), "step {step}, {outcome}");
            let started = device.starts(device.new_runs_in(), "trial");
            assert_eq!(started["why"]["attempt"], 1, "step {step}, {outcome}");
        }
        assert!(resumed >= 8 && waited >= 8, "{resumed} resumed, {waited} waited");
    }
}

#[test]
fn cuts_one_after_the_other_cost_time_and_nothing_else() {
    let device = Device::new(SELECT);
    let mut runs = 0;
    loop {
        let output = device.install("new.lgu", &["--cut-after", "1400", "--json"]).output().unwrap();
        runs += 1;
        match output.status.code() {
            Some(4) => assert!(runs < 10, "no progress: {}", text(&output)),
            code => break assert_eq!(code, Some(0), "{}", text(&output)),
        }
    }
    assert!(runs > 2);
    device.starts("B", "trial");
}

#[test]
fn a_cut_says_where_and_during_what() {
    let device = Device::new(SELECT);
    let events = device.installs("new.lgu", 4, &["--cut-after", "0"]);
    let cut = events.last().unwrap();
    assert_eq!(cut["event"], "power_cut");
    assert_eq!((&cut["step"], &cut["during"], &cut["place"]), (&0.into(), &"write".into(), &"the records".into()));
    device.reset_to_factory();
    let mut places = Vec::new();
    for step in 0..120 {
        let events = device.installs("new.lgu", 4, &["--cut-after", &step.to_string(), "--cut-outcome", "nothing"]);
        let cut = events.last().unwrap();
        let place = format!("{} {}", cut["during"].as_str().unwrap(), cut["place"].as_str().unwrap());
        if places.last() != Some(&place) {
            places.push(place);
        }
        device.reset_to_factory();
    }
    assert_eq!(places, ["write the records", "erase slot B", "write slot B's trailer", "erase slot B", "write slot B"]);
    // A cut that is never reached is said to be none.
    ends(device.install("new.lgu", &["--cut-after", "99999"]), 0, &["cut        not reached: it took"]);
    ends(device.install("new.lgu", &["--cut-outcome", "all"]), 2, &["--cut-after"]);
}

#[test]
fn an_image_that_waits_is_not_sent_again() {
    let device = Device::new(SELECT);
    let events = device.installs("new.lgu", 0, &["--no-activate"]);
    assert_eq!(events.last().unwrap()["activated"], false);
    assert_eq!(device.records()["state"]["phase"], "receiving");
    device.starts("A", "confirmed");
    // Its receipt was lost with the command: it is made again from the slot.
    let says = ["staged", "0 sectors erased, 0 bytes programmed", "starts slot B on trial"];
    ends(device.install("new.lgu", &[]), 0, &says);
    ends(device.install("new.lgu", &[]), 0, &["the image is verified in slot B and activated"]);
    // Another package is another update.
    device.bench.file("newer.lgu", &device.bench.package((1, 2), 4, NEW));
    ends(device.install("newer.lgu", &[]), 0, &["version 1.2.0", "22 sectors erased"]);
    // A slot that was spoilt meanwhile does not wait.
    let mut flash = device.bench.flash();
    flash[0x8000 + 100] ^= 1;
    device.bench.file("flash.bin", &flash);
    ends(device.install("newer.lgu", &[]), 0, &["offered", "image intact"]);
    device.starts("B", "trial");
}

#[test]
fn three_attempts_then_the_old_image_and_never_again() {
    for board in [SELECT, SWAP] {
        let device = Device::new(board);
        let new = device.new_runs_in();
        device.installs("new.lgu", 0, &[]);
        for attempt in 1..=3 {
            let started = device.starts(new, "trial");
            assert_eq!((&started["why"]["attempt"], &started["watchdog"]), (&attempt.into(), &true.into()));
            ends(device.install("new.lgu", &[]), 1, &["on trial", "lockgate confirm"]);
        }
        ends(device.run(&["boot"], &[]), 0, &["slot A", "version 1.0.0", "reverted: not confirmed in its attempts"]);
        let state = device.records()["state"].take();
        assert_eq!((&state["confirmed"], &state["security_counter"]), (&"A".into(), &3.into()));
        assert_eq!(state["reverted"], "not confirmed in its attempts");
        assert!(state["failed_image"].is_string());
        ends(device.install("new.lgu", &[]), 1, &["failed on this device before", "nothing of it reached flash"]);
        assert_eq!(device.slot("A")[..OLD], image((1, 0), OLD));
    }
}

#[test]
fn confirm_keeps_an_image_and_moves_the_counter() {
    for board in [SELECT, SWAP] {
        let device = Device::new(board);
        let new = device.new_runs_in();
        // Before its trial there is nothing to confirm.
        device.installs("new.lgu", 0, &[]);
        ends(device.run(&["confirm"], &[]), 0, &["slot A, security counter 3, nothing is on trial", "lockgate boot"]);
        device.starts(new, "trial");
        ends(device.run(&["confirm"], &[]), 0, &[&format!("confirmed  slot {new}, security counter 4, it was 3")]);
        ends(device.run(&["confirm"], &[]), 0, &["nothing is on trial", "not changed"]);
        device.starts(new, "confirmed");
        ends(device.install("old.lgu", &[]), 1, &["security counter 3 is below the device's 4"]);
        ends(device.run(&["reject"], &[]), 1, &["no image is on trial"]);
        device.starts(new, "confirmed");
    }
}

#[test]
fn reject_takes_the_old_image_back() {
    for board in [SELECT, SWAP] {
        let device = Device::new(board);
        device.installs("new.lgu", 0, &[]);
        device.starts(device.new_runs_in(), "trial");
        ends(device.run(&["reject"], &[]), 0, &["rejected", "the next boot goes back"]);
        ends(device.run(&["confirm"], &[]), 1, &["it was given up"]);
        assert_eq!(device.starts("A", "reverted")["why"]["because"], "the application asked to go back");
        ends(device.install("new.lgu", &[]), 1, &["failed on this device before"]);
    }
}

#[test]
fn a_boot_cut_anywhere_goes_on_at_the_next_one() {
    for (board, thin) in [(SELECT, 5), (SWAP, 900)] {
        let device = Device::new(board);
        let new = device.new_runs_in();
        device.installs("new.lgu", 0, &[]);
        let pending = device.bench.flash();
        let mut phases = BTreeSet::new();
        let total = device.starts(new, "trial")["counters"]["steps"].as_u64().unwrap();
        for (index, step) in steps_of(total, 6, thin).into_iter().enumerate() {
            device.bench.file("flash.bin", &pending);
            let step = step.to_string();
            let cut = ["--cut-after", &step, "--cut-outcome", OUTCOMES[index % 4]];
            ends(device.run(&["boot"], &cut), 4, &["power cut: flash.bin: in flash step", "goes on from there"]);
            phases.insert(device.records()["state"]["phase"].to_string());
            let started = device.starts(new, "trial");
            assert!(started["why"]["attempt"].as_u64().unwrap() <= 2, "{started}");
            assert_eq!(device.slot(new)[..NEW], image((1, 1), NEW), "step {step}");
        }
        assert!(phases.contains("\"pending\"") && phases.contains("\"swapping\"") == (board == SWAP), "{phases:?}");
        // Each cut of a confirmation leaves it confirmed or not.
        let trial = device.bench.flash();
        for step in 0..40 {
            device.bench.file("flash.bin", &trial);
            let step = step.to_string();
            let output = device.run(&["confirm"], &["--cut-after", &step]).output().unwrap();
            let code = output.status.code();
            assert!(matches!(code, Some(0 | 4)), "{}", text(&output));
            ends(device.run(&["confirm"], &[]), 0, &["security counter 4"]);
            device.starts(new, "confirmed");
            if code == Some(0) {
                break;
            }
        }
    }
}

#[test]
fn signatures_are_asked_for_when_they_are_wanted() {
    let device = Device::new(SELECT);
    let signed = ["--signatures", "--key", "key.pem"];
    ends(device.run(&["boot"], &signed), 0, &["slot A", "confirmed"]);
    // Someone with a programmer changes the signature in slot A's trailer.
    let mut flash = device.bench.flash();
    let head = lockgate::pack::inspect(&fs::read(device.bench.path("old.lgu")).unwrap()).unwrap().head.len();
    flash[0x8000 - 1024 + head - 1] ^= 1;
    device.bench.file("flash.bin", &flash);
    ends(device.run(&["boot"], &[]), 0, &["slot A"]);
    ends(device.run(&["boot"], &signed), 1, &["no slot holds an image that verifies"]);
    ends(device.run(&["boot"], &["--signatures"]), 2, &["--key"]);
    let other = ["--class", bench::VENDOR];
    ends(device.run(&["boot"], &other), 1, &["no slot holds an image that verifies"]);
}

#[test]
fn what_cannot_start_says_so() {
    let device = Device::new(SELECT);
    device.bench.file("flash.bin", &[0xFF; 80 << 10]);
    ends(device.run(&["boot"], &[]), 1, &["flash.bin: no slot holds an image that verifies"]);
    fs::remove_file(device.bench.path("flash.bin")).unwrap();
    for command in ["boot", "confirm", "reject"] {
        ends(device.run(&[command], &[]), 3, &["flash.bin"]);
        assert!(!device.bench.path("flash.bin").exists(), "{command} makes no flash");
    }
}
