#!/usr/bin/env bash
# Builds everything: boot stages, application, packages, and the flash image for a board.
#
#   ./build.sh          all of it, into target/microbit
#   ./build.sh image NAME
#                       only the application as NAME.bin
#   ./build.sh sizes    only says how large what was built is, and holds it against the budgets
#
# Both, or none: then a key for the bench is made, once, and packages for the tests as well.
# LOCKGATE_KEYS=keys.rs   the keys that the device trusts, as `lockgate keygen --print` wrote them
# LOCKGATE_KEY=key.pem    a key that signs, its public half beside it
# LOCKGATE=PROGRAM        a host tool that is installed, instead of the one of this repository
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

out=$PWD/target/microbit
target=thumbv6m-none-eabi

# As in board/src/device.rs.
vendor=6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4
class=3d7c1f58-0b62-4e0d-a1d4-92f6c85b7e31
slot_a=0x9000

tool_dir=$out/cargo
source ../arm.sh

keys() {
    case ${LOCKGATE_KEYS:+1}${LOCKGATE_KEY:+1} in
        11) bench="" ;;
        1) die "LOCKGATE_KEYS and LOCKGATE_KEY: both, or none for a key of the bench" ;;
        *)
            bench=yes
            bench_key "$out/keys"
            LOCKGATE_KEYS=$out/keys/keys.rs LOCKGATE_KEY=$out/keys/key.pem
            [[ -f $out/keys/other.pem ]] || lockgate keygen --dev -o "$out/keys/other.pem" >/dev/null
            ;;
    esac
    LOCKGATE_KEYS=$(realpath "$LOCKGATE_KEYS") LOCKGATE_KEY=$(realpath "$LOCKGATE_KEY")
    export LOCKGATE_KEYS LOCKGATE_KEY
}

compile() { # PACKAGE NAME [CARGO ARGUMENT...]
    local package=$1 name=$2
    shift 2
    chip_build -q --target-dir "$out/firmware" -p "lockgate-microbit-$package" "$@"
    cp "$out/firmware/$target/release/$package" "$out/$name.elf"
    binutil objcopy -O binary "$out/$name.elf" "$out/$name.bin"
    binutil objdump -d "$out/$name.elf" >"$out/$name.lst"
}

pack() { # PACKAGE IMAGE VERSION COUNTER [ARGUMENT...]
    local package=$1 image=$2 version=$3 counter=$4
    shift 4
    lockgate pack "$out/$image.bin" -o "$out/$package.lgu" --vendor "$vendor" --block-size 512 --load-address "${SLOT_A:-$slot_a}" \
        --version "$version" --security-counter "$counter" --key "${KEY:-$LOCKGATE_KEY}" --class "${CLASS:-$class}" "$@" >/dev/null
}

# A package that makes IMAGE of BASE.
pack_delta() { # PACKAGE BASE IMAGE VERSION COUNTER
    pack "$1" "$3" "$4" "$5" --base "$out/$2.bin"
}

# Packages that are deltas, images that fail at their start, and packages that are refused.
test_packages() {
    pack_delta delta-2 app-1 app-2 1.2.0 2
    pack_delta delta-3 app-2 app-3 1.3.0 3
    pack hang app-hang 1.9.0 9
    pack crash app-crash 1.9.0 9
    pack no-vectors no-vectors 1.9.0 9
    CLASS=0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80 pack wrong-class app-2 1.2.0 2
    KEY=$out/keys/other.pem pack wrong-key app-2 1.2.0 2
    pack older app-3 1.0.0 0
}

factory() { # FLASH PACKAGE BOOT BOARD
    lockgate factory "$out/$2.lgu" --geometry "$4" --boot "$out/$3.bin" --key "${LOCKGATE_KEY%.pem}.pub.pem" \
        -o "$out/$1.bin" >/dev/null
}

all() {
    command -v python3 >/dev/null || die "python3 is missing"
    host_tool
    keys
    compile boot boot
    compile boot boot-signatures --features signatures
    compile app app
    compile app large-boot --features large-boot
    # Builds that differ, and images that fail at their start.
    python3 tests/images.py "$out"
    local number
    for number in 1 2 3; do pack "app-$number" "app-$number" "1.$number.0" "$number"; done
    # Never under a product's key: they would be good packages for its devices.
    rm -f "$out/older.lgu"
    [[ -z $bench ]] || test_packages
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
    image) host_tool && keys && compile app "$2" ;;
    sizes) sizes ;;
    *) die "unknown argument '$1'; ./build.sh [image NAME | sizes]" ;;
esac
