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

die() {
    echo "error: $*" >&2
    exit 1
}

# The GNU or LLVM tool of that name, whichever is there.
binutil() {
    local name=$1 tool sysroot
    shift
    sysroot=$(rustc --print sysroot 2>/dev/null || true)
    for tool in arm-none-eabi-"$name" llvm-"$name" rust-"$name" "$sysroot"/lib/rustlib/*/bin/llvm-"$name"; do
        if command -v "$tool" >/dev/null; then
            "$tool" "$@"
            return
        fi
    done
    die "no $name for ARM: install arm-none-eabi binutils, LLVM, or 'rustup component add llvm-tools'"
}

lockgate() {
    "${LOCKGATE:-$target_dir/release/lockgate}" "$@"
}

[[ -n ${LOCKGATE:-} ]] || (cd ../.. && cargo build -q --release -p lockgate-cli --target-dir "$target_dir")
bench=false
if [[ -z ${LOCKGATE_KEYS:-} ]]; then
    bench=true
    # For the bench: `--dev` marks a key that no product may trust.
    [[ -e $images/key.pem ]] || lockgate keygen --dev -o "$images/key.pem" >"$images/keygen.log"
    lockgate keygen --print "$images/key.pub.pem" >"$images/keys.new"
    # Untouched if it is the same: nothing is built again then.
    cmp -s "$images/keys.new" "$images/keys.rs" || cp "$images/keys.new" "$images/keys.rs"
    LOCKGATE_KEYS=$images/keys.rs
fi
LOCKGATE_KEYS=$(realpath "$LOCKGATE_KEYS")
export LOCKGATE_KEYS

if [[ -d $(rustc --print sysroot 2>/dev/null)/lib/rustlib/$target ]]; then
    with=(cargo build)
elif [[ -x /usr/bin/cargo && -d $(/usr/bin/rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust ]]; then
    # A distribution's compiler brings the sources of `core`, but no `core` for the chip and no linker.
    with=(env RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc CARGO_TARGET_THUMBV7EM_NONE_EABI_LINKER=arm-none-eabi-ld
        /usr/bin/cargo build -Zbuild-std=core)
else
    die "no compiler for $target: 'rustup target add $target', or Debian's rustc-web, cargo-web, rust-web-src" \
        "and binutils-arm-none-eabi"
fi

build() { # CARGO ARGUMENTS...
    "${with[@]}" -q --release --target "$target" --target-dir "$target_dir" "$@"
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
