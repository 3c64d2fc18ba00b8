#!/usr/bin/env bash
# Builds everything: boot stage, applications, the stand-in for the mask ROM, packages, and flash images for a board and for the emulator.
#
#   ./build.sh          all of it, into target/esp8266
#   ./build.sh image NAME NUMBER
#                       only the HTTPS application as NAME.bin, with this build number
#   ./build.sh sizes    only says how large what was built is, and holds it against the budgets
#
# All three, or none: then keys for the bench are made, once, and packages for the tests as well.
# LOCKGATE_KEYS=keys.rs   the keys that the device trusts, as `lockgate keys inspect --rust` wrote them
# LOCKGATE_KEY=key.pem    a key that signs, its public half beside it
# LOCKGATE_CA=ca.rs       the public key of the certificate authority of the server, as `lockgate keygen --print` wrote it
#
# LOCKGATE=PROGRAM        a host tool that is installed, instead of the one of this repository
# SOURCE_DATE_EPOCH=N     the time of the build, in seconds since 1970 (default: the day's begin)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

out=$PWD/target/esp8266
target=xtensa-esp8266-none-elf
gcc=(xtensa-lx106-elf-gcc -mlongcalls -mtext-section-literals -O2 -ffreestanding -fno-builtin -ffunction-sections
    -fdata-sections -Wall -Wextra -nostdlib -Wl,-z,noexecstack)

# As in board/src/device.rs.
vendor=6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4
class=e5b82660-4d1c-4f7e-9b3a-51c7d0a86f12

tool_dir=$out/cargo

die() {
    echo "error: $*" >&2
    exit 1
}

lockgate() {
    "${LOCKGATE:-$out/cargo/release/lockgate}" "$@"
}

tools() {
    local tool
    for tool in xtensa-lx106-elf-gcc openssl python3; do
        command -v "$tool" >/dev/null || die "$tool is missing; README.md, \"What it needs\", says which packages bring it"
    done
    # Espressif's tool makes the images, and is what programs a board; `cryptography` makes the certificates of the tests.
    [[ -x $out/venv/bin/esptool ]] || (python3 -m venv "$out/venv" && "$out/venv/bin/pip" install -q 'esptool>=5,<6' 'cryptography>=42')
    esptool=("$out/venv/bin/esptool")
    if [[ -x /usr/bin/cargo && -d $(/usr/bin/rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust ]]; then
        # A distribution's compiler has the sources of `core`, but not nightly's name.
        cargo=(env RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc /usr/bin/cargo)
    elif [[ -d $(rustc +nightly --print sysroot 2>/dev/null)/lib/rustlib/src/rust ]]; then
        cargo=(cargo +nightly)
    else
        die "no compiler with library sources: Debian's rustc-web, cargo-web, rust-web-src, or 'rustup +nightly component add rust-src'"
    fi
    [[ -n ${LOCKGATE:-} ]] || (cd ../.. && cargo build -q --release -p lockgate-cli --target-dir "$out/cargo")
}

keys() {
    local variable given=0
    for variable in LOCKGATE_KEYS LOCKGATE_KEY LOCKGATE_CA; do
        [[ -n ${!variable:-} ]] || continue
        [[ -f ${!variable} ]] || die "$variable: no file ${!variable}"
        export "$variable=$(realpath "${!variable}")"
        given=$((given + 1))
    done
    case $given in
        0) bench=yes && bench_keys ;;
        3) bench="" ;;
        *) die "LOCKGATE_KEYS, LOCKGATE_KEY and LOCKGATE_CA: all three, or none for keys of the bench" ;;
    esac
}

# Throw-away keys. A product's are made elsewhere.
bench_keys() {
    mkdir -p "$out/keys"
    cd "$out/keys"
    local name
    for name in bench next vault other; do
        [[ -f $name.pem ]] || lockgate keygen --dev -o $name.pem >/dev/null
    done
    # What devices are built with, and the set that follows it in the field.
    [[ -f keys-0.json ]] || lockgate keys new --vendor "$vendor" --class "$class" --sign bench.pub.pem --rotate vault.pub.pem -o keys-0.json >/dev/null
    [[ -f keys-1.lgk ]] || lockgate keys rotate keys-0.json --add-sign next.pub.pem --remove bench.pub.pem --key vault.pem -o keys-1.lgk >/dev/null
    keep keys.rs lockgate keys inspect --rust keys-0.json
    [[ -f ca.pem ]] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days 3650 \
        -subj "/CN=lockgate bench" -keyout ca.key -out ca.pem 2>/dev/null
    openssl x509 -in ca.pem -noout -pubkey >ca.pub.pem
    keep ca.rs lockgate keygen --print ca.pub.pem
    export LOCKGATE_KEYS=$PWD/keys.rs LOCKGATE_KEY=$PWD/bench.pem LOCKGATE_CA=$PWD/ca.rs
    cd - >/dev/null
}

