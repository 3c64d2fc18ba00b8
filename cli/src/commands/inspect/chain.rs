//! Whether each block is the one whose hash stands in front of it.

use lockgate::manifest::Encoding;
use lockgate::pack::Inspection;
use lockgate::{Malformed, Refusal, Sha2, Sha256};

use crate::progress;

/// Checks the chain of blocks and, where no decoder is needed, the image's digest. The error is a reason, for
/// people and for JSON.
pub(super) fn check(inspection: &Inspection<'_>, size: usize) -> Result<(), String> {
    let manifest = &inspection.manifest;
    let expected = u64::from(manifest.payload_size()) + (inspection.offset + inspection.head.len()) as u64;
    let bar = progress::bar("hashing", manifest.payload_length.into());
    let mut image = Sha2::new();
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
        image.update(data);
        bar.inc(data.len() as u64);
    }
    bar.finish_and_clear();
    if manifest.encoding == Encoding::Raw && image.finish() != manifest.image_digest {
        return Err("the blocks hold another image than the manifest's digest says".into());
    }
    Ok(())
}
