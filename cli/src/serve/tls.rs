//! Certificates: from files, or made for this run.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::ServerConfig;

use crate::failure::Failure;
use crate::files;

const DAY: Duration = Duration::from_secs(86_400);

/// A server under the certificate chain and the private key in these PEM files.
pub(crate) fn from_files(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, Failure> {
    let pem = files::read_text(certificate)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).flatten().collect();
    if chain.is_empty() {
        return Err(Failure::usage(certificate.display(), "no certificate in PEM (expected CERTIFICATE)"));
    }
    let pem = files::read_text(key)?;
    let private = PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| Failure::usage(key.display(), "no private key in PEM (expected PRIVATE KEY or EC PRIVATE KEY)"))?;
    config(chain, private).map_err(|error| Failure::usage(key.display(), error))
}

/// A server with a certificate of its own for `names` (host names and addresses), and the certificate of the
/// CA that signed it, in PEM. Both keys are on P-256 and live in memory only: nobody can sign under this CA
/// later.
pub(crate) fn self_signed(names: Vec<String>) -> Result<(Arc<ServerConfig>, String), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::usage("--name", error);
    let (ca_key, key) = KeyPair::generate()
        .and_then(|ca| Ok((ca, KeyPair::generate()?)))
        .map_err(|error| Failure::Io(format!("no key could be made: {error}")))?;

    let mut ca = params(Vec::new(), "lockgate development CA").map_err(|error| failed(&error))?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_certificate = ca.self_signed(&ca_key).map_err(|error| failed(&error))?;

    let mut leaf = params(names, "lockgate serve").map_err(|error| failed(&error))?;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let certificate = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).map_err(|error| failed(&error))?;

    let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = config(vec![certificate.der().clone()], private).map_err(|error| failed(&error))?;
    Ok((config, ca_certificate.pem()))
}

fn params(names: Vec<String>, title: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, title);
    // A day back for clocks that are behind; 90 days ahead, as for any certificate of a server.
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    params.not_after = (now + 90 * DAY).into();
    Ok(params)
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
