/* The SPI NOR flash and the cache that shows a megabyte of it: 4 MiB, sectors of 4 KiB, pages of 256 bytes, AND-semantics (Winbond
   W25Q32JV, chapter 8). Stricter than the chip: what would be a mistake there ends the run here. */
#include "rom.h"

enum { CAPACITY = 0x400000, SECTOR = 0x1000, PAGE = 0x100, MEGABYTE = 0x100000, WINDOW = 0x40200000, ON = 1 << 8 };

u32 flash_operations;
u32 window;
static u32 shown = ~0u; /* the megabyte that was copied to the window */
static u32 shown_size;
static u32 capacity;
static u32 page[PAGE / 4], cells[SECTOR / 4];

void spi_reset(void) {
    window = 0;
    shown = ~0u;
    capacity = CAPACITY;
}

u32 rom_SPIParamCfg(u32 id, u32 chip, u32 block, u32 sector, u32 bytes, u32 mask) {
    (void)id, (void)mask;
    if (chip != CAPACITY || block != 0x10000 || sector != SECTOR || bytes != PAGE) violation("SPIParamCfg of another chip", chip);
    return 0;
}

/* odd_even is flash address bit 20, megabytes bits 23 to 21 (ROM 0x40004678). */
void rom_Cache_Read_Enable(u32 odd_even, u32 megabytes, u32 size) {
    u32 wanted = (megabytes & 7) << 1 | (odd_even & 1);
    if (size > 1) violation("a cache of another size", size);
    if (wanted >= CAPACITY / MEGABYTE) violation("a window beyond the flash", wanted);
    rom_timer(TICK); /* the boot stage has masked all interrupts: on the chip there is none */
    window = ON | size << 26 | (odd_even & 1) << 25 | (megabytes & 7) << 16;
    if (shown == wanted && shown_size == size) return;
    if (shown != ~0u && size) rom_measure_boot();
    host_read(wanted * MEGABYTE, (void *)WINDOW, MEGABYTE);
    shown = wanted, shown_size = size;
    /* The cache takes 16 or 32 KiB of the instruction RAM: what was there is gone. */
    for (u32 at = size ? 0x40108000 : 0x4010c000; at < 0x40110000; at += 4) REG(at) = 0;
}

/* What it leaves in the register is not documented: nothing, here. */
void rom_Cache_Read_Disable(void) { window = 0; }

/* The cache must be off, and neither the caller nor its buffer may lie behind it. */
static void check(u32 caller, u32 address, u32 buffer, u32 size) {
    if (window & ON) violation("flash operation with the cache on, at", address);
    if (caller >= WINDOW && caller < WINDOW + MEGABYTE) violation("flash operation called from flash, at", caller);
    if (buffer >= WINDOW && buffer < WINDOW + MEGABYTE) violation("flash operation on a buffer in flash, at", buffer);
    if ((address | buffer | size) & 3) violation("flash operation that is not aligned, at", address);
    if (address > capacity || size > capacity - address) violation("flash operation beyond the end, at", address);
}

static u32 seed;
static u32 noise(void) {
    seed = seed * 1664525 + 1013904223;
    return seed ^ seed >> 13;
}

/* Whether power fails in this operation. */
static int cut(void) {
    flash_operations++;
    if (flash_operations != CUT_AT) return 0;
    seed = CUT_SEED * 2654435761u + 1;
    for (int i = 0; i < 8; i++) noise();
    return 1;
}

static void dead(const char *what, u32 address) __attribute__((noreturn));
static void dead(const char *what, u32 address) {
    say("\nrom: power cut in "), say(what), say_hex(address), say(", operation "), say_number(flash_operations), say("\n");
    host_exit(POWER_CUT);
}

static void modified(u32 address) {
    if (shown == address / MEGABYTE) shown = ~0u;
}

u32 rom_SPIRead(u32 address, u32 *to, u32 size) {
    check((u32)__builtin_return_address(0), address, (u32)to, size);
    host_read(address, to, size);
    return 0;
}

static void program(u32 address, const u32 *from, u32 size) {
    int torn = cut();
    u32 kind = torn ? noise() >> 8 & 3 : 0;
    u32 words = torn && kind != 3 ? (noise() >> 8) * (size / 4 + 1) >> 24 : size / 4;
    host_read(address, page, size);
    for (u32 i = 0; i < size / 4; i++) {
        if (page[i] != ~0u) violation("a word that is not blank is programmed again, at", address + 4 * i);
        if (i < words) page[i] = from[i];
        if (torn && (i == words || kind == 2)) page[i] = from[i] | noise() | noise() << 9; /* some of its bits */
    }
    host_write(address, page, size);
    modified(address);
    if (torn) dead("a write at ", address);
}

u32 rom_SPIWrite(u32 address, const u32 *from, u32 size) {
    check((u32)__builtin_return_address(0), address, (u32)from, size);
    while (size) {
        u32 part = PAGE - address % PAGE;
        if (part > size) part = size;
        program(address, from, part);
        address += part, from += part / 4, size -= part;
    }
    return 0;
}

u32 rom_SPIEraseSector(u32 sector) {
    u32 address = sector * SECTOR;
    check((u32)__builtin_return_address(0), address, 0, SECTOR);
    int torn = cut();
    u32 kind = torn ? noise() >> 8 & 3 : 0;
    u32 words = torn ? (noise() >> 8) * (SECTOR / 4 + 1) >> 24 : SECTOR / 4;
    if (torn) host_read(address, cells, SECTOR);
    for (u32 i = 0; i < SECTOR / 4; i++) {
        if (i < words || kind == 3) cells[i] = ~0u;
        else if (kind == 2) cells[i] |= noise() | noise() << 9;
    }
    host_write(address, cells, SECTOR);
    modified(address);
    if (torn) dead("an erase at ", address);
    return 0;
}
