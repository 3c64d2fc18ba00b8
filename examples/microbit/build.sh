#!/usr/bin/env bash
# Builds everything: boot stages, application, packages, and the flash image for a board.
#
#   ./build.sh          all of it, into target/microbit
#   ./build.sh sizes    only says how large what was built is, and holds it against the budgets
#
# LOCKGATE_KEYS=keys.rs   the keys that the device trusts, as `lockgate keygen --print` wrote them (default: a key for the bench, made once);
# LOCKGATE_KEY=key.pem    and the key that signs (both or none)
# LOCKGATE=PROGRAM        a host tool that is installed, instead of the one of this repository
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

out=$PWD/target/microbit
target=thumbv6m-none-eabi

# As in board/src/device.rs.
vendor=6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4
class=3d7c1f58-0b62-4e0d-a1d4-92f6c85b7e31
slot_a=0x9000

die() {
    echo "error: $*" >&2
    exit 1
}

lockgate() {
    "${LOCKGATE:-$out/cargo/release/lockgate}" "$@"
}

tools() {
    command -v python3 >/dev/null || die "python3 is missing"
    # The binutils for ARM by GNU or LLVM, whichever are there.
    local sysroot tool
    sysroot=$(rustc --print sysroot 2>/dev/null || true)
    for tool in arm-none-eabi-objcopy llvm-objcopy rust-objcopy "$sysroot"/lib/rustlib/*/bin/llvm-objcopy; do
        if command -v "$tool" >/dev/null; then objcopy=$tool && break; fi
    done
    [[ -n ${objcopy:-} ]] || die "no objcopy for ARM: install arm-none-eabi binutils, LLVM, or 'rustup component add llvm-tools'"
    if [[ -d $(rustc --print sysroot 2>/dev/null)/lib/rustlib/$target ]]; then
        cargo=(cargo build)
    elif [[ -x /usr/bin/cargo && -d $(/usr/bin/rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust ]]; then
        # A distribution's compiler brings the sources of `core`, but no `core` for the chip and no linker.
        cargo=(env RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc CARGO_TARGET_THUMBV6M_NONE_EABI_LINKER=arm-none-eabi-ld
            /usr/bin/cargo build -Zbuild-std=core)
    else
        die "no compiler for $target: 'rustup target add $target', or Debian's rustc-web, cargo-web, rust-web-src" \
            "and binutils-arm-none-eabi"
    fi
    [[ -n ${LOCKGATE:-} ]] || (cd ../.. && cargo build -q --release -p lockgate-cli --target-dir "$out/cargo")
}

# Throw-away keys for the bench. A product's are made elsewhere, and named by the variables above.
keys() {
    mkdir -p "$out/keys"
    if [[ -z ${LOCKGATE_KEYS:-} ]]; then
        [[ -f $out/keys/bench.pem ]] || lockgate keygen --dev -o "$out/keys/bench.pem" >/dev/null
        lockgate keygen --print "$out/keys/bench.pub.pem" >"$out/keys/new.rs"
        # Only if it changes, so that nothing is built anew for it.
        cmp -s "$out/keys/new.rs" "$out/keys/keys.rs" || cp "$out/keys/new.rs" "$out/keys/keys.rs"
        export LOCKGATE_KEYS=$out/keys/keys.rs LOCKGATE_KEY=$out/keys/bench.pem
    fi
    [[ -n ${LOCKGATE_KEY:-} ]] || die "LOCKGATE_KEY is not set: it names the key that signs, LOCKGATE_KEYS the public ones"
    [[ -f $out/keys/other.pem ]] || lockgate keygen --dev -o "$out/keys/other.pem" >/dev/null
}

compile() { # PACKAGE NAME [CARGO ARGUMENT...]
    local package=$1 name=$2
    shift 2
    "${cargo[@]}" -q --release --target $target --target-dir "$out/firmware" -p "lockgate-microbit-$package" "$@"
    cp "$out/firmware/$target/release/$package" "$out/$name.elf"
    "$objcopy" -O binary "$out/$name.elf" "$out/$name.bin"
}

pack() { # PACKAGE IMAGE VERSION COUNTER [ARGUMENT...]
    local package=$1 image=$2 version=$3 counter=$4
    shift 4
    lockgate pack "$out/$image.bin" -o "$out/$package.lgu" --vendor "$vendor" --block-size 512 --load-address "${SLOT_A:-$slot_a}" \
        --version "$version" --security-counter "$counter" --key "${KEY:-$LOCKGATE_KEY}" --class "${CLASS:-$class}" "$@" >/dev/null
}

factory() { # FLASH PACKAGE BOOT BOARD
    lockgate factory "$out/$2.lgu" --geometry "$4" --boot "$out/$3.bin" --key "${LOCKGATE_KEY%.pem}.pub.pem" \
        -o "$out/$1.bin" >/dev/null
}

all() {
    tools
    keys
    compile boot boot
    compile boot boot-signatures --features signatures
    compile app app
    compile app large-boot --features large-boot
    # Builds that differ, and images that fail at their start.
    python3 tests/images.py "$out"
    local number
    for number in 1 2 3; do pack "app-$number" "app-$number" "1.$number.0" "$number"; done
    pack hang app-hang 1.9.0 9
    pack crash app-crash 1.9.0 9
    pack no-vectors no-vectors 1.9.0 9
    pack older app-3 1.0.0 0
    CLASS=0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80 pack wrong-class app-2 1.2.0 2
    KEY=$out/keys/other.pem pack wrong-key app-2 1.2.0 2
    factory flash app-1 boot nrf51
    # With a boot stage that checks signatures, which needs another layout.
    for number in 1 2; do SLOT_A=0xB000 pack "large-boot-$number" "large-boot-$number" "1.$number.0" "$number"; done
    factory flash-signatures large-boot-1 boot-signatures large-boot.toml
    sizes
    echo
    echo "for a board: target/microbit/flash.hex (README.md, \"On a board\")"
}

sizes() {
    python3 tests/sizes.py "$out"
}

mkdir -p "$out"
case ${1:-} in
    "") all ;;
    sizes) sizes ;;
    *) die "unknown argument '$1'; ./build.sh [sizes]" ;;
esac
