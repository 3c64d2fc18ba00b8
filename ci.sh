#!/usr/bin/env bash
# Every check of this repository, each a step that also runs alone: ./ci.sh --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

all_steps=(fmt lint deny test docs power mutants targets interop boards deltas bench fuzz)
extra_steps=(mutation)

describe() {
    case $1 in
        fmt) echo "code is formatted (rustfmt)" ;;
        lint) echo "clippy, every feature with every other, oldest supported compiler" ;;
        deny) echo "licences, duplicates and sources of dependencies; docs/dependencies.md is current" ;;
        test) echo "cargo test --workspace" ;;
        docs) echo "documentation builds without a warning" ;;
        power) echo "the proof: POWER_CUTS (default 210000) power cuts, and each pair on small geometries" ;;
        mutants) echo "known mistakes, built into the code on purpose, make the proof fail" ;;
        targets) echo "the library for five microcontroller targets" ;;
        interop) echo "cross-check against independent code (Python, OpenSSL, imgtool, detools)" ;;
        boards) echo "the examples' firmware, under emulation (QEMU)" ;;
        deltas) echo "patches of the examples' firmware are no larger than detools'" ;;
        bench) echo "what an install costs on Cortex-M and LX106, against its budgets; what may panic in it" ;;
        fuzz) echo "each fuzz target for FUZZ_SECONDS (default 20) seconds, from its seeds on" ;;
        mutation) echo "every mutant of the verification path is caught (cargo-mutants)" ;;
        *) return 1 ;;
    esac
}

list() {
    local step
    for step in "$@"; do printf '%-8s %s\n' "$step" "$(describe "$step")"; done
}

usage() {
    cat <<'END'
usage: ./ci.sh [STEP...]    run the steps named, in that order; all of them if none is named
       ./ci.sh --list       print the steps of a whole run
       ./ci.sh --help       print this

POWER_CUTS=N     power cuts of the proof (default 210000)
FUZZ_SECONDS=N   seconds for each fuzz target (default 20)
MSRV_RUSTC=PATH  a rustc of the library's rust-version, for the step lint

Steps:
END
    list "${all_steps[@]}"
    printf '\nBy their names alone, since they take hours:\n'
    list "${extra_steps[@]}"
}

# What the last line has to repeat, so that it is not lost in a long log.
note() {
    echo "note: $*"
    echo "$*" >>"$notes"
}

fail() {
    echo "error: $*" >&2
    return 1
}

cargo_tool() {
    cargo "$1" --version >/dev/null 2>&1 || cargo install "cargo-$1" --locked
}

step_fmt() {
    cargo fmt --all --check
    local package
    for package in examples/cortex-m examples/esp8266 examples/esp8266/https examples/microbit \
        examples/efm32 examples/stm32f4 examples/selftest benches/chip fuzz; do
        (cd "$package" && cargo fmt --all --check)
    done
}

step_lint() {
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    (cd examples/esp8266/https && cargo clippy -q --all-targets --target-dir ../target/https -- -D warnings)

    cargo_tool hack
    # Not --no-dev-deps: it rewrites Cargo.toml while it runs, and loses edits or leaves the file changed
    # when killed. Since resolver 2, `check` gives the library no feature of its dev-dependencies anyway.
    cargo hack check --feature-powerset --depth 2 -p lockgate

    msrv
}

