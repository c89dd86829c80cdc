/* The front end as a job: the harness writes the input into RAM, reads the hash back. */
#include "wl.h"

#define MAX_SAMPLES 32768
#define FNV_START 2166136261u
#define FNV_PRIME 16777619u

struct job {
    struct wl_input input;
    uint32_t n_samples;
    int32_t counts[MAX_SAMPLES];
};

struct result {
    uint32_t status;
    uint32_t n_columns, n_beats;
    uint32_t hash;          /* FNV-1a over columns, flags and beat samples as they complete */
};

volatile struct job wl_job;
volatile struct result wl_result;

static struct wl_frontend fe;
static struct wl_image image;
static struct wl_beat_ring beats;

static uint32_t fnv(uint32_t hash, const void *bytes, size_t n)
{
    const uint8_t *b = bytes;

    while (n-- > 0)
        hash = (hash ^ *b++) * FNV_PRIME;
    return hash;
}

__attribute__((noinline)) void wl_region_push(int32_t count);
__attribute__((noinline)) void wl_region_push(int32_t count)
{
    wl_frontend_push(&fe, &count, 1, 0);
}

int main(void)
{
    struct wl_input input = {wl_job.input.rate_hz, wl_job.input.gain_mul, wl_job.input.gain_shift,
                             wl_job.input.rail_low, wl_job.input.rail_high};
    uint32_t hash = FNV_START, column = 0, beat = 0;

    wl_result.status = (uint32_t)wl_frontend_init(&fe, &input, &image, &beats);
    if (wl_result.status != WL_OK)
        return 1;
    for (uint32_t i = 0; i < wl_job.n_samples; i++) {
        wl_region_push(wl_job.counts[i]);
        for (; column < fe.n_columns; column++) {
            hash = fnv(hash, image.code[column % WL_IMAGE_COLUMNS], WL_ROWS);
            hash = fnv(hash, &image.flags[column % WL_IMAGE_COLUMNS], 1);
        }
        for (; beat < fe.n_beats; beat++)
            hash = fnv(hash, &beats.x_uv[beat % WL_BEAT_SAMPLES], 2);
    }
    wl_result.n_columns = column;
    wl_result.n_beats = beat;
    wl_result.hash = hash;
    return 0;
}
