//! The factory's flash is what the device would have written, and the HEX file says the same.

mod desk;

use std::collections::HashMap;
use std::ops::Range;

use desk::{Desk, Parts};
use ihex::{Reader, Record};

/// Regions by name, from the table that the command prints; addresses less `base`.
fn regions(table: &str, base: u64) -> HashMap<String, Range<usize>> {
    let address = |text: &str| (u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()? - base).try_into().ok();
    let region = |line: &str| {
        let (name, rest) = line.split_once("0x")?;
        let rest = format!("0x{rest}");
        let mut addresses = rest.split_whitespace().map(address);
        Some((name.trim().to_string(), addresses.next()??..addresses.next()??))
    };
    table.lines().filter_map(region).collect()
}

/// The flash as docs/format.md, section 9, has it.
fn expected(
    package: &[u8],
    image: &[u8],
    boot: &[u8],
    erased: u8,
    kept: usize,
    size: usize,
    at: &HashMap<String, Range<usize>>,
) -> Vec<u8> {
    let Parts { signed, .. } = Parts::of(package);
    let mut flash = vec![erased; size];
    let mut put = |at: usize, bytes: &[u8]| flash[at..at + bytes.len()].copy_from_slice(bytes);
    let slot = &at["slot A"];
    put(slot.start, image);
    let entries = 76 * kept;
    let trailer = [&package[..signed], &(entries as u16).to_le_bytes(), &package[signed + 2..][..entries]].concat();
    put(slot.end - 1024, &trailer);
    if let Some(region) = at.get("boot") {
        put(region.start, boot);
    }
    flash
}

/// What a programmer makes of a HEX file on an erased chip.
fn programmed(hex: &str, base: u64, size: usize, erased: u8) -> Vec<u8> {
    let mut flash = vec![erased; size];
    let mut upper = 0;
    for record in Reader::new(hex) {
        match record.unwrap() {
            Record::ExtendedLinearAddress(high) => upper = u64::from(high) << 16,
            Record::Data { offset, value } => {
                let at = (upper + u64::from(offset) - base) as usize;
                flash[at..at + value.len()].copy_from_slice(&value);
            }
            Record::EndOfFile => {}
            other => panic!("{other:?}"),
        }
    }
    flash
}

#[test]
fn the_flash_is_what_the_device_writes() {
    let desk = Desk::new();
    let boot = desk::image(3001);
    desk.write("boot.bin", &boot);
    for (board, base, address) in [
        ("nrf51", 0, "0x9000"),
        ("esp8266", 0x4020_0000, "0x40200000"),
        ("stm32f405", 0x0800_0000, "0x08020000"),
        ("stm32l476", 0x0800_0000, "0x0800a000"),
        ("stm32h743", 0x0800_0000, "0x08060000"),
    ] {
        for (threshold, bytes) in [("1", 2500), ("2", 20_001)] {
            let image = desk::image(bytes);
            desk.write("image.bin", &image);
            desk.pack(&["--key", "a.pem", "--key", "b.pem", "--key", "bench.pem", "--load-address", address]).good();
            let mut args = vec!["factory", "fw.lgu", "--geometry", board, "-o", "flash.bin", "--boot", "boot.bin"];
            args.extend(["--key", "a.pem", "--key", "bench.pem", "--threshold", threshold]);
            desk.run(&args).good();
            let recorded = desk.read("flash.bin");
            args.push("--no-records");
            let table = desk.run(&args).good();
            let (flash, package) = (desk.read("flash.bin"), desk.read("fw.lgu"));
            let at = regions(&table, base);
            // b's entry lies between the two that count, so for a threshold of two the trailer is spliced.
            let kept = threshold.parse().unwrap();
            let spliced = splice(&package, kept);
            let wanted = expected(&spliced, &image, &boot, 0xFF, kept, flash.len(), &at);
            assert!(flash == wanted, "{board}, {bytes} bytes");
            // The first record is all that is different.
            let mut blanked = recorded.clone();
            blanked[at["records"].clone()].fill(0xFF);
            assert!(recorded != wanted && blanked == wanted, "{board}: records");
            assert!(table.contains("BENCH KEY, not for production"), "{table}");
            let hex = String::from_utf8(desk.read("flash.hex")).unwrap();
            assert!(programmed(&hex, base, flash.len(), 0xFF) == flash, "{board}: HEX");
            assert!(hex.len() < 5 * (bytes + boot.len()), "erased rows are left out");
        }
    }
}

