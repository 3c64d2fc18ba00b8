/* Until the watchdog resets: it is not fed here. */
__attribute__((noreturn)) void lockgate_panicked(void) {
    for (;;) {}
}