# keep FILE COMMAND...: writes FILE only if it changes, so that nothing is built anew for it.
keep() {
    local file=$1
    shift
    "$@" >"$file.new"
    cmp -s "$file.new" "$file" && rm "$file.new" || mv "$file.new" "$file"
}

# compile PACKAGE NAME [CARGO ARGUMENT...]: NAME.s from a package. LLVM's object files for this chip have their literals in the wrong
# places; its assembly is right, but for what rt/literals.awk mends.
compile() {
    local package=$1 name=$2
    shift 2
    "${cargo[@]}" rustc -q --release -Zbuild-std=core -Zjson-target-spec --target $target.json -p "lockgate-esp8266-$package" \
        --lib "$@" -- "--emit=asm=$out/$name.raw.s" -Cforce-unwind-tables=no -Cjump-tables=no
    awk -f rt/literals.awk "$out/$name.raw.s" >"$out/$name.s"
    "${gcc[@]}" -c "$out/$name.s" -o "$out/$name.o"
}

# link NAME SCRIPT OBJECT...: NAME.elf
link() {
    local name=$1 script=$2
    shift 2
    "${gcc[@]}" -Wl,--gc-sections -Wl,-Map="$out/$name.map" -T "link/$script.ld" rt/start.S rt/mem.c rt/arith.c "$@" \
        -lgcc -o "$out/$name.elf"
}

# The C library for projects on the vendor's SDK.
. capi/build.sh

flash_mode=(--flash-mode dio --flash-freq 40m --flash-size 4MB)

# The boot stage as it lies from flash address 0: the image that the ROM loads, and from 4 KiB on what stays in flash.
boot() { # NAME [CARGO ARGUMENT...]
    local name=$1
    shift
    compile boot "$name" "$@"
    link "$name" boot rt/boot.S "$out/$name.o"
    "${esptool[@]}" -s --chip esp8266 elf2image --version 1 "${flash_mode[@]}" -o "$out/$name-" "$out/$name.elf" >/dev/null
    [[ $(stat -c %s "$out/$name-0x00000.bin") -le 4096 ]] || die "$name: what the ROM loads is larger than 4 KiB"
    cp "$out/$name-0x00000.bin" "$out/$name.bin"
    truncate -s 4096 "$out/$name.bin"
    cat "$out/$name-0x01000.bin" >>"$out/$name.bin"
    "${esptool[@]}" image-info "$out/$name.bin" | grep -q 'Checksum: .*(valid)' || die "esptool refuses $name.bin"
}

# An application with this build number, and whatever else is linked in.
app() { # NAME COMPILED NUMBER [OBJECT...]
    local name=$1 compiled=$2 number=$3
    shift 3
    # On the bench nobody waits for hours (link/app.ld).
    [[ -z $bench ]] || set -- -Wl,--defsym=INTERVAL=1,--defsym=PATIENCE=10 "$@"
    link "$name" app -Wl,--defsym=BUILD="$number" "$out/$compiled.o" "$@"
    "${esptool[@]}" -s --chip esp8266 elf2image --version 2 "${flash_mode[@]}" -o "$out/$name.bin" "$out/$name.elf" >/dev/null
    "${esptool[@]}" image-info "$out/$name.bin" | grep -q 'Checksum: .*(valid)' || die "esptool refuses $name.bin"
}

# The decoder alone, linked to be measured.
decoder() {
    compile decoder decoder
    "${gcc[@]}" -Wl,--gc-sections -Wl,-u,decoder_new -Wl,-u,decoder_step -Wl,-u,decoder_finish -Wl,-u,DECODER_STATE -Wl,--defsym=abort=0 -T decoder/decoder.ld \
        "$out/decoder.o" rt/mem.c rt/arith.c -lgcc -o "$out/decoder.elf"
}

