#!/usr/bin/env bash
# Changes the code of the verification path, one place after the other (cargo-mutants), and expects a test to fail each time.
# What is mutated, and by which tests it is judged, is in .cargo/mutants.toml.
#
#   tests/mutation.sh                       all of it: hours
#   tests/mutation.sh -F src/trust.rs       one file of them; other options of `cargo mutants` as well
#   tests/mutation.sh --list                what would be changed
#
# docs/mutation.md has the outcome of a whole run: tests/mutation_report.py writes it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v cargo-mutants >/dev/null || { echo "error: cargo install cargo-mutants --locked" >&2 && exit 2; }
# Nobody debugs a mutant, and without the tables it links sooner.
export CARGO_PROFILE_DEV_DEBUG=none
# A report beside the sources would be taken for them.
mkdir -p target/mutation
exec cargo mutants --output target/mutation --jobs 1 --no-shuffle "$@"
