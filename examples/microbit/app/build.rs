//! Puts the linker script where `link.x` of cortex-m-rt finds it.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut memory = fs::read_to_string("memory.x").expect("memory.x cannot be read");
    if env::var_os("CARGO_FEATURE_LARGE_BOOT").is_some() {
        memory = memory.replace("0x00009000, LENGTH = 106K", "0x0000B000, LENGTH = 102K");
    }
    fs::write(out.join("memory.x"), memory).expect("memory.x cannot be written");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rerun-if-changed=memory.x");
}
