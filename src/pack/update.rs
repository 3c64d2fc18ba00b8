//! Makes an update: manifest, signatures, blocks.

use std::boxed::Box;
use std::vec::Vec;
use std::{error, fmt};

use super::keys::Signer;
use super::payload::Payload;
use crate::digest::{digest, Digest, Sha2};
use crate::es256::P256;
use crate::id::{Uuid, Version};
use crate::manifest::{number, BaseImage, Encoding, Manifest, Window, CRITICAL, MAX_SIZE};
use crate::refusal::Refusal;
use crate::trust::{KeyId, PublicKey, Verify};
use crate::wire::{
    block_prefix, EntryHeader, ObjectType, Prelude, ES256, ES256_SIZE, MAX_ENTRIES, MAX_MANIFEST, UPDATE_DOMAIN,
};

/// What an update is to say. Fill it in, then [`build`](Self::build).
#[derive(Clone, Debug)]
pub struct Update {
    vendor: Uuid,
    class: Uuid,
    component: u16,
    version: Version,
    security_counter: u32,
    block_exponent: u8,
    load_address: Option<u32>,
    private: Vec<(u16, Vec<u8>)>,
}

impl Update {
    /// An update for component 0, in blocks of 1024 bytes.
    #[must_use]
    pub const fn new(vendor: Uuid, class: Uuid, version: Version, security_counter: u32) -> Self {
        Self {
            vendor,
            class,
            component: 0,
            version,
            security_counter,
            block_exponent: 10,
            load_address: None,
            private: Vec::new(),
        }
    }

    /// For another component than 0.
    #[must_use]
    pub const fn component(mut self, component: u16) -> Self {
        self.component = component;
        self
    }

    /// In blocks of `bytes`.
    ///
    /// # Errors
    ///
    /// [`PackError::BlockSize`] if it is no power of two from 256 to 65536.
    pub fn block_size(mut self, bytes: u32) -> Result<Self, PackError> {
        if !bytes.is_power_of_two() || !(256..=65_536).contains(&bytes) {
            return Err(PackError::BlockSize(bytes));
        }
        self.block_exponent = bytes.trailing_zeros() as u8;
        Ok(self)
    }

    /// The one address the image can run at.
    #[must_use]
    pub const fn load_address(mut self, address: u32) -> Self {
        self.load_address = Some(address);
        self
    }

    /// Adds an element of the vendor's own, for the application's policy. `kind` is the number, 0x7000 to
    /// 0x7FFF, with [`CRITICAL`] set if devices that do not know it must refuse. (Devices know
    /// those that [`Device::private_elements`](crate::Device::private_elements) names.)
    ///
    /// # Errors
    ///
    /// [`PackError::PrivateElement`] if the number is out of range or given before.
    pub fn element(mut self, kind: u16, value: &[u8]) -> Result<Self, PackError> {
        let number = kind & !CRITICAL;
        if !(0x7000..=0x7FFF).contains(&number) || self.private.iter().any(|(other, _)| other & !CRITICAL == number) {
            return Err(PackError::PrivateElement(number));
        }
        self.private.push((kind, value.into()));
        self.private.sort_by_key(|(kind, _)| kind & !CRITICAL);
        Ok(self)
    }

    /// An update to `image`, as it is: [`encode`](Self::encode) of a raw [`Payload`].
    ///
    /// # Errors
    ///
    /// [`PackError`] says what is wrong.
    pub fn build(&self, image: &[u8], signers: &mut [&mut dyn Signer]) -> Result<Package, PackError> {
        self.encode(&Payload::raw(image)?, signers)
    }

