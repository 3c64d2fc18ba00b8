//! What is wrong behind a right head: a block, the chain, the image, the package's end.

use super::bytes::{chain, noise, sha256, Block};
use super::update::Update;
use super::vector::Vector;

const BLOCK: usize = 256;
/// With its link.
const LINKED: usize = BLOCK + 32;

pub(super) fn vectors() -> Vec<Vector> {
    let update = Update::new(&noise(530), BLOCK);
    [flipped(&update), moved(&update), chained(&update), ends(&update), cuts(&update)].concat()
}

fn wrong(index: usize) -> String {
    format!("BlockHash {{ index: {index} }}")
}

/// A bit of the payload is another.
fn flipped(update: &Update) -> Vec<Vector> {
    [
        ("block-first-bit", "first bit of the payload", 0),
        ("block-0-last-byte", "last byte of block 0's data", BLOCK - 1),
        ("block-0-link", "first byte of block 0's link", BLOCK),
        ("block-0-link-end", "last byte of block 0's link", LINKED - 1),
        ("block-1-bit", "in block 1", 300),
        ("block-1-link", "in block 1's link", LINKED + 260),
        ("block-2-bit", "first byte of the last block", 2 * LINKED),
        ("block-last-byte", "last byte of the package", update.payload.len() - 1),
    ]
    .map(|(name, what, at)| {
        let mut payload = update.payload.clone();
        payload[at] ^= 1;
        Vector::payload(name, what, update, &payload, &wrong(at / LINKED))
    })
    .into()
}

/// Blocks are not where they belong, or not there.
fn moved(update: &Update) -> Vec<Vector> {
    let [one, two, three] = [0, 1, 2].map(|i| update.payload.chunks(LINKED).nth(i).expect("a block"));
    let four = Update::new(&noise(800), BLOCK);
    let without = [&four.payload[..LINKED], &four.payload[2 * LINKED..]].concat();
    // The attacker's block is rightly linked to, but the link is signed for.
    let forged = [&[two[0] ^ 1], &two[1..]].concat();
    let link = Block::new(1, &forged[..BLOCK], &forged[BLOCK..]).hash();
    let relinked = [&one[..BLOCK], &link, &forged, three].concat();
    let rows = [
        ("block-swap-0-1", "blocks 0 and 1 changed places", update, [two, one, three].concat(), 0),
        ("block-swap-1-2", "blocks 1 and 2 changed places", update, [one, three, two].concat(), 1),
        ("block-swap-0-2", "the first and the last changed places", update, [three, two, one].concat(), 0),
        ("block-missing", "block 1 left out", &four, without, 1),
        ("block-twice", "block 0 again", update, [one, one, two, three].concat(), 1),
        ("block-inserted", "a block between 0 and 1", update, [one, &[0x55; LINKED], two, three].concat(), 1),
        ("block-relinked", "a forged block 1, and block 0 linked to it", update, relinked, 0),
    ];
    rows.map(|(name, what, update, payload, index)| Vector::payload(name, what, update, &payload, &wrong(index))).into()
}

/// Signed, and chained by another rule.
fn chained(update: &Update) -> Vec<Vector> {
    let by = |change: fn(&mut Block)| Update::chained(&update.image, BLOCK, change);
    let link_last = |block: &mut Block| {
        if block.link.is_empty() {
            block.link = vec![0; 32];
            block.hashed.extend(&block.link);
        }
    };
    // A link that leads nowhere, hashed as it stands.
    let (tail, second) = chain(&update.image[BLOCK..], BLOCK, |_| {});
    let first = Block::new(0, &update.image[..BLOCK], &second);
    let renumbered = Update { payload: [&first.hashed[..], &tail].concat(), ..update.set(10, &first.hash()) };
    let alone = Update::chained(&noise(40), BLOCK, |block| block.last[0] = 0);
    let rows = [
        ("chain-mark", "LGB2 instead of LGB1", by(|block| block.mark = *b"LGB2"), 0),
        ("chain-index", "blocks numbered from 1", by(|block| block.index += 1), 0),
        ("chain-length", "the data length counts the link", by(|block| block.length = block.hashed.len() as u32), 0),
        ("chain-last-never", "the last block hashed as one that is not", by(|block| block.last[0] = 0), 2),
        ("chain-last-always", "every block hashed as the last", by(|block| block.last[0] = 1), 0),
        ("chain-reserved", "a reserved byte is 1", by(|block| block.last[3] = 1), 0),
        ("chain-without-link", "links not hashed", by(|block| block.hashed.truncate(block.length as usize)), 0),
        ("chain-last-linked", "the last block has a link", by(link_last), 2),
        ("chain-link", "block 0 links to a block 1 that is numbered 0", renumbered, 1),
        ("first-block-hash", "not the hash of block 0", update.set(10, &[0x11; 32]), 0),
        ("chain-only-block-not-last", "an only block hashed as one that is not the last", alone, 0),
    ];
    rows.map(|(name, what, update, index)| Vector::payload(name, what, &update, &update.payload, &wrong(index))).into()
}

/// Every block is right, but not what is made of them.
fn ends(update: &Update) -> Vec<Vector> {
    let digest = update.set(7, &sha256(&noise(529)));
    let trailing = "bytes behind the last block";
    [
        ("image-digest", "not the digest of the image", &digest, &[][..], "ImageDigest"),
        ("trailing-byte", trailing, update, &[0], "Trailing"),
        ("trailing-erased", trailing, update, &[0xFF], "Trailing"),
        ("trailing-link", trailing, update, &[0; 32], "Trailing"),
    ]
    .map(|(name, what, update, extra, refusal)| {
        Vector::payload(name, what, update, &[&update.payload, extra].concat(), refusal)
    })
    .into()
}

/// The package ends too early.
fn cuts(update: &Update) -> Vec<Vector> {
    let package = update.signed_by("a");
    let head = package.len() - update.payload.len();
    [
        ("cut-empty", "nothing", 0),
        ("cut-1", "one byte", 1),
        ("cut-prelude", "a byte of the prelude is missing", 15),
        ("cut-behind-prelude", "nothing but the prelude", 16),
        ("cut-manifest", "a byte of the manifest is missing", 168),
        ("cut-behind-manifest", "nothing behind the manifest", 169),
        ("cut-section-length", "half of the section's length", 170),
        ("cut-entry", "in the signature's header", 175),
        ("cut-signature", "a byte of the signature is missing", head - 1),
        ("cut-behind-head", "no block", head),
        ("cut-block-0", "in block 0", head + 100),
        ("cut-link", "in front of block 0's link", head + BLOCK),
        ("cut-behind-block-0", "nothing behind block 0", head + LINKED),
        ("cut-last-block", "no last block", head + 2 * LINKED),
        ("cut-last-byte", "the last byte is missing", package.len() - 1),
    ]
    .map(|(name, what, at)| {
        let image = if at < head { Vec::new() } else { update.image.clone() };
        Vector { image, ..Vector::head(name, what, package[..at].into(), &format!("Truncated {{ position: {at} }}")) }
    })
    .into()
}
