//! Oracles for the certificate parser of the ESP8266 example: nothing passes that the pinned key did not sign, not a bit of what
//! passes can be changed, and what passes is what the crate `x509-cert` reads there.

use std::sync::LazyLock;

use https::{certificate, Now, Refusal, Server};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{DerSignature, SigningKey};
use x509_cert::der::{self, Decode, Encode};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::TbsCertificate;

use crate::script::Script;

const NAME: &str = "updates.example";
const NOW: u64 = 1_800_000_000;

static CA: LazyLock<(SigningKey, [u8; 64])> = LazyLock::new(|| {
    let key = SigningKey::from_slice(&[7; 32]).expect("a key");
    let point = key.verifying_key().to_encoded_point(false);
    let public = point.as_bytes()[1..].try_into().expect("x and y");
    (key, public)
});

fn check(certificate: &[u8]) -> Result<[u8; 64], Refusal> {
    certificate::check(certificate, &Server { name: NAME, port: 443, ca: &CA.1, now: Now::Exact(NOW) })
}

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
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

/// What the pinned key signs, or a whole certificate that somebody made.
pub fn certificate(data: &[u8]) {
    let mut script = Script(data);
    let (choice, at, bit) = (script.byte(), script.below(1 << 16), script.byte());
    let bytes = script.bytes(4096);
    if choice % 4 == 3 {
        assert!(check(bytes).is_err(), "nobody signed this");
        return;
    }
    let signature: DerSignature = CA.0.sign(bytes);
    let algorithm = [0x30, 10, 0x06, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2];
    let whole = tlv(0x30, &[bytes, &algorithm, &tlv(3, &[&[0], signature.as_bytes()])]);
    let outcome = check(&whole);
    assert_eq!(check(&whole), outcome);
    if outcome.is_ok() {
        let mut changed = whole.clone();
        changed[at % whole.len()] ^= 1 << (bit % 8);
        assert!(check(&changed).is_err(), "bit {} of byte {} does not matter", bit % 8, at % whole.len());
        assert!(check(&[&whole[..], &[0]].concat()).is_err());
        assert!(check(&whole[..at % whole.len()]).is_err());
    }
    // What `x509-cert` cannot read (a letter beyond ASCII in a name of another kind) is not judged.
    let Ok(tbs) = TbsCertificate::from_der(bytes) else { return };
    let Ok(expected) = reference(&tbs) else { return };
    if let Ok(key) = outcome {
        assert_eq!(Some(&key[..]), expected.as_deref(), "it passes, and should not");
    } else if expected.is_some() && tbs.to_der().is_ok_and(|again| again == bytes) {
        // Refused although all is well, but for an encoding that `x509-cert` puts up with inside an extension.
        assert!(matches!(outcome, Err(Refusal::Malformed)), "{outcome:?}");
    }
}

/// The key, if the certificate is one for this server and now, as `x509-cert` reads it.
fn reference(tbs: &TbsCertificate) -> der::Result<Option<Vec<u8>>> {
    let (not_before, not_after) = (tbs.validity.not_before, tbs.validity.not_after);
    let in_time = not_before.to_unix_duration().as_secs() <= NOW && NOW <= not_after.to_unix_duration().as_secs();
    let ecdsa = tbs.signature.oid.to_string() == "1.2.840.10045.4.3.2" && tbs.signature.parameters.is_none();
    let info = &tbs.subject_public_key_info;
    let curve =
        info.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<x509_cert::spki::ObjectIdentifier>().ok());
    let p256 = info.algorithm.oid.to_string() == "1.2.840.10045.2.1"
        && curve.is_some_and(|curve| curve.to_string() == "1.2.840.10045.3.1.7");
    let point = info.subject_public_key.as_bytes().unwrap_or_default();
    let Some(key) = point.strip_prefix(&[4]).filter(|key| key.len() == 64) else { return Ok(None) };
    if tbs.version != x509_cert::Version::V3 || !in_time || !ecdsa || !p256 {
        return Ok(None);
    }
    let extensions = tbs.extensions.as_deref().unwrap_or_default();
    let mut named = false;
    for (number, extension) in extensions.iter().enumerate() {
        if extensions[..number].iter().any(|other| other.extn_id == extension.extn_id) {
            return Ok(None);
        }
        let value = extension.extn_value.as_bytes();
        match extension.extn_id.to_string().as_str() {
            "2.5.29.15" => {
                if !KeyUsage::from_der(value)?.0.contains(KeyUsages::DigitalSignature) {
                    return Ok(None);
                }
            }
            "2.5.29.17" => {
                let names = SubjectAltName::from_der(value)?;
                named = names.0.iter().any(|name| matches!(name, GeneralName::DnsName(name) if covers(name.as_str())));
            }
            "2.5.29.19" => {
                if BasicConstraints::from_der(value)?.ca {
                    return Ok(None);
                }
            }
            "2.5.29.37" => {
                let usages = ExtendedKeyUsage::from_der(value)?;
                if !usages.0.iter().any(|usage| ["1.3.6.1.5.5.7.3.1", "2.5.29.37.0"].contains(&&*usage.to_string())) {
                    return Ok(None);
                }
            }
            _ if extension.critical => return Ok(None),
            _ => {}
        }
    }
    Ok(named.then(|| key.to_vec()))
}

fn covers(pattern: &str) -> bool {
    let (_, domain) = NAME.split_once('.').expect("a name of two labels");
    pattern.eq_ignore_ascii_case(NAME)
        || pattern.strip_prefix("*.").is_some_and(|rest| rest.eq_ignore_ascii_case(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oracle is worth nothing if no seed gets as far as it.
    #[test]
    fn seeds_are_judged_as_they_are_called() {
        let judge = |seed: &[u8]| {
            let signature: DerSignature = CA.0.sign(&seed[4..]);
            let algorithm = [0x30, 10, 0x06, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2];
            let outcome = check(&tlv(0x30, &[&seed[4..], &algorithm, &tlv(3, &[&[0], signature.as_bytes()])]));
            let tbs = TbsCertificate::from_der(&seed[4..]).expect("another parser reads it");
            assert_eq!(outcome.ok().map(|key| key.to_vec()), reference(&tbs).expect("and its extensions"));
            outcome.map(|_| ())
        };
        for good in [
            &include_bytes!("../seeds/certificate/plain")[..],
            include_bytes!("../seeds/certificate/wildcard"),
            include_bytes!("../seeds/certificate/usages"),
            include_bytes!("../seeds/certificate/long"),
        ] {
            assert_eq!(judge(good), Ok(()));
        }
        assert_eq!(judge(include_bytes!("../seeds/certificate/authority")), Err(Refusal::Authority));
        assert_eq!(judge(include_bytes!("../seeds/certificate/unknown")), Err(Refusal::CriticalExtension));
        assert_eq!(judge(include_bytes!("../seeds/certificate/p384")), Err(Refusal::Key));
    }
}
