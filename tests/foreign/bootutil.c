/* What MCUboot's own bootutil_public.c writes and decides, for tests/mcuboot.rs. Built by make_bootutil.sh, which
 * defines WRITE, MAX_ALIGN and ERASED. Slots of 4096 bytes in RAM: 1 is the primary one, 2 the secondary one. */

#include <stdio.h>
#include <string.h>

#include "flash_map_backend/flash_map_backend.h"
#include "bootutil/bootutil_public.h"

uint8_t slots[3][SLOT];

enum { MAGIC = SLOT - 16, FIELDS = SLOT - (MAX_ALIGN > 16 ? MAX_ALIGN : 16), IMAGE_OK = FIELDS - MAX_ALIGN,
       COPY_DONE = IMAGE_OK - MAX_ALIGN };

static void name(const char *kind) { printf("%s %d %d %d ", kind, WRITE, MAX_ALIGN, ERASED); }

static void tail(const char *kind, int slot)
{
    name(kind);
    for (int i = SLOT - 256; i < SLOT; i++)
        printf("%02x", slots[slot][i]);
    printf("\n");
}

int main(void)
{
    static const uint8_t flags[3] = { ERASED, 1, 0x7e };
    uint8_t magic[3][16];

    memset(slots, ERASED, sizeof slots);
    boot_set_pending_multi(0, 0);
    tail("pending", 2);

    memcpy(magic[1], &slots[2][MAGIC], 16);
    memcpy(&slots[1][MAGIC], magic[1], 16);
    slots[1][COPY_DONE] = 1;
    boot_set_confirmed_multi(0);
    tail("kept", 1);

    /* Magic of the primary slot, of the secondary one: unset, good, bad. Then image_ok of both and copy_done of the
     * primary one: unset, set, bad. The last runs fastest. */
    memset(magic[0], ERASED, 16);
    memcpy(magic[2], magic[1], 16);
    magic[2][9] ^= 0x40;
    name("types");
    for (int n = 0; n < 243; n++) {
        memset(slots, ERASED, sizeof slots);
        memcpy(&slots[1][MAGIC], magic[n / 81], 16);
        memcpy(&slots[2][MAGIC], magic[n / 27 % 3], 16);
        slots[1][IMAGE_OK] = flags[n / 9 % 3];
        slots[2][IMAGE_OK] = flags[n / 3 % 3];
        slots[1][COPY_DONE] = flags[n % 3];
        printf("%d", boot_swap_type_multi(0));
    }
    printf("\n");
    return 0;
}
