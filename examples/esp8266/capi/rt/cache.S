/* Cache_Read_Enable_New: instead of the SDK's, which shows megabyte 0 at its start and after each flash operation. It shows what the boot stage has shown
   (start.S). As the SDK's, it takes half the cache if the other half is memory (user_iram_memory_is_enabled, where the SDK has it). */
    .section .entry.text, "ax"
    .literal_position
    .align  4
    .global Cache_Read_Enable_New
    .type   Cache_Read_Enable_New, @function
    .weak   user_iram_memory_is_enabled
Cache_Read_Enable_New:
    addi    a1, a1, -16
    s32i    a0, a1, 0
    movi    a2, 0
    movi    a0, user_iram_memory_is_enabled
    beqz    a0, 1f
    callx0  a0
1:  movi    a4, 1
    extui   a2, a2, 0, 8
    bne     a2, a4, 2f
    movi    a4, 0
2:  movi    a5, lockgate_window
    l32i    a5, a5, 0
    extui   a2, a5, 25, 1
    extui   a3, a5, 16, 3
    movi    a0, Cache_Read_Enable
    callx0  a0
    l32i    a0, a1, 0
    addi    a1, a1, 16
    ret

/* Not .bss: the SDK clears that later. */
    .data
    .align  4
    .global lockgate_window
lockgate_window:
    .word   0