    /// Cuts a payload into blocks, chains and signs them. Every signature is verified before it is used, so a
    /// device in the field never is the first to find that a key store signs wrongly.
    ///
    /// # Errors
    ///
    /// [`PackError`] says what is wrong.
    pub fn encode(&self, payload: &Payload, signers: &mut [&mut dyn Signer]) -> Result<Package, PackError> {
        let (blocks, first_block_hash) = chain(payload.bytes(), 1 << self.block_exponent);
        let body = self.manifest(payload, first_block_hash)?;
        if body.len() > MAX_MANIFEST {
            return Err(PackError::ManifestSize(body.len()));
        }
        let mut bytes = Prelude { object: ObjectType::Update, body: body.len() }.encode().to_vec();
        bytes.extend(&body);
        let manifest_digest = digest::<Sha2>(&[&bytes]);
        let section = signatures(&digest::<Sha2>(&[&UPDATE_DOMAIN, &bytes]), signers)?;
        bytes.extend((section.len() as u16).to_le_bytes());
        bytes.extend(section);
        let head = bytes.len();
        bytes.extend(blocks);
        let manifest = Manifest::parse(&body, |_| true).map_err(|_| PackError::ManifestSize(body.len()))?;
        Ok(Package { bytes, head, manifest, manifest_digest })
    }

    fn manifest(&self, payload: &Payload, first_block_hash: Digest) -> Result<Vec<u8>, PackError> {
        let length = payload.bytes().len();
        let length =
            u32::try_from(length).ok().filter(|&length| length <= MAX_SIZE).ok_or(PackError::ImageSize(length))?;
        let mut body = Vec::new();
        let mut put = |kind: u16, value: &[u8]| {
            body.extend(kind.to_le_bytes());
            body.extend((value.len() as u16).to_le_bytes());
            body.extend(value);
        };
        let Version { major, minor, revision, build } = self.version;
        let [r0, r1] = revision.to_le_bytes();
        let [b0, b1, b2, b3] = build.to_le_bytes();
        put(CRITICAL | number::VENDOR, &self.vendor.0);
        put(CRITICAL | number::CLASS, &self.class.0);
        if self.component != 0 {
            put(CRITICAL | number::COMPONENT, &self.component.to_le_bytes());
        }
        put(CRITICAL | number::VERSION, &[major, minor, r0, r1, b0, b1, b2, b3]);
        put(CRITICAL | number::SECURITY_COUNTER, &self.security_counter.to_le_bytes());
        put(CRITICAL | number::IMAGE_SIZE, &payload.image_size().to_le_bytes());
        put(CRITICAL | number::IMAGE_DIGEST, &payload.image_digest().0);
        put(CRITICAL | number::BLOCK_SIZE, &[self.block_exponent]);
        put(CRITICAL | number::PAYLOAD_LENGTH, &length.to_le_bytes());
        put(CRITICAL | number::FIRST_BLOCK_HASH, &first_block_hash.0);
        match payload.encoding() {
            Encoding::Raw => {}
            Encoding::Heatshrink(Window { window, lookahead }) => {
                put(CRITICAL | number::ENCODING, &[1, window, lookahead]);
            }
            Encoding::Delta(None) => put(CRITICAL | number::ENCODING, &[2, 0]),
            Encoding::Delta(Some(Window { window, lookahead })) => {
                put(CRITICAL | number::ENCODING, &[2, 1, window, lookahead]);
            }
        }
        if let Some(BaseImage { size, digest }) = payload.base_image() {
            put(CRITICAL | number::BASE_IMAGE, &[&size.to_le_bytes()[..], &digest.0].concat());
        }
        if let Some(address) = self.load_address {
            put(CRITICAL | number::LOAD_ADDRESS, &address.to_le_bytes());
        }
        for (kind, value) in &self.private {
            put(*kind, value);
        }
        Ok(body)
    }
}

/// The payload with its links, and the hash of block 0. Built from the end: each block holds the hash of the
/// next.
fn chain(payload: &[u8], block: usize) -> (Vec<u8>, Digest) {
    let mut next: Option<Digest> = None;
    let mut parts = Vec::new();
    for (index, data) in payload.chunks(block).enumerate().rev() {
        let link = next.map_or(&[][..], |_| &[0; 32][..]).len();
        let hash = next.map_or([0; 32], |Digest(hash)| hash);
        let prefix = block_prefix(index as u32, data.len() as u32, next.is_none());
        next = Some(digest::<Sha2>(&[&prefix, data, &hash[..link]]));
        parts.push((data, hash, link));
    }
    let mut bytes = Vec::with_capacity(payload.len() + 32 * parts.len());
    for (data, hash, link) in parts.iter().rev() {
        bytes.extend(*data);
        bytes.extend(&hash[..*link]);
    }
    (bytes, next.unwrap_or(Digest([0; 32])))
}

