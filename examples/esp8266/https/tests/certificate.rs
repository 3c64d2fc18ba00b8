//! Which certificates pass, and which do not.

mod common;

use std::process::Command;
use std::sync::LazyLock;

use common::{leaf, leaf_key, pair, tlv, Ca, Random, NAME, NOT_AFTER, NOT_BEFORE};
use https::{certificate, Now, Refusal, Server};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256,
};
use rustls::pki_types::{pem::PemObject, PrivatePkcs8KeyDer};
use time::OffsetDateTime;

fn check_at(certificate: &[u8], name: &str, now: Now) -> Result<[u8; 64], Refusal> {
    static CA: LazyLock<[u8; 64]> = LazyLock::new(|| Ca::new(7).public());
    certificate::check(certificate, &Server { name, port: 443, ca: &CA, now })
}

fn check(certificate: &[u8]) -> Result<[u8; 64], Refusal> {
    check_at(certificate, NAME, Now::Exact(NOT_BEFORE))
}

fn certify(params: &CertificateParams) -> Vec<u8> {
    Ca::new(7).certify(params, &pair(&leaf_key()))
}

/// The outcome for a good leaf that was changed.
fn changed(change: impl FnOnce(&mut CertificateParams)) -> Result<[u8; 64], Refusal> {
    let mut params = leaf();
    change(&mut params);
    check(&certify(&params))
}

fn extension(id: &[u64], value: &[u8], critical: bool) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(id, value.to_vec());
    extension.set_criticality(critical);
    extension
}

#[test]
fn a_good_certificate_gives_its_key() {
    let key = leaf_key().verifying_key().to_encoded_point(false);
    assert_eq!(check(&certify(&leaf())).unwrap()[..], key.as_bytes()[1..]);
    // What may be missing.
    let mut plain = leaf();
    (plain.key_usages, plain.extended_key_usages, plain.is_ca) = (vec![], vec![], IsCa::NoCa);
    assert!(check(&certify(&plain)).is_ok());
    // An end after 2049 is a GeneralizedTime.
    assert!(changed(|leaf| leaf.not_after = OffsetDateTime::from_unix_timestamp(253_402_300_799).unwrap()).is_ok());
}

