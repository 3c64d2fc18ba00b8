# What the examples for ARM chips share. Sourced by their scripts, which have set
#   target     the compiler's name for the chip
#   tool_dir   where the host tool is built, absolute

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

# The host tool: LOCKGATE, if that is set, or the one of this repository, which `host_tool` builds.
lockgate() {
    "${LOCKGATE:-$tool_dir/release/lockgate}" "$@"
}

host_tool() {
    [[ -n ${LOCKGATE:-} ]] || (cd ../.. && cargo build -q --release -p lockgate-cli --target-dir "$tool_dir")
}

# `cargo build` for the chip: chip_build ARGUMENT...
chip_build() {
    local with=() linker=${target^^}
    if [[ -d $(rustc --print sysroot 2>/dev/null)/lib/rustlib/$target ]]; then
        with=(cargo build)
    elif [[ -x /usr/bin/cargo && -d $(/usr/bin/rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust ]]; then
        # A distribution's compiler brings the sources of `core`, but no `core` for the chip and no linker.
        with=(env RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc "CARGO_TARGET_${linker//-/_}_LINKER=arm-none-eabi-ld"
            /usr/bin/cargo build -Zbuild-std=core)
    else
        die "no compiler for $target: 'rustup target add $target', or Debian's rustc-web, cargo-web, rust-web-src" \
            "and binutils-arm-none-eabi"
    fi
    "${with[@]}" --release --target "$target" "$@"
}

# A key in DIRECTORY, key.pem, and what a device trusts then, keys.rs: once, and keys.rs is not touched if it is the same, so that
# nothing is built anew for it. `--dev` marks a key that no product may trust.
bench_key() { # DIRECTORY
    mkdir -p "$1"
    [[ -e $1/key.pem ]] || lockgate keygen --dev -o "$1/key.pem" >"$1/keygen.log"
    lockgate keygen --print "$1/key.pub.pem" >"$1/keys.new"
    cmp -s "$1/keys.new" "$1/keys.rs" || cp "$1/keys.new" "$1/keys.rs"
}