/// The package as if b had not signed: entries of a and of the bench key only, the first `kept` of them.
fn splice(package: &[u8], kept: usize) -> Vec<u8> {
    let Parts { signed, head } = Parts::of(package);
    let entries: Vec<&[u8]> = package[signed + 2..head].chunks(76).collect();
    assert_eq!(entries.len(), 3);
    let mine = [entries[0], entries[2]];
    [&package[..signed + 2], &mine[..kept].concat(), &package[head..]].concat()
}

#[test]
fn the_base_address_moves_the_hex_file_only() {
    let desk = Desk::new();
    desk.package();
    let args = ["factory", "fw.lgu", "--geometry", "nrf51", "--key", "a.pem", "-o", "flash.bin"];
    desk.run(&args).good();
    let (flash, hex) = (desk.read("flash.bin"), desk.read("flash.hex"));
    let table = desk.run(&[&args[..], &["--base-address", "0x2000_fff0"]].concat()).good();
    assert_eq!(desk.read("flash.bin"), flash);
    assert_ne!(desk.read("flash.hex"), hex);
    assert_eq!(regions(&table, 0x2000_FFF0)["slot A"].start, 0x9000);
    let moved = String::from_utf8(desk.read("flash.hex")).unwrap();
    assert!(programmed(&moved, 0x2000_FFF0, flash.len(), 0xFF) == flash);
}

#[test]
fn a_board_of_ones_own_and_an_erased_value_of_zero() {
    let desk = Desk::new();
    desk.package();
    desk.write(
        "board.toml",
        br#"name = "l0"
[flash]
write_unit = 4
erased_value = 0x00
sectors = [{ count = 256, size = 256 }]
[layout]
records = "0..0x800"
slot_a = "0x800..0x4000"
slot_b = "0x4000..0x7800"
swap = "0x7800..0x8000"
"#,
    );
    let args = ["factory", "fw.lgu", "--geometry", "board.toml", "--key", "a.pem", "-o", "flash.bin"];
    assert!(!desk.run(&args).good().contains("records  0x00000000  0x00000800  2 048   erased"));
    let table = desk.run(&[&args[..], &["--no-records"]].concat()).good();
    let (package, image, flash) = (desk.read("fw.lgu"), desk.read("image.bin"), desk.read("flash.bin"));
    assert!(flash == expected(&package, &image, &[], 0, 1, flash.len(), &regions(&table, 0)));
}

#[test]
fn what_is_refused_writes_nothing() {
    let desk = Desk::new();
    let package = desk.package();
    desk.write("boot.bin", &desk::image(0x8001));
    let before = desk.files();
    let factory = |options: &[&str]| {
        desk.run(&[&["factory", "fw.lgu", "--geometry", "nrf51", "-o", "flash.bin"], options].concat())
    };
    let reason = factory(&["--key", "a.pem", "--boot", "boot.bin"]).bad(1);
    assert_eq!(reason, "refused: boot.bin: boot stage of 32769 bytes, the boot region of nrf51 has 32768\n");
    let in_place = desk.run(&["factory", "fw.lgu", "--geometry", "stm32h743", "-o", "flash.bin", "--key", "a.pem"]);
    assert!(in_place.bad(1).contains("images run in place on stm32h743: link for slot A and pack with --load-address"));
    factory(&["--key", "b.pem"]).bad(1);
    factory(&["--key", "a.pem", "--key", "b.pem", "--threshold", "2"]).bad(1);
    desk.write("fw.lgu", &package[..package.len() - 1]);
    factory(&["--key", "a.pem"]).bad(1);
    desk.write("fw.lgu", &package);
    assert_eq!(desk.files(), before);
    // The boot stage may fill its region to the last byte.
    desk.write("boot.bin", &desk::image(0x8000));
    factory(&["--key", "a.pem", "--boot", "boot.bin"]).good();
}

#[test]
fn the_first_boot_starts_slot_a_with_records_and_without() {
    let desk = Desk::new();
    desk.package();
    let factory = ["factory", "fw.lgu", "--geometry", "nrf51", "--key", "a.pem", "-o", "flash.bin"];
    let boot = ["boot", "--flash", "flash.bin", "--geometry", "nrf51"];

    let table = desk.run(&factory).good();
    assert!(table.contains("slot A confirmed, security counter 7"), "{table}");
    let recorded = desk.read("flash.bin");
    let said = desk.run(&boot).good();
    assert!(said.contains("slot A") && said.contains("why        confirmed") && said.contains("not changed"), "{said}");
    assert_eq!(desk.read("flash.bin"), recorded);

    desk.run(&[&factory[..], &["--no-records"]].concat()).good();
    let said = desk.run(&boot).good();
    assert!(said.contains("there were none: what runs was told from the trailers"), "{said}");
    // The boot stage writes what the factory would have.
    assert_eq!(desk.read("flash.bin"), recorded);
}
