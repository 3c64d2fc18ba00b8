#!/usr/bin/env bash
# Builds the self-test for each instruction set, runs it under QEMU, and prints a table: target, verdict, flash, RAM, stack, instructions.
# Exits with 1 if a target fails.
#
#   ./run.sh              all targets
#   ./run.sh TARGET...    only these (./run.sh --list names them)
#   ./run.sh host         the same life as a test on this computer
#   ./run.sh figures      puts the table of the last whole run into README.md and ../../README.md
#
# LOCKGATE=PROGRAM takes a host tool that is installed instead of building the one of this repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

out=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export LOCKGATE_PACKAGES=$out/packages
esp8266=../esp8266

# As in src/life.rs.
vendor=6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4
class=5e1f7e57-0d3c-4b6a-9f21-c8a4d2e07b93
other_class=0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80

# name    target                     link script   emulator and machine
targets=(
    "m0    thumbv6m-none-eabi         link/m0.x     qemu-system-arm -M microbit"
    "m3    thumbv7m-none-eabi         link/mps2.x   qemu-system-arm -M mps2-an385"
    "m4    thumbv7em-none-eabi        link/mps2.x   qemu-system-arm -M mps2-an386"
    "m33   thumbv8m.main-none-eabi    link/m33.x    qemu-system-arm -M mps2-an505"
    "riscv riscv32imc-unknown-none-elf link/riscv.ld qemu-system-riscv32 -M virt -cpu rv32,a=false,f=false,d=false -bios none"
    "mips  mipsel-unknown-none        link/mips.ld  qemu-system-mipsel -M malta -cpu 24Kc -nic none -vga none"
    "lx106 xtensa-esp8266-none-elf    -             qemu-system-xtensa -M kc705-nommu -cpu lx106"
)

die() {
    echo "error: $*" >&2
    exit 1
}

lockgate() {
    "${LOCKGATE:-$out/release/lockgate}" "$@"
}

