//! What a device does with a package of key sets and an update: `docs/format.md`, sections 2 to 5, as plainly as can be, with none of
//! the library's code.

use lockgate::{PublicKey, Sha2, Sha256};

pub(crate) const SIGN: u8 = 1;
pub(crate) const ROTATE: u8 = 2;

/// A key set, of a device or of a package. Roles, and the key.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) version: u32,
    pub(crate) sign_threshold: u8,
    pub(crate) rotate_threshold: u8,
    pub(crate) keys: Vec<(u8, PublicKey)>,
    /// Prelude and body; none of what is built in.
    pub(crate) signed: Vec<u8>,
}

impl Set {
    pub(crate) fn with(&self, role: u8) -> impl Iterator<Item = PublicKey> + '_ {
        self.keys.iter().filter(move |(roles, _)| roles & role != 0).map(|&(_, key)| key)
    }

    fn find(&self, role: u8, id: &[u8]) -> Option<PublicKey> {
        self.with(role).find(|key| key_id(key) == id)
    }
}

/// A device as it is when the package comes.
pub(crate) struct Device<'d> {
    pub(crate) vendor: [u8; 16],
    pub(crate) class: [u8; 16],
    pub(crate) trusted: Set,
    /// The set whose rotate keys must have signed every set.
    pub(crate) root: Option<&'d Set>,
    /// No image is on trial.
    pub(crate) ready: bool,
    /// Prelude and manifest of the one update that it would take, and its blocks.
    pub(crate) update: (&'d [u8], &'d [u8]),
}

/// What becomes of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judged {
    pub(crate) taken: Vec<Set>,
    pub(crate) skipped: usize,
    /// The update's head is authentic, and the device takes it.
    pub(crate) started: bool,
    /// The whole package is.
    pub(crate) accepted: bool,
}

/// An entry: algorithm, key id, signature.
type Entry<'b> = (u16, &'b [u8], &'b [u8]);

pub(crate) fn judge(device: &Device<'_>, package: &[u8]) -> Judged {
    let mut judged = Judged::default();
    judged.accepted = walk(device, package, &mut judged).is_some();
    judged
}

/// None: refused, or it ends too early.
fn walk(device: &Device<'_>, package: &[u8], judged: &mut Judged) -> Option<()> {
    let mut rest = package;
    for sets in 0.. {
        let object = rest;
        let prelude = take(&mut rest, 16)?;
        let length = u16_at(prelude, 12);
        let rules = prelude[..9] == *b"\x89LGU\r\n\x1A\n\x01" && u16_at(prelude, 10) == 0 && u16_at(prelude, 14) == 0;
        let limits = if prelude[9] == 1 { 127..=1024 } else { 153..=512 };
        if !rules || !limits.contains(&length) || !(1..=2).contains(&prelude[9]) || (prelude[9] == 1 && sets == 16) {
            return None;
        }
        let body = take(&mut rest, length.into())?;
        let signed = &object[..16 + body.len()];
        let trusted = judged.taken.last().unwrap_or(&device.trusted);
        if prelude[9] == 2 {
            let section = section(&mut rest)?;
            let keys = |id: &[u8]| trusted.find(SIGN, id);
            let valid = verified(&entries(section)?, keys, b"lockgate update ES256 v1", signed)?;
            if valid.len() < trusted.sign_threshold.into() || !device.ready || signed != device.update.0 {
                return None;
            }
            judged.started = true;
            return (rest == device.update.1).then_some(());
        }
        let (vendor, class, set) = key_set(body)?;
        if vendor != device.vendor || class != device.class || set.version <= trusted.version {
            section(&mut rest)?;
            judged.skipped += 1;
            continue;
        }
        // Whether keys are points is asked only of sets that are not skipped.
        let points = set.keys.iter().all(|(_, key)| is_point(key));
        if set.version - trusted.version > 1 || !device.ready || !points {
            return None;
        }
        let section = section(&mut rest)?;
        let all: Vec<&Set> = [trusted, &set].into_iter().chain(device.root).collect();
        let keys = |id: &[u8]| all.iter().find_map(|set| set.find(ROTATE, id));
        let valid = verified(&entries(section)?, keys, b"lockgate key set ES256 v1", signed)?;
        let enough = |set: &&Set| {
            valid.iter().filter(|key| set.with(ROTATE).any(|own| own == **key)).count() >= set.rotate_threshold.into()
        };
        if !all.iter().all(enough) || signed.len() + 2 + 76 * valid.len() > 992 {
            return None;
        }
        judged.taken.push(Set { signed: signed.to_vec(), ..set });
    }
    None
}

