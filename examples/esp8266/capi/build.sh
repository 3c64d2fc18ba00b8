# The C library and its example: part of ../build.sh, which has `out`, `gcc`, `compile`, `pack`, `pack_delta`, `factory`, `keep`, `esptool` and the keys.

# Functions that the compiler calls. The SDK takes them from the chip's ROM by PROVIDE, which an archive's member would override for the whole
# program, interrupts included, that must not run from flash: the library has its own, under its own names.
capi_helpers=(memcpy memmove memset memcmp bcmp __muldi3 __udivsi3 __umodsi3 __udivdi3 __umoddi3 __divdi3 __moddi3 __divsi3 __modsi3)

# in_flash OBJECT: all its code to .irom0.text, since .text is instruction RAM to the SDK's linker scripts; literals lie in front of each function.
in_flash() {
    local object=$1 section sections helper
    mapfile -t sections < <(xtensa-lx106-elf-objdump -h "$object" | awk '$2 ~ /^\.text(\.|$)/ { print $2 }')
    local change=()
    for section in "${sections[@]}"; do change+=(--rename-section "$section=.irom0.text"); done
    for helper in "${capi_helpers[@]}"; do change+=(--redefine-sym "$helper=lockgate_$helper"); done
    # Where the compiler sees no way on.
    xtensa-lx106-elf-objcopy "${change[@]}" --redefine-sym abort=lockgate_panicked "$object"
}

# liblockgate_esp8266.a: a member for each thing that a project may have of its own, or may not want.
capi_archive() {
    local source object
    compile capi capi-lockgate
    in_flash "$out/capi-lockgate.o"
    for source in rt/mem.c rt/arith.c capi/rt/stack.S capi/rt/error_text.c capi/rt/panicked.c; do
        object=$(basename "$source")
        object=$out/capi-${object%.*}.o
        "${gcc[@]}" -fno-jump-tables -fno-tree-switch-conversion -c "$source" -o "$object"
        in_flash "$object"
    done
    for source in start cache; do "${gcc[@]}" -c "capi/rt/$source.S" -o "$out/capi-$source.o"; done
    rm -f "$out/liblockgate_esp8266.a"
    xtensa-lx106-elf-ar rcsD "$out/liblockgate_esp8266.a" "$out"/capi-{lockgate,stack,error_text,panicked,mem,arith,start,cache}.o
}

# The public keys as C has them: the last 64 bytes of each key in DER are x and y.
capi_keys() {
    local key
    echo "/* Made by build.sh. */"
    echo "static const unsigned char KEYS[][64] = {"
    for key in "$@"; do
        echo "    {"
        openssl pkey -pubin -in "$key" -outform DER | tail -c 64 | od -An -v -tx1 -w16 | sed 's/ \(..\)/0x\1, /g; s/^/        /; s/ $//'
        echo "    },"
    done
    echo "};"
}

# capi_image NAME NUMBER [GCC ARGUMENT...]: an example as a project on the SDK is linked, with the SDK's part played by example/sdk.c.
capi_image() {
    local name=$1 number=$2
    shift 2
    "${gcc[@]}" -std=c99 -Wl,--gc-sections -Wl,-Map="$out/$name.map" -T capi/example/sdk.ld -I capi/include -I "$out/keys" -DBUILD="$number" "$@" \
        -Wl,-e,lockgate_start -Wl,-u,Cache_Read_Enable_New capi/example/main.c -Wl,--start-group "$out/liblockgate_esp8266.a" "$out/capi-libmain.a" \
        -lgcc -Wl,--end-group -o "$out/$name.elf"
    "${esptool[@]}" -s --chip esp8266 elf2image --version 2 "${flash_mode[@]}" -o "$out/$name.bin" "$out/$name.elf" >/dev/null
    "${esptool[@]}" image-info "$out/$name.bin" | grep -q 'Checksum: .*(valid)' || die "esptool refuses $name.bin"
}

# For the bench only: never under a product's key.
capi_examples() {
    local number source
    keep "$out/keys/keys.h" capi_keys "${LOCKGATE_KEY%.pem}.pub.pem"
    # As the SDK's library is changed for this: README.md, "Linking".
    "${gcc[@]}" -c capi/example/sdk.c -o "$out/capi-sdk.o"
    # What the chip's ROM has of these.
    for source in mem arith; do "${gcc[@]}" -c "rt/$source.c" -o "$out/capi-rom-$source.o"; done
    rm -f "$out/capi-libmain.a"
    xtensa-lx106-elf-ar rcsD "$out/capi-libmain.a" "$out"/capi-{sdk,rom-mem,rom-arith}.o
    xtensa-lx106-elf-objcopy -W Cache_Read_Enable_New "$out/capi-libmain.a"
    for number in 1 2 3; do
        capi_image "capi-$number" "$number"
        pack "capi-$number" "capi-$number" "1.$number.0" "$number"
    done
    capi_image capi-hang 9 -DHANG
    pack capi-hang capi-hang 1.9.0 9
    # How much stack each call takes, on the caller's (1, 2), and what of it is left on the caller's if it is given its own (3).
    capi_image capi-stack-1 1 -DSTACK -DOWN_STACK=0
    capi_image capi-stack-2 2 -DSTACK -DOWN_STACK=0
    capi_image capi-stack-3 1 -DSTACK
    for number in 1 2; do pack "capi-stack-$number" "capi-stack-$number" "1.$number.0" "$number"; done
    pack capi-stack-3 capi-stack-3 1.1.0 1
    CLASS=0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80 pack capi-wrong-class capi-2 1.2.0 2
    KEY=$out/keys/other.pem pack capi-wrong-key capi-2 1.2.0 2
    pack_delta capi-delta-2 capi-1 capi-2 1.2.0 2
    pack_delta capi-delta-3 capi-2 capi-3 1.3.0 3
    pack_delta capi-stack-delta-2 capi-stack-1 capi-stack-2 1.2.0 2
    factory flash-capi capi-1 boot
    factory flash-capi-stack capi-stack-1 boot
    factory flash-capi-own-stack capi-stack-3 boot
}
