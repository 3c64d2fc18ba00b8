/* What Rust cannot say on this core. */

    .text
    .literal_position
    .align  4
    .global before_main
    .type   before_main, @function
before_main:                        /* paints the stack: src/rig/lx106.rs */
    movi    a2, _stack_end
    movi    a3, 0xcccccccc
1:  s32i    a3, a2, 0
    addi    a2, a2, 4
    bltu    a2, a1, 1b
    ret

    .align  4
    .global spin_loops
    .type   spin_loops, @function
spin_loops:                         /* spin_loops(times): two instructions each */
    addi    a2, a2, -1
    bnez    a2, spin_loops
    ret
