//! Key sets as tables.

use std::fmt::Display;

use lockgate::pack::{is_bench, Keys, RoleKey};

use crate::keys::BENCH;
use crate::table::Table;

/// Whose devices a set is for, and how many must sign.
pub(super) fn identity(table: &mut Table, set: &Keys) {
    table.row([&"vendor", &set.vendor]);
    table.row([&"class", &set.class]);
    table.row([&"sign threshold", &threshold(set, false)]);
    table.row([&"rotate threshold", &threshold(set, true)]);
}

/// `1 of 2`: how many of the keys of a role must have signed.
pub(crate) fn threshold(set: &Keys, rotate: bool) -> String {
    let needed = if rotate { set.rotate_threshold } else { set.sign_threshold };
    format!("{needed} of {}", set.with_role(rotate).count())
}

/// The keys and their roles.
pub(super) fn roles(set: &Keys) -> Table {
    let mut table = Table::default();
    table.row([&"key id", &"roles", &""]);
    for key in &set.keys {
        table.row([&key.id(), &role(key), &bench(key)]);
    }
    table
}

/// The keys of two sets, and what becomes of each.
pub(super) fn changes(old: &Keys, new: &Keys) -> Table {
    let mut all: Vec<(&RoleKey, String)> = Vec::new();
    for key in &new.keys {
        let change = match old.keys.iter().find(|before| before.key == key.key) {
            None => "added".into(),
            Some(before) if before == key => "kept".into(),
            Some(before) => format!("kept, was: {}", role(before)),
        };
        all.push((key, change));
    }
    let gone = old.keys.iter().filter(|before| new.keys.iter().all(|key| key.key != before.key));
    all.extend(gone.map(|key| (key, "removed".into())));
    all.sort_by_key(|(key, _)| key.id());
    let mut table = Table::default();
    table.row([&"key id", &"roles", &"change", &""]);
    for (key, change) in &all {
        table.row([&key.id(), &role(key), change, &bench(key)]);
    }
    table
}

/// Its roles, for people.
pub(crate) fn role(key: &RoleKey) -> &'static str {
    match (key.sign, key.rotate) {
        (true, true) => "sign, rotate",
        (true, false) => "sign",
        (false, true) => "rotate",
        (false, false) => "none",
    }
}

fn bench(key: &RoleKey) -> impl Display {
    if is_bench(&key.id()) {
        BENCH
    } else {
        ""
    }
}
