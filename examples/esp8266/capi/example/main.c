/* An application in C that keeps itself up to date: what a project on the vendor's SDK has of lockgate.

   Where the bytes come from is the application's own business. Here it asks for them on UART 0, `want OFFSET LENGTH`, and feed.py answers with
   so many bytes of the package; on a board, espconn or an HTTP client stand in that place. */
#include "lockgate.h"
#include "keys.h"
#include "sdk.h"

#ifndef OWN_STACK
#define OWN_STACK 1
#endif
#if OWN_STACK
/* A signature check needs more than the SDK's stack has. A project that is short of RAM takes it from the heap for the time of an update. */
static unsigned stack[LOCKGATE_STACK_SIZE / 4];
#define STACK_AND_SIZE stack, sizeof stack
#else
#define STACK_AND_SIZE 0, 0
#endif

static const lockgate_device_t DEVICE = {
    /* 6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4 */
    {0x6b, 0x1f, 0x3a, 0x52, 0x97, 0xc4, 0x4c, 0x0e, 0x8d, 0x27, 0x0a, 0x5b, 0xe1, 0xf0, 0xc9, 0xd4},
    /* e5b82660-4d1c-4f7e-9b3a-51c7d0a86f12 */
    {0xe5, 0xb8, 0x26, 0x60, 0x4d, 0x1c, 0x4f, 0x7e, 0x9b, 0x3a, 0x51, 0xc7, 0xd0, 0xa8, 0x6f, 0x12},
    KEYS, sizeof KEYS / sizeof KEYS[0], 1,
    {spi_flash_read, spi_flash_write, spi_flash_erase_sector},
    system_soft_wdt_feed,
    STACK_AND_SIZE,
};

static lockgate_t update;

/* Bytes asked for at once: the receive FIFO holds 128, and nobody empties it while a block is written. */
enum { PIECE = 96 };

ICACHE_FLASH_ATTR static void say(const char *text) {
    while (*text) uart_tx_one_char((uint8)*text++);
}

ICACHE_FLASH_ATTR static void say_number(unsigned value) {
    char text[11], *at = text + sizeof text;
    *--at = 0;
    do *--at = (char)('0' + value % 10); while (value /= 10);
    say(at);
}

#ifdef STACK
#include "stack.h"
#else
#define MEASURED(name, call) (call)
#endif

/* Says who runs, and why. */
ICACHE_FLASH_ATTR static lockgate_status_t introduce(void) {
    lockgate_status_t status;
    int error = MEASURED("status", lockgate_status(&DEVICE, &status));
    if (error) say("app: no status: "), say(lockgate_error_text(error)), say("\n");
    say("app: build "), say_number(BUILD), say(status.slot == LOCKGATE_SLOT_A ? " in slot A" : " in slot B");
    switch (status.reason) {
    case LOCKGATE_ON_TRIAL: say(", on trial, attempt "), say_number(status.attempt), say(" of "), say_number(status.attempts); break;
    case LOCKGATE_REVERTED: say(", reverted"); break;
    default: say(", confirmed"); break;
    }
    say(", counter "), say_number(status.security_counter), say("\n");
    return status;
}

/* A product reaches its server. */
ICACHE_FLASH_ATTR static int works(void) {
    uint32 word;
    return spi_flash_read(0, &word, sizeof word) == SPI_FLASH_RESULT_OK && (word & 0xff) == 0xe9;
}

/* The next piece of the package. */
ICACHE_FLASH_ATTR static void fetch(unsigned offset, uint8 *bytes, unsigned length) {
    say("want "), say_number(offset), say(" "), say_number(length), say("\n");
    while (length) {
        system_soft_wdt_feed();
        if (uart_rx_one_char(bytes) == 0) bytes++, length--;
    }
}

/* One download. */
ICACHE_FLASH_ATTR static int download(void) {
    uint8 bytes[PIECE];
    lockgate_progress_t progress;
    for (;;) {
        unsigned offset = lockgate_position(&update), length = PIECE;
        lockgate_progress(&update, &progress);
        if (progress.package && progress.package - offset < length) length = progress.package - offset;
        if (length == 0) return MEASURED("finish", lockgate_finish(&update));
        fetch(offset, bytes, length);
        int error = MEASURED("feed", lockgate_feed(&update, bytes, length));
        if (error) return error;
    }
}

ICACHE_FLASH_ATTR static void complain(void) {
    lockgate_error_t error;
    lockgate_last_error(&update, &error);
    say("app: "), say(lockgate_error_text((int)error.code)), say(" ("), say_number(error.found), say(", "), say_number(error.expected), say(")");
    say(lockgate_retry_helps((int)error.code) ? ", again from byte " : ", position "), say_number(lockgate_position(&update)), say("\n");
}

/* Looks for an update, and restarts into it. */
ICACHE_FLASH_ATTR static void look(const lockgate_status_t *status) {
    int error = MEASURED("begin", lockgate_begin(&update, &DEVICE)), tries = 0;
    if (error == LOCKGATE_OK && status->update == LOCKGATE_UPDATE_RECEIVING) {
        error = MEASURED("staged", lockgate_staged(&update));
        if (error == LOCKGATE_OK) say("app: the update was complete\n");
    } else if (error == LOCKGATE_OK) {
        error = LOCKGATE_NOTHING_STAGED;
    }
    if (error == LOCKGATE_NOTHING_STAGED)
        do {
            error = download();
            if (error) complain();
        } while (lockgate_retry_helps(error) && ++tries < 3);
    if (error) return;
    say("app: verified, restarting\n");
    system_restart();
}

ICACHE_FLASH_ATTR void user_init(void) {
    lockgate_status_t status = introduce();
#ifdef HANG
    for (;;) {}
#endif
    if (status.reason == LOCKGATE_ON_TRIAL) {
        int error = works() ? MEASURED("confirm", lockgate_confirm(&DEVICE)) : LOCKGATE_OTHER;
        if (error) {
            say("app: not confirmed: "), say(lockgate_error_text(error)), say("\n");
            system_restart();
        }
        say("app: confirmed\n");
    }
    for (;;) {
        look(&status);
        say("app: idle\n");
    }
}
