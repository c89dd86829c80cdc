/* Power to decibel-like codes: what the networks see. */
#include "stages.h"
#include "table_log2.h"

/** Number of zero bits above the highest one; v is not 0. */
static int leading_zeros(uint32_t v)
{
#if defined(__GNUC__)
    return __builtin_clz(v);
#else
    int n = 0;

    for (; !(v & 0x80000000u); v <<= 1)
        n++;
    return n;
#endif
}

/**
 * Binary logarithm, Q12
 * v               Not 0
 *
 * The table has 64 steps an octave; between them a straight line stays within
 * 0.0002 of the true curve, a hundredth of one code.
 */
int32_t wl_log2(uint64_t v)
{
    uint32_t high = (uint32_t)(v >> 32), mantissa;
    int n = high ? 63 - leading_zeros(high) : 31 - leading_zeros((uint32_t)v);
    int32_t i, fraction_q8;

    mantissa = n >= 32 ? (uint32_t)(v >> (n - 31)) : (uint32_t)v << (31 - n);
    i = (int32_t)(mantissa >> 25) & 63;
    fraction_q8 = (int32_t)(mantissa >> 17) & 255;
    return n * 4096 + wl_log2_q12[i]
           + (((wl_log2_q12[i + 1] - wl_log2_q12[i]) * fraction_q8 + 128) >> 8);
}

/**
 * Code of a power: 20 log2(amplitude in uV) - 128
 * power           Sum of squares in some unit
 * log2_unit_q12   log2 of what 1 uV squared makes of it
 * return          -128 at or below 1 uV, 127 at 6.9 mV and above
 */
int8_t wl_level(uint64_t power, int32_t log2_unit_q12)
{
    int32_t code;

    if (power == 0)
        return -128;
    code = ((10 * (wl_log2(power) - log2_unit_q12) + 2048) >> 12) - 128;
    return (int8_t)(code < -128 ? -128 : code > 127 ? 127 : code);
}
