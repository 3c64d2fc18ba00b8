//! An independent look at what reached the flash: every byte that was programmed is held against the package,
//! judged by the packer's reader and not by the device's. Records are the device's own, and are counted apart; so are key
//! sets, which are in the key store as the device keeps them.

use std::ops::Range;

use lockgate::manifest::BaseImage;
use lockgate::{pack, wire, KeySet, Layout, Slot};

use crate::flash_file::{Journal, Written};
use crate::slots::sha256;

/// What reached the flash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    /// Sectors erased, but for those of the records and the key store.
    pub(crate) erases: u64,
    /// Bytes programmed anywhere but in the records and the key store.
    pub(crate) programmed: u64,
    /// Of these, bytes that no trusted key has signed for: always 0, or lockgate is broken.
    pub(crate) unauthentic: u64,
    /// Sectors of the records erased.
    pub(crate) record_erases: u64,
    /// Bytes of records programmed.
    pub(crate) record_bytes: u64,
    /// Bytes of key sets programmed.
    pub(crate) key_set_bytes: u64,
}

impl Audit {
    /// Judges `journal` by the `package` that was received: only the blocks that hang on a manifest with
    /// enough signatures of `keys` are authentic, and what they make, each byte at its place in `slot`. A delta
    /// starts from what the other slot of `flash` holds.
    pub(crate) fn of(
        journal: &Journal,
        layout: &Layout,
        (slot, flash): (Slot, &[u8]),
        package: &[u8],
        keys: &KeySet<'_>,
    ) -> Self {
        let base = layout.slot_range(slot.other());
        let base = flash.get(base.start as usize..base.end as usize).unwrap_or_default();
        let (image, head) = authentic(package, keys, base);
        let range = layout.slot_range(slot);
        let trailer = range.end.saturating_sub(wire::TRAILER_SIZE);
        let erased = layout.geometry().erased();
        let (records, store) = (layout.records_range(), layout.keys_range());
        let mut audit = Self::default();
        for at in &journal.erases {
            match (records.contains(at), store.contains(at)) {
                (true, _) => audit.record_erases += 1,
                (false, true) => {}
                (false, false) => audit.erases += 1,
            }
        }
        for Written { at, bytes } in &journal.writes {
            let within = |region: &Range<u32>| region.contains(at) && region.end - at >= bytes.len() as u32;
            if within(&records) {
                audit.record_bytes += bytes.len() as u64;
                continue;
            }
            if within(&store) {
                audit.key_set_bytes += bytes.len() as u64;
                continue;
            }
            audit.programmed += bytes.len() as u64;
            let good = |(address, byte): (u32, &u8)| match address {
                _ if !range.contains(&address) => false,
                // Behind the trailer's own bytes, and behind the image, only padding is right.
                _ if address >= trailer => *byte == byte_at(&head, address - trailer, erased),
                _ => *byte == byte_at(&image, address - range.start, erased),
            };
            audit.unauthentic += (*at..).zip(bytes).filter(|&item| !good(item)).count() as u64;
        }
        audit
    }
}

fn byte_at(bytes: &[u8], offset: u32, erased: u8) -> u8 {
    bytes.get(offset as usize).copied().unwrap_or(erased)
}

/// The image as far as authentic blocks were received, and the trailer that belongs to them.
fn authentic(package: &[u8], keys: &KeySet<'_>, base: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let Ok(found) = pack::inspect(package) else { return Default::default() };
    let Ok(signed) = found.verify(keys) else { return Default::default() };
    let payload: Vec<u8> = found.blocks().map_while(Result::ok).flatten().copied().collect();
    let base = match found.manifest.base_image {
        None => &[],
        Some(BaseImage { size, digest }) => match base.get(..size as usize) {
            Some(base) if sha256(base) == digest => base,
            _ => return Default::default(),
        },
    };
    let image = pack::unpack_front(found.manifest.encoding, &payload, base, found.manifest.image_size);
    // The trailer keeps the first signatures, as many as the threshold.
    let kept = signed.get(..usize::from(keys.threshold())).unwrap_or_default();
    let mut section: Vec<u8> = Vec::new();
    let (signed_part, mut rest) = found.head.split_at(wire::PRELUDE_SIZE + found.body.len());
    rest = rest.get(wire::SECTION_LENGTH_SIZE..).unwrap_or_default();
    for header in &found.signatures {
        let (entry, others) = rest.split_at_checked(header.size()).unwrap_or((rest, &[]));
        if header.algorithm == wire::ES256 && kept.contains(&header.key) {
            section.extend(entry);
        }
        rest = others;
    }
    let mut head = signed_part.to_vec();
    head.extend((section.len() as u16).to_le_bytes());
    head.extend(section);
    (image, head)
}

