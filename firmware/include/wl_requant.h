/* How a sum becomes int8 again: the rounding of TensorFlow Lite's reference kernels. */
#ifndef WL_REQUANT_H
#define WL_REQUANT_H

#include "wl_fixed.h"

/**
 * v * by_q31 / 2^31 * 2^by_shift, rounded twice
 * v               Any; v * 2^by_shift must fit in 32 bits where by_shift is positive
 * by_q31          2^30..2^31 - 1, or 0
 * by_shift        -31..30
 * return          Rounded half up by the product, then half away from zero by the shift
 *
 * gemmlowp writes the first rounding as a nudge by sign and a truncating division: for
 * a positive by_q31 that is the same number. The left shift is unsigned so that a table
 * which breaks the rule above gives a wrong number and nothing worse.
 */
static inline int32_t wl_requant(int32_t v, int32_t by_q31, int by_shift)
{
    int left = by_shift > 0 ? by_shift : 0, right = by_shift > 0 ? 0 : -by_shift;
    int32_t raised = (int32_t)((uint32_t)v << left);
    int32_t high = (int32_t)(((int64_t)raised * by_q31 + ((int64_t)1 << 30)) >> 31);
    int32_t mask = (int32_t)(((int64_t)1 << right) - 1);
    int32_t threshold = (mask >> 1) + (high < 0);

    return (high >> right) + ((high & mask) > threshold);
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
