/* One beat as the networks see it: how it differs from the wearer's usual beat, and its rhythm. */
#include <string.h>

#include "stages.h"
#include "wl_fixed.h"

#define HALF (WL_BEAT_WINDOW / 2)
#define CODE_SHIFT 5        /* 32 uV a code */
#define STEP_UV 48          /* an ectopic beat moves the template by this much, a new normal within a minute */
#define FIRST_BEATS 7
#define FIRST_STEP_UV 4096  /* the first beat is taken as it is; the bound halves down to STEP_UV */
#define FIRST_INTERVALS 63  /* the rhythm is learned fast at first: what a settling detector misheard is soon forgotten */
#define LONGER_STEP_Q12 30  /* 0.5 % a beat: a run of early beats stays early for minutes */
#define SHORTER_STEP_Q12 6  /* a fifth of it: the usual interval is the upper sixth, not the median */
#define FAST_SHIFT 2
#define UNREST_SHIFT 3
#define RATIO_Q6_SHIFT 6    /* Q12 to Q6 */
#define UNREST_Q8_SHIFT 4   /* Q12 to Q8: an unrest is small */

void wl_beat_maker_init(struct wl_beat_maker *m)
{
    memset(m, 0, sizeof *m);
}

void wl_beat_break(struct wl_beat_maker *m)
{
    m->is_broken = 1;
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

/** To a code of 32 uV. */
static int8_t code(int32_t x_uv)
{
    int32_t rounded = wl_round_shift(x_uv, CODE_SHIFT);

    return (int8_t)(rounded < -128 ? -128 : rounded > 127 ? 127 : rounded);
}

/**
 * The window and its difference from the template; then the template follows by a bounded step
 *
 * A bounded step is a running median but for its memory: what most beats share stays,
 * what few have hardly moves it.
 */
static void differ(struct wl_beat_maker *m, const struct wl_beat_ring *beats, uint32_t peak,
                   int8_t shape[WL_BEAT_WINDOW][2])
{
    uint32_t start = best_start(m, beats, peak);
    int32_t step = m->n_beats < FIRST_BEATS ? FIRST_STEP_UV >> m->n_beats : STEP_UV;

    for (uint32_t i = 0; i < WL_BEAT_WINDOW; i++) {
        int32_t x_uv = sample(beats, start + i);
        int32_t d_uv = x_uv - m->template_uv[i];

        shape[i][0] = code(d_uv);
        shape[i][1] = code(x_uv);
        m->template_uv[i] = (int16_t)(m->template_uv[i] + wl_clamp(d_uv, step));
    }
}

static int8_t ratio(int32_t difference_q12, int shift)
{
    return (int8_t)wl_clamp(wl_round_shift(difference_q12, shift), 127);
}

/**
 * The rhythm around a beat, as ratios of intervals: a ratio knows no heart rate
 * pre, post       log2 of the interval that ends with the beat and of the one behind it, Q12
 *
 * The slow interval is the wearer's usual one, the fast one that of the last beats.
 */
static void rhythm(const struct wl_beat_maker *m, int32_t pre, int32_t post, int8_t *rr)
{
    int32_t early = pre - m->slow_q12, before = m->pre_q12 - m->slow_q12;
    int32_t change = pre - m->pre_q12, hurry = pre - m->fast_q12, pause = post - m->slow_q12;

    rr[0] = ratio(early, RATIO_Q6_SHIFT);
    rr[1] = ratio(pause, RATIO_Q6_SHIFT);
    rr[2] = ratio(before, RATIO_Q6_SHIFT);
    rr[3] = ratio(m->fast_q12 - m->slow_q12, RATIO_Q6_SHIFT);
    rr[4] = ratio(early < 0 ? early : 0, RATIO_Q6_SHIFT);
    rr[5] = ratio(before < 0 ? -before : before, RATIO_Q6_SHIFT);
    rr[6] = ratio(change < 0 ? change : 0, RATIO_Q6_SHIFT);
    rr[7] = ratio(hurry < 0 ? hurry : 0, RATIO_Q6_SHIFT);
    rr[8] = ratio(pause > 0 ? pause : 0, RATIO_Q6_SHIFT);
    rr[9] = ratio(m->unrest_q12, UNREST_Q8_SHIFT);
}

/**
 * The usual interval after one that differs from it by d
 *
 * It climbs five times as fast as it falls, so it comes to rest where one interval in six is longer:
 * early beats stay early even where they are the majority.
 */
static int32_t usual_step(int32_t n_intervals, int32_t d_q12)
{
    if (n_intervals < FIRST_INTERVALS)
        return wl_round_shift(d_q12 < 0 ? d_q12 : 12 * d_q12, 4);
    return wl_clamp(wl_round_shift(d_q12, 4), d_q12 < 0 ? SHORTER_STEP_Q12 : LONGER_STEP_Q12);
}

/** What the interval that ends with this beat adds to the memory of the rhythm. */
static void remember(struct wl_beat_maker *m, int32_t pre)
{
    int32_t change = pre - m->pre_q12;

    m->slow_q12 += usual_step(m->n_intervals, pre - m->slow_q12);
    m->fast_q12 += wl_round_shift(pre - m->fast_q12, FAST_SHIFT);
    m->unrest_q12 += wl_round_shift((change < 0 ? -change : change) - m->unrest_q12, UNREST_SHIFT);
    m->pre_q12 = pre;
}

/** log2 of an interval, Q12; nothing beyond 4 s is told apart. */
static int32_t log_interval(uint32_t samples)
{
    return wl_log2(samples < 1 ? 1 : samples > 512 ? 512 : samples);
}

void wl_beat_make(struct wl_beat_maker *m, const struct wl_beat_ring *beats, uint32_t peak, uint32_t next,
                  struct wl_beat *beat)
{
    beat->peak_index = peak;
    differ(m, beats, peak, beat->shape);

    if (m->n_beats == 0 || m->is_broken) {
        memset(beat->rr, 0, sizeof beat->rr);
    } else {
        int32_t pre = log_interval(peak - m->last_peak);

        if (m->n_intervals == 0)
            m->slow_q12 = m->fast_q12 = m->pre_q12 = pre;
        rhythm(m, pre, log_interval(next - peak), beat->rr);
        remember(m, pre);
        if (m->n_intervals < FIRST_INTERVALS)
            m->n_intervals++;
    }
    m->is_broken = 0;
    m->last_peak = peak;
    if (m->n_beats < FIRST_BEATS)
        m->n_beats++;
}
