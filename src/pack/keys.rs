//! Keys in files, and whoever signs.

use std::boxed::Box;
use std::string::String;
use std::{error, fmt};

use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::rand_core::OsRng;
use p256::elliptic_curve::zeroize::{ZeroizeOnDrop, Zeroizing};
use p256::pkcs8::{der, DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use p256::SecretKey;

use super::bench::{self, is_bench};
use crate::digest::{Digest, Sha2};
use crate::trust::PublicKey;

/// Whoever makes signatures: a key in a file, or one that never leaves an HSM.
pub trait Signer {
    /// The public key that the signatures verify under.
    fn public_key(&self) -> PublicKey;
    /// Signs `digest`: r || s.
    ///
    /// # Errors
    ///
    /// Whatever kept it from signing.
    fn sign(&mut self, digest: &Digest) -> Result<[u8; 64], Box<dyn error::Error + Send + Sync>>;
}

/// A private key in memory. Its bytes are zeroized when it is dropped; `Debug` does not show them.
#[derive(Clone)]
pub struct SigningKey(SecretKey);

impl SigningKey {
    /// A new key, from the operating system's randomness. Never one that [`is_bench`].
    #[must_use]
    pub fn generate() -> Self {
        loop {
            let key = Self(SecretKey::random(&mut OsRng));
            if !is_bench(&key.public_key().id::<Sha2>()) {
                return key;
            }
        }
    }

    /// A new bench key: its id begins with [`BENCH_PREFIX`](super::BENCH_PREFIX). Found by trying, about
    /// 65,536 times: a few seconds.
    #[must_use]
    pub fn generate_bench() -> Self {
        Self(bench::generate())
    }

    /// Reads a PEM: PKCS#8 (`PRIVATE KEY`) or SEC1 (`EC PRIVATE KEY`), as openssl writes them.
    ///
    /// # Errors
    ///
    /// [`KeyError`] says what is wrong.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let block = private_block(pem)?;
        let key =
            if block.contains("BEGIN EC PRIVATE KEY") { sec1(block) } else { SecretKey::from_pkcs8_pem(block).ok() };
        key.map(Self).ok_or(KeyError::NotP256)
    }

    /// The key as PKCS#8 PEM. Whoever holds this text can sign.
    ///
    /// # Panics
    ///
    /// Never: every P-256 key has this form.
    #[must_use]
    pub fn to_pem(&self) -> impl AsRef<str> {
        self.pem()
    }

    /// Wiped when it is dropped.
    fn pem(&self) -> Zeroizing<String> {
        self.0.to_pkcs8_pem(LineEnding::LF).expect("every P-256 key has a PKCS#8 form")
    }
}

/// `SecretKey` does it.
impl ZeroizeOnDrop for SigningKey {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public_key()).finish()
    }
}

impl Signer for SigningKey {
    fn public_key(&self) -> PublicKey {
        from_point(&self.0.public_key().into())
    }

    fn sign(&mut self, digest: &Digest) -> Result<[u8; 64], Box<dyn error::Error + Send + Sync>> {
        let signature: Signature = p256::ecdsa::SigningKey::from(&self.0).sign_prehash(&digest.0)?;
        Ok(signature.to_bytes().into())
    }
}

/// Reads a public key from PEM: a public key (`PUBLIC KEY`), or the public half of a private one.
///
/// # Errors
///
/// [`KeyError`] says what is wrong.
pub fn read_public_key(pem: &str) -> Result<PublicKey, KeyError> {
    if !pem.contains("BEGIN PUBLIC KEY") {
        return Ok(SigningKey::from_pem(pem)?.public_key());
    }
    let key = p256::PublicKey::from_public_key_pem(pem.trim()).map_err(|_| KeyError::NotP256)?;
    Ok(from_point(&key.into()))
}

