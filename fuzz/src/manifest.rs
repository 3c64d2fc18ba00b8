//! Oracle: a manifest has one encoding. Whatever is parsed comes out of an encoder of its own, byte for byte.

use lockgate::manifest::{Elements, Encoding, Manifest, Window};

/// Parses `body`; what is accepted must encode to the same bytes.
pub fn manifest(body: &[u8]) {
    let Ok(manifest) = Manifest::parse(body, |_| false) else { return };
    let mut expected = Vec::new();
    let mut put = |kind: u16, value: &[u8]| {
        expected.extend(kind.to_le_bytes());
        expected.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
        expected.extend(value);
    };
    let version = manifest.version;
    put(0x8001, &manifest.vendor.0);
    put(0x8002, &manifest.class.0);
    if manifest.component > 0 {
        put(0x8003, &manifest.component.to_le_bytes());
    }
    let numbers = [&version.revision.to_le_bytes()[..], &version.build.to_le_bytes()].concat();
    put(0x8004, &[&[version.major, version.minor][..], &numbers].concat());
    put(0x8005, &manifest.security_counter.to_le_bytes());
    put(0x8006, &manifest.image_size.to_le_bytes());
    put(0x8007, &manifest.image_digest.0);
    put(0x8008, &[manifest.block_exponent]);
    put(0x8009, &manifest.payload_length.to_le_bytes());
    put(0x800A, &manifest.first_block_hash.0);
    let window = |window: Window| [window.window, window.lookahead];
    match manifest.encoding {
        Encoding::Raw => assert_eq!(manifest.payload_length, manifest.image_size),
        Encoding::Heatshrink(w) => put(0x800B, &[&[1][..], &window(w)].concat()),
        Encoding::Delta(None) => put(0x800B, &[2, 0]),
        Encoding::Delta(Some(w)) => put(0x800B, &[&[2, 1][..], &window(w)].concat()),
    }
    if let Some(base) = manifest.base_image {
        put(0x800C, &[&base.size.to_le_bytes()[..], &base.digest.0].concat());
    }
    if let Some(address) = manifest.load_address {
        put(0x800D, &address.to_le_bytes());
    }
    for element in Elements::new(body) {
        let element = element.expect("an accepted manifest has whole elements");
        if element.number > 13 {
            assert!(!element.critical && element.number > 16);
            put(element.number, element.value);
        }
    }
    assert_eq!(expected, body, "two encodings of one manifest");
    assert!((256..=65_536).contains(&manifest.block_size()));
    assert!((manifest.blocks() - 1) * manifest.block_size() < manifest.payload_length);
}
