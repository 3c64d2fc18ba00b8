//! `lockgate map`: the picture tells the truth, and the sources it prints are the layout it shows.

mod bench;

use std::fs;

use bench::{ends, text, Bench};
use lockgate::geometry;

#[test]
fn a_signed_image_is_told_from_one_that_is_not() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 4), 7, 30_000));
    ends(bench.install("fw.lgu", &[]), 0, &[]);
    let map = |more: &[&str]| {
        let mut command = bench.lockgate(&["map", "flash.bin", "--geometry", "esp8266"]);
        command.args(more);
        command
    };
    ends(
        map(&["--key", "key.pem"]),
        0,
        &["version 1.4.0, security counter 7, 29.3 KiB, image intact", "signed by", "boots"],
    );
    let unchecked = text(&ends(map(&[]), 0, &["signature not checked"]));
    assert!(!unchecked.contains("boots"), "{unchecked}");
    assert!(!unchecked.contains('\x1b'), "colours without a terminal");

    // One bit of the image; then one of the trailer.
    let mut flash = bench.flash();
    flash[0x20_0000 + 17_000] ^= 4;
    bench.file("flash.bin", &flash);
    ends(map(&["--key", "key.pem"]), 0, &["image incomplete or damaged"]);
    flash[0x20_0000 + 17_000] ^= 4;
    flash[0x30_0000 - 1024 + 60] ^= 4;
    bench.file("flash.bin", &flash);
    ends(map(&["--key", "key.pem"]), 0, &["does not verify"]);
    flash[0x30_0000 - 1024] = 0;
    bench.file("flash.bin", &flash);
    let map = ends(map(&["--key", "key.pem", "--json"]), 0, &["no trailer"]);
    let map: serde_json::Value = serde_json::from_slice(&map.stdout).unwrap();
    assert_eq!(map["boots"], serde_json::Value::Null);
    assert_eq!(map["slots"][0]["content"], "erased");
}

#[test]
fn any_bytes_are_a_flash() {
    let bench = Bench::new();
    for (value, seed) in [(Some(0), 0), (Some(0x89), 0), (None, 1), (None, 2)] {
        let flash = value.map_or_else(|| bench::image((seed, 0), 128 << 10), |value| vec![value; 128 << 10]);
        bench.file("flash.bin", &flash);
        let map = ["map", "flash.bin", "--geometry", "stm32f103", "--key", "key.pem", "--svg", "f.svg"];
        ends(bench.lockgate(&map), 0, &["nothing that boots"]);
    }
    // A head that promises more than there is.
    let mut flash = vec![0xFF; 128 << 10];
    let package = bench.package((1, 0), 0, 4_000);
    flash[0x1_3000 - 1024..][..170].copy_from_slice(&package[..170]);
    bench.file("flash.bin", &flash);
    ends(bench.lockgate(&["map", "flash.bin", "--geometry", "stm32f103"]), 0, &["slot A"]);
    // A size that no slot has.
    let huge = bench.package_of(&[7; 100_000], (1, 0), 0);
    flash[0x1_3000 - 1024..][..500].copy_from_slice(&huge[..500]);
    bench.file("flash.bin", &flash);
    ends(bench.lockgate(&["map", "flash.bin", "--geometry", "stm32f103"]), 0, &["incomplete or damaged"]);
}

#[test]
fn the_svg_stands_alone_and_is_well_formed() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 4), 7, 30_000));
    ends(bench.install("fw.lgu", &[]), 0, &[]);
    let board = BOARD.replace("name = \"bench\"", "name = \"<a & b>\"");
    bench.file("board.toml", board.as_bytes());
    ends(bench.lockgate(&["map", "--geometry", "board.toml", "--svg", "board.svg"]), 0, &["<a & b>"]);
    ends(bench.lockgate(&["map", "flash.bin", "--geometry", "esp8266", "--svg", "flash.svg"]), 0, &[]);
    for name in ["board.svg", "flash.svg"] {
        let svg = fs::read_to_string(bench.path(name)).unwrap();
        well_formed(&svg);
        assert!(!svg.contains("href") && !svg.contains("url("), "it refers to something outside");
    }
    let same = bench.lockgate(&["map", "flash.bin", "--geometry", "esp8266", "--svg", "flash.bin"]);
    ends(same, 2, &["is an input as well"]);
}

