/* The 128 Hz stream for beats: 0.4 to 30 Hz, causal, one shape of delay for all frequencies. */
#include <string.h>

#include "stages.h"
#include "table_lowpass.h"
#include "wl_fixed.h"

#define HIGH_PASS_SHIFT 7 /* 0.16 Hz; with the blocker's 0.32 Hz half power falls on 0.38 Hz */
#define NEW 8             /* samples a hop */
#define OLD (WL_BEAT_HISTORY - NEW)

/** Second high-pass; the base is Q16 of a Q2 stream: |x - base| < 2^31. */
static int16_t high_pass(struct wl_frontend *fe, int16_t x_q2)
{
    int32_t d_q16 = (int32_t)x_q2 * 16384 - fe->beat_base_q16;

    fe->beat_base_q16 += d_q16 >> HIGH_PASS_SHIFT;
    return (int16_t)wl_clamp(wl_round_shift(d_q16, 14), WL_STREAM_LIMIT_Q2);
}

/** Low-pass around one sample; the worst sum is 0.38 * 2^31 (asserted by the generator). */
static int16_t low_pass_uv(const int16_t *x_q2)
{
    int32_t sum_q16 = (int32_t)x_q2[0] * wl_lowpass_q14[0];

    for (int k = 1; k <= WL_LOWPASS_HALF; k++)
        sum_q16 += (x_q2[-k] + x_q2[k]) * wl_lowpass_q14[k];
    return (int16_t)wl_round_shift(sum_q16, 16);
}

/**
 * Eight samples of the 128 Hz stream
 * hop             Number of the hop; output k is centred on 256 Hz sample 2 k
 */
void wl_beat_hop(struct wl_frontend *fe, const int16_t *x_q2, uint32_t hop)
{
    /* Input i is sample 8 hop - 12 + i of the stream, output i ten before it. */
    uint32_t first = 8 * hop - 22;

    memmove(fe->beat_q2, fe->beat_q2 + NEW, OLD * sizeof fe->beat_q2[0]);
    for (int i = 0; i < NEW; i++)
        fe->beat_q2[OLD + i] = high_pass(fe, x_q2[i]);

    for (uint32_t i = 0; i < NEW; i++) {
        if (8 * hop + i < 22)
            continue; /* before the first sample */
        fe->beats->x_uv[(first + i) % WL_BEAT_SAMPLES] = low_pass_uv(fe->beat_q2 + WL_LOWPASS_HALF + i);
        fe->n_beats = first + i + 1;
    }
}