# The compiler builds `core` itself: Debian's has the sources but not nightly's name.
tools() {
    local lld
    if [[ -x /usr/bin/cargo && -d $(/usr/bin/rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust ]]; then
        cargo=(env RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc /usr/bin/cargo)
    elif [[ -d $(rustc +nightly --print sysroot 2>/dev/null)/lib/rustlib/src/rust ]]; then
        cargo=(cargo +nightly)
    else
        die "no compiler with library sources: Debian's rustc-web, cargo-web, rust-web-src, or 'rustup +nightly component add rust-src'"
    fi
    for lld in "$(rustc --print sysroot 2>/dev/null)"/lib/rustlib/*/bin/rust-lld ld.lld; do
        ! command -v "$lld" >/dev/null || break
    done
    command -v "$lld" >/dev/null || die "no rust-lld (rustup) and no ld.lld (Debian: lld)"
    flags="-Clinker=$lld -Clinker-flavor=ld.lld"
    [[ -n ${LOCKGATE:-} ]] || (cd ../.. && cargo build -q --release -p lockgate-cli --target-dir "$out")
}

image() { # NAME: 900 bytes
    { yes "image $1 of the self-test" || true; } | head -c 900 >"$LOCKGATE_PACKAGES/$1.new"
    keep "$1.bin"
}

# Only what changes is written, so that nothing is built anew for it.
keep() {
    cmp -s "$LOCKGATE_PACKAGES/${1%.*}.new" "$LOCKGATE_PACKAGES/$1" || mv "$LOCKGATE_PACKAGES/${1%.*}.new" "$LOCKGATE_PACKAGES/$1"
}

pack() { # PACKAGE IMAGE VERSION COUNTER KEY CLASS
    [[ -f $LOCKGATE_PACKAGES/$1.lgu ]] || lockgate pack "$LOCKGATE_PACKAGES/$2.bin" -o "$LOCKGATE_PACKAGES/$1.lgu" --block-size 256 \
        --version "$3" --security-counter "$4" --key "$LOCKGATE_PACKAGES/$5.pem" --vendor "$vendor" --class "$6" >/dev/null
}

packages() {
    local key
    mkdir -p "$LOCKGATE_PACKAGES"
    for key in device other; do
        [[ -f $LOCKGATE_PACKAGES/$key.pem ]] || lockgate keygen --dev -o "$LOCKGATE_PACKAGES/$key.pem" >/dev/null
    done
    lockgate keygen --print "$LOCKGATE_PACKAGES/device.pub.pem" >"$LOCKGATE_PACKAGES/keys.new"
    keep keys.rs
    for key in one two three; do image $key; done
    pack one one 1.0.0 1 device "$class"
    pack two two 1.1.0 2 device "$class"
    pack three three 1.2.0 3 device "$class"
    pack other-class one 1.0.0 1 device "$other_class"
    pack other-key one 1.0.0 1 other "$class"
}

build() { # NAME TARGET SCRIPT
    local name=$1 target=$2 script=$3
    if [[ $name == lx106 ]]; then
        xtensa
    else
        RUSTFLAGS=$flags LINK_SCRIPT=$PWD/$script "${cargo[@]}" build -q --release -Zbuild-std=core --target "$target" --target-dir "$out"
        cp "$out/$target/release/selftest" "$out/$name.elf"
    fi
}

# As the ESP8266's example is built, with its start-up code and its link script: LLVM's assembly, mended, by GNU's tools.
xtensa() {
    local target=xtensa-esp8266-none-elf
    local gcc=(xtensa-lx106-elf-gcc -mlongcalls -mtext-section-literals -O2 -ffreestanding -fno-builtin -ffunction-sections
        -fdata-sections -nostdlib -Wl,-z,noexecstack)
    command -v "${gcc[0]}" >/dev/null || die "${gcc[0]} is missing (Debian: gcc-xtensa-lx106)"
    "${cargo[@]}" rustc -q --release -Zbuild-std=core -Zjson-target-spec --target $esp8266/$target.json --target-dir "$out" --lib \
        --crate-type staticlib -- "--emit=asm=$out/lx106.raw.s" -Cforce-unwind-tables=no -Cjump-tables=no
    awk -f $esp8266/rt/literals.awk "$out/lx106.raw.s" >"$out/lx106.s"
    (cd $esp8266 && "${gcc[@]}" -Wl,--gc-sections -Wl,--defsym=_stack_end=_bss_end -T link/app.ld rt/start.S rt/mem.c rt/arith.c rom/simcall.S \
        ../selftest/link/lx106.S "$out/lx106.s" -lgcc -o "$out/lx106.elf")
}

# What the program says on its console, into NAME.log; it tells its verdict, its stack and its instructions itself.
emulate() { # NAME EMULATOR...
    local name=$1 status=0 load=()
    shift
    command -v "$1" >/dev/null || die "$1 is missing (Debian: qemu-system-arm, qemu-system-misc, qemu-system-mips)"
    load=(-kernel "$out/$name.elf")
    # QEMU starts no Xtensa program by -kernel on this machine.
    [[ $name != lx106 ]] || load=(-device "loader,file=$out/lx106.elf,cpu-num=0")
    # Instructions are the clock: figures repeat.
    timeout 300 "$@" -icount shift=0 -semihosting -display none -monitor none -serial none "${load[@]}" \
        </dev/null >"$out/$name.log" 2>&1 || status=$?
    echo "exit status $status" >>"$out/$name.log"
}

chosen=("$@")
case ${1:-} in
    --list) printf '%s\n' "${targets[@]}" && exit ;;
    figures)
        python3 table.py "$out" --into README.md
        exec python3 table.py "$out" --into ../../README.md
        ;;
    host)
        tools
        packages
        exec cargo test --lib --target-dir "$out"
        ;;
esac
tools
packages
names=()
for line in "${targets[@]}"; do
    read -r name target script emulator <<<"$line"
    [[ ${#chosen[@]} -eq 0 || " ${chosen[*]} " == *" $name "* ]] || continue
    names+=("$name")
    build "$name" "$target" "$script"
    # shellcheck disable=SC2086  # several words
    emulate "$name" $emulator
done
[[ ${#names[@]} -gt 0 ]] || die "no target '${chosen[*]}'; ./run.sh --list names them"
python3 table.py "$out" "${names[@]}"
