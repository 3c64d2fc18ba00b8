/* Reset, the loader of 0xE9 images, the watchdog, and registers that the emulated machine lacks. */
#include "rom.h"

enum { DRAM = 0x3ffe8000, DRAM_END = 0x3fffc000, IRAM = 0x40100000, IRAM_END = 0x40110000, UNTOUCHED = 0x5aa5c33c };
enum { BOOT_DRAM = 0x3fff9000 /* ../link/boot.ld */ };
enum { SOFTWARE = 3, WATCHDOG = 4 };
enum { INTERRUPT = 4, LOAD_ADDRESS = 15 };

/* The watchdog's registers lie in RAM here: what is written is read. */
#define WATCHDOG_CONTROL REG(0x60000900)
#define WATCHDOG_STAGE_0 REG(0x60000904)
#define WATCHDOG_STAGE_1 REG(0x60000908)
#define WATCHDOG_FEED REG(0x60000914)

static u32 reset_cause;
static u32 hungry; /* ms since the watchdog was fed */

void violation(const char *what, u32 address) {
    say("\nrom: VIOLATION: "), say(what), say(" "), say_hex(address), say("\n");
    host_exit(VIOLATION);
}

static void forget_ram(u32 from, u32 to) {
    for (u32 at = from; at < to; at += 4) REG(at) = UNTOUCHED;
}

/* RAM that was not written since is one hole between a program's statics and its stack. */
static void report(const char *who, u32 from) {
    u32 hole = 0, run = 0;
    for (u32 at = from; at < DRAM_END; at += 4) {
        run = REG(at) == UNTOUCHED ? run + 4 : 0;
        if (run > hole) hole = run;
    }
    say("rom: "), say(who), say(" used "), say_number(DRAM_END - from - hole), say(" bytes of DRAM; ");
    say_number(flash_operations), say(" flash operations so far\n");
}

void rom_boot(u32 cause) __attribute__((noreturn));
void rom_boot(u32 cause) {
    struct { u8 magic, segments, mode, size; u32 entry; } header;
    struct { u32 address, size; } segment;
    u32 at = sizeof header;
    rom_no_interrupts();
    if (cause == 1) host_open_flash();
    reset_cause = cause;
    hungry = 0;
    WATCHDOG_CONTROL = 0;
    spi_reset();
    say("\nrom: rst cause:"), say_number(cause), say("\n");
    forget_ram(DRAM, DRAM_END);

    host_read(0, &header, sizeof header);
    if (header.magic != 0xe9 || header.segments == 0 || header.segments > 16) {
        say("rom: no image at flash 0\n");
        host_exit(NO_IMAGE);
    }
    for (u32 i = 0; i < header.segments; i++) {
        host_read(at, &segment, sizeof segment);
        at += sizeof segment;
        u32 end = segment.address + segment.size;
        int fits = (segment.address >= DRAM && end <= DRAM_END) || (segment.address >= IRAM && end <= IRAM_END);
        if (!fits || segment.address > end || segment.size % 4) violation("a segment that does not fit", segment.address);
        host_read(at, (void *)segment.address, segment.size);
        at += segment.size;
    }
    rom_timer(TICK);
    rom_enter(header.entry);
}

u32 rom_rtc_get_reset_reason(void) { return reset_cause; }

void rom_software_reset(void) {
    report("the application", DRAM);
    rom_restart(SOFTWARE);
}

void rom_ets_delay_us(u32 us) {
    for (volatile u32 i = 0; i < us * 8; i++) {}
}

/* The boot stage's last act is to show an image. */
void rom_measure_boot(void) {
    report("the boot stage", BOOT_DRAM);
    /* All but what is in use: this runs on its stack. */
    forget_ram(BOOT_DRAM, ((u32)__builtin_frame_address(0) - 256) & ~3);
}

static void watchdog(void) {
    if (WATCHDOG_FEED == 0x73) WATCHDOG_FEED = 0, hungry = 0;
    if (!(WATCHDOG_CONTROL & 1)) return;
    /* Two stages of 2^n * 0.8 ms. */
    u32 limit = ((1u << (WATCHDOG_STAGE_0 & 15)) + (1u << (WATCHDOG_STAGE_1 & 15))) * 8;
    hungry += TICK_MS;
    if (hungry * 10 < limit) return;
    say("\nrom: the watchdog bites\n");
    rom_restart(WATCHDOG);
}

/* A register beside the emulated machine's: the load is carried out here. */
static int emulate_load(u32 address) {
    const u8 *code = (const u8 *)frame[17];
    u32 value;
    if (address == 0x3ff20e44) value = host_random();
    else if (address == 0x3ff0000c) value = window;
    else return 0;
    int narrow = (code[0] & 15) == 8;
    if (!narrow && ((code[0] & 15) != 2 || code[1] >> 4 != 2)) return 0;
    frame[code[0] >> 4] = value;
    frame[17] += narrow ? 2 : 3;
    return 1;
}

void rom_exception(u32 cause, u32 address) {
    if (cause == INTERRUPT) {
        rom_timer(TICK);
        watchdog();
        return;
    }
    if (cause == LOAD_ADDRESS && emulate_load(address)) return;
    say("\nrom: exception "), say_number(cause), say(" at "), say_hex(frame[17]);
    say(", address "), say_hex(address), say("\n");
    if (!(WATCHDOG_CONTROL & 1)) host_exit(FAULT);
    rom_restart(WATCHDOG);
}
