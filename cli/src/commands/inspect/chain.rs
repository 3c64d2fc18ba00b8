//! Whether each block is the one whose hash stands in front of it, and what they make.

use lockgate::manifest::Encoding;
use lockgate::pack::{unpack, Inspection};
use lockgate::{Malformed, Refusal};

use super::Base;
use crate::progress;
use crate::slots::sha256;

/// Nobody has vouched for an image size: memory is not taken for what a few bytes claim to become.
const MAX_DECODED: u32 = 256 << 20;

/// Checks the chain of blocks, that the payload is decoded, and the image's digest; of a delta without its base the chain
/// alone. The error is a reason, for people and for JSON.
pub(super) fn check(inspection: &Inspection<'_>, size: usize, base: Option<&Base>) -> Result<(), String> {
    let manifest = &inspection.manifest;
    let expected = u64::from(manifest.payload_size()) + (inspection.offset + inspection.head.len()) as u64;
    let bar = progress::bar("hashing", manifest.payload_length.into());
    let mut payload = Vec::new();
    for (index, block) in inspection.blocks().enumerate() {
        let data = block.map_err(|refusal| match refusal {
            Refusal::Malformed(Malformed::Truncated) => {
                format!("truncated in block {index}: {size} bytes of {expected}")
            }
            Refusal::Trailing => format!("{} bytes follow the last block", size as u64 - expected),
            Refusal::BlockHash { index: 0 } => "block 0 is not the one the manifest names".into(),
            Refusal::BlockHash { index } => format!("block {index} is not the one that block {} names", index - 1),
            other => other.to_string(),
        })?;
        payload.extend(data);
        bar.inc(data.len() as u64);
    }
    bar.finish_and_clear();
    let base = match (manifest.encoding, base) {
        (Encoding::Delta(_), None) => return Ok(()),
        (_, base) => base.map(|base| base.image.as_slice()).unwrap_or_default(),
    };
    if manifest.encoding != Encoding::Raw && manifest.image_size > MAX_DECODED {
        return Err(format!("an image of {} bytes is not decoded without a signature: verify it", manifest.image_size));
    }
    let image = unpack(manifest.encoding, &payload, base, manifest.image_size).map_err(|why| why.to_string())?;
    match sha256(&image) == manifest.image_digest {
        true => Ok(()),
        false => Err("the blocks hold another image than the manifest's digest says".into()),
    }
}