#[test]
fn openssl_makes_a_good_certificate_too() {
    let directory = std::env::temp_dir().join(format!("https-openssl-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let openssl = |arguments: &str| {
        let run = Command::new("openssl").current_dir(&directory).args(arguments.split(' ')).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    };
    openssl("ecparam -name prime256v1 -genkey -noout -out ca.key");
    openssl("req -x509 -new -key ca.key -sha256 -subj /CN=ca -days 99 -out ca.pem");
    openssl("ec -in ca.key -pubout -outform DER -out ca.pub");
    openssl("ecparam -name prime256v1 -genkey -noout -out leaf.key");
    openssl("req -new -key leaf.key -subj /CN=other -out leaf.csr");
    std::fs::write(directory.join("ext"), format!("subjectAltName=DNS:{NAME}\nbasicConstraints=critical,CA:FALSE\n"))
        .unwrap();
    openssl("x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -set_serial 1 -sha256 -days 9 -extfile ext -outform DER -out leaf.der");
    let ca = std::fs::read(directory.join("ca.pub")).unwrap();
    let leaf = std::fs::read(directory.join("leaf.der")).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let ca = &ca[ca.len() - 64..].try_into().unwrap();
    assert!(certificate::check(&leaf, &Server { name: NAME, port: 443, ca, now: Now::Exact(now) }).is_ok());
}

#[test]
fn another_cas_certificate_is_refused() {
    assert_eq!(check(&Ca::new(8).certify(&leaf(), &pair(&leaf_key()))), Err(Refusal::Signature));
    // A pinned key that is no point of the curve has signed nothing.
    let off_curve = Server { name: NAME, port: 443, ca: &[7; 64], now: Now::Unknown };
    assert_eq!(certificate::check(&certify(&leaf()), &off_curve), Err(Refusal::Signature));
}

#[test]
fn a_leaf_below_an_intermediate_is_refused() {
    let intermediate = Ca::new(8);
    assert_eq!(check(&intermediate.certify(&leaf(), &pair(&leaf_key()))), Err(Refusal::Signature));
}

#[test]
fn the_name_has_to_be_the_servers() {
    let names = |names: &[&str], name: &str| {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.not_after = OffsetDateTime::from_unix_timestamp(NOT_AFTER as i64).unwrap();
        check_at(&certify(&params), name, Now::Unknown).map(|_| ())
    };
    assert_eq!(names(&["a.example"], "a.example"), Ok(()));
    assert_eq!(names(&["x.example", "A.eXample", "10.0.0.1"], "a.Example"), Ok(()));
    for other in ["b.example", "a.example.com", "xa.example", "example", "a.exampl", "a.example.", "a"] {
        assert_eq!(names(&["a.example"], other), Err(Refusal::Name), "{other}");
    }
    assert_eq!(names(&["10.0.0.1"], "10.0.0.1"), Err(Refusal::Name), "an address is no DNS name");
    assert_eq!(names(&[], "a.example"), Err(Refusal::Name), "no names at all");
    assert_eq!(changed(|leaf| leaf.subject_alt_names.clear()), Err(Refusal::Name));
}

#[test]
fn a_wildcard_stands_for_one_label() {
    let name = |pattern: &str, name: &str| {
        let mut params = leaf();
        params.subject_alt_names = vec![rcgen::SanType::DnsName(pattern.try_into().unwrap())];
        check_at(&certify(&params), name, Now::Unknown).map(|_| ())
    };
    assert_eq!(name("*.example.com", "a.example.com"), Ok(()));
    assert_eq!(name("*.Example.com", "A.example.COM"), Ok(()));
    for other in ["example.com", "a.b.example.com", ".example.com", "a.example.org", "com"] {
        assert_eq!(name("*.example.com", other), Err(Refusal::Name), "{other}");
    }
    assert_eq!(name("a*.example.com", "ab.example.com"), Err(Refusal::Name));
    assert_eq!(name("a.*.com", "a.example.com"), Err(Refusal::Name));
    assert_eq!(name("*", "com"), Err(Refusal::Name));
}

#[test]
fn the_time_has_to_be_the_certificates() {
    let at = |now| check_at(&certify(&leaf()), NAME, now).map(|_| ());
    assert_eq!(at(Now::Exact(NOT_BEFORE)), Ok(()));
    assert_eq!(at(Now::Exact(NOT_AFTER)), Ok(()));
    let early = Refusal::NotYetValid { not_before: NOT_BEFORE, now: NOT_BEFORE - 1 };
    assert_eq!(at(Now::Exact(NOT_BEFORE - 1)), Err(early));
    let late = Refusal::Expired { not_after: NOT_AFTER, now: NOT_AFTER + 1 };
    assert_eq!(at(Now::Exact(NOT_AFTER + 1)), Err(late));
    // Of a time that is only known to be past, the end counts and the beginning does not.
    assert_eq!(at(Now::NotBefore(0)), Ok(()));
    assert_eq!(at(Now::NotBefore(NOT_AFTER)), Ok(()));
    assert_eq!(at(Now::NotBefore(NOT_AFTER + 1)), Err(late));
    assert_eq!(at(Now::Unknown), Ok(()));
}

#[test]
fn a_cas_certificate_is_no_servers() {
    assert_eq!(changed(|leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), Err(Refusal::Authority));
    assert_eq!(changed(|leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))), Err(Refusal::Authority));
}

#[test]
fn the_key_has_to_be_for_a_tls_server() {
    assert_eq!(changed(|leaf| leaf.key_usages = vec![KeyUsagePurpose::KeyAgreement]), Err(Refusal::KeyUsage));
    assert_eq!(
        changed(|leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
        Err(Refusal::ExtendedKeyUsage)
    );
    let both = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    assert!(changed(|leaf| leaf.extended_key_usages = both).is_ok());
    assert!(changed(|leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]).is_ok());
}

