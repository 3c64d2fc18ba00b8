//! `lockgate demo`: every expectation holds, and what it leaves behind is what it said.

mod bench;

use bench::{ends, text, Bench};

#[test]
fn seven_of_seven_are_refused_and_the_story_ends_as_it_must() {
    let bench = Bench::new();
    let says = ["7 of 7 refused", "UnknownIssuer", "power cut  in flash step", "are not sent again", "trial 1 of 3"];
    let output = ends(bench.lockgate(&["demo", "--dir", "out"]), 0, &says);
    assert!(!text(&output).contains("NO"), "{}", text(&output));
    let mut map = bench.lockgate(&["map", "out/flash.bin", "--geometry", "esp8266", "--key", "out/vendor.pub.pem"]);
    map.arg("--json");
    let map: serde_json::Value = serde_json::from_slice(&ends(map, 0, &[]).stdout).unwrap();
    assert_eq!(map["boots"], "A");
    assert_eq!(map["slots"][0]["version"], "1.5.0");
    assert_eq!(map["slots"][1]["version"], "1.6.0");
    let state = &map["records"]["state"];
    assert_eq!(state["confirmed"], "A");
    assert_eq!(state["security_counter"], 8);
    assert_eq!(state["reverted"], "not confirmed in its attempts");
    // A second run in the same place, with the same key.
    let key = std::fs::read(bench.path("out/vendor.pem")).unwrap();
    ends(bench.lockgate(&["demo", "--dir", "out"]), 0, &["7 of 7 refused"]);
    assert_eq!(std::fs::read(bench.path("out/vendor.pem")).unwrap(), key);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = bench.path("out/vendor.pem").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "the key is its owner's alone");
    }
}

#[test]
fn any_image_will_do() {
    let bench = Bench::new();
    for size in [4096, 4097, 100_000] {
        bench.file("image.bin", &bench::image((3, 0), size));
        let says = ["7 of 7 refused", "every line of it went as it must"];
        ends(bench.lockgate(&["demo", "--image", "image.bin"]), 0, &says);
    }
    bench.file("image.bin", &[1; 100]);
    ends(bench.lockgate(&["demo", "--image", "image.bin"]), 2, &["4096 or more"]);
    bench.file("image.bin", &vec![1; 1 << 20]);
    ends(bench.lockgate(&["demo", "--image", "image.bin"]), 1, &["the slot holds"]);
}
