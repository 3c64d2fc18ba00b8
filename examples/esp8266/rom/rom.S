/* Vectors, entries, and what C cannot say. */

    .macro entry name, offset
    .section .at.\name, "ax"
    .global \name
\name:
    j   rom_\name
    .endm

    entry rtc_get_reset_reason
    entry software_reset
    entry ets_delay_us
    entry uart_tx_one_char
    entry uart_rx_one_char
    entry Cache_Read_Enable
    entry Cache_Read_Disable
    entry SPIEraseSector
    entry SPIWrite
    entry SPIRead
    entry SPIParamCfg

    .section .vector.kernel, "ax"
    wsr     a0, excsave1
    j       exception
    .section .vector.user, "ax"
    wsr     a0, excsave1
    j       exception
    .section .vector.double, "ax"
    wsr     a0, excsave1
    j       exception

    .text
    .literal_position
    .align 4
/* Interrupts and exceptions: all registers to `frame`, then C on the ROM's own stack. */
exception:
    movi    a0, frame
    s32i    a1, a0, 4
    s32i    a2, a0, 8
    s32i    a3, a0, 12
    s32i    a4, a0, 16
    s32i    a5, a0, 20
    s32i    a6, a0, 24
    s32i    a7, a0, 28
    s32i    a8, a0, 32
    s32i    a9, a0, 36
    s32i    a10, a0, 40
    s32i    a11, a0, 44
    s32i    a12, a0, 48
    s32i    a13, a0, 52
    s32i    a14, a0, 56
    s32i    a15, a0, 60
    rsr     a2, excsave1
    s32i    a2, a0, 0
    rsr     a2, sar
    s32i    a2, a0, 64
    rsr     a2, epc1
    s32i    a2, a0, 68
    movi    a1, _rom_stack_top - 0x10000
    rsr     a2, exccause
    rsr     a3, excvaddr
    call0   rom_exception
    movi    a0, frame
    l32i    a2, a0, 68
    wsr     a2, epc1
    l32i    a2, a0, 64
    wsr     a2, sar
    l32i    a1, a0, 4
    l32i    a2, a0, 8
    l32i    a3, a0, 12
    l32i    a4, a0, 16
    l32i    a5, a0, 20
    l32i    a6, a0, 24
    l32i    a7, a0, 28
    l32i    a8, a0, 32
    l32i    a9, a0, 36
    l32i    a10, a0, 40
    l32i    a11, a0, 44
    l32i    a12, a0, 48
    l32i    a13, a0, 52
    l32i    a14, a0, 56
    l32i    a15, a0, 60
    l32i    a0, a0, 0
    rfe

    .global rom_reset
rom_reset:
    movi    a1, _rom_stack_top
    movi    a2, _rom_bss_start
    movi    a3, _rom_bss_end
    movi    a4, 0
1:  s32i    a4, a2, 0
    addi    a2, a2, 4
    bltu    a2, a3, 1b
    movi    a2, 1                   /* power-on */
    j       rom_boot

/* rom_restart(cause): a reset that is not a power-on; RAM keeps what it holds. */
    .global rom_restart
rom_restart:
    movi    a1, _rom_stack_top
    j       rom_boot

/* rom_enter(address): the image's entry, on a stack at the top of RAM as the chip's ROM leaves it, one interrupt of ours behind its back. */
    .global rom_enter
rom_enter:
    movi    a1, 0x3fffffe0
    movi    a3, 0x20
    wsr     a3, ps
    rsync
    jx      a2

    .global rom_timer
rom_timer:                          /* rom_timer(ticks): the next tick */
    rsr     a3, ccount
    add     a3, a3, a2
    wsr     a3, ccompare0
    esync
    movi    a3, 1 << 6              /* timer 0 of the LX106 */
    wsr     a3, intenable
    rsync
    ret

    .global rom_no_interrupts
rom_no_interrupts:
    movi    a3, 0
    wsr     a3, intenable
    rsync
    rsil    a3, 15
    ret

    .section .bss
    .align 16
    .global frame
frame:
    .space 80