#[test]
fn other_keys_and_algorithms_are_refused() {
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    assert_eq!(check(&Ca::new(7).certify(&leaf(), &p384)), Err(Refusal::Key));
    let rsa = Command::new("openssl")
        .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-outform", "PEM"])
        .output()
        .unwrap();
    let rsa = KeyPair::from_pkcs8_der_and_sign_algo(
        &PrivatePkcs8KeyDer::from_pem_slice(&rsa.stdout).unwrap(),
        &PKCS_RSA_SHA256,
    )
    .unwrap();
    assert_eq!(check(&Ca::new(7).certify(&leaf(), &rsa)), Err(Refusal::Key));
    for ca in [p384, rsa] {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = rcgen::Issuer::new(params, ca);
        let certificate = leaf().signed_by(&pair(&leaf_key()), &issuer).unwrap();
        assert_eq!(check(certificate.der()), Err(Refusal::Algorithm));
    }
}

#[test]
fn an_unknown_extension_must_not_be_critical() {
    let unknown = |critical| changed(|leaf| leaf.custom_extensions = vec![extension(&[1, 2, 3], b"x", critical)]);
    assert!(unknown(false).is_ok());
    assert_eq!(unknown(true), Err(Refusal::CriticalExtension));
}

#[test]
fn an_extension_stands_there_once() {
    let twice = |id: &'static [u64], value: &'static [u8]| {
        changed(|leaf| leaf.custom_extensions = vec![extension(id, value, false), extension(id, value, false)])
    };
    assert_eq!(twice(&[1, 2, 3], b"x"), Err(Refusal::DuplicateExtension));
    let second_name = extension(&[2, 5, 29, 17], &[0x30, 3, 0x82, 1, b'x'], false);
    assert_eq!(changed(|leaf| leaf.custom_extensions = vec![second_name]), Err(Refusal::DuplicateExtension));
}

/// The signed part of a good certificate.
fn tbs() -> Vec<u8> {
    let certificate = certify(&leaf());
    let length = usize::from(u16::from_be_bytes([certificate[6], certificate[7]]));
    assert_eq!((certificate[4], certificate[5]), (0x30, 0x82));
    certificate[4..8 + length].to_vec()
}

/// A certificate of the fields of a good one, some of them others.
fn with_field(number: usize, field: &[u8]) -> Result<[u8; 64], Refusal> {
    let tbs = tbs();
    let (mut fields, mut rest) = (vec![], &tbs[4..]);
    while !rest.is_empty() {
        let size = match rest[1] {
            0x81 => 3 + usize::from(rest[2]),
            0x82 => 4 + usize::from(u16::from_be_bytes([rest[2], rest[3]])),
            short => 2 + usize::from(short),
        };
        fields.push(&rest[..size]);
        rest = &rest[size..];
    }
    assert_eq!(fields.len(), 8);
    fields[number] = field;
    check(&Ca::new(7).sign(&tlv(0x30, &fields)))
}

#[test]
fn version_3_and_one_algorithm_are_asked_for() {
    assert!(with_field(0, &[0xA0, 3, 2, 1, 2]).is_ok());
    assert_eq!(with_field(0, &[]), Err(Refusal::Version));
    assert_eq!(with_field(0, &[0xA0, 3, 2, 1, 1]), Err(Refusal::Version));
    // Inside ecdsa-with-SHA384, outside ecdsa-with-SHA256.
    let sha384 = [0x30, 10, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 3];
    assert_eq!(with_field(2, &sha384), Err(Refusal::Algorithm));
    // With parameters.
    let null = [0x30, 12, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2, 5, 0];
    assert_eq!(with_field(2, &null), Err(Refusal::Algorithm));
}