#[cfg(test)]
mod tests {
    use lockgate::pack::{Signer, SigningKey, Update};
    use lockgate::{Uuid, Version};

    use super::*;
    use crate::board::Board;

    const ANY: Uuid = Uuid([7; 16]);

    /// What a device would write of a package: the image, and the trailer.
    fn honest(layout: &Layout, image: &[u8], head: &[u8]) -> Journal {
        let range = layout.slot_range(Slot::B);
        let trailer = Written { at: range.end - wire::TRAILER_SIZE, bytes: head.into() };
        let record = Written { at: layout.records_range().start, bytes: vec![0; 12] };
        let erases = vec![layout.records_range().start, range.end - 4096, range.start];
        Journal { writes: vec![trailer, Written { at: range.start, bytes: image.into() }, record], erases }
    }

    #[test]
    fn a_byte_that_nobody_signed_is_counted_wherever_it_is() {
        let layout = Board::named_or_file("esp8266").unwrap().layout();
        let mut key = SigningKey::generate();
        let keys = [key.public_key()];
        let keys = KeySet::new(1, &keys);
        let image: Vec<u8> = (0..=255).cycle().take(3000).collect();
        let package = Update::new(ANY, ANY, Version::new(1, 0, 0, 0), 0).build(&image, &mut [&mut key]).unwrap();
        let judge =
            |journal: &Journal, package: &[u8]| Audit::of(journal, layout, (Slot::B, &[]), package, &keys).unauthentic;

        let good = honest(layout, &image, package.head());
        let all = Audit::of(&good, layout, (Slot::B, &[]), package.bytes(), &keys);
        let programmed = (3000 + package.head().len()) as u64;
        let expected =
            Audit { erases: 2, programmed, unauthentic: 0, record_erases: 1, record_bytes: 12, key_set_bytes: 0 };
        assert_eq!(all, expected);

        let mut forged = honest(layout, &image, package.head());
        forged.writes[1].bytes[1234] ^= 1;
        assert_eq!(judge(&forged, package.bytes()), 1);
        forged.writes[0].bytes[20] ^= 1;
        assert_eq!(judge(&forged, package.bytes()), 2);
        let mut astray = honest(layout, &image, package.head());
        astray.writes[1].at = layout.slot_range(Slot::A).start;
        assert_eq!(judge(&astray, package.bytes()), 3000);

        // The records are no way around it: a write that reaches beyond them is none of theirs.
        let mut beyond = honest(layout, &image, package.head());
        beyond.writes[2].at = layout.records_range().end - 4;
        assert_eq!(judge(&beyond, package.bytes()), 12);

        // Blocks from a forged one on (but for bytes that read as erased), a manifest with a forged bit, another
        // device's keys: nothing of it counts.
        let mut cut = package.bytes().to_vec();
        cut[package.head().len() + 1024 + 32 + 5] ^= 1;
        assert!((1960..=1976).contains(&judge(&good, &cut)), "{}", judge(&good, &cut));
        let mut renamed = package.bytes().to_vec();
        renamed[30] ^= 1;
        assert!(judge(&good, &renamed) > 3000);
        let stranger = [SigningKey::generate().public_key()];
        let strangers = KeySet::new(1, &stranger);
        assert!(Audit::of(&good, layout, (Slot::B, &[]), package.bytes(), &strangers).unauthentic > 3000);
    }
}
