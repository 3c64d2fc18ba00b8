#!/usr/bin/env bash
# Tests the flash driver on the host, builds boot stage and application, looks at what must be in RAM, makes the flash image that is
# programmed once, and prints sizes.
#
#   ./build.sh
#
# LOCKGATE=PROGRAM     a host tool that is installed, instead of building the one of this repository
# LOCKGATE_KEYS=FILE   the keys the device trusts, as `lockgate keygen --print` wrote them; without it a key for the bench is made, and
#                      a flash image with it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

target=thumbv7em-none-eabi
# Both builds go there: absolute, since they run in different directories.
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
release=$target_dir/$target/release
images=$target_dir/images
mkdir -p "$images"

tool_dir=$target_dir
source ../arm.sh

host_tool
bench=false
if [[ -z ${LOCKGATE_KEYS:-} ]]; then
    bench=true
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
# what it takes.
image() { # NAME ORIGIN ROOM
    local elf=$release/$1 raw=$images/$1.bin stack reset size
    binutil objcopy -O binary "$elf" "$raw"
    binutil objdump -d "$elf" >"$images/$1.lst"
    stack=$(word "$raw" 0) reset=$(word "$raw" 1) size=$(stat -c %s "$raw")
    ((stack > 0x20000000 && stack <= 0x20008000 && reset % 2 == 1 && reset > $2 && reset < $2 + size)) ||
        die "$1 does not begin with a vector table: $stack $reset"
    ((size <= $3)) || die "$1 has $size bytes, its place $3"
    binutil size -A "$elf" | awk -v name="$1" -v image="$size" -v place="$3" '
        $1 == ".data" || $1 == ".bss" || $1 == ".uninit" { ram += $2 }
        END { printf "%-20s %8d %8d %10d\n", name, image, place, ram }'
}

# The one function that runs while flash is busy: in RAM, and nothing in it leaves it (board/src/msc.rs).
in_ram() { # NAME
    local code
    code=$(binutil objdump -D -j .data "$release/$1" | awk '/^[0-9a-f]+ <.*msc.*command.*>:/ { on = 1; print; next } /^$/ { on = 0 } on')
    [[ $code == 2000* ]] || die "$1: the function that waits for flash is not in RAM"
    # A branch names its destination <in the function+0x..>.
    if grep -E '\s(b|bl|blx|bx|b[a-z]{2}(\.[nw])?|cb?n?z)\s' <<<"$code" | grep -vE '<.*msc.*command.*\+0x|bx\s+lr'; then
        die "$1: the function that waits for flash calls something"
    fi
}

cargo test -q -p lockgate-efm32-board --target-dir "$target_dir"

build
echo
printf '%-20s %8s %8s %10s\n' image flash of 'static RAM'
image boot 0 32768
image app $((0xA000)) $((0x1A000 - 1024))
for name in boot app; do in_ram $name; done

if $bench; then
    # As in board/src/device.rs.
    lockgate pack "$images/app.bin" -o "$images/app.lgu" --key "$images/key.pem" --version 1.0.0 --security-counter 1 \
        --vendor 6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4 --class ef320990-58b2-4d6e-8c11-3d9a7be50f42 >"$images/pack.log"
    lockgate factory "$images/app.lgu" --geometry efm32wg --boot "$images/boot.bin" --key "$images/key.pub.pem" \
        -o "$images/flash.bin" >"$images/factory.log"
    echo "to be programmed once: $images/flash.hex; an update: $images/app.lgu"
fi
