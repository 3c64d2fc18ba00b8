/* The host's side, by the simulator calls of Xtensa (QEMU: target/xtensa/xtensa-semi.c). */
#include "rom.h"

enum { SYS_EXIT = 1, SYS_READ = 3, SYS_WRITE = 4, SYS_OPEN = 5, SYS_LSEEK = 19 };

static u32 flash;
static u32 entropy;

void host_exit(u32 code) {
    for (;;) simcall(SYS_EXIT, code, 0, 0);
}

/* `flash.bin` in the emulator's directory outlives the emulator: that is what a power cut leaves. */
void host_open_flash(void) {
    flash = simcall(SYS_OPEN, (u32) "flash.bin", 2, 0);
    entropy = simcall(SYS_OPEN, (u32) "/dev/urandom", 0, 0);
    if ((int)flash < 0) {
        say("rom: no flash.bin\n");
        host_exit(NO_IMAGE);
    }
}

static void at(u32 address) {
    if (simcall(SYS_LSEEK, flash, address, 0) != address) violation("flash.bin has no address", address);
}

void host_read(u32 address, void *to, u32 size) {
    at(address);
    if (simcall(SYS_READ, flash, (u32)to, size) != size) violation("flash.bin cannot be read at", address);
}

void host_write(u32 address, const void *from, u32 size) {
    at(address);
    if (simcall(SYS_WRITE, flash, (u32)from, size) != size) violation("flash.bin cannot be written at", address);
}

u32 host_random(void) {
    u32 word = 0;
    simcall(SYS_READ, entropy, (u32)&word, 4);
    return word;
}
