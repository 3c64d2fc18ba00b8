//! Runs every case of `tests/cmd`, each in a directory of its own that holds the test keys and patches, and images: `image.bin`, `next.bin`
//! (the same with changes), `large.bin`, `empty.bin`.
//!
//! `TRYCMD=overwrite cargo test -p lockgate-cli --test cli` writes what the tool says now into the cases.

use std::path::{Path, PathBuf};
use std::{env, fs, iter};

#[test]
fn commands_say_and_do_what_is_written() {
    let cases = Path::new("tests/cmd");
    let run = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cmd");
    let _ = fs::remove_dir_all(&run);
    copy(cases, &run);
    for case in files(cases) {
        // A directory `.in` beside a case is where it runs; one named `.out` makes trycmd copy that first.
        let (input, output) = (run.join(&case).with_extension("in"), run.join(&case).with_extension("out"));
        copy(Path::new("tests/keys"), &input);
        fs::write(input.join("image.bin"), image(2500)).unwrap();
        fs::write(input.join("large.bin"), image(40_000)).unwrap();
        fs::write(input.join("next.bin"), next()).unwrap();
        fs::write(input.join("empty.bin"), "").unwrap();
        for patch in files(Path::new("tests/patches")).iter().filter(|name| name.extension() != Some("md".as_ref())) {
            fs::copy(Path::new("tests/patches").join(patch), input.join(patch)).unwrap();
        }
        fs::write(input.join("firmware.elf"), b"\x7fELF\x01\x01\x01").unwrap();
        fs::create_dir_all(&output).unwrap();
        fs::write(output.join(".keep"), "").unwrap();
    }
    // The cases are compared when this is dropped.
    trycmd::TestCases::new().env("COLUMNS", "100").case(run.join("*.trycmd")).case(run.join("*.toml"));
    if env::var_os("TRYCMD").is_some_and(|task| task == "overwrite") {
        for case in files(cases) {
            fs::copy(run.join(&case), cases.join(&case)).unwrap();
        }
    }
}

/// With 2500 bytes two whole blocks of 1024 and a short one; with 40 000 enough for checkpoints.
fn image(bytes: usize) -> Vec<u8> {
    iter::successors(Some(1_u32), |x| Some(x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)))
        .map(|x| (x >> 24) as u8)
        .take(bytes)
        .collect()
}

/// `image.bin` as if a word were changed and code put in.
fn next() -> Vec<u8> {
    let mut next = image(2500);
    next[1000] ^= 0x55;
    next.splice(2000..2000, [0x70, 0x47].repeat(20));
    next
}

/// Names of the files in a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries.filter(|entry| entry.path().is_file()).map(|entry| entry.file_name().into()).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => _ = fs::copy(entry.path(), to.join(entry.file_name())).unwrap(),
        }
    }
}
