//! Exceptions and interrupts are the application's.
//!
//! A Cortex-M0 takes its vectors from address 0, the nRF51 cannot move them (it has no VTOR), and there is the boot stage. It uses no interrupt
//! itself, so each entry of its table leads here, and from here to the same entry of the application's table, which begins slot A: images always run there.
//! That costs 5 instructions an interrupt and no RAM; applications need not know of it.
//!
//! A fault in the boot stage itself is a reset.

use core::arch::global_asm;

use board::SLOT_A;

global_asm!(
    ".syntax unified",
    ".section .text.DefaultHandler, \"ax\"",
    ".balign 4",
    ".global DefaultHandler",
    ".type DefaultHandler, %function",
    ".thumb_func",
    "DefaultHandler:",
    // The hardware has saved r0 to r3; lr, which says how to return, stays as it is.
    "mrs r0, ipsr",
    "lsls r0, r0, #2",
    "ldr r1, =({table})",
    "ldr r0, [r0, r1]",
    "bx r0",
    ".global HardFault",
    ".type HardFault, %function",
    ".thumb_func",
    "HardFault:",
    // Bit 2 of lr says on which stack what was saved lies; at 24 in it is the address of what failed.
    "mrs r0, msp",
    "mov r1, lr",
    "lsls r1, r1, #29",
    "bpl 1f",
    "mrs r0, psp",
    "1:",
    "ldr r0, [r0, #24]",
    "ldr r1, =({table})",
    "cmp r0, r1",
    "bhs DefaultHandler",
    // AIRCR, SYSRESETREQ
    "ldr r0, =0xE000ED0C",
    "ldr r1, =0x05FA0004",
    "str r1, [r0]",
    "2: b 2b",
    ".ltorg",
    table = const SLOT_A.start,
);
