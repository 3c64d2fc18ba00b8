//! Puts the device's public keys where the build finds them.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    // No key comes with the example: whoever builds it says whom the device trusts.
    println!("cargo:rerun-if-env-changed=LOCKGATE_KEYS");
    let keys = env::var("LOCKGATE_KEYS").expect(
        "LOCKGATE_KEYS is not set: it names the file that `lockgate keys inspect --rust` wrote; ./build.sh makes one",
    );
    println!("cargo:rerun-if-changed={keys}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::copy(&keys, out.join("keys.rs")).unwrap_or_else(|error| panic!("{keys}: {error}"));
}
