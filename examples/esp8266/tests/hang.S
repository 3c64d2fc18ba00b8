/* An image that hangs at its start. */
    .section .start, "ax"
    .global before_main
before_main:
    j   before_main
