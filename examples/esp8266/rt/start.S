/* Entry, and what neither Rust nor C can say on this chip. */

    .section .start, "ax"
    .literal_position
    .global _start
_start:
    movi    a2, 0x20                /* user mode; at reset PS.EXCM is 1 (Xtensa ISA, 4.4.1). No interrupt is masked, none enabled here */
    wsr     a2, ps
    rsync
    movi    a1, _stack_top
    movi    a2, _bss_start
    movi    a3, _bss_end
    movi    a4, 0
1:  bgeu    a2, a3, 2f
    s32i    a4, a2, 0
    addi    a2, a2, 4
    j       1b
2:  movi    a0, before_main
    callx0  a0
    movi    a0, main
    callx0  a0
3:  j       3b

/* A board that has more to set up links its own. */
    .weak   before_main
before_main:
    ret

    .text
    .literal_position
    .align  4
    .global cycle_count
    .type   cycle_count, @function
cycle_count:                        /* CCOUNT (Xtensa ISA, 4.4.6) */
    rsr     a2, ccount
    ret

/* rom_call(function, a, b, c): calls a function of the ROM that uses the flash. The cache is off meanwhile, and nothing that lies behind
   it may run: no interrupt either. Afterwards it shows what it showed (register 0x3FF0000C: bit 25 is flash address bit 20, bits 18 to 16
   are bits 23 to 21, bit 26 is the cache's size; so ROM 0x40004678). */
    .section .iram.text, "ax"
    .literal_position
    .align  4
    .global rom_call
    .type   rom_call, @function
rom_call:
    addi    a1, a1, -32
    s32i    a0, a1, 0
    s32i    a12, a1, 4
    s32i    a13, a1, 8
    s32i    a14, a1, 12
    s32i    a15, a1, 16
    s32i    a2, a1, 20
    mov     a12, a3
    mov     a13, a4
    mov     a14, a5
    rsil    a15, 15
    movi    a5, 0x3ff0000c          /* before the ROM touches it */
    l32i    a5, a5, 0
    s32i    a5, a1, 24
    movi    a0, Cache_Read_Disable
    callx0  a0
    l32i    a0, a1, 20
    mov     a2, a12
    mov     a3, a13
    mov     a4, a14
    callx0  a0
    mov     a12, a2
    l32i    a5, a1, 24
    extui   a2, a5, 25, 1
    extui   a3, a5, 16, 3
    extui   a4, a5, 26, 1
    movi    a0, Cache_Read_Enable
    callx0  a0
    wsr     a15, ps
    rsync
    mov     a2, a12
    l32i    a0, a1, 0
    l32i    a12, a1, 4
    l32i    a13, a1, 8
    l32i    a14, a1, 12
    l32i    a15, a1, 16
    addi    a1, a1, 32
    ret

/* Where the compiler sees no way on. */
    .text
    .align  4
    .global abort
    .type   abort, @function
abort:
    ill
