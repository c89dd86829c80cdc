/* The whole device with its application, as a job: samples in, events out, all of it on the wire. */
#include <string.h>

#include "wl_app.h"

#define MAX_SAMPLES 32768
#define FNV_START 2166136261u
#define FNV_PRIME 16777619u
#define PORTION 16          /* samples that the loop takes at a time */
#define FRAME_SAMPLES 64
#define ROOM 4              /* events at a time */

/* What stream.c says where it is metered, and what is the device's own. */
enum region { HARNESS, FRONT_END, WINDOWS, NETWORKS, WIRE = NETWORKS + WL_NETWORKS };

struct job {
    struct wl_input input;
    uint32_t n_samples;
    int32_t counts[MAX_SAMPLES];
};

struct result {
    uint32_t status;
    uint32_t n_columns, n_beat_samples;
    uint32_t n_events[WL_NETWORKS], n_asked[WL_NETWORKS]; /* of each network; what it was asked, not barred */
    uint32_t hash;          /* FNV-1a over the payloads of all VERDICT frames */
};

volatile struct job wl_job;
volatile struct result wl_result;

static struct wl_stream stream;
static int8_t arena[WL_APP_MEMORY_BYTES] __attribute__((aligned(8)));
static struct wl_event events[ROOM];
static struct wl_frame frame, heard;
static struct wl_wire wire;
static uint8_t sent[WL_WIRE_BYTES];
static uint8_t sequence;

/* Whoever counts sees this address go by: from here on everything is charged to the region. */
__attribute__((noinline)) void wl_mark(uint32_t region);
__attribute__((noinline)) void wl_mark(uint32_t region)
{
    __asm volatile("" : : "r"(region));
}

/** What goes out; a host's question of the same length comes back. */
static void report(const struct wl_event *event)
{
    size_t n_bytes, n_heard;

    wl_mark(WIRE);
    wl_frame_begin(&frame, WL_FRAME_VERDICT, 1, sequence++);
    wl_frame_put_verdict(&frame, event, &wl_app.networks[event->network], 0);
    n_bytes = wl_wire_encode(&frame, sent);
    wl_wire_decode(&wire, sent, n_bytes, &heard, 1, &n_heard);
    wl_mark(HARNESS);
    for (size_t i = 0; i < frame.n_payload; i++)
        wl_result.hash = (wl_result.hash ^ frame.payload[i]) * FNV_PRIME;
    wl_result.n_events[event->network]++;
    wl_result.n_asked[event->network] += event->by == WL_BY_NETWORK;
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

/** A portion, whole; every event on the wire before the next. */
static void take(const int32_t *counts)
{
    size_t taken = 0, n_events = 0;

    do {
        taken += wl_stream_push(&stream, counts + taken, PORTION - taken, 0, events, ROOM, &n_events);
        wl_mark(HARNESS);
        for (size_t i = 0; i < n_events; i++)
            report(&events[i]);
    } while (taken < PORTION || n_events == ROOM);
}

int main(void)
{
    struct wl_input input = {wl_job.input.rate_hz, wl_job.input.gain_mul, wl_job.input.gain_shift,
                             wl_job.input.rail_low, wl_job.input.rail_high};

    wl_result.hash = FNV_START;
    wl_result.status = (uint32_t)wl_stream_init(&stream, &wl_app, &input, arena);
    if (wl_result.status != WL_OK)
        return 1;
    wl_wire_init(&wire);
    for (uint32_t i = 0; i + PORTION <= wl_job.n_samples; i += PORTION) {
        take((const int32_t *)wl_job.counts + i);
        if ((i + PORTION) % FRAME_SAMPLES == 0)
            pass_on(i + PORTION);
    }
    wl_result.n_columns = stream.frontend.n_columns;
    wl_result.n_beat_samples = stream.frontend.n_beats;
    return 0;
}
