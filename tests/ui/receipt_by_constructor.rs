use lockgate::{Digest, Slot, Verified, Version};

fn main() {
    let _forged = Verified::new(Slot::B, Digest([0; 32]), Digest([0; 32]), 1, Version::new(1, 0, 0, 0), 0);
}
