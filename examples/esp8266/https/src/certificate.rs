//! Whether a certificate is the server's: X.509 (RFC 5280) for one leaf under one pinned key.
//!
//! The signature comes first, so that what is read further in was written by the pinned key's owner.

use core::fmt;

use sha2::{Digest, Sha256};

use crate::der::{self, Reader, BIT_STRING, BOOLEAN, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};
use crate::server::{Now, Server};
use crate::{ecdsa, time};

/// Why the server is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It sent an empty list of certificates.
    Missing,
    /// The certificate is not the DER of a certificate, or breaks a rule of RFC 5280.
    Malformed,
    /// The certificate is not of version 3.
    Version,
    /// The certificate is signed by another algorithm than ecdsa-with-SHA256, or is of two minds about it.
    Algorithm,
    /// The certificate's key is not an uncompressed point of P-256.
    Key,
    /// The pinned key did not sign the certificate.
    Signature,
    /// The pinned key did not sign the first certificate, and others follow it: an intermediate stands between, which is not
    /// supported.
    Intermediate,
    /// The certificate is of the past.
    Expired {
        /// Its last second.
        not_after: u64,
        /// The time as far as it is known.
        now: u64,
    },
    /// The certificate is of the future.
    NotYetValid {
        /// Its first second.
        not_before: u64,
        /// The time.
        now: u64,
    },
    /// The certificate is not for the server's name.
    Name,
    /// The certificate is a CA's, not a server's.
    Authority,
    /// The certificate's key is not for signatures.
    KeyUsage,
    /// The certificate's key is not for TLS servers.
    ExtendedKeyUsage,
    /// An extension stands there twice.
    DuplicateExtension,
    /// An extension that must be understood, and is not.
    CriticalExtension,
    /// The server signed the handshake by another scheme than ecdsa_secp256r1_sha256.
    Scheme,
    /// The server does not hold the certificate's key: its signature of the handshake does not verify.
    Possession,
    /// Certificate and signature did not come once each, in this order.
    Order,
}

/// ecdsa-with-SHA256, without parameters (RFC 5758, section 3.2).
const ECDSA_WITH_SHA256: [u8; 10] = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
/// id-ecPublicKey on secp256r1 (RFC 5480, section 2.1.1).
const EC_P256: [u8; 19] =
    [0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
/// id-kp-serverAuth, and anyExtendedKeyUsage (RFC 5280, section 4.2.1.12).
const SERVER_AUTH: [u8; 8] = [0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const ANY_USAGE: [u8; 4] = [0x55, 0x1D, 0x25, 0x00];

/// Checks a server's certificate and gives the public key in it, x || y. Whoever sent it has yet to prove that the key is theirs.
///
/// # Errors
///
/// The [`Refusal`]. Every byte is accounted for: a certificate that differs in one bit from one that passes does not.
pub fn check(certificate: &[u8], server: &Server<'_>) -> Result<[u8; 64], Refusal> {
    let signed = signed(certificate, server.ca)?;
    contents(signed, server)
}

/// What the pinned key has signed: the inside of the `TBSCertificate` (section 4.1).
#[inline(never)]
fn signed<'c>(certificate: &'c [u8], ca: &[u8; 64]) -> Result<Reader<'c>, Refusal> {
    let mut fields = der::only(certificate, SEQUENCE)?;
    let tbs = fields.element()?;
    algorithm(&mut fields)?;
    let signature = bits(&mut fields)?;
    fields.end()?;
    if !ecdsa::verify(ca, &Sha256::digest(tbs.whole).into(), signature) {
        return Err(Refusal::Signature);
    }
    der::only(tbs.whole, SEQUENCE)
}

/// Section 4.1.2, field by field.
#[inline(never)]
fn contents(mut tbs: Reader<'_>, server: &Server<'_>) -> Result<[u8; 64], Refusal> {
    match tbs.optional(0xA0)? {
        Some([INTEGER, 1, 2]) => {}
        _ => return Err(Refusal::Version),
    }
    tbs.expect(INTEGER)?; // serialNumber: for revocation lists
    algorithm(&mut tbs)?;
    tbs.expect(SEQUENCE)?; // issuer: the key is pinned, not its name
    validity(tbs.enter(SEQUENCE)?, server.now)?;
    tbs.expect(SEQUENCE)?; // subject: names are in the extensions (RFC 9525, section 2)
    let key = subject_key(tbs.enter(SEQUENCE)?)?;
    let list = tbs.optional(0xA3)?.ok_or(Refusal::Name)?;
    tbs.end()?;
    extensions(der::only(list, SEQUENCE)?, server.name)?;
    Ok(key)
}

/// Both `AlgorithmIdentifier`s have to be this one, and so are equal (section 4.1.1.2).
fn algorithm(reader: &mut Reader<'_>) -> Result<(), Refusal> {
    if reader.expect(SEQUENCE)? == ECDSA_WITH_SHA256 {
        Ok(())
    } else {
        Err(Refusal::Algorithm)
    }
}

/// A BIT STRING of whole bytes.
fn bits<'c>(reader: &mut Reader<'c>) -> Result<&'c [u8], Refusal> {
    match reader.expect(BIT_STRING)? {
        [0, bytes @ ..] => Ok(bytes),
        _ => Err(Refusal::Malformed),
    }
}

/// Section 4.1.2.5: both ends are included.
fn validity(mut fields: Reader<'_>, now: Now) -> Result<(), Refusal> {
    let not_before = time::read(&mut fields)?;
    let not_after = time::read(&mut fields)?;
    fields.end()?;
    match now {
        Now::Exact(now) if now < not_before => Err(Refusal::NotYetValid { not_before, now }),
        Now::Exact(now) | Now::NotBefore(now) if now > not_after => Err(Refusal::Expired { not_after, now }),
        _ => Ok(()),
    }
}

