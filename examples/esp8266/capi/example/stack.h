/* How much stack a call takes: what lies below is painted, and looked at afterwards. And how many instructions: the emulated machine counts 40 million
   cycles a second, and takes 16 ns for each (tests/machine.py). Under emulation only: on a chip the ROM's data lies where this paints. */
enum { PAINTED = 12 * 1024, PAINT = 0x5afe57ac, OWN = 64 };

static uint32 cycles(void) {
    uint32 count;
    __asm__ volatile("rsr %0, ccount" : "=a"(count));
    return count;
}

__attribute__((noinline)) static uint32 *paint(void) {
    uint32 *top = (uint32 *)__builtin_frame_address(0) - OWN / 4;
    for (int i = 1; i <= PAINTED / 4; i++) ((volatile uint32 *)top)[-i] = PAINT;
    return top;
}

__attribute__((noinline)) static int measured(const char *name, uint32 *top, uint32 begun, int error) {
    static struct { const char *name; uint32 bytes, cycles; } most[8];
    uint32 taken = cycles() - begun, i = PAINTED / 4, n = 0;
    while (i && top[-(int)i] == PAINT) i--;
    while (most[n].name && most[n].name != name) n++;
    most[n].name = name;
    uint32 bytes = i * 4 + OWN;
    if (bytes > most[n].bytes || taken > most[n].cycles) {
        if (bytes > most[n].bytes) most[n].bytes = bytes;
        if (taken > most[n].cycles) most[n].cycles = taken;
        say("stack: "), say(name), say(" "), say_number(most[n].bytes), say(" bytes, ");
        say_number(most[n].cycles / 16 * 25), say(" instructions\n");
    }
    return error;
}

/* The text is the same for each of its calls. */
#define MEASURED(name, call) ({ \
    static const char text[] = name; \
    uint32 *top = paint(), begun = cycles(); \
    int outcome = (call); \
    measured(text, top, begun, outcome); \
})
