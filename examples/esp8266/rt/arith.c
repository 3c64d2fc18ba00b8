/* What a compiler for this chip calls for 64-bit products and for quotients: it has 32-bit multiplication and no division, and Debian's
   libgcc for it lacks these (the chip's ROM has them, of unknown speed). */
#include <stdint.h>

typedef union { uint64_t all; struct { uint32_t low, high; } half; } wide;

static inline uint64_t product(uint32_t a, uint32_t b) {
    uint32_t al = a & 0xffff, ah = a >> 16, bl = b & 0xffff, bh = b >> 16;
    uint32_t low = al * bl, mid1 = ah * bl, mid2 = al * bh, high = ah * bh;
    uint32_t mid = (low >> 16) + mid1; /* cannot overflow: mid1 is below 2^32 - 2^17 */
    mid += mid2;
    if (mid < mid2) high += 0x10000;
    wide r = {.half = {(mid << 16) | (low & 0xffff), high + (mid >> 16)}};
    return r.all;
}

uint64_t __muldi3(uint64_t a, uint64_t b) {
    wide x = {a}, y = {b}, r = {product(x.half.low, y.half.low)};
    if (x.half.high | y.half.high) r.half.high += x.half.low * y.half.high + x.half.high * y.half.low;
    return r.all;
}

static uint32_t divide(uint32_t a, uint32_t b, uint32_t *rest) {
    uint32_t quotient = 0, shift = 0;
    if (b == 0) __builtin_trap();
    while (b <= a - b && a >= b && !(b >> 31)) b += b, shift++;
    for (;; b >>= 1) {
        quotient += quotient;
        if (a >= b) a -= b, quotient++;
        if (shift-- == 0) break;
    }
    *rest = a;
    return quotient;
}

static uint64_t divide_wide(uint64_t a, uint64_t b, uint64_t *rest) {
    if ((a | b) >> 32 == 0) {
        uint32_t r, q = divide(a, b, &r);
        *rest = r;
        return q;
    }
    uint64_t quotient = 0, r = 0;
    for (int i = 0; i < 64; i++) {
        r = r << 1 | a >> 63, a <<= 1, quotient <<= 1;
        if (r >= b) r -= b, quotient |= 1;
    }
    *rest = r;
    return quotient;
}

uint32_t __udivsi3(uint32_t a, uint32_t b) { uint32_t r; return divide(a, b, &r); }
uint32_t __umodsi3(uint32_t a, uint32_t b) { uint32_t r; divide(a, b, &r); return r; }
uint64_t __udivdi3(uint64_t a, uint64_t b) { uint64_t r; return divide_wide(a, b, &r); }
uint64_t __umoddi3(uint64_t a, uint64_t b) { uint64_t r; divide_wide(a, b, &r); return r; }

static uint64_t size(int64_t a) { return a < 0 ? -(uint64_t)a : (uint64_t)a; }
int64_t __divdi3(int64_t a, int64_t b) { uint64_t r, q = divide_wide(size(a), size(b), &r); return (a < 0) != (b < 0) ? -q : q; }
int64_t __moddi3(int64_t a, int64_t b) { uint64_t r; divide_wide(size(a), size(b), &r); return a < 0 ? -r : r; }

static uint32_t size_of(int32_t a) { return a < 0 ? -(uint32_t)a : (uint32_t)a; }
int32_t __divsi3(int32_t a, int32_t b) { uint32_t r, q = divide(size_of(a), size_of(b), &r); return (a < 0) != (b < 0) ? -q : q; }
int32_t __modsi3(int32_t a, int32_t b) { uint32_t r; divide(size_of(a), size_of(b), &r); return a < 0 ? -r : r; }
