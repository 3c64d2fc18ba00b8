//! Each row of the threat model names the tests that show it, each of them exists, and no attack is left out of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../../docs/threat-model.md");

/// Names of the tests in a file: functions behind `#[test]`.
fn tests_in(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let behind = text.split("#[test]").skip(1).filter_map(|rest| rest.split_once("fn "));
    behind.filter_map(|(_, rest)| rest.split_once('(')).map(|(name, _)| name.into()).collect()
}

/// `FILE.rs::NAME` in the page, as file and name.
fn named() -> BTreeSet<(String, String)> {
    let quoted = PAGE.split('`').skip(1).step_by(2);
    let named = quoted.filter_map(|text| text.split_once(".rs::"));
    named.map(|(file, name)| (format!("{file}.rs"), name.into())).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let named = named();
    assert!(named.len() > 50, "{} tests are named", named.len());
    for (file, name) in named {
        assert!(tests_in(&root().join(&file)).contains(&name), "{file} has no test {name}");
    }
}

#[test]
fn every_attack_is_in_the_threat_model() {
    let named = named();
    for file in fs::read_dir(root().join("tests/attacks")).unwrap() {
        let path = file.unwrap().path();
        let file = format!("tests/attacks/{}", path.file_name().unwrap().to_str().unwrap());
        if file.ends_with("/table.rs") {
            continue;
        }
        for name in tests_in(&path) {
            assert!(named.contains(&(file.clone(), name.clone())), "no row of the threat model names {file}::{name}");
        }
    }
}

#[test]
fn every_row_names_a_test_or_says_that_there_is_none() {
    let attacks = PAGE.split("\n## ").skip(3).flat_map(str::lines).filter(|line| line.starts_with("| "));
    for row in attacks.filter(|row| !row.starts_with("| attack |")) {
        assert!(row.contains(".rs::") || row.contains("| no test"), "{row}");
    }
}

#[test]
fn a_row_says_not_defended_exactly_if_its_test_does() {
    let rows = PAGE.lines().filter(|line| line.starts_with("| ") && line.contains(".rs::"));
    for row in rows {
        let says = row.contains("**Not defended**") || row.contains("**not defended**");
        let shows = row.contains("::not_defended_");
        assert!(says == shows, "said and shown must agree: {row}");
    }
}