/// The keys whose entries verify; none if one that must does not.
fn verified(
    entries: &[Entry<'_>],
    trusted: impl Fn(&[u8]) -> Option<PublicKey>,
    domain: &[u8],
    signed: &[u8],
) -> Option<Vec<PublicKey>> {
    let digest = hash(&[domain, &[0; 32][domain.len()..], signed]);
    let ours = entries.iter().filter(|entry| entry.0 == 1).filter_map(|entry| Some((trusted(entry.1)?, entry.2)));
    ours.map(|(key, signature)| (signature == sign(&key, &digest)).then_some(key)).collect()
}

fn section<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = u16_at(take(rest, 2)?, 0);
    (13..=32768).contains(&length).then(|| take(rest, length.into()))?
}

fn entries(mut rest: &[u8]) -> Option<Vec<Entry<'_>>> {
    let mut entries = Vec::<Entry<'_>>::new();
    while !rest.is_empty() {
        let header = take(&mut rest, 12)?;
        let (algorithm, id, length) = (u16_at(header, 0), &header[2..10], u16_at(header, 10));
        let ordered = entries.last().is_none_or(|last| (last.0, last.1) < (algorithm, id));
        if !ordered || length == 0 || (algorithm == 1 && length != 64) || entries.len() == 32 {
            return None;
        }
        entries.push((algorithm, id, take(&mut rest, length.into())?));
    }
    Some(entries)
}

/// Vendor, class, and the rest.
pub(crate) fn key_set(mut body: &[u8]) -> Option<([u8; 16], [u8; 16], Set)> {
    let mut known: [Option<&[u8]>; 7] = [None; 7];
    let mut last = 0;
    while !body.is_empty() {
        let header = take(&mut body, 4)?;
        let (number, critical) = (u16_at(header, 0) & 0x7FFF, header[1] & 0x80 != 0);
        let value = take(&mut body, u16_at(header, 2).into())?;
        if number <= last || critical != (number <= 6) {
            return None;
        }
        last = number;
        if let Some(place) = known.get_mut(usize::from(number)) {
            *place = Some(value);
        }
    }
    let [_, vendor, class, version, sign, rotate, keys] = known;
    let (&[sign_threshold], &[rotate_threshold]) = (sign?, rotate?) else { return None };
    let version = u32::from_le_bytes(version?.try_into().ok()?);
    let keys: Vec<&[u8; 65]> = keys?.chunks(65).map(|key| key.try_into().ok()).collect::<Option<_>>()?;
    let keys: Vec<_> = keys.iter().map(|key| (key[0], PublicKey(key[1..].try_into().expect("64 bytes")))).collect();
    let set = Set { version, sign_threshold, rotate_threshold, keys, signed: Vec::new() };
    let good = (1..=8).contains(&set.keys.len())
        && version >= 1
        && set.keys.iter().all(|(roles, _)| (1..=3).contains(roles))
        && set.keys.is_sorted_by(|(_, a), (_, b)| key_id(a) < key_id(b))
        && (1..=set.with(SIGN).count()).contains(&sign_threshold.into())
        && (1..=set.with(ROTATE).count()).contains(&rotate_threshold.into());
    good.then_some((vendor?.try_into().ok()?, class?.try_into().ok()?, set))
}

fn take<'b>(rest: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, behind) = rest.split_at_checked(count)?;
    *rest = behind;
    Some(taken)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha2::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finish().0
}

pub(crate) fn key_id(key: &PublicKey) -> [u8; 8] {
    hash(&[&[4], &key.0])[..8].try_into().expect("8 bytes")
}

/// Stands for the arithmetic, which would take all of the fuzzer's time: whoever has the public key signs.
pub(crate) fn sign(key: &PublicKey, digest: &[u8; 32]) -> [u8; 64] {
    let half = hash(&[b"sign", &key.0, digest]);
    [half, half].concat().try_into().expect("64 bytes")
}

pub(crate) fn is_point(key: &PublicKey) -> bool {
    key.0[0] != 0xFF
}
