//! `lockgate keys inspect`: what key sets say, and whether a device would take them.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use lockgate::pack::{self, Keys};
use serde_json::json;

use super::show;
use crate::failure::Failure;
use crate::key_sets::{self, Found, Verdict};
use crate::table::Table;
use crate::{description, files, keys, print};

/// Show key sets: versions, thresholds, keys and their roles, who signed
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  lockgate keys inspect keys-1.lgk --trusted keys-0.json
  lockgate keys inspect keys-1.json --rust > src/keys.rs

With --trusted each set is judged as by a device that trusts that one, and
then each set that it takes. Exit code 1 if a set is refused.
Without it no signature is checked.")]
pub(crate) struct Args {
    /// A description (.json), a signed key set (.lgk), or a package (.lgu): all key sets in front of its update
    file: PathBuf,
    /// The description of the set that devices trust
    #[arg(long, value_name = "KEYS.json")]
    trusted: Option<PathBuf>,
    /// Print the Rust constants that make a device trust the set, the last one of several
    #[arg(long, conflicts_with = "json")]
    rust: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let path = &args.file;
    let bytes = zeroize::Zeroizing::new(files::read(path)?);
    if description::is_one(&bytes) {
        if args.trusted.is_some() {
            let why = "a description, which nobody signed: give the .lgk beside it, or leave --trusted out";
            return Err(Failure::usage(path.display(), why));
        }
        let set = description::parse(&bytes).map_err(|why| Failure::usage(path.display(), why))?;
        return described(path, &set, &args);
    }
    let refused = |why: &dyn std::fmt::Display| Failure::refused(path.display(), why);
    let (sets, update) = key_sets::split(&bytes).map_err(|refusal| refused(&refusal))?;
    if !update.is_empty() {
        pack::inspect(update).map_err(|refusal| refused(&refusal))?;
    } else if sets.is_empty() {
        return Err(refused(&"empty: no key set, package or description"));
    }
    let trusted = args.trusted.as_deref().map(description::read).transpose()?;
    let mut found = key_sets::read(&sets);
    let outcome = trusted.clone().map(|trusted| key_sets::follow(&mut found, trusted)).transpose();
    match (args.rust, args.json) {
        (true, _) => rust(path, &found, outcome.as_ref().ok().and_then(Option::as_ref))?,
        (_, true) => print::json(&json!({
            "key_sets": found.iter().map(Found::json).collect::<Result<Vec<_>, _>>()?,
            "trusted": outcome.as_ref().ok().and_then(|trusted| trusted.as_ref()).map(|trusted| trusted.version),
            "reason": outcome.as_ref().err(),
        }))?,
        (false, false) => print::text_only(text(path, &found, &outcome))?,
    }
    // A set that is malformed is refused by every device that rotates keys.
    let malformed = found.iter().find_map(|found| found.set.as_ref().err());
    match (outcome, malformed) {
        (Err(why), _) => Err(refused(&why)),
        (Ok(_), Some(refusal)) => Err(refused(&format_args!("a key set: {refusal}"))),
        (Ok(_), None) => Ok(()),
    }
}

fn described(path: &Path, set: &Keys, args: &Args) -> Result<(), Failure> {
    match (args.rust, args.json) {
        (true, _) => print::line(keys::rust_consts(set)?),
        (_, true) => print::json(&description::value(set)?),
        (false, false) => {
            let mut table = Table::default();
            table.row([&"key set", &set.version]);
            show::identity(&mut table, set);
            let roles = show::roles(set);
            print::text_only(format_args!("{}: the description of a key set\n\n{table}\n{roles}", path.display()))
        }
    }
}

/// The constants for the set that devices trust in the end. Nothing is printed of a set that they refuse.
fn rust(path: &Path, found: &[Found<'_>], trusted: Option<&Keys>) -> Result<(), Failure> {
    let refused = found.iter().any(|found| matches!(found.verdict, Some(Verdict::Refused(_))));
    let last = found.last().and_then(|found| found.set.as_ref().ok()).map(|set| &set.keys);
    match trusted.or(last) {
        Some(set) if !refused => print::line(keys::rust_consts(set)?),
        None if found.is_empty() => {
            Err(Failure::refused(path.display(), "no key set in front of the update: give a .lgk or a .json"))
        }
        // The caller says why.
        _ => Ok(()),
    }
}

fn text(path: &Path, found: &[Found<'_>], outcome: &Result<Option<Keys>, String>) -> String {
    let mut text = match found.len() {
        0 => format!("{}: no key set in front of the update\n", path.display()),
        1 => format!("{}: 1 key set\n", path.display()),
        count => format!("{}: {count} key sets\n", path.display()),
    };
    for found in found {
        text += "\n";
        let mut table = Table::default();
        match &found.set {
            Ok(set) => {
                table.row([&"key set", &set.keys.version]);
                show::identity(&mut table, &set.keys);
                signatures(&mut table, found);
                // Writing to a string does not fail.
                let _ = write!(text, "{table}\n{}", show::roles(&set.keys));
            }
            Err(refusal) => _ = writeln!(text, "A KEY SET THAT DEVICES REFUSE: {refusal}."),
        }
    }
    text += "\n";
    text + &match outcome {
        Ok(Some(trusted)) => format!("A device that trusts this then trusts key set {}.\n", trusted.version),
        Ok(None) => "No signature was checked: whose key sets these are, only --trusted can tell.\n".into(),
        Err(why) => format!("REFUSED: {why}.\n"),
    }
}

/// Who signed, and what a device makes of it if one was asked.
fn signatures(table: &mut Table, found: &Found<'_>) {
    let Ok(set) = &found.set else { return };
    let label = |key: &lockgate::KeyId| keys::label(key);
    match &found.verdict {
        Some(Verdict::Taken(signed)) => {
            for id in signed {
                table.row([&"signed by", &label(id)]);
            }
            table.row([&"verdict", &"taken"]);
        }
        Some(verdict @ (Verdict::PassedOver(why) | Verdict::Refused(why))) => {
            table.row([&"verdict", &format_args!("{}: {why}", verdict.word())]);
        }
        None => key_sets::signatures(set, |text| _ = table.row([&"signature", &text])),
    }
}
