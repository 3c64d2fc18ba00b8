/* lockgate_start: between the boot stage and the vendor's SDK, which relies on what the chip's ROM leaves behind (ESP8266_NONOS_SDK 3.0: `user_start` in
   lib/libmain.a begins with SPIRead, and sets no stack of its own): the cache off, no interrupt masked, and the stack at the top of RAM, where
   it is in nobody's way (0x3ffffff0 is what the Arduino core's eboot.c gives it).

   What the boot stage shows is noted first, while it is certain: register 0x3ff0000c, bit 25 is flash address bit 20, bits 18 to 16 are bits 23 to 21 (ROM
   0x40004678). What the ROM leaves of it when the cache is off is not documented.

   .entry.text, like all that is here: every linker script of the SDKs takes it to instruction RAM, and .text and .text.* some only. */
    .section .entry.text, "ax"
    .literal_position
    .align  4
    .global lockgate_start
    .type   lockgate_start, @function
lockgate_start:
    rsil    a2, 15
    movi    a1, 0x3ffffff0
    movi    a2, 0x3ff0000c
    l32i    a2, a2, 0
    movi    a3, lockgate_window
    s32i    a2, a3, 0
    movi    a0, Cache_Read_Disable
    callx0  a0
    movi    a2, 0x20                /* user mode, no interrupt masked (Xtensa ISA, 4.4.1) */
    wsr     a2, ps
    rsync
    movi    a0, call_user_start
    jx      a0
