//! Key sets in front of an update, or alone in a file: found, read, and judged as a device judges them (`docs/format.md`,
//! section 4.3).

use lockgate::pack::{Keys, SignedKeys};
use lockgate::wire::{section_length, ObjectType, Prelude, ES256, MAX_KEY_SETS, PRELUDE_SIZE, SECTION_LENGTH_SIZE};
use lockgate::{KeyId, Malformed, Refusal};
use serde_json::{json, Value};

use crate::description;
use crate::failure::Failure;
use crate::keys::{self, JsonKey};

/// The key sets that `bytes` begin with, not looked into, and what follows them: an update or nothing.
///
/// The error is the refusal that a device would give.
pub(crate) fn split(bytes: &[u8]) -> Result<(Vec<&[u8]>, &[u8]), Refusal> {
    let (mut sets, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let Prelude { object, body } = Prelude::parse(rest.get(..PRELUDE_SIZE).ok_or(Malformed::Truncated)?)?;
        if object == ObjectType::Update {
            break;
        }
        let front = PRELUDE_SIZE + body;
        let length = rest.get(front..).and_then(<[u8]>::first_chunk).ok_or(Malformed::Truncated)?;
        let size = front + SECTION_LENGTH_SIZE + usize::from(section_length(*length)?);
        let (set, behind) = rest.split_at_checked(size).ok_or(Malformed::Truncated)?;
        sets.push(set);
        if sets.len() > usize::from(MAX_KEY_SETS) {
            return Err(Refusal::TooManyKeySets);
        }
        rest = behind;
    }
    Ok((sets, rest))
}

/// What a device does with a key set.
pub(crate) enum Verdict {
    /// It trusts this set from now on; these rotate keys have signed.
    Taken(Vec<KeyId>),
    /// It goes on with what follows.
    PassedOver(String),
    /// It takes nothing of the package any more.
    Refused(String),
}

impl Verdict {
    /// What a device that trusts `trusted` does with the key set.
    pub(crate) fn of(set: &SignedKeys<'_>, trusted: &Keys) -> Self {
        let Keys { vendor, class, version, .. } = set.keys;
        if (vendor, class) != (trusted.vendor, trusted.class) {
            return Self::PassedOver("for devices of another vendor or class".into());
        }
        if version <= trusted.version {
            return Self::PassedOver(format!("not newer than the trusted key set {}", trusted.version));
        }
        if version - trusted.version > 1 {
            let why = format!("cannot follow key set {}: those between must come first", trusted.version);
            return Self::Refused(why);
        }
        match set.verify(trusted) {
            Ok(signed) => Self::Taken(signed),
            Err(refusal) => Self::Refused(why(set, trusted, refusal)),
        }
    }

    /// In a few words, for people and JSON.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Taken(_) => "taken",
            Self::PassedOver(_) => "passed over",
            Self::Refused(_) => "refused",
        }
    }
}

/// Why a set is refused; of signatures that are missing, whose.
fn why(set: &SignedKeys<'_>, trusted: &Keys, refusal: Refusal) -> String {
    if let Refusal::TooFewSignatures { .. } = refusal {
        // The same question with thresholds that anybody reaches: who has signed?
        let (mut set, trusted_by_any) = (set.clone(), Keys { rotate_threshold: 0, ..trusted.clone() });
        let threshold = core::mem::replace(&mut set.keys.rotate_threshold, 0);
        let signed = set.verify(&trusted_by_any);
        let next = Keys { rotate_threshold: threshold, ..set.keys };
        if let Some(why) = signed.ok().and_then(|signed| shortfall([trusted, &next], &signed)) {
            return why;
        }
    }
    refusal.to_string()
}

/// Which of the two sets lacks which signatures by its rotate keys, if those of `signed` are there.
pub(crate) fn shortfall(sets: [&Keys; 2], signed: &[KeyId]) -> Option<String> {
    let lacks = |set: &Keys| {
        let (has, not): (Vec<KeyId>, Vec<KeyId>) =
            set.with_role(true).map(keys::id).partition(|id| signed.contains(id));
        (has.len() < usize::from(set.rotate_threshold)).then(|| {
            let not = not.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let Keys { version, rotate_threshold, .. } = set;
            format!("key set {version} asks for signatures by {rotate_threshold} of its rotate keys and has {} (none by {not})", has.len())
        })
    };
    let lacking: Vec<String> = sets.into_iter().filter_map(lacks).collect();
    (!lacking.is_empty())
        .then(|| format!("{}: rotate keys of both the old and the new set must sign", lacking.join("; ")))
}

/// A key set of a file, and what became of it.
pub(crate) struct Found<'p> {
    /// Bytes that could be no key set say why not.
    pub(crate) set: Result<SignedKeys<'p>, Refusal>,
    /// If it was judged: nothing is judged behind a set that is refused.
    pub(crate) verdict: Option<Verdict>,
}

/// The key sets, not judged.
pub(crate) fn read<'p>(sets: &[&'p [u8]]) -> Vec<Found<'p>> {
    let read = |bytes: &&'p [u8]| SignedKeys::read(bytes).map(|(set, _)| set);
    sets.iter().map(|bytes| Found { set: read(bytes), verdict: None }).collect()
}

/// Judges the key sets in turn, as a device does that trusts `trusted`, and then each that it takes. Gives the set that it
/// trusts in the end, or why it refuses.
pub(crate) fn follow(found: &mut [Found<'_>], mut trusted: Keys) -> Result<Keys, String> {
    for Found { set, verdict } in found {
        let (judged, what) = match set {
            Ok(set) => (Verdict::of(set, &trusted), format!("key set {}", set.keys.version)),
            Err(refusal) => (Verdict::Refused(refusal.to_string()), "a key set".into()),
        };
        if let (Verdict::Taken(_), Ok(set)) = (&judged, &set) {
            trusted = set.keys.clone();
        }
        let judged = verdict.insert(judged);
        if let Verdict::Refused(why) = judged {
            return Err(format!("{what}: {why}"));
        }
    }
    Ok(trusted)
}

impl Found<'_> {
    /// For programs.
    pub(crate) fn json(&self) -> Result<Value, Failure> {
        let mut value = match &self.set {
            Ok(set) => {
                let mut value = description::value(&set.keys)?;
                let signers = set.signatures.iter().filter(|entry| entry.algorithm == ES256);
                value["signatures"] = json!(signers.map(|entry| JsonKey::from(entry.key)).collect::<Vec<_>>());
                value
            }
            Err(refusal) => json!({ "malformed": refusal.to_string() }),
        };
        if let Some(verdict) = &self.verdict {
            value["verdict"] = verdict.word().into();
            match verdict {
                Verdict::Taken(_) => {}
                Verdict::PassedOver(why) | Verdict::Refused(why) => value["reason"] = why.as_str().into(),
            }
        }
        Ok(value)
    }
}

/// The signature entries of a key set, unchecked, for people.
pub(crate) fn signatures(set: &SignedKeys<'_>, mut row: impl FnMut(String)) {
    for entry in &set.signatures {
        row(match entry.algorithm {
            ES256 => format!("ES256, key {}", keys::label(&entry.key)),
            other => format!("unknown algorithm {other}, key {}", entry.key),
        });
    }
}
