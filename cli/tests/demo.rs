//! `lockgate demo`: every expectation holds, and what it leaves behind is what it said.

mod bench;

use bench::{ends, text, Bench};

#[test]
fn seven_of_seven_are_refused() {
    let bench = Bench::new();
    let output = ends(bench.lockgate(&["demo", "--dir", "out"]), 0, &["7 of 7 refused", "UnknownIssuer"]);
    assert!(!text(&output).contains("NO"), "{}", text(&output));
    let mut map = bench.lockgate(&["map", "out/flash.bin", "--geometry", "esp8266", "--key", "out/vendor.pub.pem"]);
    map.arg("--json");
    let map: serde_json::Value = serde_json::from_slice(&ends(map, 0, &[]).stdout).unwrap();
    assert_eq!(map["boots"], "A");
    assert_eq!(map["slots"][0]["version"], "1.5.0");
    assert_eq!(map["slots"][1]["version"], "1.4.0");
    // A second run in the same place.
    ends(bench.lockgate(&["demo", "--dir", "out"]), 0, &["7 of 7 refused"]);
}

#[test]
fn any_image_will_do() {
    let bench = Bench::new();
    for size in [4096, 4097, 100_000] {
        bench.file("image.bin", &bench::image((3, 0), size));
        ends(bench.lockgate(&["demo", "--image", "image.bin"]), 0, &["7 of 7 refused"]);
    }
    bench.file("image.bin", &[1; 100]);
    ends(bench.lockgate(&["demo", "--image", "image.bin"]), 2, &["4096 or more"]);
    bench.file("image.bin", &vec![1; 1 << 20]);
    ends(bench.lockgate(&["demo", "--image", "image.bin"]), 1, &["the slot holds"]);
}
