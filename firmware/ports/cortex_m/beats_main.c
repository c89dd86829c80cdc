/* The beat stage as a job: the harness writes a 128 Hz stream into RAM, reads beats back. */
#include "wl.h"

#define MAX_SAMPLES 16384
#define HOP 8 /* beat samples that one column of the front end brings */
#define FNV_START 2166136261u
#define FNV_PRIME 16777619u

struct job {
    uint32_t n_samples;
    int16_t beat_uv[MAX_SAMPLES];
};

struct result {
    uint32_t n_beats;
    uint32_t hash;          /* FNV-1a over the peak, shape and ratios of every beat */
};

volatile struct job wl_job;
volatile struct result wl_result;

static struct wl_beat_ring ring;
static struct wl_qrs qrs;
static struct wl_beat_maker maker;
static struct wl_beat beat;

static uint32_t fnv(uint32_t hash, const void *bytes, size_t n)
{
    const uint8_t *b = bytes;

    while (n-- > 0)
        hash = (hash ^ *b++) * FNV_PRIME;
    return hash;
}

int main(void)
{
    uint32_t hash = FNV_START, n_beats = 0, waiting = 0, have = 0;

    wl_qrs_init(&qrs);
    wl_beat_maker_init(&maker);
    for (uint32_t i = 0; i < wl_job.n_samples; i++) {
        ring.x_uv[i % WL_BEAT_SAMPLES] = wl_job.beat_uv[i];
        if ((i + 1) % HOP != 0)
            continue;
        while (wl_qrs_next(&qrs, &ring, i + 1)) {
            if (have) { /* a beat is made when the next one is known */
                uint32_t late = waiting + 256;

                wl_beat_make(&maker, &ring, waiting, qrs.peak_index < late ? qrs.peak_index : late, &beat);
                hash = fnv(hash, &beat.peak_index, sizeof beat.peak_index);
                hash = fnv(hash, beat.shape, sizeof beat.shape);
                hash = fnv(hash, beat.rr, sizeof beat.rr);
                n_beats++;
            }
            waiting = qrs.peak_index;
            have = 1;
        }
    }
    wl_result.n_beats = n_beats;
    wl_result.hash = hash;
    return 0;
}
