//! What lies in the slots, and which of them a boot stage would start: told from the flash alone, by the
//! signed trailers and the images' digests.

use std::fmt;

use lockgate::manifest::Manifest;
use lockgate::pack::{self, Inspection};
use lockgate::{wire, Digest, KeyId, KeySet, Layout, Refusal, Running, Sha2, Sha256, Slot, Strategy};

/// One slot, as the flash shows it.
pub(crate) struct SlotState {
    pub(crate) slot: Slot,
    pub(crate) content: Content,
}

/// What is in a slot.
pub(crate) enum Content {
    /// Every byte reads erased.
    Erased,
    /// Something is written, but the trailer is none: why.
    NoTrailer(Refusal),
    /// A trailer, and what is in front of it.
    Image(Box<Image>),
}

/// An image that a trailer describes.
pub(crate) struct Image {
    pub(crate) manifest: Manifest,
    pub(crate) manifest_digest: Digest,
    pub(crate) signed: Signed,
    /// The slot holds the image whose digest was signed.
    pub(crate) intact: bool,
}

/// Who signed the trailer.
pub(crate) enum Signed {
    /// No keys were given: these claim to have.
    Unchecked(Vec<KeyId>),
    /// Enough trusted keys: these.
    By(Vec<KeyId>),
    /// Not enough, or wrongly.
    Refused(Refusal),
}

impl Image {
    /// A boot stage would start it.
    pub(crate) fn boots(&self) -> bool {
        self.intact && matches!(self.signed, Signed::By(_))
    }
}

/// Looks into both slots of `flash`, whose length is the layout's. Signatures are checked if there are
/// `keys`.
pub(crate) fn look(flash: &[u8], layout: &Layout, keys: Option<&KeySet<'_>>) -> [SlotState; 2] {
    [Slot::A, Slot::B].map(|slot| {
        let range = layout.slot_range(slot);
        let bytes = flash.get(range.start as usize..range.end as usize).unwrap_or_default();
        SlotState { slot, content: content(bytes, layout.geometry().erased(), keys) }
    })
}

fn content(slot: &[u8], erased: u8, keys: Option<&KeySet<'_>>) -> Content {
    if slot.iter().all(|&byte| byte == erased) {
        return Content::Erased;
    }
    let room = slot.len().saturating_sub(wire::TRAILER_SIZE as usize);
    let (room, trailer) = slot.split_at(room);
    let found = match pack::inspect(trailer) {
        // A trailer is an update's head and nothing in front of it.
        Ok(found) if found.key_sets == 0 => found,
        Ok(_) => return Content::NoTrailer(Refusal::NotAPackage),
        Err(refusal) => return Content::NoTrailer(refusal),
    };
    let Inspection { manifest, manifest_digest, .. } = found;
    let intact = room.get(..manifest.image_size as usize).is_some_and(|image| sha256(image) == manifest.image_digest);
    let signed = match keys.map(|keys| found.verify(keys)) {
        None => Signed::Unchecked(found.signatures.iter().map(|entry| entry.key).collect()),
        Some(Ok(keys)) => Signed::By(keys),
        Some(Err(refusal)) => Signed::Refused(refusal),
    };
    Content::Image(Box::new(Image { manifest, manifest_digest, signed, intact }))
}

/// The image that a slot's trailer names.
pub(crate) fn named([a, b]: &[SlotState; 2], slot: Slot) -> Option<&Image> {
    match &if slot == Slot::A { a } else { b }.content {
        Content::Image(image) => Some(image),
        _ => None,
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    let mut hash = Sha2::new();
    hash.update(bytes);
    hash.finish()
}

/// What runs: the image that a boot stage without records starts, that is the verified one of highest
/// security counter and version. With the swap strategy images run in slot A only. `None`: nothing boots.
pub(crate) fn running(slots: &[SlotState; 2], strategy: Strategy) -> Option<Running> {
    let mut best: Option<Running> = None;
    for SlotState { slot, content } in slots {
        let Content::Image(image) = content else { continue };
        if !image.boots() || (strategy != Strategy::Select && *slot == Slot::B) {
            continue;
        }
        let Manifest { security_counter, version, image_digest, .. } = image.manifest;
        if best.is_none_or(|best| (security_counter, version) > (best.security_counter, best.version)) {
            best = Some(Running { slot: *slot, version, security_counter, image: Some(image_digest.into()) });
        }
    }
    best
}

impl fmt::Display for Content {
    /// One line for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let image = match self {
            Self::Erased => return f.write_str("erased"),
            Self::NoTrailer(_) => return f.write_str("written, but without a trailer: nothing that boots"),
            Self::Image(image) => image,
        };
        let Manifest { version, security_counter, image_size, .. } = image.manifest;
        write!(f, "version {version}, security counter {security_counter}, {}, ", kib(image_size))?;
        f.write_str(if image.intact { "image intact, " } else { "image incomplete or damaged, " })?;
        image.signed.fmt(f)
    }
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchecked(keys) => write!(f, "signature not checked, it names {}", list(keys)),
            Self::By(keys) => write!(f, "signed by {}", list(keys)),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

fn list(keys: &[KeyId]) -> String {
    keys.iter().map(crate::keys::label).collect::<Vec<_>>().join(", ")
}

/// A size for people: `48.3 KiB`, whole ones without the fraction.
pub(crate) fn kib(bytes: u32) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        _ if bytes.is_multiple_of(1024) => format!("{} KiB", bytes / 1024),
        _ => format!("{:.1} KiB", f64::from(bytes) / 1024.0),
    }
}
