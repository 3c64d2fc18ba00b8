use lockgate::{Digest, Slot, Verified, Version};

fn main() {
    let _forged = Verified {
        slot: Slot::B,
        manifest: Digest([0; 32]),
        image: Digest([0; 32]),
        image_size: 1,
        version: Version::new(1, 0, 0, 0),
        security_counter: 0,
    };
}
