// A linker script from the layout; `include!`d by the build scripts of the binaries.

use std::ops::Range;
use std::path::PathBuf;
use std::{env, fs};

#[path = "board/src/layout.rs"]
mod layout;

/// Writes `memory.x`: flash begins at 0, and there are 32 KiB of RAM (`efm32wg990f256.h`).
fn link(range: Range<u32>) {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let (origin, length) = (range.start, range.end - range.start);
    let memory = format!(
        "MEMORY\n{{\n  FLASH : ORIGIN = {origin:#x}, LENGTH = {length:#x}\n  RAM : ORIGIN = 0x20000000, LENGTH = 32K\n}}\n"
    );
    fs::write(out.join("memory.x"), memory).expect("memory.x");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rerun-if-changed=../board/src/layout.rs");
    println!("cargo:rerun-if-changed=../link.rs");
    println!("cargo:rerun-if-changed=build.rs");
}
