/* Halves the rate of a stream. */
#include "stages.h"
#include "table_halfband.h"
#include "wl_fixed.h"

/**
 * Half-band outputs, one for every second input
 * x_q2            Input the first output is centred on; 13 before it and 13 behind
 *                 the last centre must be there
 * half_q2         Out: n_out samples
 * return          1 if any output had to be limited, else 0
 *
 * The worst sum is 0.37 * 2^31 (asserted by the table's generator).
 */
int wl_halfband(const int16_t *x_q2, int16_t *half_q2, int n_out)
{
    int limited = 0;

    for (int i = 0; i < n_out; i++, x_q2 += 2) {
        int32_t sum_q16 = (int32_t)x_q2[0] * 8192;
        int32_t y_q2;

        for (int p = 0; p < WL_HALFBAND_PAIRS; p++)
            sum_q16 += (x_q2[-2 * p - 1] + x_q2[2 * p + 1]) * wl_halfband_q14[p];
        y_q2 = wl_round_shift(sum_q16, 14);
        half_q2[i] = (int16_t)wl_clamp(y_q2, WL_STREAM_LIMIT_Q2);
        limited |= half_q2[i] != y_q2;
    }
    return limited;
}
