//! ECDSA on P-256, the signature as TLS and certificates write it.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::EncodedPoint;

use crate::certificate::Refusal;
use crate::der::{self, Reader, INTEGER, SEQUENCE};

/// Whether `signature`, an `Ecdsa-Sig-Value` (RFC 3279, section 2.2.3), over `digest` is `key`'s (x || y). A key that is no
/// point of the curve has signed nothing.
#[inline(never)] // the largest frame there is: let no other stand on it
pub(crate) fn verify(key: &[u8; 64], digest: &[u8; 32], signature: &[u8]) -> bool {
    let point = EncodedPoint::from_untagged_bytes(key.into());
    let (Ok(key), Ok(scalars)) = (VerifyingKey::from_encoded_point(&point), scalars(signature)) else { return false };
    Signature::from_slice(&scalars).is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok())
}

/// r || s.
fn scalars(signature: &[u8]) -> Result<[u8; 64], Refusal> {
    let mut inside = der::only(signature, SEQUENCE)?;
    let mut scalars = [0; 64];
    for half in scalars.chunks_exact_mut(32) {
        scalar(&mut inside, half).ok_or(Refusal::Malformed)?;
    }
    inside.end()?;
    Ok(scalars)
}

/// A positive INTEGER of at most 32 bytes; a leading 0 only where the next bit would read as a sign (X.690, section 8.3.2).
fn scalar(reader: &mut Reader<'_>, into: &mut [u8]) -> Option<()> {
    let digits = match reader.expect(INTEGER).ok()? {
        [0, digits @ ..] if digits.first().is_some_and(|&first| first >= 0x80) => digits,
        digits if digits.first().is_some_and(|first| (1..0x80).contains(first)) => digits,
        _ => return None,
    };
    let start = into.len().checked_sub(digits.len())?;
    into.get_mut(start..)?.copy_from_slice(digits);
    Some(())
}
