/* Memory functions, in words where both ends allow it: the chip has no unaligned access. */
#include <stddef.h>
#include <stdint.h>

typedef uint32_t __attribute__((may_alias)) word;

static int aligned(const void *a, const void *b) { return (((uintptr_t)a | (uintptr_t)b) & 3) == 0; }

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    uint8_t *d = to;
    const uint8_t *s = from;
    if (aligned(d, s))
        for (; n >= 4; n -= 4, d += 4, s += 4) *(word *)d = *(const word *)s;
    while (n--) *d++ = *s++;
    return to;
}

void *memmove(void *to, const void *from, size_t n) {
    uint8_t *d = to;
    const uint8_t *s = from;
    if ((uintptr_t)d - (uintptr_t)s >= n) return memcpy(to, from, n);
    while (n--) d[n] = s[n];
    return to;
}

void *memset(void *to, int value, size_t n) {
    uint8_t *d = to;
    uint32_t four = (value & 0xff) * 0x01010101u;
    for (; n && ((uintptr_t)d & 3); n--) *d++ = value;
    for (; n >= 4; n -= 4, d += 4) *(word *)d = four;
    while (n--) *d++ = value;
    return to;
}

int memcmp(const void *left, const void *right, size_t n) {
    const uint8_t *a = left, *b = right;
    if (aligned(a, b))
        for (; n >= 4 && *(const word *)a == *(const word *)b; n -= 4, a += 4, b += 4) {}
    for (; n; n--, a++, b++)
        if (*a != *b) return *a - *b;
    return 0;
}

int bcmp(const void *left, const void *right, size_t n) { return memcmp(left, right, n); }