#[test]
fn times_are_read_strictly() {
    let times = |tag: u8, begin: &str, end: &str| {
        with_field(4, &tlv(0x30, &[&tlv(tag, &[begin.as_bytes()]), &tlv(tag, &[end.as_bytes()])])).map(|_| ())
    };
    let utc = |begin: &str| times(0x17, begin, "400101000000Z");
    let begins = |unix| Err(Refusal::NotYetValid { not_before: unix, now: NOT_BEFORE });
    assert_eq!(utc("200101000000Z"), Ok(()));
    assert_eq!(utc("200101000001Z"), begins(1_577_836_801));
    assert_eq!(utc("200229235959Z"), begins(1_583_020_799));
    assert_eq!(utc("240301000000Z"), begins(1_709_251_200));
    assert_eq!(utc("491231235959Z"), begins(2_524_607_999));
    assert_eq!(utc("500101000000Z"), Ok(()), "1950");
    assert_eq!(times(0x18, "21000301000000Z", "99991231235959Z"), begins(4_107_542_400));
    assert_eq!(times(0x18, "00010101000000Z", "99991231235959Z"), Ok(()));
    assert_eq!(times(0x17, "200101000000Z", "191231235959Z"), {
        Err(Refusal::Expired { not_after: 1_577_836_799, now: NOT_BEFORE })
    });
    for malformed in [
        "2001010000Z",
        "200101000000",
        "200101000000+0100",
        "200001000000Z",
        "201301000000Z",
        "200100000000Z",
        "200132000000Z",
        "210229000000Z",
        "200230000000Z",
        "200431000000Z",
        "200101240000Z",
        "200101006000Z",
        "200101000060Z",
        "2001010000 0Z",
        "20010100000xZ",
        "20200101000000Z",
        "200101000000z",
        "",
    ] {
        assert_eq!(utc(malformed), Err(Refusal::Malformed), "{malformed}");
    }
    for malformed in ["20200101000000.0Z", "200101000000Z", "21000229000000Z", "00000101000000Z", "2020010100000Z"] {
        assert_eq!(times(0x18, malformed, "99991231235959Z"), Err(Refusal::Malformed), "{malformed}");
    }
    let one = tlv(0x17, &[b"200101000000Z"]);
    assert_eq!(with_field(4, &tlv(0x30, &[&one])), Err(Refusal::Malformed));
    assert_eq!(with_field(4, &tlv(0x30, &[&one, &tlv(0x17, &[b"400101000000Z"]), &one])), Err(Refusal::Malformed));
}

