/* Thirty Morlet wavelets, evaluated only where a column needs them.
 *
 * Every hop brings 16 samples. The streams are halved four times, so octave s works on
 * a stream of 256 >> s Hz with the same six kernels. Column j is centred on sample
 * 16 j >> s of every stream, exactly. The streams are filters behind the input: after
 * the hop that ends with input 16 b + 3 the newest sample of stream s is
 *
 *     s              0          1         2         3         4
 *     newest      16b+3       8b-5      4b-9     2b-11      b-12
 *     column        b-2        b-5       b-9      b-19      b-39
 *
 * and the second line is the column whose longest wavelet (27 samples a side, and the
 * pooling offsets) just fits below it.
 */
#include <string.h>

#include "stages.h"
#include "table_morlet.h"
#include "wl_fixed.h"

/* The power of a column is pooled over evenly spaced positions, and the last of them,
 * half way to the next column, is shared with it. Sampling one point of a fast octave
 * would let a QRS jitter by ten codes when it moves inside a column, and so would
 * cutting the time into tiles: energy on a border would be halved. With the shared
 * position and these weights the sum hardly depends on where the QRS falls. */
static const struct octave {
    uint8_t lag;            /* columns behind the hop */
    uint8_t centre;         /* where the column's centre lies in the history */
    int8_t first, step;     /* inner positions, beside the centre */
    uint8_t n_inner;
    uint8_t inner_weight;
    uint8_t edge_weight;    /* of the positions half a column away; 0: not sampled */
    int32_t unit_q12;       /* log2 of (2^18 times all weights) */
} octaves[WL_OCTAVES] = {
    {2, 33, -4, 4, 3, 2, 3, 18 * 4096 + 14684}, /* log2 12 */
    {5, 29, 0, 0, 1, 1, 2, 18 * 4096 + 9511},   /* log2 5 */
    {9, 27, 0, 0, 1, 1, 0, 18 * 4096},
    {19, 27, 0, 0, 1, 1, 0, 18 * 4096},
    {39, 27, 0, 0, 1, 1, 0, 18 * 4096},
};

#if !defined(wl_cwt_position) && !defined(WL_FOLDED) && (defined(__SSE2__) || defined(__ARM_NEON))
#include "table_morlet_wide.h"

/**
 * The same integers where eight 16-bit products come at once: unfolded, so that the
 * samples stay 16 bits wide, and of one length, so that a compiler sees the pattern.
 * The sum of magnitudes is the folded one's, and so is its bound.
 */
static void wl_cwt_position(const int16_t *x_q2, uint64_t power_q18[WL_VOICES])
{
    int16_t around_q2[WL_MORLET_WIDE];

    memcpy(around_q2, x_q2 - WL_MORLET_MAX_HALF, (WL_MORLET_WIDE - 1) * sizeof around_q2[0]);
    around_q2[WL_MORLET_WIDE - 1] = 0;
    for (int v = 0; v < WL_VOICES; v++) {
        const int16_t *re_q15 = wl_morlet_wide_q15 + 2 * v * WL_MORLET_WIDE;
        const int16_t *im_q15 = re_q15 + WL_MORLET_WIDE;
        int32_t re_q17 = 0, im_q17 = 0;

        for (int k = 0; k < WL_MORLET_WIDE; k++) {
            re_q17 += (int32_t)around_q2[k] * re_q15[k];
            im_q17 += (int32_t)around_q2[k] * im_q15[k];
        }
        re_q17 = wl_round_shift(re_q17, 8); /* now Q9, below 2^23 */
        im_q17 = wl_round_shift(im_q17, 8);
        power_q18[v] += (uint64_t)((int64_t)re_q17 * re_q17 + (int64_t)im_q17 * im_q17);
    }
}
#define wl_cwt_position wl_cwt_position
#endif

/**
 * Power of the six voices at one position, added to what is there
 * x_q2            The position; 27 samples on both sides
 * power_q18       In and out, microvolts squared
 *
 * A kernel's real part is even and its imaginary part odd, so the samples are folded
 * once for all voices. The generator asserts sum |tap| * 2 * 32764 <= 0.67 * 2^31 for
 * every row: 32 bits cannot overflow, and nothing is rounded before the end.
 */
