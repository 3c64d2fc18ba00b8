#!/usr/bin/env bash
# Builds boot stage and application, on both HALs and for the emulated machine, and prints their sizes.
#
#   ./build.sh            all of it, into target/images
#   ./build.sh emulated   only what ./run.sh needs
#
# LOCKGATE=PROGRAM     a host tool that is installed, instead of building the one of this repository
# LOCKGATE_KEYS=FILE   the keys the device trusts, as `lockgate keygen --print` wrote them; without it a key for the bench is made
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

target=thumbv7em-none-eabihf
# Both builds go there: absolute, since they run in different directories.
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
release=$target_dir/$target/release
images=$target_dir/images
mkdir -p "$images"

tool_dir=$target_dir
source ../arm.sh

host_tool
if [[ -z ${LOCKGATE_KEYS:-} ]]; then
    bench_key "$images"
    LOCKGATE_KEYS=$images/keys.rs
fi
LOCKGATE_KEYS=$(realpath "$LOCKGATE_KEYS")
export LOCKGATE_KEYS

build() { # CARGO ARGUMENTS...
    chip_build -q --target-dir "$target_dir" "$@"
}

word() { # FILE INDEX: a word of a vector table
    od -An -tu4 --endian=little -j$(($2 * 4)) -N4 "$1" | tr -d ' '
}

# Makes the raw image, looks its vector table over (initial stack in RAM, reset handler in the image, Thumb), and prints
# what it takes. Program headers of an image that the loader would not find in flash would show in its size.
image() { # NAME ORIGIN ROOM
    local elf=$release/$1 raw=$images/$1.bin stack reset size
    binutil objcopy -O binary "$elf" "$raw"
    binutil objdump -d -j .text "$elf" >"$images/$1.lst"
    stack=$(word "$raw" 0) reset=$(word "$raw" 1) size=$(stat -c %s "$raw")
    ((stack > 0x20000000 && stack <= 0x20020000 && reset % 2 == 1 && reset > $2 && reset < $2 + size)) ||
        die "$1 does not begin with a vector table: $stack $reset"
    ((size <= $3)) || die "$1 has $size bytes, its place $3"
    binutil size -A "$elf" | awk -v name="$1" -v image="$size" -v place="$3" '
        $1 == ".data" || $1 == ".bss" || $1 == ".uninit" { ram += $2 }
        END { printf "%-20s %8d %8d %10d\n", name, image, place, ram }'
}

printf '%-20s %8s %8s %10s\n' image flash of 'static RAM'
build -p lockgate-stm32f4-emulated
image rom 0 65536
image emulated-boot $((0x100000)) 32768
image emulated-app $((0x120000)) $((0x60000 - 1024))
image emulated-app-async $((0x120000)) $((0x60000 - 1024))
[[ ${1:-} != emulated ]] || exit 0

# Apart, so that what one needs of a shared crate is not in the other; the boot stages without messages.
build -p lockgate-stm32f4-blocking --no-default-features --bin boot
image boot $((0x8000000)) 32768
build -p lockgate-stm32f4-blocking --bin app
image app $((0x8020000)) $((0x60000 - 1024))
build -p lockgate-stm32f4-embassy --no-default-features --bin embassy-boot-stage
image embassy-boot-stage $((0x8000000)) 32768
build -p lockgate-stm32f4-embassy --bin embassy-app
image embassy-app $((0x8020000)) $((0x60000 - 1024))