#[test]
fn the_key_is_an_uncompressed_point() {
    const P256: [u8; 21] =
        [0x30, 19, 6, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
    let key = |bits: &[u8]| with_field(6, &tlv(0x30, &[&P256, &tlv(3, &[bits])])).map(|_| ());
    assert_eq!(key(&[&[0, 4][..], &[1; 64]].concat()), Ok(()));
    assert_eq!(key(&[&[0, 2][..], &[1; 32]].concat()), Err(Refusal::Key), "compressed");
    assert_eq!(key(&[&[0, 4][..], &[1; 63]].concat()), Err(Refusal::Key), "short");
    assert_eq!(key(&[&[0, 4][..], &[1; 65]].concat()), Err(Refusal::Key), "long");
    assert_eq!(key(&[0]), Err(Refusal::Key));
    assert_eq!(key(&[&[1, 4][..], &[1; 64]].concat()), Err(Refusal::Malformed), "unused bits");
    assert_eq!(key(&[]), Err(Refusal::Malformed));
}

#[test]
fn extensions_are_read_strictly() {
    const KEY_USAGE: [u8; 5] = [6, 3, 0x55, 0x1D, 15];
    const NAMES: [u8; 5] = [6, 3, 0x55, 0x1D, 17];
    const CONSTRAINTS: [u8; 5] = [6, 3, 0x55, 0x1D, 19];
    const EXTENDED: [u8; 5] = [6, 3, 0x55, 0x1D, 37];
    let name = tlv(0x30, &[&NAMES, &tlv(4, &[&tlv(0x30, &[&tlv(0x82, &[NAME.as_bytes()])])])]);
    let list = |extra: &[u8]| with_field(7, &tlv(0xA3, &[&tlv(0x30, &[&name, extra])])).map(|_| ());
    let extra = |parts: &[&[u8]]| list(&tlv(0x30, parts));
    assert_eq!(list(&[]), Ok(()));
    assert_eq!(extra(&[&KEY_USAGE, &[1, 1, 0xFF], &[4, 4, 3, 2, 7, 0x80]]), Ok(()));
    assert_eq!(extra(&[&CONSTRAINTS, &[4, 2, 0x30, 0]]), Ok(()));
    for (what, parts) in [
        ("critical FALSE", &[&KEY_USAGE[..], &[1, 1, 0], &[4, 4, 3, 2, 7, 0x80]][..]),
        ("critical 1", &[&KEY_USAGE, &[1, 1, 1], &[4, 4, 3, 2, 7, 0x80]]),
        ("value twice", &[&KEY_USAGE, &[4, 4, 3, 2, 7, 0x80], &[4, 0]]),
        ("no value", &[&KEY_USAGE]),
        ("bits of 8 unused", &[&KEY_USAGE, &[4, 4, 3, 2, 8, 0x80]]),
        ("bits without a count", &[&KEY_USAGE, &[4, 2, 3, 0]]),
        ("bytes behind the bits", &[&KEY_USAGE, &[4, 5, 3, 2, 7, 0x80, 0]]),
        ("CA FALSE", &[&CONSTRAINTS, &[4, 5, 0x30, 3, 1, 1, 0]]),
        ("CA of two bytes", &[&CONSTRAINTS, &[4, 6, 0x30, 4, 1, 2, 0xFF, 0xFF]]),
        ("bytes behind the constraints", &[&CONSTRAINTS, &[4, 3, 0x30, 0, 0]]),
        ("a purpose that is no OID", &[&EXTENDED, &[4, 5, 0x30, 3, 4, 1, 0]]),
        ("a long length", &[&CONSTRAINTS, &[4, 0x81, 2, 0x30, 0]]),
        ("an indefinite length", &[&CONSTRAINTS, &[4, 4, 0x30, 0x80, 0, 0]]),
        ("a length of three bytes", &[&CONSTRAINTS, &[4, 0x83, 0, 0, 2, 0x30, 0]]),
    ] {
        assert_eq!(extra(parts), Err(Refusal::Malformed), "{what}");
    }
    assert_eq!(extra(&[&KEY_USAGE, &[4, 3, 3, 1, 0]]), Err(Refusal::KeyUsage), "no bits");
    assert_eq!(extra(&[&EXTENDED, &[4, 2, 0x30, 0]]), Err(Refusal::ExtendedKeyUsage), "no purposes");
    assert_eq!(with_field(7, &[]), Err(Refusal::Name));
    let twice = tlv(0xA3, &[&tlv(0x30, &[&name]), &tlv(0x30, &[])]);
    assert_eq!(with_field(7, &twice), Err(Refusal::Malformed));
}

#[test]
fn no_bit_of_a_certificate_can_be_another() {
    let good = certify(&leaf());
    assert!(check(&good).is_ok());
    for bit in 0..good.len() * 8 {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(check(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn no_byte_of_a_certificate_can_be_missing_or_too_many() {
    let good = certify(&leaf());
    for end in 0..good.len() {
        assert_eq!(check(&good[..end]), Err(Refusal::Malformed));
    }
    for missing in 0..good.len() {
        assert!(check(&[&good[..missing], &good[missing + 1..]].concat()).is_err());
    }
    for byte in 0..=255 {
        assert_eq!(check(&[&good[..], &[byte]].concat()), Err(Refusal::Malformed));
    }
    let tbs = tbs();
    assert!(check(&Ca::new(7).sign(&tbs)).is_ok());
    for end in 1..tbs.len() {
        assert!(check(&Ca::new(7).sign(&tbs[..end])).is_err(), "signed, and cut at {end}");
    }
}

#[test]
fn what_a_careless_ca_signs_does_no_harm() {
    let (ca, tbs, mut random) = (Ca::new(7), tbs(), Random(0x9E37_79B9_7F4A_7C15));
    for _ in 0..4000 {
        let mut changed = tbs.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(changed.len());
            match random.below(4) {
                0 => drop(changed.remove(at)),
                1 => changed.insert(at, random.below(256) as u8),
                2 => changed[at] = [0, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFF][random.below(7)],
                _ => changed[at] ^= 1 << random.below(8),
            }
        }
        let _ = check(&ca.sign(&changed));
    }
}

#[test]
fn random_bytes_do_no_harm() {
    let mut random = Random(0xD1B5_4A32_D192_ED03);
    for _ in 0..100_000 {
        let mut bytes: Vec<_> = (0..random.below(80)).map(|_| random.below(256) as u8).collect();
        // Something that begins as DER, every other time.
        for (byte, begin) in bytes.iter_mut().zip([0x30, 0x40, 0x30, 0x20]).take(4 * random.below(2)) {
            *byte = begin;
        }
        assert!(check(&bytes).is_err());
    }
}