/// Tags that nest, attributes in quotes, no stray `&` or `<`.
fn well_formed(svg: &str) {
    let mut open = Vec::new();
    for part in svg.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap();
        assert!(!text.contains('>'), "{text}");
        assert!(text.split('&').skip(1).all(|entity| entity.split(';').next().unwrap().len() <= 4), "{text}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if tag.ends_with('/') => {}
            None => open.push(tag.split(' ').next().unwrap()),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

const BOARD: &str = r#"
name = "bench"
[flash]
write_unit = 8
erased_value = 0x00
base = 0x0800_0000
sectors = [{ count = 4, size = 0x4000 }, { count = 4, size = 0x2_0000 }]
[layout]
boot = "0..0x8000"
records = "0x8000..0x1_0000"
slot_a = "0x1_0000..0x3_0000"
slot_b = "0x3_0000..0x5_0000"
swap = "0x5_0000..0x9_0000"
"#;

#[test]
fn a_board_of_ones_own_installs_and_prints_its_sources() {
    let bench = Bench::new();
    bench.file("board.toml", BOARD.as_bytes());
    bench.file("fw.lgu", &bench.package((1, 4), 7, 30_000));
    let mut install = bench.lockgate(&["install", "fw.lgu", "--flash", "f.bin", "--geometry", "board.toml"]);
    install.args(["--key", "key.pem", "--vendor", bench::VENDOR, "--class", bench::CLASS]);
    ends(install, 0, &["image intact", "exchanges the slots"]);
    let flash = fs::read(bench.path("f.bin")).unwrap();
    assert_eq!(flash[0x1_0000..0x3_0000], [0; 0x2_0000], "this flash is erased to 0x00");

    let rust = ends(bench.lockgate(&["map", "--geometry", "board.toml", "--rust"]), 0, &[".check();"]);
    let rust = String::from_utf8(rust.stdout).unwrap();
    assert!(rust.contains("Run { count: 4, size: 0x2_0000 }"), "{rust}");
    assert!(rust.contains(".erased_value(0x00)"), "{rust}");
    let memory =
        ["SLOT_A  (rx) : ORIGIN = 0x08010000, LENGTH =  127K", "SWAP    (r)  : ORIGIN = 0x08050000, LENGTH =  256K"];
    ends(bench.lockgate(&["map", "--geometry", "board.toml", "--memory-x"]), 0, &memory);
    let moved = ["map", "--geometry", "board.toml", "--memory-x", "--base-address", "0x9000_0000"];
    ends(bench.lockgate(&moved), 0, &["SLOT_A  (rx) : ORIGIN = 0x90010000"]);
}

/// The Rust source of each board is compiled and compared: `expected` is what the tool printed.
macro_rules! same_source {
    ($bench:ident, $name:literal, $chip:ident $(.$region:ident($($range:expr),+))+) => {{
        let layout = lockgate::Layout::new(&geometry::$chip)$(.$region($($range),+))+.check();
        let mut printed = ends($bench.lockgate(&["map", "--geometry", $name, "--rust"]), 0, &[]).stdout;
        printed.retain(|byte| !byte.is_ascii_whitespace());
        let printed = String::from_utf8(printed).unwrap();
        let mut source = concat!("Layout::new(&geometry::", stringify!($chip), ")" $(, ".", stringify!($region), "(", stringify!($($range),+), ")")+, ".check();").to_string();
        source.retain(|c| !c.is_whitespace());
        assert!(printed.contains(&source), "{printed}\nhas not\n{source}");
        layout
    }};
}

#[test]
fn printed_sources_are_rust() {
    let bench = Bench::new();
    let esp = same_source!(
        bench,
        "esp8266",
        ESP8266_4M
            .boot(0..0x1_0000)
            .records(0x1_0000..0x1_8000)
            .keys(0x1_8000..0x1_B000)
            .slots(0x10_0000..0x20_0000, 0x20_0000..0x30_0000)
    );
    assert_eq!(esp.capacity(), 1023 * 1024);
    let f405 = same_source!(
        bench,
        "stm32f405",
        STM32F405
            .boot(0..0x8000)
            .records(0x8000..0x1_0000)
            .slots(0x2_0000..0x8_0000, 0x8_0000..0xE_0000)
            .swap(0xE_0000..0x10_0000)
    );
    assert_eq!(f405.capacity(), 383 * 1024);
}

#[test]
fn a_picture_of_no_flash_is_the_layout() {
    let bench = Bench::new();
    for geometry in geometry::ALL {
        ends(bench.lockgate(&["map", "--geometry", geometry.name()]), 0, &["slot A", "slot B", "records", "boot"]);
        ends(bench.lockgate(&["map", "--list"]), 0, &[geometry.name()]);
    }
    ends(bench.lockgate(&["map"]), 2, &["--geometry"]);
    ends(bench.lockgate(&["map", "--geometry", "esp8266", "--rust", "--json"]), 2, &["cannot be used with"]);
}

/// `lockgate map --flash flash.bin`, as text and as JSON.
fn records(bench: &Bench, phase: &str, says: &[&str]) -> serde_json::Value {
    let map = ["map", "--flash", "flash.bin", "--geometry", "esp8266", "--key", "key.pem", "--svg", "flash.svg"];
    ends(bench.lockgate(&map), 0, says);
    let svg = fs::read_to_string(bench.path("flash.svg")).unwrap();
    well_formed(&svg);
    for part in says {
        assert!(svg.contains(part), "{part:?} is not in the SVG");
    }
    let records = bench.map()["records"].take();
    assert_eq!(records["state"]["phase"], phase);
    let used = |sector: &serde_json::Value| {
        let strides = sector["strides"].as_str().unwrap();
        let free = strides.matches('.').count();
        assert_eq!((&sector["strides_free"], strides.len()), (&free.into(), 64));
        strides.len() - free
    };
    assert!(records["sectors"].as_array().unwrap().iter().map(used).sum::<usize>() > 0);
    records
}

#[test]
fn records_are_shown_as_they_come() {
    let bench = Bench::new();
    bench.file("old.lgu", &bench.package((1, 4), 7, 30_000));
    bench.file("new.lgu", &bench.package((1, 5), 9, 40_000));
    let factory = ["factory", "old.lgu", "--geometry", "esp8266", "--key", "key.pem", "-o", "flash.bin"];
    ends(bench.lockgate(&factory), 0, &[]);
    let first = records(
        &bench,
        "confirmed",
        &["no update is under way", "slot A, security counter 7", "generation 1, current"],
    );
    assert_eq!(first["sectors"][0]["strides"].as_str().unwrap().trim_end_matches('.'), "HSS");
    assert_eq!(first["state"]["manifest_digest"], serde_json::Value::Null);

    ends(bench.install("new.lgu", &["--cut-after", "6000"]), 4, &[]);
    let cut = records(
        &bench,
        "receiving",
        &["an install goes on at byte 16 384 of the image", "9 once the update is confirmed"],
    );
    assert_eq!((&cut["checkpoint"]["offset"], &cut["checkpoint"]["payload"]), (&16_384.into(), &16_384.into()));
    assert_eq!(cut["state"]["next_security_counter"], 9);

    ends(bench.install("new.lgu", &[]), 0, &["resumed"]);
    records(&bench, "pending", &["verified, and tried at the next boot", "boots (trial 1 of 3)"]);
    ends(bench.on_flash("boot", &[]), 0, &[]);
    let trial = records(&bench, "trial", &["attempt 1 of 3 is used", "slot A, security counter 7, 9 once"]);
    assert_eq!((&trial["state"]["attempts"], &trial["state"]["attempts_allowed"]), (&1.into(), &3.into()));
    ends(bench.on_flash("reject", &[]), 0, &[]);
    records(&bench, "trial", &["given up, the next boot goes back"]);
    ends(bench.on_flash("boot", &[]), 0, &[]);
    let back = records(&bench, "confirmed", &["the application asked to go back", "refused from now on"]);
    assert_eq!(back["state"]["security_counter"], 7);
    // A cut inside a record leaves a stride that is none.
    ends(bench.on_flash("boot", &[]), 0, &["not changed"]);
    bench.file("newer.lgu", &bench.package((1, 6), 9, 40_000));
    ends(bench.install("newer.lgu", &["--cut-after", "2"]), 4, &["the records"]);
    let torn = records(&bench, "confirmed", &[]);
    assert!(torn["sectors"][0]["strides"].as_str().unwrap().contains('x'));
}

#[test]
fn a_long_life_fills_sector_after_sector() {
    let bench = Bench::new();
    bench.file("fw.lgu", &bench.package((1, 0), 0, 9_000));
    let factory = ["factory", "fw.lgu", "--geometry", "esp8266", "--key", "key.pem", "-o", "flash.bin"];
    ends(bench.lockgate(&factory), 0, &[]);
    for version in 1..=9 {
        bench.file("fw.lgu", &bench.package((1, version), version.into(), 9_000));
        ends(bench.install("fw.lgu", &[]), 0, &[]);
        bench.tried_and_confirmed();
    }
    let records = records(&bench, "confirmed", &["generation 1, ", "generation 2, current"]);
    let current: Vec<_> = records["sectors"].as_array().unwrap().iter().map(|sector| &sector["current"]).collect();
    assert_eq!(current.iter().filter(|current| ***current == true).count(), 1);
    assert_eq!(records["state"]["security_counter"], 9);
}