/// The entries of the signature section, in order.
pub(super) fn signatures(digest: &Digest, signers: &mut [&mut dyn Signer]) -> Result<Vec<u8>, PackError> {
    if signers.is_empty() || signers.len() > usize::from(MAX_ENTRIES) {
        return Err(PackError::Signers(signers.len()));
    }
    let mut entries: Vec<(EntryHeader, [u8; 64])> = Vec::new();
    for signer in signers {
        let public: PublicKey = signer.public_key();
        let key = public.id::<Sha2>();
        if entries.iter().any(|(header, _)| header.key == key) {
            return Err(PackError::KeyTwice(key));
        }
        let signature = signer.sign(digest).map_err(|cause| PackError::Signing { key, cause })?;
        if !P256.verify(&public, digest, &signature) {
            return Err(PackError::BadSignature(key));
        }
        entries.push((EntryHeader { algorithm: ES256, key, length: ES256_SIZE as u16 }, signature));
    }
    entries.sort_by_key(|(header, _)| *header);
    Ok(entries.iter().flat_map(|(header, signature)| header.encode().into_iter().chain(*signature)).collect())
}

/// A package, ready to be sent.
#[derive(Clone, Debug)]
pub struct Package {
    bytes: Vec<u8>,
    head: usize,
    manifest: Manifest,
    manifest_digest: Digest,
}

impl Package {
    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Prelude, manifest and signatures: what a slot's trailer begins with in a device that asks for all of
    /// these signatures.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.bytes[..self.head]
    }

    /// Its manifest.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its manifest digest.
    #[must_use]
    pub const fn manifest_digest(&self) -> Digest {
        self.manifest_digest
    }
}

/// Why no package was made.
#[derive(Debug)]
#[non_exhaustive]
pub enum PackError {
    /// The image is empty or has 2 GiB or more.
    ImageSize(usize),
    /// The block size is no power of two from 256 to 65536.
    BlockSize(u32),
    /// The manifest has more than 512 bytes.
    ManifestSize(usize),
    /// A private element's number is out of range or given twice.
    PrivateElement(u16),
    /// No signer, or more than 32.
    Signers(usize),
    /// Two signers have the same key.
    KeyTwice(KeyId),
    /// A signer did not sign.
    Signing {
        /// The key.
        key: KeyId,
        /// What the signer says.
        cause: Box<dyn error::Error + Send + Sync>,
    },
    /// A signer's signature does not verify under its public key.
    BadSignature(KeyId),
    /// No device would take the key set.
    KeySet(Refusal),
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ImageSize(size) => write!(f, "image of {size} bytes: 1 to 2147483647 can be packed"),
            Self::BlockSize(size) => write!(f, "block size {size}: a power of two from 256 to 65536 is needed"),
            Self::ManifestSize(size) => {
                write!(f, "manifest of {size} bytes: 512 at most; shorten the private elements")
            }
            Self::PrivateElement(number) => {
                write!(f, "private element {number:#06x}: numbers are 0x7000 to 0x7fff, each once")
            }
            Self::Signers(count) => write!(f, "{count} signers: 1 to 32 are needed"),
            Self::KeyTwice(key) => write!(f, "key {key} was given twice"),
            Self::Signing { key, cause } => write!(f, "key {key} did not sign: {cause}"),
            Self::BadSignature(key) => write!(f, "the signature made for key {key} does not verify under it"),
            Self::KeySet(refusal) => write!(f, "key set: {refusal}"),
        }
    }
}

impl error::Error for PackError {}
