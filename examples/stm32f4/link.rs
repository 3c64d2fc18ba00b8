// Linker scripts from the layout; `include!`d by the build scripts of the binaries.

use std::path::PathBuf;
use std::{env, fs};

#[path = "app/src/layout.rs"]
mod layout;

/// Binaries run at `base` plus their region's offset; each gets a `memory.x` of its own.
fn link(base: u32, ram: &str, boot: &[&str], app: &[&str]) {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let slot = layout::LAYOUT.slot_range(lockgate::Slot::A);
    for (names, range) in [
        (boot, layout::LAYOUT.boot_range()),
        (app, slot.start..slot.start + layout::LAYOUT.slot_capacity(lockgate::Slot::A)),
    ] {
        for name in names {
            let folder = out.join(name);
            fs::create_dir_all(&folder).expect("a folder for memory.x");
            let (origin, length) = (base + range.start, range.end - range.start);
            fs::write(
                folder.join("memory.x"),
                format!("MEMORY\n{{\n  FLASH : ORIGIN = {origin:#x}, LENGTH = {length:#x}\n  RAM : {ram}\n}}\n"),
            )
            .expect("memory.x");
            println!("cargo:rustc-link-arg-bin={name}=-L{}", folder.display());
            println!("cargo:rustc-link-arg-bin={name}=-Tlink.x");
        }
    }
    println!("cargo:rerun-if-changed=../app/src/layout.rs");
    println!("cargo:rerun-if-changed=../link.rs");
    println!("cargo:rerun-if-changed=build.rs");
}