#ifndef wl_cwt_position
static void wl_cwt_position(const int16_t *x_q2, uint64_t power_q18[WL_VOICES])
{
    int32_t even_q2[WL_MORLET_MAX_HALF + 1], odd_q2[WL_MORLET_MAX_HALF + 1];

    even_q2[0] = x_q2[0];
    odd_q2[0] = 0;
    for (int k = 1; k <= WL_MORLET_MAX_HALF; k++) {
        even_q2[k] = x_q2[k] + x_q2[-k];
        odd_q2[k] = x_q2[k] - x_q2[-k];
    }
    for (int v = 0; v < WL_VOICES; v++) {
        const int16_t *re_q15 = wl_morlet_re_q15 + wl_morlet_start[v];
        const int16_t *im_q15 = wl_morlet_im_q15 + wl_morlet_start[v];
        int32_t re_q17 = 0, im_q17 = 0;

        for (int k = 0; k <= wl_morlet_half[v]; k++) {
            re_q17 += even_q2[k] * re_q15[k];
            im_q17 += odd_q2[k] * im_q15[k];
        }
        re_q17 = wl_round_shift(re_q17, 8); /* now Q9, below 2^23 */
        im_q17 = wl_round_shift(im_q17, 8);
        power_q18[v] += (uint64_t)((int64_t)re_q17 * re_q17 + (int64_t)im_q17 * im_q17);
    }
}
#endif

/**
 * One octave of one column
 * s               0..4; only the first two have shared positions
 *
 * Before the first column there is silence, whose edge the first column shares.
 * A power is below 2^48, so twelve of them stay far inside 64 bits.
 */
static void octave_column(struct wl_frontend *fe, const int16_t *history_q2, int s, uint32_t hop)
{
    const struct octave *octave = &octaves[s];
    const int16_t *centre = history_q2 + octave->centre;
    uint64_t power_q18[WL_VOICES] = {0}, edge_q18[WL_VOICES] = {0};

    if (hop + 1 < octave->lag)
        return; /* nothing has been seen yet */
    for (int i = 0; i < octave->n_inner; i++)
        wl_cwt_position(centre + octave->first + i * octave->step, power_q18);
    if (octave->edge_weight)
        wl_cwt_position(centre + (WL_HOP >> s) / 2, edge_q18);

    for (int v = 0; v < WL_VOICES; v++) {
        uint64_t sum_q18 = power_q18[v] * octave->inner_weight;

        if (octave->edge_weight) {
            sum_q18 += (fe->edge_q18[s][v] + edge_q18[v]) * octave->edge_weight;
            fe->edge_q18[s][v] = edge_q18[v];
        }
        if (hop >= octave->lag)
            fe->image->code[(hop - octave->lag) % WL_IMAGE_COLUMNS][s * WL_VOICES + v] =
                wl_level(sum_q18, octave->unit_q12);
    }
}

/** Make room for n_new samples at the end. */
static void advance(int16_t *history, int length, int n_new)
{
    memmove(history, history + n_new, (size_t)(length - n_new) * sizeof history[0]);
}

/**
 * One hop: 16 new samples stand at the end of stream 0
 * hop             Number of this hop: its last input is 16 hop + 3
 *
 * The first centre of a half-band output is that of the oldest new output; the table
 * above gives its place: newest - 13 - 2 * (n_out - 1), counted from the end.
 */
void wl_cwt_hop(struct wl_frontend *fe, uint32_t hop)
{
    int limited;

    advance(fe->x1_q2, WL_HISTORY_1, 8);
    limited = wl_halfband(fe->x0_q2 + WL_HISTORY_0 - 28, fe->x1_q2 + WL_HISTORY_1 - 8, 8);
    if (hop >= 1)
        wl_band_high(fe, fe->x0_q2 + WL_HISTORY_0 - 28, fe->x1_q2 + WL_HISTORY_1 - 8, hop - 1);

    advance(fe->x2_q2, WL_HISTORY_2, 4);
    limited |= wl_halfband(fe->x1_q2 + WL_HISTORY_1 - 20, fe->x2_q2 + WL_HISTORY_2 - 4, 4);
    advance(fe->x3_q2, WL_HISTORY_2, 2);
    limited |= wl_halfband(fe->x2_q2 + WL_HISTORY_2 - 16, fe->x3_q2 + WL_HISTORY_2 - 2, 2);
    advance(fe->x4_q2, WL_HISTORY_2, 1);
    limited |= wl_halfband(fe->x3_q2 + WL_HISTORY_2 - 14, fe->x4_q2 + WL_HISTORY_2 - 1, 1);
    if (hop >= 12)
        wl_band_low(fe, fe->x4_q2[WL_HISTORY_2 - 1], hop - 12);
    if (limited)
        fe->flags |= WL_CLIP;

    octave_column(fe, fe->x0_q2, 0, hop);
    octave_column(fe, fe->x1_q2, 1, hop);
    octave_column(fe, fe->x2_q2, 2, hop);
    octave_column(fe, fe->x3_q2, 3, hop);
    octave_column(fe, fe->x4_q2, 4, hop);
}
