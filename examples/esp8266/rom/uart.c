/* UART 0: the board's 16550 (QEMU: hw/xtensa/xtfpga.c; registers 4 bytes apart). */
#include "rom.h"

#define DATA REG(0x9d050020)
#define LINE_STATUS REG(0x9d050034)

u32 rom_uart_tx_one_char(u32 byte) {
    while (!(LINE_STATUS & 0x20)) {}
    DATA = byte & 0xff;
    return 0;
}

/* 0 and the byte, or 1 if there is none: it does not wait (ROM 0x40003B8C). */
u32 rom_uart_rx_one_char(u8 *byte) {
    if (!(LINE_STATUS & 1)) return 1;
    *byte = DATA;
    return 0;
}

void say(const char *text) {
    while (*text) rom_uart_tx_one_char(*text++);
}

static void say_digits(u32 value, u32 base) {
    char text[11];
    u32 i = sizeof text;
    text[--i] = 0;
    do {
        u32 quotient = 0, rest = value;
        /* There is no division on this chip. */
        for (u32 unit = base; rest >= base; unit = base) {
            u32 times = 1;
            while (unit <= rest - unit && unit < 0x80000000u) unit += unit, times += times;
            rest -= unit, quotient += times;
        }
        text[--i] = "0123456789abcdef"[rest];
        value = quotient;
    } while (value);
    say(text + i);
}

void say_number(u32 value) { say_digits(value, 10); }

void say_hex(u32 value) { say("0x"), say_digits(value, 16); }
