//! Linker scripts: the machine has no flash at `0x0800_0000`; code RAM at `0x0010_0000` plays it, as `src/flash.rs` says.

include!("../link.rs");

fn main() {
    link(
        0x0010_0000,
        "ORIGIN = 0x20000000, LENGTH = 128K",
        &["emulated-boot"],
        &["emulated-app", "emulated-app-async"],
    );
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("rom");
    fs::create_dir_all(&folder).expect("a folder for memory.x");
    let rom = "MEMORY\n{\n  FLASH : ORIGIN = 0, LENGTH = 64K\n  RAM : ORIGIN = 0x20000000, LENGTH = 128K\n}\n";
    fs::write(folder.join("memory.x"), rom).expect("memory.x");
    println!("cargo:rustc-link-arg-bin=rom=-L{}", folder.display());
    println!("cargo:rustc-link-arg-bin=rom=-Tlink.x");
}
