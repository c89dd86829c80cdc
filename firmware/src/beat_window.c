/* One beat as the networks see it: how it differs from the wearer's usual beat, and its rhythm. */
#include <string.h>

#include "stages.h"
#include "wl_fixed.h"

#define HALF (WL_BEAT_WINDOW / 2)
#define CODE_SHIFT 5        /* 32 uV a code */
#define STEP_UV 48          /* an ectopic beat moves the template by this much, a new normal within a minute */
#define FIRST_STEP_UV 4096  /* the first beat is taken as it is; the bound halves down to STEP_UV */
#define N_RECENT 8          /* intervals of the local rhythm */
#define RATIO_LIMIT_Q12 8191 /* two octaves */

void wl_beat_maker_init(struct wl_beat_maker *m)
{
    memset(m, 0, sizeof *m);
}

static int32_t sample(const struct wl_beat_ring *beats, uint32_t index)
{
    return beats->x_uv[index % WL_BEAT_SAMPLES];
}

/** Sum of absolute differences to the template, for a window that starts at first. */
static uint32_t distance(const struct wl_beat_maker *m, const struct wl_beat_ring *beats, uint32_t first)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < WL_BEAT_WINDOW; i++) {
        int32_t d = sample(beats, first + i) - m->template_uv[i];

        sum += (uint32_t)(d < 0 ? -d : d);
    }
    return sum;
}

/** Where the window meets the template best: at the peak, or up to 31 ms beside it. */
static uint32_t best_start(const struct wl_beat_maker *m, const struct wl_beat_ring *beats, uint32_t peak)
{
    uint32_t best = peak - HALF, least = distance(m, beats, best);

    for (uint32_t off = 1; off <= WL_BEAT_SEARCH; off++)
        for (int side = 0; side < 2; side++) {
            uint32_t start = side ? peak - HALF + off : peak - HALF - off;
            uint32_t d = distance(m, beats, start);

            if (d < least) {
                least = d;
                best = start;
            }
        }
    return best;
}

/**
 * The window minus the template; then the template follows by a bounded step
 *
 * A bounded step is a running median but for its memory: what most beats share stays,
 * what few have hardly moves it.
 */
static void differ(struct wl_beat_maker *m, const struct wl_beat_ring *beats, uint32_t peak, int8_t *difference)
{
    uint32_t start = best_start(m, beats, peak);
    int32_t step = m->n_beats < 7 ? FIRST_STEP_UV >> m->n_beats : STEP_UV;

    if (step < STEP_UV)
        step = STEP_UV;
    for (uint32_t i = 0; i < WL_BEAT_WINDOW; i++) {
        int32_t d_uv = sample(beats, start + i) - m->template_uv[i];
        int32_t code = wl_round_shift(d_uv, CODE_SHIFT);

        difference[i] = (int8_t)(code < -128 ? -128 : code > 127 ? 127 : code);
        m->template_uv[i] = (int16_t)(m->template_uv[i] + wl_clamp(d_uv, step));
    }
}

/** Median of the newest n intervals before the last one; n is 1 or more. */
static int32_t median(const struct wl_beat_maker *m, int n)
{
    uint16_t sorted[WL_RR_HISTORY];

    for (int i = 0; i < n; i++) {
        uint16_t v = m->log_rr_q12[1 + i];
        int at = i;

        for (; at > 0 && sorted[at - 1] > v; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = v;
    }
    return (sorted[(n - 1) / 2] + sorted[n / 2]) >> 1;
}

static int8_t ratio(int32_t difference_q12)
{
    return (int8_t)wl_round_shift(wl_clamp(difference_q12, RATIO_LIMIT_Q12 - 64), 6);
}

/**
 * Eight log2 ratios of the intervals around the beat, Q6
 *
 * A ratio knows no heart rate. The intervals stand newest first: the one that ends
 * with this beat, then those before it.
 */
static void rhythm(const struct wl_beat_maker *m, int32_t post_q12, int8_t *rr_q6)
{
    int n_recent = m->n_rr - 1 < N_RECENT ? m->n_rr - 1 : N_RECENT;
    int32_t pre = m->log_rr_q12[0];
    int32_t local = m->n_rr > 1 ? median(m, n_recent) : pre;
    int32_t slow = m->n_rr > 1 ? median(m, m->n_rr - 1) : pre;
    int32_t before = m->n_rr > 1 ? m->log_rr_q12[1] : pre;
    int32_t unrest = 0;

    for (int i = 1; i < n_recent; i++) {
        int32_t change = m->log_rr_q12[i] - m->log_rr_q12[i + 1];

        unrest += change < 0 ? -change : change;
    }
    if (n_recent > 1)
        unrest /= n_recent - 1;

    rr_q6[0] = ratio(pre - local);
    rr_q6[1] = ratio(post_q12 - local);
    rr_q6[2] = ratio(before - local);
    rr_q6[3] = ratio(pre - slow);
    rr_q6[4] = ratio(post_q12 - slow);
    rr_q6[5] = ratio(pre < local ? local - pre : pre - local);
    rr_q6[6] = ratio(unrest);
    rr_q6[7] = ratio(pre - post_q12);
}

/** log2 of an interval, Q12; nothing beyond 4 s is told apart. */
static uint16_t log_interval(uint32_t samples)
{
    return (uint16_t)wl_log2(samples < 1 ? 1 : samples > 512 ? 512 : samples);
}

void wl_beat_make(struct wl_beat_maker *m, const struct wl_beat_ring *beats, uint32_t peak, uint32_t next,
                  struct wl_beat *beat)
{
    beat->peak_index = peak;
    differ(m, beats, peak, beat->difference);

    if (m->n_beats == 0) {
        memset(beat->rr_q6, 0, sizeof beat->rr_q6);
    } else {
        memmove(m->log_rr_q12 + 1, m->log_rr_q12, sizeof m->log_rr_q12 - sizeof m->log_rr_q12[0]);
        m->log_rr_q12[0] = log_interval(peak - m->last_peak);
        if (m->n_rr < WL_RR_HISTORY)
            m->n_rr++;
        rhythm(m, log_interval(next - peak), beat->rr_q6);
    }
    m->last_peak = peak;
    m->n_beats++;
}
