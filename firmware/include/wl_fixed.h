/* Rounding and saturation: the arithmetic every stage shares. */
#ifndef WL_FIXED_H
#define WL_FIXED_H

#include <stdint.h>

/* C99 leaves the right shift of a negative number to the compiler. The core needs it
 * to keep the sign; a compiler that does not stops here. */
typedef char wl_shift_keeps_sign[((-1) >> 1) == -1 ? 1 : -1];

/**
 * Shift right, rounding half up: the rounding of the signal path
 * v               In some Qn; v + 2^(shift - 1) must fit
 * shift           1..30
 * return          In Q(n - shift)
 */
static inline int32_t wl_round_shift(int32_t v, int shift)
{
    return (v + ((int32_t)1 << (shift - 1))) >> shift;
}

/** The same for 64 bits; a shift of 0 is allowed. */
static inline int64_t wl_round_shift64(int64_t v, int shift)
{
    return shift == 0 ? v : (v + ((int64_t)1 << (shift - 1))) >> shift;
}

/** Limit v to -limit..limit. */
static inline int32_t wl_clamp(int32_t v, int32_t limit)
{
    return v > limit ? limit : v < -limit ? -limit : v;
}

#endif
