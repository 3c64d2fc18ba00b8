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
mutants() { cargo mutants --output target/mutation --jobs 1 --no-shuffle "$@"; }
case " $* " in *" --list "*) mutants "$@" && exit ;; esac

# Most are caught by few tests: all of them are built and run for those alone that these miss.
grep -vE '"--test", "(encoded|hostile_.*|install|key_vectors|policy|resume|retry|staged|tamper|vectors)"' .cargo/mutants.toml >target/mutation/first.toml
status=0
mutants --config target/mutation/first.toml "$@" || status=$?
# 2: some were missed, 3: some timed out. Others are errors.
[[ $status =~ ^[023]$ ]] || exit "$status"
# What timed out is caught, and need not be waited for twice.
cat target/mutation/mutants.out/timeout.txt >>target/mutation/mutants.out/caught.txt
rm -rf target/mutation/first
cp -r target/mutation/mutants.out target/mutation/first
mutants --iterate "$@"
