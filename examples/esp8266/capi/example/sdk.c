/* The vendor's part, played: what of the SDK meets lockgate, in the SDK's own order. At its start it reads flash before it sets up anything
   (`user_start` in ESP8266_NONOS_SDK 3.0, lib/libmain.a(app_main.o)), shows megabyte 0, and clears .bss; each flash operation ends with the cache being shown
   again. It lies in .text, so in instruction RAM. */
#include "sdk.h"

#define WATCHDOG_FEED (*(volatile uint32 *)0x60000914)

extern uint32 _bss_start[], _bss_end[];

/* The chip's ROM. */
void Cache_Read_Disable(void);
void Cache_Read_Enable(uint32 odd_even, uint32 megabytes, uint32 size);
uint32 SPIRead(uint32 address, uint32 *to, uint32 size);
uint32 SPIWrite(uint32 address, uint32 *from, uint32 size);
uint32 SPIEraseSector(uint32 sector);
uint32 SPIParamCfg(uint32 id, uint32 chip, uint32 block, uint32 sector, uint32 page, uint32 status_mask);
void software_reset(void);

/* What a project weakens in the SDK's library: unless it does, the image goes on with whatever megabyte 0 holds. A call, as it is in the SDK. */
__attribute__((noipa)) void Cache_Read_Enable_New(void) { Cache_Read_Enable(0, 0, 1); }

int user_iram_memory_is_enabled(void) { return 0; }

static uint32 header[1];

__attribute__((section(".UserEnter.text"))) void call_user_start(void) {
    SPIRead(0, header, 4);
    /* From the header: 4 MiB. */
    SPIParamCfg(0, 0x400000, 0x10000, 0x1000, 0x100, 0xffff);
    Cache_Read_Enable_New();
    for (uint32 *word = _bss_start; word < _bss_end; word++) *word = 0;
    user_init();
    for (;;) {}
}

static uint32 lock(void) {
    uint32 ps;
    __asm__ volatile("rsil %0, 15" : "=a"(ps) : : "memory");
    return ps;
}

static void unlock(uint32 ps) { __asm__ volatile("wsr %0, ps\n rsync" : : "a"(ps) : "memory"); }

SpiFlashOpResult spi_flash_read(uint32 src_addr, uint32 *des_addr, uint32 size) {
    uint32 ps = lock();
    Cache_Read_Disable();
    uint32 result = SPIRead(src_addr, des_addr, size);
    Cache_Read_Enable_New();
    unlock(ps);
    return (SpiFlashOpResult)result;
}

SpiFlashOpResult spi_flash_write(uint32 des_addr, uint32 *src_addr, uint32 size) {
    uint32 ps = lock();
    Cache_Read_Disable();
    uint32 result = SPIWrite(des_addr, src_addr, size);
    Cache_Read_Enable_New();
    unlock(ps);
    return (SpiFlashOpResult)result;
}

SpiFlashOpResult spi_flash_erase_sector(uint16 sec) {
    uint32 ps = lock();
    Cache_Read_Disable();
    uint32 result = SPIEraseSector(sec);
    Cache_Read_Enable_New();
    unlock(ps);
    return (SpiFlashOpResult)result;
}

/* The SDK has a watchdog of its own; here the boot stage's goes on. */
void system_soft_wdt_feed(void) { WATCHDOG_FEED = 0x73; }

void system_restart(void) {
    software_reset();
    for (;;) {}
}
