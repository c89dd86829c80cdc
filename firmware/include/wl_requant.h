/* How a sum becomes int8 again: the rounding of TensorFlow Lite's reference kernels. */
#ifndef WL_REQUANT_H
#define WL_REQUANT_H

#include "wl_fixed.h"

/**
 * v * by_q31 / 2^31, rounded half up
 * v               |v| < 2^30
 * raise           v is doubled this often before: v * 2^raise must fit in 31 bits
 *
 * gemmlowp writes this rounding as a nudge by sign and a truncating division: for a positive
 * by_q31 that is the same number. The left shift is unsigned so that a table which breaks the
 * rule above gives a wrong number and nothing worse.
 */
static inline int32_t wl_high_product(int32_t v, int32_t by_q31, int raise)
{
#if defined(__ARM_FEATURE_DSP) && !defined(WL_PORTABLE)
    int32_t twice = (int32_t)((uint32_t)v << raise << 1), high;

    __asm("smmulr %0, %1, %2" : "=r"(high) : "r"(twice), "r"(by_q31));
    return high;
#else
    int32_t raised = (int32_t)((uint32_t)v << raise);

    return (int32_t)(((int64_t)raised * by_q31 + ((int64_t)1 << 30)) >> 31);
#endif
}

/**
 * v * by_q31 / 2^31 * 2^by_shift, rounded twice
 * v               |v| < 2^30; v * 2^by_shift too where by_shift is positive
 * by_q31          2^30..2^31 - 1, or 0
 * by_shift        -31..30
 * return          Rounded half up by the product, then half away from zero by the shift
 */
static inline int32_t wl_requant(int32_t v, int32_t by_q31, int by_shift)
{
    if (by_shift >= 0)
        return wl_high_product(v, by_q31, by_shift);

    int32_t high = wl_high_product(v, by_q31, 0);
    uint32_t half = (uint32_t)1 << (-by_shift - 1);

    return (int32_t)((uint32_t)high + (uint32_t)(high >> 31) + half) >> -by_shift;
}

/**
 * Add a zero point and cut to the range of an activation
 * v               Any: it is cut before the zero point could carry it over
 * zero, low, high -128..127, low <= high
 */
static inline int8_t wl_activate(int32_t v, int32_t zero, int32_t low, int32_t high)
{
    int32_t cut = v < low - zero ? low - zero : v > high - zero ? high - zero : v;

    return (int8_t)(cut + zero);
}

#endif