/// A public key as PEM (`SubjectPublicKeyInfo`); `None` if it is no point of the curve.
#[must_use]
pub fn public_key_pem(key: &PublicKey) -> Option<String> {
    let point = p256::EncodedPoint::from_untagged_bytes(&key.0.into());
    let key = VerifyingKey::from_encoded_point(&point).ok()?;
    key.to_public_key_pem(LineEnding::LF).ok()
}

/// Reads a signature that another program made: r || s (64 bytes) or DER.
#[must_use]
pub fn signature_from_bytes(bytes: &[u8]) -> Option<[u8; 64]> {
    let signature = match bytes.len() {
        64 => Signature::from_slice(bytes).ok()?,
        _ => Signature::from_der(bytes).ok()?,
    };
    Some(signature.to_bytes().into())
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no private key in the PEM.
    NotPrivate,
    /// The private key is encrypted.
    Encrypted,
    /// It is no well-formed key on P-256.
    NotP256,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPrivate => "no private key in PEM (expected PRIVATE KEY or EC PRIVATE KEY)",
            Self::Encrypted => "the private key is encrypted: decrypt it with `openssl pkey`, or keep it where it is and use --sign-with",
            Self::NotP256 => "not a well-formed key on P-256 (prime256v1)",
        })
    }
}

impl error::Error for KeyError {}

/// The private key's block of a PEM file; openssl puts a block of curve parameters in front of it.
fn private_block(pem: &str) -> Result<&str, KeyError> {
    if pem.contains("BEGIN ENCRYPTED PRIVATE KEY") || pem.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(KeyError::Encrypted);
    }
    ["EC PRIVATE KEY", "PRIVATE KEY"]
        .iter()
        .find_map(|name| {
            let (begin, end) = (["-----BEGIN ", name, "-----"].concat(), ["-----END ", name, "-----"].concat());
            let start = pem.find(&begin)?;
            let stop = pem[start..].find(&end)? + start + end.len();
            Some(&pem[start..stop])
        })
        .ok_or(KeyError::NotPrivate)
}

/// A SEC1 key that names P-256 as its curve. `p256` leaves that unread, and would take the 32 bytes of a key on secp256k1 for its
/// own; what it decodes a PEM into, it does not wipe.
fn sec1(block: &str) -> Option<SecretKey> {
    /// Object identifier 1.2.840.10045.3.1.7, prime256v1.
    const OID: [u8; 10] = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
    let der = Zeroizing::new(der::pem::decode_vec(block.as_bytes()).ok()?.1);
    let named = der.windows(OID.len()).any(|window| window == OID);
    SecretKey::from_sec1_der(&der).ok().filter(|_| named)
}

fn from_point(key: &VerifyingKey) -> PublicKey {
    let point = key.to_encoded_point(false);
    let mut bytes = [0; 64];
    bytes.copy_from_slice(&point.as_bytes()[1..]);
    PublicKey(bytes)
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;

    use super::*;

    #[test]
    fn private_keys_are_wiped_when_they_are_dropped() {
        fn wiped<T: ZeroizeOnDrop>() {}
        wiped::<SigningKey>();
        wiped::<SecretKey>();
        wiped::<p256::ecdsa::SigningKey>();
        let pem: Zeroizing<String> = SigningKey::generate().pem();
        assert!(pem.contains("BEGIN PRIVATE KEY"));
    }

    #[test]
    fn debug_of_a_private_key_shows_its_public_key_and_no_more() {
        let key = SigningKey::generate();
        let shown = format!("{key:?} {key:#?}");
        let secret: String = key.0.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let public: String = key.public_key().0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(shown.contains(&public));
        // Not a piece of it, in hexadecimal or as a list of numbers.
        assert!((0..secret.len() - 8).all(|at| !shown.contains(&secret[at..at + 8])), "in hexadecimal");
        let numbers = format!("{:?}", &key.0.to_bytes()[..4]);
        assert!(!shown.contains(numbers.trim_matches(['[', ']'])), "as numbers");
    }
}
