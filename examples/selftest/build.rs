//! Which linker script: `run.sh` says.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-env-changed=LINK_SCRIPT");
    let Some(script) = env::var_os("LINK_SCRIPT") else { return };
    let script = Path::new(&script);
    println!("cargo:rerun-if-changed={}", script.display());
    if script.extension().is_some_and(|extension| extension == "x") {
        // The memory of a Cortex-M; cortex-m-rt brings the rest.
        let folder = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
        fs::copy(script, Path::new(&folder).join("memory.x")).expect("memory.x can be written");
        println!("cargo:rustc-link-arg-bins=-L{folder}");
        println!("cargo:rustc-link-arg-bins=-Tlink.x");
    } else {
        println!("cargo:rustc-link-arg-bins=-T{}", script.display());
    }
}
