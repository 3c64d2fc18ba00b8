#!/usr/bin/env bash
# Builds the firmware, packs it, streams it into QEMU over the serial port, whole and damaged, and checks
# what the firmware says each time. Exits with 1 if anything is not as it should be.
#
#   ./run.sh          all of that
#   ./run.sh image    only builds, and refreshes ../../cli/assets/cortex-m4.bin
#
# LOCKGATE=PROGRAM takes a host tool that is installed instead of building the one of this repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

target=thumbv7em-none-eabi
# Both builds go there: absolute, since they run in different directories.
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
elf=$target_dir/$target/release/firmware

# As in src/main.rs.
vendor=6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4
class=b24c6a6e-4f0b-4d5c-9a43-6c1d7f7f3a10
other_class=0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80
counter=2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tool_dir=$target_dir
source ../arm.sh

# A key for this run; it goes away with it. `--dev` marks it as one that no product may trust.
make_key() {
    lockgate keygen --dev -o "$work/$1.pem" >"$work/keygen.log"
    lockgate keygen --print "$work/$1.pub.pem" >"$work/$1.rs"
}

build() {
    LOCKGATE_KEYS=$1 chip_build --target-dir "$target_dir"
    binutil objcopy -O binary "$elf" "$work/firmware.bin"
}

pack() { # PACKAGE KEY CLASS COUNTER
    lockgate pack "$work/firmware.bin" -o "$work/$1.lgu" --key "$work/$2.pem" --vendor "$vendor" --class "$3" \
        --version 1.1.0 --security-counter "$4" >"$work/pack.log"
}

# Inverts the lowest bit of the byte at $2.
flip() {
    local byte
    byte=$(od -An -tu1 -j"$2" -N1 "$1")
    printf '%b' "\\x$(printf '%02x' $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# What the group of pattern $2 holds in the log of case $1; "?" if there is none.
field() {
    local text
    text=$(sed -nE "s/^$2\$/\1/p" "$work/$1.log" | head -n 1)
    echo "${text:-?}"
}

# Sends a package and holds what the firmware says against what it should: CASE STATUS VERDICT FLASH, the
# latter two as regular expressions.
failed=0
run() {
    local name=$1 status=0 verdict flash mark=""
    timeout 120 qemu-system-arm -M mps2-an386 -display none -monitor none -serial stdio \
        -semihosting-config enable=on,target=native -kernel "$elf" <"$work/$name.lgu" >"$work/$name.log" || status=$?
    verdict=$(field "$name" '((verified|refused).*)')
    flash="$(field "$name" 'erased ([0-9]+) sectors.*') $(field "$name" 'erased.*wrote ([0-9]+) bytes')"
    if [[ $status -ne $2 ]] || ! [[ $verdict =~ ^$3$ ]] || ! [[ $flash =~ ^$4$ ]]; then
        failed=1
        mark="  <- NOT AS EXPECTED (exit status $status), the firmware said:"
    fi
    read -r sectors bytes <<<"$flash"
    printf '%-12s %7s %7s %6s  %s%s\n' "$name" "$sectors" "$bytes" "$(field "$name" 'peak stack ([0-9]+) bytes')" \
        "${verdict/digest=*/digest=${digest:0:8}..}" "$mark"
    [[ -z $mark ]] || sed 's/^/    /' "$work/$name.log"
}

sizes() {
    local flash
    # The flash in RAM is the emulation's, not the firmware's.
    flash=$((16#$(binutil nm -S "$elf" | awk '/FLASH/ { print $2 }')))
    binutil size -A "$elf" | awk -v flash="$flash" '
        $1 == ".text" || $1 == ".rodata" { code += $2 }
        $1 == ".data" || $1 == ".bss" || $1 == ".uninit" { ram += $2 }
        END { printf ".text + .rodata %d bytes; static RAM %d bytes, and %d for the flash in RAM\n", code, ram - flash, flash }'
}

host_tool
make_key device
build "$work/device.rs"
digest=$(sha256sum "$work/firmware.bin" | cut -d' ' -f1)
size=$(stat -c %s "$work/firmware.bin")
if [[ ${1:-} == image ]]; then
    cp "$work/firmware.bin" ../../cli/assets/cortex-m4.bin
    chmod 644 ../../cli/assets/cortex-m4.bin
    echo "cli/assets/cortex-m4.bin: $size bytes, sha256 $digest"
    exit
fi
[[ $# -eq 0 ]] || die "unknown argument '$1'; ./run.sh [image]"

make_key other
pack good device "$class" "$counter"
pack wrong-class device "$other_class" "$counter"
pack other-key other "$class" "$counter"
pack old-counter device "$class" $((counter - 1))
length=$(stat -c %s "$work/good.lgu")
cp "$work/good.lgu" "$work/tampered.lgu"
flip "$work/tampered.lgu" $((length / 2))
head -c $((length * 2 / 3)) "$work/good.lgu" >"$work/truncated.lgu"

echo
echo "image of $size bytes, package of $length bytes, sha256 $digest"
sizes
echo
printf '%-12s %7s %7s %6s  %s\n' case erased written stack verdict
# Some sectors and bytes, or none: what is refused by its manifest must leave the flash alone.
some='[1-9][0-9]* [1-9][0-9]*'
run good 0 "verified slot=B version=1\.1\.0 counter=$counter digest=$digest" "$some"
run tampered 1 'refused: block [0-9]+ is not the one that was signed' "$some"
run truncated 1 'refused: the package ends at byte [0-9]+, before it is complete' "$some"
run wrong-class 1 "refused: class $other_class is not this device's $class" '0 0'
run other-key 1 'refused: valid signatures by trusted keys: 0, needed: 1' '0 0'
run old-counter 1 "refused: security counter 1 is below the device's 2" '0 0'

for line in 'boot stage: slot B, Trial { attempt: 1, limit: 3 }' 'boot stage: slot B, Confirmed'; do
    if grep -qxF "$line" "$work/good.log"; then
        printf '%-12s %s\n' good "$line"
    else
        failed=1
        echo "good: not said: $line"
    fi
done

echo
[[ $failed -eq 0 ]] || die "a case did not end as it should"
echo "all cases as expected"
