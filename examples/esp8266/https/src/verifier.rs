//! The judge of a handshake: what the server proved, and if it was refused, why.
//!
//! `embedded-tls` 0.19 takes a handshake without a certificate for a good one, and never asks its verifier. So it is not
//! enough that no check failed: the verdict counts how far the checks came.

use embedded_tls::blocking::{
    Aes128GcmSha256, CertificateEntryRef, CertificateRef, CertificateVerifyRef, CryptoProvider, TlsVerifier,
};
use embedded_tls::{SignatureScheme, TlsError};
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha256};

use crate::certificate::{self, Refusal};
use crate::ecdsa;
use crate::server::Server;

/// What the server has proved so far.
pub(crate) enum Verdict {
    /// Nothing.
    Nothing,
    /// That there is a certificate for it.
    Certified {
        /// The certificate's key.
        key: [u8; 64],
        /// What its signature of the handshake has to be over.
        digest: [u8; 32],
    },
    /// That it is the server.
    Proven,
    /// It was refused.
    Refused(Refusal),
}

pub(crate) struct Judge<'s> {
    server: &'s Server<'s>,
    pub(crate) verdict: Verdict,
}

impl<'s> Judge<'s> {
    pub(crate) fn new(server: &'s Server<'s>) -> Self {
        Self { server, verdict: Verdict::Nothing }
    }

    fn certificate(&self, transcript: &Sha256, message: &CertificateRef<'_>) -> Result<Verdict, Refusal> {
        if !matches!(self.verdict, Verdict::Nothing) {
            return Err(Refusal::Order);
        }
        let Some(CertificateEntryRef::X509(leaf)) = message.entries.first() else { return Err(Refusal::Missing) };
        match certificate::check(leaf, self.server) {
            Ok(key) => Ok(Verdict::Certified { key, digest: signed_content(transcript) }),
            Err(Refusal::Signature) if message.entries.len() > 1 => Err(Refusal::Intermediate),
            Err(refusal) => Err(refusal),
        }
    }

    fn signature(&self, message: &CertificateVerifyRef<'_>) -> Result<Verdict, Refusal> {
        let Verdict::Certified { key, digest } = &self.verdict else { return Err(Refusal::Order) };
        if message.signature_scheme.as_u16() != SignatureScheme::EcdsaSecp256r1Sha256.as_u16() {
            return Err(Refusal::Scheme);
        }
        if ecdsa::verify(key, digest, message.signature) {
            Ok(Verdict::Proven)
        } else {
            Err(Refusal::Possession)
        }
    }

    /// Keeps the reason: a [`TlsError`] cannot carry it.
    fn settle(&mut self, outcome: Result<Verdict, Refusal>, error: TlsError) -> Result<(), TlsError> {
        match outcome {
            Ok(verdict) => {
                self.verdict = verdict;
                Ok(())
            }
            Err(refusal) => {
                self.verdict = Verdict::Refused(refusal);
                Err(error)
            }
        }
    }
}

/// The digest of what a server signs (RFC 8446, section 4.4.3): `transcript` ends with the Certificate message.
#[inline(never)]
fn signed_content(transcript: &Sha256) -> [u8; 32] {
    Sha256::new()
        .chain_update([0x20; 64])
        .chain_update(b"TLS 1.3, server CertificateVerify\0")
        .chain_update(transcript.clone().finalize())
        .finalize()
        .into()
}

impl TlsVerifier<Aes128GcmSha256> for Judge<'_> {
    fn set_hostname_verification(&mut self, _: &str) -> Result<(), TlsError> {
        Ok(()) // The judge has the name already.
    }

    #[inline(never)]
    fn verify_certificate(&mut self, transcript: &Sha256, message: CertificateRef<'_>) -> Result<(), TlsError> {
        let outcome = self.certificate(transcript, &message);
        self.settle(outcome, TlsError::InvalidCertificate)
    }

    #[inline(never)]
    fn verify_signature(&mut self, message: CertificateVerifyRef<'_>) -> Result<(), TlsError> {
        let outcome = self.signature(&message);
        self.settle(outcome, TlsError::InvalidSignature)
    }
}

/// What `embedded-tls` asks for during a handshake: randomness, and a verdict.
pub(crate) struct Provider<'p, 's, R: ?Sized> {
    pub(crate) rng: &'p mut R,
    pub(crate) judge: &'p mut Judge<'s>,
}

impl<R: CryptoRngCore + ?Sized> CryptoProvider for Provider<'_, '_, R> {
    type CipherSuite = Aes128GcmSha256;
    type Signature = [u8; 0]; // of a client: it has none

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut *self.rng
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, TlsError> {
        Ok(&mut *self.judge)
    }
}
