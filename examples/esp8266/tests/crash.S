/* An image that crashes at its start. */
    .section .start, "ax"
    .global before_main
before_main:
    ill