# Compiles with the oldest supported compiler where there is one. Elsewhere clippy's lint `incompatible_msrv` (above)
# has judged the use of the standard library, and what the dependencies ask for is compared here.
msrv() {
    local version compiler="${MSRV_RUSTC:-}" toolchain features
    version=$(cargo metadata --no-deps --format-version 1 | python3 -c '
import json, sys
packages = json.load(sys.stdin)["packages"]
print(next(p["rust_version"] or "" for p in packages if p["name"] == "lockgate"))')
    [[ -n $version ]] || fail "lockgate states no rust-version"

    if [[ -z $compiler ]] && command -v rustup >/dev/null; then
        toolchain=$(rustup toolchain list | grep -m1 -E "^${version//./\\.}[.-]" | cut -d' ' -f1 || true)
        [[ -z $toolchain ]] || compiler=$(rustup which --toolchain "$toolchain" rustc)
    fi

    if [[ -n $compiler ]]; then
        [[ $("$compiler" --version) == "rustc $version"* ]] ||
            fail "$compiler is $("$compiler" --version), the library's rust-version is $version"
        for features in --no-default-features "" --all-features; do
            echo "rust-version $version, $("$compiler" --version): cargo check -p lockgate $features"
            # shellcheck disable=SC2086  # empty is no argument
            RUSTC=$compiler CARGO_TARGET_DIR=target/msrv cargo check -p lockgate $features
        done
        return
    fi

    cargo metadata --all-features --format-version 1 \
        --filter-platform "$(rustc -vV | sed -n 's/^host: //p')" | python3 -c '
import json, sys
number = lambda v: [int(x) for x in v.split(".")] + [0] * (3 - len(v.split(".")))
data, limit = json.load(sys.stdin), sys.argv[1]
packages = {p["id"]: p for p in data["packages"]}
nodes = {n["id"]: n for n in data["resolve"]["nodes"]}
todo, seen, bad = [i for i, p in packages.items() if p["name"] == "lockgate"], set(), []
while todo:
    if (i := todo.pop()) in seen:
        continue
    seen.add(i)
    p = packages[i]
    if p["rust_version"] and number(p["rust_version"]) > number(limit):
        bad.append("{name} {version} asks for Rust {rust_version}".format(**p))
    todo += [d["pkg"] for d in nodes[i]["deps"] if any(k["kind"] != "dev" for k in d["dep_kinds"])]
sys.exit("\n".join(["rust-version %s is too low:" % limit] + bad) if bad else 0)' "$version"
    note "rust-version $version was not compiled, only linted: no such compiler here (rustup toolchain install $version)"
}

step_deny() {
    # From source in 2 min 40 s on two cores, once.
    cargo_tool deny
    cargo deny --workspace check licenses bans sources
    python3 docs/dependencies.py --check
}

step_test() {
    cargo test --workspace
}

step_docs() {
    # The library and the tool's binary are both called `lockgate`: documented at once, they overwrite each other's pages.
    export RUSTDOCFLAGS="-D warnings"
    cargo doc --workspace --exclude lockgate --no-deps --all-features
    cargo doc -p lockgate --no-deps --all-features
}

# A compiler with the library sources: $1 says how to call rustc.
has_sources() {
    local root
    root=$("$@" --print sysroot 2>/dev/null) && [[ -d $root/lib/rustlib/src/rust/library/core ]]
}

step_power() {
    local proof=(cargo run -q --release --example power_cut --features pack,sim --)
    "${proof[@]}" --geometry all --cuts "${POWER_CUTS:-210000}" --seed 1
    local geometry payloads
    for payloads in compressed deltas compressed-deltas; do
        "${proof[@]}" --payloads "$payloads" --cuts "$((${POWER_CUTS:-210000} / 5))"
    done
    for geometry in esp8266-swap stm32l4-swap efm32 efm32-swap stm32f4 stm32h7; do
        "${proof[@]}" --geometry "$geometry" --every
    done
    "${proof[@]}" --geometry tiny --pairs
}

step_mutants() {
    python3 tests/mutants.py
}

step_targets() {
    local target
    for target in thumbv6m-none-eabi thumbv7em-none-eabihf riscv32imc-unknown-none-elf mipsel-unknown-none \
        examples/esp8266/xtensa-esp8266-none-elf.json; do
        device_build "$target"
        device_build "$target" --features defmt,log,async,decode
    done
}

device_build() {
    local target=$1 with build=() start=$SECONDS
    shift
    # A distribution's compiler has the sources but not nightly's name: RUSTC_BOOTSTRAP lets it build them.
    if [[ -x /usr/bin/cargo && -x /usr/bin/rustc ]] && has_sources /usr/bin/rustc; then
        with="/usr/bin/rustc, core from source"
        build=(env RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc /usr/bin/cargo build -Zbuild-std=core)
    elif [[ -d $(rustc --print sysroot)/lib/rustlib/$target ]]; then
        with="installed target"
        build=(cargo build)
    elif has_sources rustc +nightly; then
        with="nightly, core from source"
        build=(cargo +nightly build -Zbuild-std=core)
    else
        fail "no compiler for $target: install Debian's rustc-web, cargo-web and rust-web-src, or" \
            "'rustup target add $target' (tier 1 and 2), or 'rustup +nightly component add rust-src'"
    fi
    [[ $target != *.json ]] || build+=(-Zjson-target-spec)
    # "s" is what devices use.
    CARGO_PROFILE_RELEASE_OPT_LEVEL=s "${build[@]}" --release -p lockgate --lib --target "$target" "$@"
    echo "ok: $(basename "$target" .json) ${*:-(default features)}: $with, $((SECONDS - start)) s"
}

step_interop() {
    local venv=$PWD/target/interop-venv
    [[ -x $venv/bin/python3 ]] || python3 -m venv "$venv"
    "$venv/bin/python3" -c 'import cryptography' 2>/dev/null || "$venv/bin/python3" -m pip install --quiet cryptography
    PATH="$venv/bin:$PATH" bash tests/interop.sh
    "$venv/bin/python3" -c 'import imgtool' 2>/dev/null || "$venv/bin/python3" -m pip install --quiet imgtool
    "$venv/bin/python3" tests/foreign/make_trailers.py --check
    bash tests/records/check.sh
    "$venv/bin/python3" -c 'import detools' 2>/dev/null || "$venv/bin/python3" -m pip install --quiet detools heatshrink2
    PATH="$venv/bin:$PATH" bash tests/payload_interop.sh
}

step_boards() {
    cargo build --release -p lockgate-cli
    export LOCKGATE=$PWD/target/release/lockgate
    examples/cortex-m/run.sh
    examples/selftest/run.sh host
    examples/selftest/run.sh
    (cd examples/esp8266/https && cargo test -q --target-dir ../target/https)
    (cd examples/esp8266 && cargo test -q -p lockgate-esp8266-nor --target-dir target/host)
    examples/esp8266/build.sh
    examples/esp8266/run.sh test
    examples/esp8266/run.sh test-c
    examples/microbit/build.sh
    examples/microbit/run.sh test
    examples/efm32/build.sh
    (cd examples/stm32f4 && cargo test -q -p lockgate-stm32f4-app)
    examples/stm32f4/build.sh
    examples/stm32f4/run.sh
}

step_deltas() {
    cargo build --release -p lockgate-cli
    LOCKGATE=$PWD/target/release/lockgate benches/deltas.py --check
}

step_bench() {
    benches/chip/run.sh check
    benches/chip/run.sh panics
}

step_fuzz() {
    local targets target
    cargo_tool fuzz
    targets=$(cargo fuzz list)
    [[ -n $targets ]] || fail "cargo fuzz lists no target"
    # No sanitizer: there is no unsafe code, and without one several times as many runs.
    cargo +nightly fuzz build -s none
    for target in $targets; do
        [[ -n $(ls "fuzz/seeds/$target") ]] || fail "fuzz/seeds/$target has no seeds"
        echo "fuzz: $target"
        mkdir -p "fuzz/corpus/$target"
        cargo +nightly fuzz run -s none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
            -max_total_time="${FUZZ_SECONDS:-20}" -max_len=4096 -verbosity=0 -print_final_stats=1
    done
}

step_mutation() {
    cargo_tool mutants
    tests/mutation.sh
}

case ${1:-} in
    --help | -h) usage && exit ;;
    --list) list "${all_steps[@]}" && exit ;;
esac
for step in "$@"; do
    describe "$step" >/dev/null || { echo "ci.sh: no step '$step'; ./ci.sh --help names them" >&2 && exit 2; }
done
[[ $# -gt 0 ]] || set -- "${all_steps[@]}"

notes=$(mktemp)
trap 'rm -f "$notes"' EXIT
passed="" failed=""
for step in "$@"; do
    printf '\n=== %s: %s\n' "$step" "$(describe "$step")"
    start=$SECONDS
    # A subshell of its own, not in a condition: only so does `set -e` hold inside the step.
    set +e
    (set -e; "step_$step")
    status=$?
    set -e
    took="$step $((SECONDS - start)) s"
    if [[ $status -eq 0 ]]; then
        passed+="${passed:+, }$took"
        echo "=== ok: $took"
    else
        failed+="${failed:+, }$took"
        echo "=== FAILED: $took (exit status $status)"
    fi
done

echo
while read -r line; do echo "ci.sh: note: $line"; done <"$notes"
if [[ -n $failed ]]; then
    echo "ci.sh: FAILED: $failed${passed:+; ok: $passed}"
    exit 1
fi
echo "ci.sh: all ok: $passed"
