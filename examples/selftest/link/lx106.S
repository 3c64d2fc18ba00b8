/* What Rust cannot say on this core. */

    .text
    .align  4
    .global spin_loops
    .type   spin_loops, @function
spin_loops:                         /* spin_loops(times): two instructions each */
    addi    a2, a2, -1
    bnez    a2, spin_loops
    ret
