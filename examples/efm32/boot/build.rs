//! The boot stage's linker script.

include!("../link.rs");

fn main() {
    link(layout::LAYOUT.boot_range());
}
