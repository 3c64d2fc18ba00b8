//! Linker scripts: STM32F405 and F407 have flash at `0x0800_0000`, and 128 KiB of RAM at `0x2000_0000` (RM0090, section 2.3).

include!("../link.rs");

fn main() {
    link(0x0800_0000, "ORIGIN = 0x20000000, LENGTH = 128K", &["boot"], &["app"]);
    if env::var_os("CARGO_FEATURE_LOG").is_some() {
        println!("cargo:rustc-link-arg-bin=app=-Tdefmt.x");
    }
}
