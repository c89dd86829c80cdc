/* The two rows beside the wavelets: what lies below 2 Hz and what lies above 64 Hz. */
#include "stages.h"

/* Both rows count a sine of A uV as A squared, as the wavelets do: twice its mean square. */
#define HIGH_UNIT_Q12 (6 * 4096)  /* Q4, sum of 8, twice: 4 + 3 - 1 */
#define LOW_UNIT_Q12 (19 * 4096)  /* Q20, twice */

/**
 * HF row: what the half-band takes away, 8 points a column
 * x_q2            256 Hz samples, the first output's centre; every second is used
 * half_q2         The 8 outputs
 */
void wl_band_high(struct wl_frontend *fe, const int16_t *x_q2, const int16_t *half_q2, uint32_t column)
{
    uint64_t sum_q4 = 0;

    for (int i = 0; i < 8; i++) {
        int32_t high_q2 = x_q2[2 * i] - half_q2[i];
        uint32_t size_q2 = (uint32_t)(high_q2 < 0 ? -high_q2 : high_q2); /* <= 65,528: the square fits */
        sum_q4 += size_q2 * size_q2;
    }
    fe->image->code[column % WL_IMAGE_COLUMNS][WL_ROW_HF] = wl_level(sum_q4, HIGH_UNIT_Q12);
}

/**
 * LF row: wander below about 0.7 Hz, its power smoothed over half a second
 * x_q2            One sample of the 16 Hz stream
 *
 * |wander| <= 2^15 * 2^8 = 2^23, so its square is below 2^46.
 */
void wl_band_low(struct wl_frontend *fe, int16_t x_q2, uint32_t column)
{
    fe->wander1_q10 += ((int32_t)x_q2 * 256 - fe->wander1_q10) >> 2;
    fe->wander2_q10 += (fe->wander1_q10 - fe->wander2_q10) >> 2;
    fe->wander_power_q20 += ((int64_t)fe->wander2_q10 * fe->wander2_q10 - fe->wander_power_q20) >> 3;
    fe->image->code[column % WL_IMAGE_COLUMNS][WL_ROW_LF] = wl_level((uint64_t)fe->wander_power_q20, LOW_UNIT_Q12);
}
