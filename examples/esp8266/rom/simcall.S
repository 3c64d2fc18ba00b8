/* simcall(number, a, b, c): a call to the emulator (QEMU: target/xtensa/xtensa-semi.c). */
    .text
    .align  4
    .global simcall
    .type   simcall, @function
simcall:
    simcall
    ret
