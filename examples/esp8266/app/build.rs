//! Puts the server's certificate authority where the build finds it, and notes the time.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));

    println!("cargo:rerun-if-env-changed=LOCKGATE_CA");
    if env::var_os("CARGO_FEATURE_HTTPS").is_some() {
        let ca = env::var("LOCKGATE_CA").expect(
            "LOCKGATE_CA is not set: it names the file that `lockgate keygen --print` wrote for the public key of the \
             server's certificate authority; ./build.sh makes one",
        );
        println!("cargo:rerun-if-changed={ca}");
        fs::copy(&ca, out.join("ca.rs")).unwrap_or_else(|error| panic!("{ca}: {error}"));
    }

    // The chip has no clock, but it is later than this. SOURCE_DATE_EPOCH makes a build repeatable.
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let now = env::var("SOURCE_DATE_EPOCH")
        .ok()
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
    println!("cargo:rustc-env=BUILD_TIME={now}");
}
