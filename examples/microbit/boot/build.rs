//! Puts the linker script where `link.x` of cortex-m-rt finds it.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut memory = fs::read_to_string("memory.x").expect("memory.x cannot be read");
    if env::var_os("CARGO_FEATURE_SIGNATURES").is_some() {
        // It does not fit the boot region of the usual layout.
        memory = memory.replace("LENGTH = 32K", "LENGTH = 40K");
    }
    fs::write(out.join("memory.x"), memory).expect("memory.x cannot be written");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rerun-if-changed=memory.x");
}
