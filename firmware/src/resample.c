/* From the board's rate to 256 Hz: a polyphase filter, one phase an output. */
#include <string.h>

#include "stages.h"
#include "table_resample.h"
#include "wl_fixed.h"

#define N_DESIGNS (sizeof wl_resample_designs / sizeof wl_resample_designs[0])

const struct wl_resample_design *wl_resample_find(int32_t rate_hz)
{
    for (size_t i = 0; i < N_DESIGNS; i++)
        if (wl_resample_designs[i].rate_hz == rate_hz)
            return &wl_resample_designs[i];

    return 0;
}

int32_t wl_frontend_delay_us(int32_t rate_hz)
{
    const struct wl_resample_design *design = wl_resample_find(rate_hz);
    int64_t half_taps;

    if (!design)
        return -1;
    if (design->n_taps == 0)
        return 0;

    /* The prototype has up * n_taps taps; its middle lies half a step before the end. */
    half_taps = (int64_t)design->up * design->n_taps - 1;
    return (int32_t)(half_taps * 1000000 / (2 * (int64_t)design->up * rate_hz));
}

#if WL_RESAMPLE_HISTORY > 1

/** As if the first sample had always been there. */
void wl_resample_prime(struct wl_frontend *fe, int32_t x_uv)
{
    for (int i = 0; i < WL_RESAMPLE_HISTORY; i++)
        fe->resample_uv[i] = x_uv;
}

/** Every sample is written twice, so the last n_taps always lie in one piece. */
void wl_resample_put(struct wl_frontend *fe, int32_t x_uv)
{
    int32_t n_taps = fe->design->n_taps;

    fe->newest = fe->newest + 1 < n_taps ? fe->newest + 1 : 0;
    fe->resample_uv[fe->newest] = x_uv;
    fe->resample_uv[fe->newest + n_taps] = x_uv;
}

/**
 * The next output between the last two inputs, if there is one left
 * x_q11           Out: microvolts Q11
 * return          1, or 0 when the next input is needed
 *
 * |x| <= 500,000 uV and the taps of a phase sum to at most 2.2 in magnitude: the sum
 * is below 2^36, and the result is cut back to the range that the blocker expects.
 */
int wl_resample_get(struct wl_frontend *fe, int32_t *x_q11)
{
    const struct wl_resample_design *design = fe->design;
    int32_t n_taps = design->n_taps;
    const int32_t *oldest = fe->resample_uv + fe->newest + 1;
    const int32_t *newest = oldest + n_taps - 1;
    int64_t sum_q15 = 0;

    if (fe->phase >= design->up) {
        fe->phase -= design->up;
        return 0;
    }
    if (fe->phase < (design->up + 1) / 2) {
        const int16_t *tap = design->phases_q15 + fe->phase * n_taps;
        for (int32_t k = 0; k < n_taps; k++)
            sum_q15 += (int64_t)newest[-k] * tap[k];
    } else {
        const int16_t *tap = design->phases_q15 + (design->up - 1 - fe->phase) * n_taps;
        for (int32_t k = 0; k < n_taps; k++)
            sum_q15 += (int64_t)oldest[k] * tap[k];
    }
    fe->phase += design->down;

    sum_q15 = wl_round_shift64(sum_q15, 4);
    if (sum_q15 > (int64_t)WL_LIMIT_UV * 2048)
        sum_q15 = (int64_t)WL_LIMIT_UV * 2048;
    if (sum_q15 < -(int64_t)WL_LIMIT_UV * 2048)
        sum_q15 = -(int64_t)WL_LIMIT_UV * 2048;
    *x_q11 = (int32_t)sum_q15;
    return 1;
}

#else

/* At 256 Hz nothing is resampled and wl_frontend_push never comes here. */
void wl_resample_prime(struct wl_frontend *fe, int32_t x_uv)
{
    (void)fe, (void)x_uv;
}

void wl_resample_put(struct wl_frontend *fe, int32_t x_uv)
{
    (void)fe, (void)x_uv;
}

int wl_resample_get(struct wl_frontend *fe, int32_t *x_q11)
{
    (void)fe, (void)x_q11;
    return 0;
}

#endif