pack() { # PACKAGE IMAGE VERSION COUNTER [ARGUMENT...]
    local package=$1 image=$2 version=$3 counter=$4
    shift 4
    lockgate pack "$out/$image.bin" -o "$out/$package.lgu" --vendor "$vendor" --block-size 1024 --version "$version" \
        --security-counter "$counter" --key "${KEY:-$LOCKGATE_KEY}" --class "${CLASS:-$class}" "$@" >/dev/null
}

# A package that makes IMAGE of BASE.
pack_delta() { # PACKAGE BASE IMAGE VERSION COUNTER
    pack "$1" "$3" "$4" "$5" --base "$out/$2.bin"
}

# Packages that are deltas, images that fail at their start, and packages that are refused.
test_packages() {
    app https-more-2 app-https 2 tests/more.S
    pack https-more-2 https-more-2 1.2.0 2
    pack_delta delta-2 https-1 https-more-2 1.2.0 2
    pack_delta delta-3 https-more-2 https-3 1.3.0 3
    pack_delta wrong-base https-3 https-2 1.2.0 2
    pack_delta uart-delta-2 uart-1 uart-2 1.2.0 2
    app https-hang app-https 9 tests/hang.S
    pack https-hang https-hang 1.9.0 9
    app https-crash app-https 9 tests/crash.S
    pack https-crash https-crash 1.9.0 9
    CLASS=0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80 pack wrong-class https-2 1.2.0 2
    KEY=$out/keys/other.pem pack wrong-key https-2 1.2.0 2
    pack older https-3 1.0.0 0
    KEY=$out/keys/next.pem pack rotated-2 https-2 1.2.0 2 --rotation "$out/keys/keys-1.lgk"
    KEY=$out/keys/next.pem pack next-3 https-3 1.3.0 3
    KEY=$out/keys/next.pem pack uart-rotated-2 uart-2 1.2.0 2 --rotation "$out/keys/keys-1.lgk"
}

factory() { # FLASH PACKAGE BOOT
    lockgate factory "$out/$2.lgu" --geometry esp8266 --boot "$out/$3.bin" --key "${LOCKGATE_KEY%.pem}.pub.pem" \
        -o "$out/$1.bin" >/dev/null
}

# The certificate of a server is checked against it: a day is near enough, and need not be compiled anew each time.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(($(date +%s) / 86400 * 86400))}

image() { # NAME NUMBER
    tools
    keys
    compile app image-app
    app "$1" image-app "$2"
}

all() {
    tools
    keys
    xtensa-lx106-elf-gcc -mlongcalls -mtext-section-literals -O2 -ffreestanding -fno-builtin -fno-jump-tables -Wall -Wextra \
        -nostdlib -Wl,-z,noexecstack -T rom/rom.ld rom/*.S rom/*.c -lgcc -o "$out/rom.elf"

    echo "boot stage"
    boot boot
    boot boot-signatures --features signatures
    echo "applications"
    compile app app-https
    compile app app-https-4k --features large-fragments
    decoder
    compile app app-whole --no-default-features --features https
    compile app app-uart --no-default-features --features uart,deltas
    local number
    for number in 1 2 3; do
        app "https-$number" app-https "$number"
        pack "https-$number" "https-$number" "1.$number.0" "$number"
        app "uart-$number" app-uart "$number"
        pack "uart-$number" "uart-$number" "1.$number.0" "$number"
    done
    app https-4k-1 app-https-4k 1
    app https-whole-1 app-whole 1
    pack https-4k-1 https-4k-1 1.1.0 1
    # Never under a product's key: they would be good packages for its devices.
    rm -f "$out/older.lgu"
    [[ -z $bench ]] || test_packages

    echo "C library"
    capi_archive
    [[ -z $bench ]] || capi_examples
    factory flash-https https-1 boot
    factory flash-https-signatures https-1 boot-signatures
    factory flash-https-4k https-4k-1 boot
    factory flash-uart uart-1 boot
    sizes
    echo
    echo "for a board: target/esp8266/flash-uart.bin (README.md, \"On a board\")"
}

sizes() {
    python3 tests/sizes.py "$out"
}

mkdir -p "$out"
case ${1:-} in
    "") all ;;
    image) image "$2" "$3" ;;
    sizes) sizes ;;
    *) die "unknown argument '$1'; ./build.sh [image NAME NUMBER | sizes]" ;;
esac
