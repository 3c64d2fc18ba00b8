#!/usr/bin/env bash
# What MCUboot's own code writes and decides: reference for tests/mcuboot.rs.
#
#   make_bootutil.sh CLONE            writes bootutil.txt beside this script
#   make_bootutil.sh CLONE --check    compares, and fails on a difference
#
# CLONE is a git clone of MCUboot (or its .git directory); its HEAD is built with the host's C compiler over slots in
# RAM. Lines of the output, after the commit: KIND WRITE MAX_ALIGN ERASED, then the last 256 bytes of a slot in
# hexadecimal, or for "types" the swap type of each combination that bootutil.c goes through.
set -euo pipefail
[[ $# -ge 1 && ($# -eq 1 || $2 == --check) ]] || { sed -n 's/^#   //p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

git -C "$1" archive HEAD boot/bootutil | tar -x -C "$work"
mkdir -p "$work"/port/{sysflash,flash_map_backend,mcuboot_config}
cat >"$work/port/sysflash/sysflash.h" <<'END'
#define FLASH_AREA_IMAGE_PRIMARY(image) 1
#define FLASH_AREA_IMAGE_SECONDARY(image) 2
END
cat >"$work/port/mcuboot_config/mcuboot_config.h" <<'END'
#define MCUBOOT_BOOT_MAX_ALIGN MAX_ALIGN
#define MCUBOOT_SWAP_USING_MOVE 1
#define MCUBOOT_MAX_IMG_SECTORS 128
#define MCUBOOT_IMAGE_NUMBER 1
#define MCUBOOT_WATCHDOG_FEED()
#define MCUBOOT_CPU_IDLE()
END
for level in ERR WRN INF DBG SIM MODULE_DECLARE MODULE_REGISTER; do
    echo "#define MCUBOOT_LOG_$level(...)"
done >"$work/port/mcuboot_config/mcuboot_logging.h"
cat >"$work/port/flash_map_backend/flash_map_backend.h" <<'END'
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#define SLOT 4096
extern uint8_t slots[3][SLOT];
struct flash_area { int id; };
struct flash_sector { uint32_t off, size; };
static inline int flash_area_open(int id, const struct flash_area **area)
{
    static const struct flash_area areas[3] = { { 0 }, { 1 }, { 2 } };
    *area = &areas[id];
    return 0;
}
static inline void flash_area_close(const struct flash_area *area) { (void)area; }
static inline int flash_area_read(const struct flash_area *area, uint32_t at, void *to, uint32_t len)
{
    memcpy(to, &slots[area->id][at], len);
    return 0;
}
static inline int flash_area_write(const struct flash_area *area, uint32_t at, const void *from, uint32_t len)
{
    memcpy(&slots[area->id][at], from, len);
    return 0;
}
#define flash_area_align(area) ((uint32_t)WRITE)
#define flash_area_erased_val(area) ((uint8_t)ERASED)
#define flash_area_get_size(area) ((uint32_t)SLOT)
#define flash_area_get_off(area) ((uint32_t)0)
#define flash_area_get_id(area) ((area)->id)
#define flash_sector_get_off(sector) ((sector)->off)
#define flash_sector_get_size(sector) ((sector)->size)
END

{
    echo "mcuboot $(git -C "$1" rev-parse HEAD)"
    # Write size, MCUBOOT_BOOT_MAX_ALIGN, erased value.
    for build in "1 8 255" "4 8 255" "8 8 255" "4 16 255" "16 16 255" "8 32 255" "32 32 255" "4 8 0" "8 16 0" "16 32 0"; do
        read -r write align erased <<<"$build"
        "${CC:-cc}" -w -include string.h -DWRITE="$write" -DMAX_ALIGN="$align" -DERASED="$erased" -I"$work/port" \
            -I"$work/boot/bootutil/include" -I"$work/boot/bootutil/src" \
            "$here/bootutil.c" "$work/boot/bootutil/src/bootutil_public.c" -o "$work/bootutil"
        "$work/bootutil"
    done
} >"$work/bootutil.txt"

if [[ ${2:-} == --check ]]; then
    diff <(tail -n +2 "$here/bootutil.txt") <(tail -n +2 "$work/bootutil.txt")
    echo "ok: bootutil.txt is what $(head -1 "$work/bootutil.txt") does"
else
    cp "$work/bootutil.txt" "$here/bootutil.txt"
    echo "bootutil.txt: $(wc -l <"$here/bootutil.txt") lines by $(head -1 "$here/bootutil.txt")"
fi
