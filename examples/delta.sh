# Packages that are deltas, for the examples' tests. Sourced by build scripts that have set
#   tool_dir   where host programs are built, absolute

delta_tool() {
    (cd ../.. && cargo build -q --release -p lockgate --features pack --example delta_package --target-dir "$tool_dir")
}

# delta_package BASE IMAGE PACKAGE KEY VENDOR CLASS VERSION COUNTER BLOCK_SIZE [LOAD_ADDRESS]: heatshrink, window 8, lookahead 7
delta_package() {
    "$tool_dir/release/examples/delta_package" "$1" "$2" -o "${@:3}"
}
