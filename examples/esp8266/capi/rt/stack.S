/* lockgate_on_stack(top, function, context): calls the function on another stack, and gives what it gives. */
    .text
    .literal_position
    .align  4
    .global lockgate_on_stack
    .type   lockgate_on_stack, @function
lockgate_on_stack:
    addi    a2, a2, -16
    s32i    a0, a2, 0
    s32i    a1, a2, 4
    mov     a1, a2
    mov     a2, a4
    callx0  a3
    l32i    a0, a1, 0
    l32i    a1, a1, 4
    ret