fn subject_key(mut fields: Reader<'_>) -> Result<[u8; 64], Refusal> {
    let is_p256 = fields.expect(SEQUENCE)? == EC_P256;
    let point = bits(&mut fields)?;
    fields.end()?;
    match point.split_first() {
        Some((4, xy)) if is_p256 => xy.try_into().map_err(|_| Refusal::Key),
        _ => Err(Refusal::Key),
    }
}

/// Section 4.2. Each extension at most once; a critical one has to be known here.
fn extensions(mut list: Reader<'_>, name: &str) -> Result<(), Refusal> {
    let mut named = false;
    while !list.is_empty() {
        let mut fields = list.enter(SEQUENCE)?;
        let id = fields.expect(OBJECT_IDENTIFIER)?;
        let critical = der::truth(fields.optional(BOOLEAN)?)?;
        let value = fields.expect(OCTET_STRING)?;
        fields.end()?;
        if stands_in(list, id)? {
            return Err(Refusal::DuplicateExtension);
        }
        match id {
            [0x55, 0x1D, 0x0F] => key_usage(value)?,
            [0x55, 0x1D, 0x11] => named = names(value, name)?,
            [0x55, 0x1D, 0x13] => basic_constraints(value)?,
            [0x55, 0x1D, 0x25] => extended_key_usage(value)?,
            _ if critical => return Err(Refusal::CriticalExtension),
            _ => {}
        }
    }
    if named {
        Ok(())
    } else {
        Err(Refusal::Name)
    }
}

fn stands_in(mut list: Reader<'_>, id: &[u8]) -> Result<bool, Refusal> {
    while !list.is_empty() {
        if list.enter(SEQUENCE)?.expect(OBJECT_IDENTIFIER)? == id {
            return Ok(true);
        }
    }
    Ok(false)
}

/// digitalSignature is the first bit (section 4.2.1.3): the server's key signs the handshake.
fn key_usage(value: &[u8]) -> Result<(), Refusal> {
    let mut outer = Reader::new(value);
    let bits = outer.expect(BIT_STRING)?;
    outer.end()?;
    match bits {
        [0..=7, 0x80..=0xFF, ..] => Ok(()),
        [0..=7, ..] => Err(Refusal::KeyUsage),
        _ => Err(Refusal::Malformed),
    }
}

/// `{ cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL }` (section 4.2.1.9).
fn basic_constraints(value: &[u8]) -> Result<(), Refusal> {
    let mut fields = der::only(value, SEQUENCE)?;
    let authority = der::truth(fields.optional(BOOLEAN)?)?;
    fields.optional(INTEGER)?;
    fields.end()?;
    if authority {
        Err(Refusal::Authority)
    } else {
        Ok(())
    }
}

fn extended_key_usage(value: &[u8]) -> Result<(), Refusal> {
    let mut purposes = der::only(value, SEQUENCE)?;
    let mut found = false;
    while !purposes.is_empty() {
        let purpose = purposes.expect(OBJECT_IDENTIFIER)?;
        found |= purpose == SERVER_AUTH || purpose == ANY_USAGE;
    }
    if found {
        Ok(())
    } else {
        Err(Refusal::ExtendedKeyUsage)
    }
}

/// Whether a dNSName (tag \[2\], section 4.2.1.6) is the server's.
fn names(value: &[u8], name: &str) -> Result<bool, Refusal> {
    let mut list = der::only(value, SEQUENCE)?;
    let mut found = false;
    while !list.is_empty() {
        let entry = list.element()?;
        found |= entry.tag == 0x82 && matches(entry.value, name.as_bytes());
    }
    Ok(found)
}

/// RFC 9525, section 6.3: letter case does not count, and a `*` stands for one whole left-most label.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (pattern, name) = match (pattern.strip_prefix(b"*."), name.iter().position(|&byte| byte == b'.')) {
        (Some(rest), Some(dot)) if dot > 0 => (rest, name.get(dot..).and_then(|name| name.strip_prefix(b"."))),
        _ => (pattern, Some(name)),
    };
    name.is_some_and(|name| pattern.eq_ignore_ascii_case(name))
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the server sent no certificate",
            Self::Malformed => "the certificate is malformed",
            Self::Version => "the certificate is not of version 3",
            Self::Algorithm => "the certificate is not signed by ecdsa-with-SHA256",
            Self::Key => "the certificate's key is not of P-256",
            Self::Signature => "the pinned key did not sign the certificate",
            Self::Intermediate => "the pinned key did not sign the certificate itself; intermediates are not supported",
            Self::Expired { not_after, now } => {
                return write!(f, "the certificate expired at {not_after}, it is {now} or later")
            }
            Self::NotYetValid { not_before, now } => {
                return write!(f, "the certificate is not valid before {not_before}, it is {now}")
            }
            Self::Name => "the certificate is not for the server's name",
            Self::Authority => "the certificate is a CA's",
            Self::KeyUsage => "the certificate's key usage lacks digitalSignature",
            Self::ExtendedKeyUsage => "the certificate's extended key usage lacks serverAuth",
            Self::DuplicateExtension => "the certificate has an extension twice",
            Self::CriticalExtension => "the certificate has an unknown critical extension",
            Self::Scheme => "the handshake is not signed by ecdsa_secp256r1_sha256",
            Self::Possession => "the server's signature of the handshake does not verify",
            Self::Order => "certificate and signature did not come once each, in this order",
        })
    }
}

impl core::error::Error for Refusal {}
