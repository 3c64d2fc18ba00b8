/* The boot stage's own: it shows itself first, and an image last. */

    .section .iram.text, "ax"
    .literal_position
    .align  4
    .global before_main
    .type   before_main, @function
before_main:                        /* megabyte 0, with 16 KiB of cache: the RAM below 0x4010C000 stays RAM, and this code is there */
    movi    a2, 0                   /* the vendor's SDK restarts by a jump to the ROM: its interrupts and vectors must not outlive it */
    wsr     a2, intenable
    movi    a2, 0x40000000
    wsr     a2, vecbase
    rsync
    movi    a2, 0
    movi    a3, 0
    movi    a4, 0
    movi    a5, Cache_Read_Enable
    jx      a5

/* launch(entry, odd_even, megabytes): shows the image's megabyte and starts it. With 32 KiB of cache this code is overwritten, so the ROM
   does not return here but to the image. */
    .align  4
    .global launch
    .type   launch, @function
launch:
    mov     a12, a2
    mov     a13, a3
    mov     a14, a4
    rsil    a2, 15
    movi    a0, Cache_Read_Disable
    callx0  a0
    mov     a0, a12
    mov     a2, a13
    mov     a3, a14
    movi    a4, 1
    movi    a5, Cache_Read_Enable
    jx      a5
