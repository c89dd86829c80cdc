/* The signal path as one machine: samples in, columns, flags and beat samples out. */
#include <string.h>

#include "stages.h"
#include "wl_fixed.h"

#define FIRST_HOP_END 4   /* hop b ends with sample 16 b + 3: the slowest wavelet is done just then */
#define WARM_COLUMNS 40   /* the slowest wavelet reaches 627 samples back */
#define FLAT_COUNTS 2     /* flat: within two counts, or within 2 uV where a count is finer */
#define FLAT_UV 2

enum wl_status wl_frontend_init(struct wl_frontend *fe, const struct wl_input *input,
                                struct wl_image *image, struct wl_beat_ring *beats)
{
    const struct wl_resample_design *design = wl_resample_find(input->rate_hz);

    if (!design)
        return WL_BAD_RATE;
    if (input->gain_mul <= 0 || input->gain_shift < 0 || input->gain_shift > 30)
        return WL_BAD_GAIN;
    if (input->rail_low >= input->rail_high)
        return WL_BAD_RAILS;

    memset(fe, 0, sizeof *fe);
    memset(beats, 0, sizeof *beats);
    memset(image->code, -128, sizeof image->code);
    memset(image->flags, 0, sizeof image->flags);
    fe->image = image;
    fe->beats = beats;
    fe->input = *input;
    fe->design = design;
    fe->fill = WL_HOP - FIRST_HOP_END;
    fe->count_min = INT32_MAX;
    fe->count_max = INT32_MIN;
    return WL_OK;
}

/** Counts to microvolts, limited to what the blocker has room for. */
static int32_t to_uv(const struct wl_input *input, int32_t count)
{
    int64_t x_uv = wl_round_shift64((int64_t)count * input->gain_mul, (int)input->gain_shift);

    return x_uv > WL_LIMIT_UV ? WL_LIMIT_UV : x_uv < -WL_LIMIT_UV ? -WL_LIMIT_UV : (int32_t)x_uv;
}

/** What the raw count says about the column being filled. */
static void watch_count(struct wl_frontend *fe, int32_t count)
{
    if (count < fe->count_min)
        fe->count_min = count;
    if (count > fe->count_max)
        fe->count_max = count;

    if (count <= fe->input.rail_low || count >= fe->input.rail_high)
        fe->rail_hold = (uint8_t)(fe->design->n_taps + 1);
    if (fe->rail_hold > 0) {
        fe->rail_hold--;
        fe->flags |= WL_RAIL;
    }
}

/** A flat stretch is known only when it has lasted; its first columns are still in the ring. */
static void mark_flat(struct wl_frontend *fe, uint32_t column)
{
    int64_t range = (int64_t)fe->count_max - fe->count_min;

    if (range > FLAT_COUNTS && range * fe->input.gain_mul > (int64_t)FLAT_UV << fe->input.gain_shift) {
        fe->flat_run = 0;
        return;
    }
    if (fe->flat_run < WL_FLAT_COLUMNS)
        fe->flat_run++;
    if (fe->flat_run == WL_FLAT_COLUMNS)
        for (uint32_t i = 0; i < WL_FLAT_COLUMNS && i <= column; i++)
            fe->image->flags[(column - i) % WL_IMAGE_COLUMNS] |= WL_FLAT;
}

/** Sixteen samples are there: one column closes its flags, each octave adds its rows. */
static void hop(struct wl_frontend *fe)
{
    uint32_t column = (fe->n_samples - FIRST_HOP_END) / WL_HOP;

    wl_cwt_hop(fe, column);
    wl_beat_hop(fe, fe->x1_q2 + WL_HISTORY_1 - 8, column);

    if (column < WARM_COLUMNS)
        fe->flags |= WL_WARM_UP;
    fe->image->flags[column % WL_IMAGE_COLUMNS] = fe->flags;
    mark_flat(fe, column);
    fe->flags = 0;
    fe->count_min = INT32_MAX;
    fe->count_max = INT32_MIN;

    if (column >= WL_COLUMN_LAG)
        fe->n_columns = column - WL_COLUMN_LAG + 1;
    memmove(fe->x0_q2, fe->x0_q2 + WL_HOP, (WL_HISTORY_0 - WL_HOP) * sizeof fe->x0_q2[0]);
    fe->fill = 0;
}

/** One sample of the 256 Hz stream. */
static void accept(struct wl_frontend *fe, int32_t x_q11)
{
    fe->x0_q2[WL_HISTORY_0 - WL_HOP + fe->fill] = wl_blocker(fe, x_q11);
    fe->fill++;
    fe->n_samples++;
    if (fe->fill == WL_HOP)
        hop(fe);
}

static void push_one(struct wl_frontend *fe, int32_t count, uint8_t line)
{
    int32_t x_uv = to_uv(&fe->input, count);
    int32_t x_q11 = x_uv * 2048;

    watch_count(fe, count);
    fe->flags |= line & (WL_LEAD_OFF | WL_GAP);
    if (fe->n_samples == 0) { /* the first sample stands for all before it */
        fe->base_q11 = x_q11;
        wl_resample_prime(fe, x_uv);
    }
    if (fe->design->n_taps == 0) {
        accept(fe, x_q11);
        return;
    }
    wl_resample_put(fe, x_uv);
    while (wl_resample_get(fe, &x_q11))
        accept(fe, x_q11);
}

/** Hops so far. */
static uint32_t n_hops(const struct wl_frontend *fe)
{
    return (fe->n_samples + WL_HOP - FIRST_HOP_END) / WL_HOP;
}

size_t wl_frontend_to_hop(struct wl_frontend *fe, const int32_t *counts, size_t n, uint8_t line)
{
    uint32_t before = n_hops(fe);
    size_t taken = 0;

    while (taken < n && n_hops(fe) == before)
        push_one(fe, counts[taken++], line);

    return taken;
}

int32_t wl_frontend_push(struct wl_frontend *fe, const int32_t *counts, size_t n, uint8_t line)
{
    uint32_t before = fe->n_columns;

    for (size_t i = 0; i < n; i++)
        push_one(fe, counts[i], line);

    return (int32_t)(fe->n_columns - before);
}
