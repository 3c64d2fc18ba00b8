/* What the files of the mask ROM's stand-in share. */
#pragma once
typedef unsigned char u8;
typedef unsigned int u32;

#define REG(address) (*(volatile u32 *)(address))

/* How the emulator's caller steers it: words set by `-device loader`. */
#define CUT_AT REG(0x60200000) /* stop dead in this flash operation of the run, counted from 1; 0: never */
#define CUT_SEED REG(0x60200004)

/* Each tick lets QEMU's network have its turn; more of them would starve it on a busy host. 40 MHz is the machine's clock. */
enum { TICK_MS = 8, TICK = TICK_MS * 40000 };

/* Exit codes of the emulator. */
enum { ENDED = 0, NO_IMAGE = 70, FAULT = 71, VIOLATION = 72, POWER_CUT = 77 };

/* semihost.c */
void host_exit(u32 code) __attribute__((noreturn));
void host_open_flash(void);
void host_read(u32 address, void *to, u32 size);
void host_write(u32 address, const void *from, u32 size);
u32 host_random(void);

/* uart.c */
void say(const char *text);
void say_number(u32 value);
void say_hex(u32 value);

/* spi.c */
extern u32 flash_operations;
extern u32 window; /* what register 0x3FF0000C holds of it: bit 25 and bits 18 to 16; bit 8 is "on" */
void spi_reset(void);

/* rom.c */
void rom_measure_boot(void);
void violation(const char *what, u32 address) __attribute__((noreturn));

/* rom.S */
u32 simcall(u32 number, u32 a, u32 b, u32 c);
void rom_enter(u32 address) __attribute__((noreturn));
void rom_restart(u32 cause) __attribute__((noreturn));
void rom_timer(u32 ticks);
void rom_no_interrupts(void);
extern u32 frame[20]; /* a0 to a15, SAR, EPC1 */
