#!/usr/bin/env bash
# Builds small programs, each of which does one thing, runs them under QEMU, and prints what they cost.
#
#   ./run.sh           all of that; rewrites ../RESULTS.md, the figures of ../../README.md, and results.json
#   ./run.sh check     fails if a figure is more than 3 % worse than in budgets.json
#   ./run.sh budgets   makes what is measured the budget
#   ./run.sh panics    lists what may panic in an update, and fails if lockgate's own code may
#   ./run.sh where [PROGRAM]   says in which functions an install (or install-delta, ...) spends its instructions
#   ./run.sh sizes [PROGRAM]   says of which functions its code is
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
out=$target_dir/measured
source ../../examples/arm.sh
esp8266=../../examples/esp8266
lx106=xtensa-esp8266-none-elf

# Everything at "s", as devices have it; only SHA-256 at 3.
fast=(--config 'profile.release.package.sha2.opt-level=3')

# The programs named, into DIRECTORY: build DIRECTORY FEATURE PROGRAM... [-- ARGUMENT...]
build() {
    local directory=$1 feature=$2 programs=() program
    shift 2
    while [[ $# -gt 0 && $1 != -- ]]; do programs+=("$1") && shift; done
    mkdir -p "$directory"
    chip_build -q --target-dir "$target_dir" --features "$feature" "${programs[@]/#/--bin=}" "${@:2}"
    for program in "${programs[@]}"; do
        cp "$target_dir/$target/release/$program" "$directory/"
    done
}

# The same for the LX106, as the ESP8266's example is built, with its start-up code: LLVM's assembly, mended, by GNU's tools.
build_lx106() { # DIRECTORY FEATURE PROGRAM... [-- ARGUMENT...]
    local directory=$1 feature=$2 programs=() program name
    shift 2
    while [[ $# -gt 0 && $1 != -- ]]; do programs+=("$1") && shift; done
    mkdir -p "$directory" "$target_dir/lx106"
    for program in "${programs[@]}"; do
        # Not in DIRECTORY: what is compiled already is not compiled again.
        name=$target_dir/lx106/${directory##*/}-$program
        "${source_cargo[@]}" rustc -q --release -Zbuild-std=core -Zjson-target-spec --target $esp8266/$lx106.json \
            --target-dir "$target_dir" --features "$feature" --bin "$program" "${@:2}" -- \
            "--emit=asm=$name.raw.s" -Clinker=true -Cforce-unwind-tables=no -Cjump-tables=no
        awk -f $esp8266/rt/literals.awk "$name.raw.s" >"$name.s"
        xtensa-lx106-elf-gcc -mlongcalls -mtext-section-literals -O2 -ffreestanding -fno-builtin -ffunction-sections \
            -fdata-sections -nostdlib -Wl,-z,noexecstack -Wl,--gc-sections -T link/lx106.ld link/lx106.S \
            $esp8266/rt/{start.S,mem.c,arith.c} $esp8266/rom/simcall.S "$name.s" -lgcc -o "$directory/$program"
    done
}

# Runs a program; instructions are the clock. The Cortex-M board's core is a Cortex-M4, whichever code it runs.
emulate() { # CORE ELF [ARGUMENT...]
    local core=$1 elf=$2 machine=(qemu-system-arm -M mps2-an386 -semihosting-config "enable=on,target=native" -kernel "$2")
    # QEMU starts no Xtensa program by -kernel on this machine.
    [[ $core != lx106* ]] || machine=(qemu-system-xtensa -M kc705-nommu -cpu lx106 -semihosting -device "loader,file=$2,cpu-num=0")
    timeout 300 "${machine[@]}" -icount shift=0 -display none -monitor none -serial none "${@:3}"
}

# What the table is made of: sizes, and what the program said.
measure() { # DIRECTORY
    local elf core=${1##*/} prefix=""
    [[ $core != lx106* ]] || prefix=xtensa-lx106-elf-
    for elf in "$1"/*; do
        [[ ${elf##*/} != *.* ]] || continue
        gnu "${prefix}size" -A "$elf" >"$elf.sizes"
        gnu "${prefix}nm" -S -C "$elf" >"$elf.symbols"
        # Its hash is none, so its update would be refused.
        [[ $elf != */stub ]] || continue
        emulate "$core" "$elf" </dev/null >"$elf.said" 2>&1 || {
            cat "$elf.said" >&2
            die "$elf did not end as it should"
        }
    done
}

# A tool for Xtensa by its full name, or one for ARM.
gnu() {
    case $1 in
        xtensa-*) "$@" ;;
        *) binutil "$@" ;;
    esac
}

tools() {
    command -v qemu-system-arm >/dev/null || die "no emulator: Debian's qemu-system-arm"
    command -v qemu-system-xtensa >/dev/null || die "no emulator: Debian's qemu-system-misc"
    command -v xtensa-lx106-elf-gcc >/dev/null || die "no C compiler for the LX106: Debian's gcc-xtensa-lx106"
    command -v arm-none-eabi-gcc >/dev/null ||
        die "no C compiler for ARM, which p256-cortex-m4 asks for: Debian's gcc-arm-none-eabi and libnewlib-arm-none-eabi"
    if [[ -x /usr/bin/cargo && -d $(/usr/bin/rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust ]]; then
        # A distribution's compiler has the sources of `core`, but not nightly's name.
        source_cargo=(env RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc /usr/bin/cargo)
    elif [[ -d $(rustc +nightly --print sysroot 2>/dev/null)/lib/rustlib/src/rust ]]; then
        source_cargo=(cargo +nightly)
    else
        die "no compiler with library sources: Debian's rustc-web, cargo-web, rust-web-src, or 'rustup +nightly component add rust-src'"
    fi
}

measure_all() {
    tools
    rm -rf "$out"
    target=thumbv7em-none-eabi
    build "$out/m4" p256 empty loop copy sha256 verify install install-twice install-next stub
    build "$out/m4" p256,decode install-heatshrink install-delta
    build "$out/m4" p256,rotation install-rotate
    build "$out/m4" asm verify-asm install-asm
    build "$out/m4" embassy embassy
    build "$out/m4-large" p256,large-blocks install
    build "$out/m4-large" asm,large-blocks install-asm
    build "$out/m4-fast" p256 sha256 install -- "${fast[@]}"
    build "$out/m4-fast" asm install-asm -- "${fast[@]}"
    build "$out/m4-fast-large" p256,large-blocks install -- "${fast[@]}"
    build "$out/m4-fast-large" asm,large-blocks install-asm -- "${fast[@]}"
    target=thumbv6m-none-eabi
    build "$out/m0" p256 empty copy sha256 verify install
    build "$out/m0" p256,decode install-heatshrink install-delta
    build "$out/m0" p256,rotation install-rotate
    build "$out/m0-large" p256,large-blocks install
    build "$out/m0" embassy embassy
    build_lx106 "$out/lx106" p256 empty loop copy sha256 verify install stub
    build_lx106 "$out/lx106" p256,decode install-heatshrink install-delta
    build_lx106 "$out/lx106" p256,rotation install-rotate
    build_lx106 "$out/lx106-large" p256,large-blocks install
    build_lx106 "$out/lx106" embassy embassy
    local core
    for core in m4 m4-large m4-fast m4-fast-large m0 m0-large lx106 lx106-large; do measure "$out/$core"; done
    target=thumbv7em-none-eabi compiler >"$out/compiler"
    qemu-system-arm --version | sed -n 's/.*version \([0-9.]*\).*/QEMU \1/p' >>"$out/compiler"
}

# The compiler that `chip_build` takes.
compiler() {
    if [[ -d $(rustc --print sysroot 2>/dev/null)/lib/rustlib/$target ]]; then
        rustc --version | sed 's/ (.*//; s/$/, its own `core`/'
    else
        /usr/bin/rustc --version | sed 's/ (.*//; s/$/, `core` built with the programs/'
    fi
}

panics() {
    target=thumbv7em-none-eabi
    build "$out/panics" p256 install-next -- --config profile.release.debug=1
    build "$out/panics" p256,decode install-delta -- --config profile.release.debug=1
    build "$out/panics" p256,rotation install-rotate -- --config profile.release.debug=1
    local elf
    for elf in "$out"/panics/install-{next,delta,rotate}; do
        echo "${elf##*/}:"
        binutil objdump -d -C --no-show-raw-insn "$elf" >"$elf.code"
        python3 panics.py calls <"$elf.code" >"$elf.calls"
        cut -f1 "$elf.calls" | binutil addr2line -a -i -f -C -e "$elf" >"$elf.frames"
        python3 panics.py judge "$elf.calls" <"$elf.frames"
    done
}

# Where the instructions of an install go, or its bytes.
where() { # run|sizes PROGRAM
    local features=p256 elf=$out/where/$2
    target=thumbv7em-none-eabi
    case $2 in
        *-asm) features=asm ;;
        *-heatshrink | *-delta) features=p256,decode ;;
        *-rotate) features=p256,rotation ;;
    esac
    build "$out/where" "$features" "$2" -- --config profile.release.debug=1
    "log_$1" "$elf" | python3 where.py "$1" "$elf.counts" >"$elf.addresses"
    binutil addr2line -a -i -f -C -e "$elf" <"$elf.addresses" | python3 where.py judge "$elf.counts"
}

log_run() {
    emulate m4 "$1" -d exec,nochain,in_asm -D /dev/stdout 2>/dev/null
}

log_sizes() {
    binutil objdump -d --no-show-raw-insn "$1"
}

case ${1:-} in
    # Not `measure_all && ...`: in a condition, `set -e` would not hold.
    "" | check | budgets)
        measure_all
        python3 table.py "${1:-results}" "$out"
        ;;
    panics) panics ;;
    where) where run "${2:-install}" ;;
    sizes) where sizes "${2:-install}" ;;
    *) die "unknown argument '$1'; ./run.sh [check|budgets|panics|where|sizes]" ;;
esac
