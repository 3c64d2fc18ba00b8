//! The application's linker script: it runs from slot A, without the trailer's room.

include!("../link.rs");

fn main() {
    let slot = lockgate::Slot::A;
    let start = layout::LAYOUT.slot_range(slot).start;
    link(start..start + layout::LAYOUT.slot_capacity(slot));
}
