//! A CA whose key is known, and certificates made while the tests run.
#![allow(dead_code)] // each test uses a part

pub mod rogue;
pub mod tcp;

use p256::ecdsa::signature::Signer;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::EncodePrivateKey;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData, PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use time::OffsetDateTime;

pub const NAME: &str = "updates.example";
/// 2020-01-01 and 2040-01-01.
pub const NOT_BEFORE: u64 = 1_577_836_800;
pub const NOT_AFTER: u64 = 2_208_988_800;

pub struct Ca {
    pub key: SigningKey,
    pub issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    pub fn new(seed: u8) -> Self {
        let key = SigningKey::from_slice(&[seed; 32]).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: Issuer::new(params, pair(&key)), key }
    }

    /// x || y.
    pub fn public(&self) -> [u8; 64] {
        self.key.verifying_key().to_encoded_point(false).as_bytes()[1..].try_into().unwrap()
    }

    pub fn certify(&self, params: &CertificateParams, key: &impl PublicKeyData) -> Vec<u8> {
        params.signed_by(key, &self.issuer).unwrap().der().to_vec()
    }

    /// A certificate of any content.
    pub fn sign(&self, tbs: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.key.sign(tbs);
        let algorithm = [0x30, 10, 0x06, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2];
        tlv(0x30, &[tbs, &algorithm, &tlv(3, &[&[0], signature.as_bytes()])])
    }
}

pub fn pair(key: &SigningKey) -> KeyPair {
    let der = key.to_pkcs8_der().unwrap();
    KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(der.as_bytes().to_vec()), &PKCS_ECDSA_P256_SHA256)
        .unwrap()
}

pub fn leaf_key() -> SigningKey {
    SigningKey::from_slice(&[9; 32]).unwrap()
}

/// What a good leaf says.
pub fn leaf() -> CertificateParams {
    let mut params = CertificateParams::new(vec![NAME.into()]).unwrap();
    params.not_before = OffsetDateTime::from_unix_timestamp(NOT_BEFORE as i64).unwrap();
    params.not_after = OffsetDateTime::from_unix_timestamp(NOT_AFTER as i64).unwrap();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// A DER element.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let mut element = vec![tag];
    match value.len() {
        length @ 0..=0x7F => element.push(length as u8),
        length @ 0x80..=0xFF => element.extend([0x81, length as u8]),
        length => element.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    element.extend(value);
    element
}

pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}
