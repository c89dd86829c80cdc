/* The whole device with one network, as a job: samples in, every window through the network.
 *
 * What is fed is named at compile time: WL_IMAGE_IN, WL_SHAPE_IN (with WL_RR_IN beside it) or
 * WL_ROW_IN say where in the arena it goes, WL_WINDOW_HOP how many columns or beat samples a window
 * moves on.
 */
#include <string.h>

#include "wl_model.h"

#define MAX_SAMPLES 32768
#define FNV_START 2166136261u
#define FNV_PRIME 16777619u
#define PUSH 16 /* samples at 256 Hz: one column */
#define FRAME_SAMPLES 64
#define VERDICT_HEAD 32

enum region { HARNESS, FRONT_END, BEATS, NETWORK, WIRE };

struct job {
    struct wl_input input;
    uint32_t n_samples;
    int32_t counts[MAX_SAMPLES];
};

struct result {
    uint32_t status;
    uint32_t n_columns, n_beat_samples, n_beats, n_windows;
    uint32_t hash;          /* FNV-1a over what every window gave */
    uint32_t n_spare[2];
};

volatile struct job wl_job;
volatile struct result wl_result;

static struct wl_frontend fe;
static struct wl_image image;
static struct wl_beat_ring ring;
static int8_t arena[WL_MODEL_ARENA_BYTES] __attribute__((aligned(8)));

/* Whoever counts sees this address go by: from here on everything is charged to the region. */
__attribute__((noinline)) void wl_mark(uint32_t region);
__attribute__((noinline)) void wl_mark(uint32_t region)
{
    __asm volatile("" : : "r"(region));
}

static struct wl_frame frame, heard;
static struct wl_wire wire;
static uint8_t sent[WL_WIRE_BYTES];
static uint8_t sequence;

/** What goes out; a host's question of the same length comes back. */
static void report(void)
{
    size_t n_bytes, n_heard;

    wl_mark(WIRE);
    wl_frame_begin(&frame, WL_FRAME_VERDICT, 1, sequence++);
    wl_frame_put(&frame, wl_result.n_windows, 4);
    for (int i = 4; i < VERDICT_HEAD; i += 4)
        wl_frame_put(&frame, 0, 4);
    wl_frame_put_bytes(&frame, arena + WL_MODEL_OUT0, WL_MODEL_OUT0_BYTES);
    n_bytes = wl_wire_encode(&frame, sent);
    wl_wire_decode(&wire, sent, n_bytes, &heard, 1, &n_heard);
    wl_mark(HARNESS);
}

/** The samples as they came, for a host that looks on. */
static void pass_on(uint32_t end)
{
    wl_mark(WIRE);
    wl_frame_begin(&frame, WL_FRAME_SAMPLES, 1, sequence++);
    wl_frame_put_samples(&frame, end - FRAME_SAMPLES, (const int32_t *)wl_job.counts + end - FRAME_SAMPLES,
                         FRAME_SAMPLES, 2, 0);
    wl_wire_encode(&frame, sent);
    wl_mark(HARNESS);
}

static void judge(void)
{
    wl_graph_run(&wl_model, arena);
    report();
    for (int32_t i = 0; i < WL_MODEL_OUT0_BYTES; i++)
        wl_result.hash = (wl_result.hash ^ (uint8_t)arena[WL_MODEL_OUT0 + i]) * FNV_PRIME;
    wl_result.n_windows++;
}

#if defined(WL_IMAGE_IN)

static uint32_t begin = 0; /* column of the next window's beginning */

static void look(void)
{
    for (; fe.n_columns - begin >= 80; begin += WL_WINDOW_HOP) {
        wl_mark(NETWORK);
        for (uint32_t i = 0; i < 80; i++)
            memcpy(arena + WL_IMAGE_IN + i * WL_ROWS, image.code[(begin + i) % WL_IMAGE_COLUMNS], WL_ROWS);
        judge();
    }
}

#elif defined(WL_ROW_IN)

static uint32_t begin = 0; /* beat sample of the next window's beginning */

static void look(void)
{
    for (; fe.n_beats - begin >= 128; begin += WL_WINDOW_HOP) {
        wl_mark(NETWORK);
        for (uint32_t i = 0; i < 128; i++) {
            int32_t code = (ring.x_uv[(begin + i) % WL_BEAT_SAMPLES] + 16) >> 5;

            arena[WL_ROW_IN + i] = (int8_t)(code < -128 ? -128 : code > 127 ? 127 : code);
        }
        judge();
    }
}

#elif defined(WL_SHAPE_IN)

#define PATIENCE 256u /* beat samples: a beat without a next one is made then */
#define REACH 67u

static struct wl_qrs qrs;
static struct wl_beat_maker maker;
static struct wl_beat beat;
static uint32_t waiting, is_waiting;

static void finish(uint32_t next)
{
    wl_beat_make(&maker, &ring, waiting, next - waiting < PATIENCE ? next : waiting + PATIENCE, &beat);
    wl_mark(NETWORK);
    memcpy(arena + WL_SHAPE_IN, beat.shape, sizeof beat.shape);
#ifdef WL_RR_IN
    memcpy(arena + WL_RR_IN, beat.rr, sizeof beat.rr);
#endif
    judge();
    wl_mark(BEATS);
    is_waiting = 0;
}

static void look(void)
{
    wl_mark(BEATS);
    while (wl_qrs_next(&qrs, &ring, fe.n_beats)) {
        if (is_waiting)
            finish(qrs.peak_index);
        waiting = qrs.peak_index;
        is_waiting = 1;
        wl_result.n_beats++;
    }
    if (is_waiting && fe.n_beats - waiting > PATIENCE + REACH + 93)
        finish(waiting + PATIENCE);
    wl_mark(HARNESS);
}

#endif

int main(void)
{
    struct wl_input input = {wl_job.input.rate_hz, wl_job.input.gain_mul, wl_job.input.gain_shift,
                             wl_job.input.rail_low, wl_job.input.rail_high};
    int32_t at;

    wl_result.hash = FNV_START;
    wl_result.status = (uint32_t)wl_frontend_init(&fe, &input, &image, &ring);
    if (wl_result.status == WL_OK)
        wl_result.status = (uint32_t)wl_graph_check(&wl_model, &at);
    if (wl_result.status != WL_OK)
        return 1;
    wl_wire_init(&wire);
#ifdef WL_SHAPE_IN
    wl_qrs_init(&qrs);
    wl_beat_maker_init(&maker);
#endif
    for (uint32_t i = 0; i + PUSH <= wl_job.n_samples; i += PUSH) {
        wl_mark(FRONT_END);
        wl_frontend_push(&fe, (const int32_t *)wl_job.counts + i, PUSH, 0);
        wl_mark(HARNESS);
        look();
        if ((i + PUSH) % FRAME_SAMPLES == 0)
            pass_on(i + PUSH);
    }
    wl_result.n_columns = fe.n_columns;
    wl_result.n_beat_samples = fe.n_beats;
    return 0;
}
