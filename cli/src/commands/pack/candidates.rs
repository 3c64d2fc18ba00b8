//! Payloads that would do, and the smallest of them. Each is decoded again with the device's decoder before anybody signs
//! it.

use std::path::Path;

use lockgate::manifest::{Encoding, Window};
use lockgate::pack::{unpack, PackError, Payload};
use lockgate::wire::LINK_SIZE;
use serde::Serialize;

use super::base::Base;
use super::wish::Wish;
use crate::encoding;
use crate::failure::Failure;

/// Bytes of an element in front of its value.
const ELEMENT: usize = 4;

/// The payload that was chosen, and what it was chosen from.
pub(super) struct Chosen {
    pub(super) payload: Payload,
    /// The smallest for each encoding and window; one if there was no choice.
    pub(super) sizes: Vec<Size>,
}

/// What a package of this encoding comes to.
#[derive(Clone, Serialize)]
pub(super) struct Size {
    #[serde(serialize_with = "name")]
    pub(super) encoding: Encoding,
    pub(super) payload_size: usize,
    /// Of the whole package.
    pub(super) package_size: usize,
    pub(super) percent: f64,
    pub(super) workspace: u32,
    pub(super) chosen: bool,
}

fn name<S: serde::Serializer>(encoding: &Encoding, serializer: S) -> Result<S::Ok, S::Error> {
    encoding::value(*encoding).serialize(serializer)
}

impl Chosen {
    /// The payload of `image` that is wished for; `block` bytes go into a block.
    pub(super) fn new(
        wish: Wish,
        (path, image): (&Path, &[u8]),
        base: Option<&Base>,
        block: u32,
    ) -> Result<Self, Failure> {
        let chosen = match wish {
            Wish::Auto(largest) => smallest(image, base, largest, block),
            wish => one(wish, image, base).map(|payload| Self::only(payload, block)),
        };
        let chosen = chosen.map_err(|error| Failure::refused(path.display(), error))?;
        chosen.check(path, image, base)?;
        Ok(chosen)
    }

    /// Without a choice.
    pub(super) fn only(payload: Payload, block: u32) -> Self {
        let sizes = vec![Size { chosen: true, ..Size::of(&payload, block) }];
        Self { payload, sizes }
    }

    /// The device's decoder makes the image of it.
    fn check(&self, path: &Path, image: &[u8], base: Option<&Base>) -> Result<(), Failure> {
        let base = base.filter(|_| self.payload.base_image().is_some());
        let base = base.map(|base| base.image.as_slice()).unwrap_or_default();
        let why = match unpack(self.payload.encoding(), self.payload.bytes(), base, self.payload.image_size()) {
            Ok(made) if made == image => return Ok(()),
            Ok(_) => "another image".into(),
            Err(why) => why.to_string(),
        };
        let what = format_args!(
            "its payload ({}) is decoded to {why}: this is a defect of lockgate, please report it; --encoding raw does without",
            encoding::text(self.payload.encoding())
        );
        Err(Failure::refused(path.display(), what))
    }

    /// The package that was made has `size` bytes: so the others would have theirs.
    pub(super) fn made(&mut self, size: usize) {
        let cost = self.sizes.iter().find(|other| other.chosen).map_or(size, |chosen| chosen.package_size);
        for other in &mut self.sizes {
            other.package_size = other.package_size + size - cost;
            other.percent = encoding::percent(other.package_size as u64, self.payload.image_size().into());
        }
    }
}

impl Size {
    /// Without what all packages of the image have in common.
    fn of(payload: &Payload, block: u32) -> Self {
        let length = payload.bytes().len();
        let links = (length.div_ceil(block as usize).max(1) - 1) * LINK_SIZE as usize;
        let elements = match payload.encoding() {
            Encoding::Raw => 0,
            Encoding::Heatshrink(_) => ELEMENT + 3,
            Encoding::Delta(None) => ELEMENT + 2 + ELEMENT + 36,
            Encoding::Delta(Some(_)) => ELEMENT + 4 + ELEMENT + 36,
        };
        Self {
            encoding: payload.encoding(),
            payload_size: length,
            package_size: elements + length + links,
            percent: 0.0,
            workspace: encoding::workspace(payload.encoding()),
            chosen: false,
        }
    }
}

fn one(wish: Wish, image: &[u8], base: Option<&Base>) -> Result<Payload, PackError> {
    match (wish, base) {
        (Wish::Heatshrink(window), _) => Payload::heatshrink(image, window),
        (Wish::Delta(window), Some(base)) => Payload::delta(&base.image, image, window),
        _ => Payload::raw(image),
    }
}

/// Among equals the one that asks less of the device.
fn smallest(image: &[u8], base: Option<&Base>, largest: u8, block: u32) -> Result<Chosen, PackError> {
    let window = |window: u8| (3..=10).filter_map(move |lookahead| Window::new(window, lookahead));
    let mut kinds = vec![vec![Wish::Raw]];
    if base.is_some() {
        kinds.push(vec![Wish::Delta(None)]);
    }
    for exponent in 8..=largest {
        kinds.push(window(exponent).map(Wish::Heatshrink).collect());
        if base.is_some() {
            kinds.push(window(exponent).map(|window| Wish::Delta(Some(window))).collect());
        }
    }
    let mut chosen: Option<(Payload, usize)> = None;
    let mut sizes: Vec<Size> = Vec::new();
    for kind in kinds {
        let mut best: Option<Payload> = None;
        for wish in kind {
            let payload = one(wish, image, base)?;
            if best.as_ref().is_none_or(|best| payload.bytes().len() < best.bytes().len()) {
                best = Some(payload);
            }
        }
        let Some(best) = best else { continue };
        let size = Size::of(&best, block);
        if chosen.as_ref().is_none_or(|(_, at)| size.package_size < sizes[*at].package_size) {
            chosen = Some((best, sizes.len()));
        }
        sizes.push(size);
    }
    // Raw is always there.
    let Some((payload, at)) = chosen else { return Payload::raw(image).map(|raw| Chosen::only(raw, block)) };
    sizes[at].chosen = true;
    Ok(Chosen { payload, sizes })
}
