//! Project Wycheproof's ECDSA vectors for P-256 and SHA-256, through the verifier that devices have by default.

use lockgate::pack::signature_from_bytes;
use lockgate::{PublicKey, Verify, P256};
use wycheproof::ecdsa::{TestName, TestSet};
use wycheproof::TestResult;

use crate::common::sha256;

/// Vectors: verified that are good; refused that are bad; that no signature entry can hold, all of them bad.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ran {
    good: usize,
    bad: usize,
    no_entry: usize,
}

fn run(name: TestName, signature: impl Fn(&[u8]) -> Option<[u8; 64]>) -> Ran {
    let set = TestSet::load(name).expect("the crate carries its vectors");
    let mut ran = Ran::default();
    for group in &set.test_groups {
        // SEC1, uncompressed: 04 || x || y.
        let point: &[u8] = group.key.key.as_ref();
        let key = PublicKey(point[1..].try_into().expect("a point of P-256"));
        for test in &group.tests {
            let digest = sha256(&test.msg);
            let good = match test.result {
                TestResult::Valid => true,
                TestResult::Invalid => false,
                TestResult::Acceptable => panic!("vector {}: neither good nor bad", test.tc_id),
            };
            let Some(signature) = signature(&test.sig) else {
                assert!(!good, "vector {} is good, and cannot be written: {}", test.tc_id, test.comment);
                ran.no_entry += 1;
                continue;
            };
            let verdict = P256.verify(&key, &digest, &signature);
            assert_eq!(verdict, good, "vector {}: {} {:?}", test.tc_id, test.comment, test.flags);
            (ran.good, ran.bad) = (ran.good + usize::from(good), ran.bad + usize::from(!good));
        }
    }
    assert_eq!(ran.good + ran.bad + ran.no_entry, set.number_of_tests);
    ran
}

/// r || s of an `ECDSA-Sig-Value` in DER: two INTEGERs, minimal and not negative, of at most 32 bytes.
fn from_der(der: &[u8]) -> Option<[u8; 64]> {
    fn integer(bytes: &[u8]) -> Option<([u8; 32], &[u8])> {
        let [2, length @ 1..=33, rest @ ..] = bytes else { return None };
        let (value, rest) = rest.split_at_checked(usize::from(*length))?;
        let value = match value {
            [0, second @ 0x80..=0xFF, ..] => value.strip_prefix(&[0]).filter(|_| *second > 0x7F)?,
            [0x80..=0xFF, ..] | [0, _, ..] => return None,
            _ => value,
        };
        let mut number = [0; 32];
        number.get_mut(32usize.checked_sub(value.len())?..)?.copy_from_slice(value);
        Some((number, rest))
    }
    let [0x30, length @ ..=0x7F, rest @ ..] = der else { return None };
    let (r, rest) = integer(rest).filter(|_| rest.len() == usize::from(*length))?;
    let (s, rest) = integer(rest)?;
    let whole: Vec<u8> = [r, s].concat();
    whole.try_into().ok().filter(|_| rest.is_empty())
}

#[test]
fn wycheproofs_vectors_of_r_and_s_are_judged_right() {
    let ran = run(TestName::EcdsaSecp256r1Sha256P1363, |bytes| bytes.try_into().ok());
    assert_eq!(ran, Ran { good: 173, bad: 68, no_entry: 21 });
}

#[test]
fn wycheproofs_vectors_in_der_are_judged_right_once_they_are_r_and_s() {
    let ran = run(TestName::EcdsaSecp256r1Sha256, |bytes| {
        let converted = from_der(bytes);
        // The packer reads what key stores sign by code of its own. (It takes 64 bytes for r and s, and refuses numbers
        // that no signature has.)
        if bytes.len() != 64 {
            match signature_from_bytes(bytes) {
                Some(signature) => assert_eq!(Some(signature), converted),
                None => assert!(converted.is_none_or(|signature| !in_range(&signature))),
            }
        }
        converted
    });
    assert_eq!(ran, Ran { good: 174, bad: 75, no_entry: 235 });
}

/// Whether r and s are 1 to n - 1.
fn in_range(signature: &[u8; 64]) -> bool {
    signature.chunks(32).all(|number| number > &[0; 32][..] && number < &ORDER[..])
}

/// The order n of the group (FIPS 186-5 by way of SP 800-186, section 3.2.1.3).
pub const ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA, 0xAD, 0xA7,
    0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];
