/* Takes the electrode offset away: a one-pole high-pass at 0.32 Hz that restores itself fast. */
#include "stages.h"
#include "wl_fixed.h"

#define BLOCKER_SHIFT 7      /* 0.32 Hz; 6 would dent the lowest wavelets, 8 recovers too late */
#define RESTORE_SAMPLES 41   /* 160 ms at the limit: no QRS lasts that long */

/**
 * One sample through the blocker
 * x_q11           Microvolts Q11, |x| <= 500,000
 * return          Microvolts Q2 without the baseline, +-8191
 *
 * The baseline never leaves the range of the input, so the difference is at most
 * 1,000,000 uV: 2.048e9 in Q11, and the signed 32 bits hold 2.147e9.
 */
int16_t wl_blocker(struct wl_frontend *fe, int32_t x_q11)
{
    int32_t d_q11 = x_q11 - fe->base_q11;
    int32_t y_q2 = wl_clamp((d_q11 >> 9) + ((d_q11 >> 8) & 1), WL_STREAM_LIMIT_Q2);

    fe->base_q11 += d_q11 >> BLOCKER_SHIFT;
    if (y_q2 != WL_STREAM_LIMIT_Q2 && y_q2 != -WL_STREAM_LIMIT_Q2) {
        fe->n_clipped = 0;
        return (int16_t)y_q2;
    }
    fe->flags |= WL_CLIP;
    if (++fe->n_clipped >= RESTORE_SAMPLES) {
        fe->base_q11 = x_q11;
        fe->beat_base_q16 = 0;
        fe->n_clipped = 0;
    }
    return (int16_t)y_q2;
}
