/* R peaks on the 128 Hz stream: where the energy of a QRS stands out of the energy of a beat.
 *
 * The stream is sharpened (three samples against eleven), squared, and averaged twice:
 * over 109 ms, the length of a QRS, and over 547 ms, that of a beat. Where the short
 * average exceeds the long one by a margin lies a QRS (Elgendi's two moving averages);
 * its peak is the largest sample there. Three rules clean up: no two beats within
 * 195 ms, a wave soon after a beat needs a sixth of its energy (T waves), any beat a
 * sixteenth of the usual (noise in a pause).
 */
#include <string.h>

#include "stages.h"
#include "wl_fixed.h"

#define SHARP_HALF 5        /* eleven samples */
#define QRS 14              /* 109 ms */
#define BEAT (5 * QRS)      /* 547 ms */
#define LAG (SHARP_HALF + BEAT / 2) /* the sample under judgement lies this far back */
#define MIN_LENGTH 10       /* 78 ms above the threshold */
#define MAX_LENGTH 96       /* a longer one is closed: 750 ms is no QRS */
#define REFRACTORY 25       /* 195 ms */
#define T_WAVE 46           /* 360 ms */
#define PATIENCE 192        /* 1.5 s without a beat: expect a weaker one */
#define SHARP_LIMIT 7000    /* then 70 squares and the margin stay below 2^32 */
#define ENERGY_MASK (WL_QRS_ENERGIES - 1)

void wl_qrs_init(struct wl_qrs *q)
{
    memset(q, 0, sizeof *q);
    q->last = -(int32_t)T_WAVE;
}

static int16_t sample(const struct wl_beat_ring *beats, int32_t index)
{
    return beats->x_uv[(uint32_t)index % WL_BEAT_SAMPLES];
}

/** Energy of the sharpened stream around the sample that has just got its right neighbours. */
static uint32_t energy(struct wl_qrs *q, const struct wl_beat_ring *beats, int32_t newest)
{
    int32_t sharp;

    /* 11 * (three samples) - 3 * (eleven samples), both around the centre, kept as a running sum. */
    q->sharp_sum += 11 * (sample(beats, newest - 4) - sample(beats, newest - 7))
                    - 3 * (sample(beats, newest) - sample(beats, newest - 11));
    sharp = wl_clamp(q->sharp_sum >> 6, SHARP_LIMIT);
    return (uint32_t)(sharp * sharp);
}

/** The largest excursion of a stretch of the stream. */
static int32_t peak_of(const struct wl_beat_ring *beats, int32_t from, int32_t to)
{
    int32_t peak = from, largest = -1;

    for (int32_t i = from; i < to; i++) {
        int32_t x = sample(beats, i);

        if (x < 0)
            x = -x;
        if (x > largest) {
            largest = x;
            peak = i;
        }
    }
    return peak;
}

/** Is the stretch a beat? Remembers it if so. */
static int settle(struct wl_qrs *q, const struct wl_beat_ring *beats, int32_t end)
{
    int32_t peak = peak_of(beats, q->start, end);
    uint32_t strength = q->strongest;

    if (end - q->start < MIN_LENGTH || peak - q->last < REFRACTORY)
        return 0;
    if (strength < q->level >> 4)
        return 0;
    if (peak - q->last < T_WAVE && strength * 6 < q->last_strength)
        return 0;

    q->last = peak;
    q->last_strength = strength;
    if (q->level == 0)
        q->level = strength;
    else
        q->level += (uint32_t)(((int32_t)(strength / 4 < q->level ? strength : q->level * 4) - (int32_t)q->level) >> 3);
    q->peak_index = (uint32_t)peak;
    return 1;
}

/** One sample of the stream; 1 when it settles that there was a beat. */
static int step(struct wl_qrs *q, const struct wl_beat_ring *beats, int32_t newest)
{
    int32_t judged = newest - LAG;
    uint32_t z = energy(q, beats, newest);
    int above;

    /* The long window ends with z, the short one lies in its middle. */
    q->energy[newest & ENERGY_MASK] = z;
    q->beat_sum += z - q->energy[(newest - BEAT) & ENERGY_MASK];
    q->qrs_sum += q->energy[(newest - BEAT / 2 + QRS / 2) & ENERGY_MASK]
                  - q->energy[(newest - BEAT / 2 - QRS / 2) & ENERGY_MASK];
    q->mean_q4 += wl_round_shift((int32_t)(z * 16) - q->mean_q4, 10); /* 8 s */
    if (judged < 0)
        return 0;
    if (judged - q->last > PATIENCE)
        q->level -= q->level >> 9;

    above = q->qrs_sum * 5 > q->beat_sum + (uint32_t)(q->mean_q4 >> 4) * 11;
    if (above) {
        if (!q->inside) {
            q->inside = 1;
            q->start = judged;
            q->strongest = 0;
        }
        if (q->qrs_sum > q->strongest)
            q->strongest = q->qrs_sum;
        if (judged - q->start < MAX_LENGTH)
            return 0;
    }
    if (!q->inside)
        return 0;
    q->inside = 0;
    return settle(q, beats, judged);
}

int wl_qrs_next(struct wl_qrs *q, const struct wl_beat_ring *beats, uint32_t n_beats)
{
    while (q->n_seen != n_beats)
        if (step(q, beats, (int32_t)q->n_seen++))
            return 1;
    return 0;
}
