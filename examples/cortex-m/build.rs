//! Puts the linker script and the device's public keys where the build finds them.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));

    // Found by `link.x` of cortex-m-rt.
    fs::copy("memory.x", out.join("memory.x")).expect("memory.x cannot be copied");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rerun-if-changed=memory.x");

    // No key comes with the example: whoever builds it says whom the device trusts.
    println!("cargo:rerun-if-env-changed=LOCKGATE_KEYS");
    let keys = env::var("LOCKGATE_KEYS")
        .expect("LOCKGATE_KEYS is not set: it names the file that `lockgate keygen --print` wrote; ./run.sh makes one");
    println!("cargo:rerun-if-changed={keys}");
    fs::copy(&keys, out.join("keys.rs")).unwrap_or_else(|error| panic!("{keys}: {error}"));
}
