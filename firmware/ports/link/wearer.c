/* The stream of whoever wears the device, or of a host in its place: samples in, columns and verdicts out. */
#include "board.h"
#include "link.h"

#define HOP 16 /* samples at 256 Hz: a column at most, so the ring is read as it fills */
#define EVENTS 4

static struct wl_stream stream;
static int8_t memory[WL_APP_MEMORY_BYTES] __attribute__((aligned(8)));
static uint32_t n_columns; /* said or passed over */
static uint8_t is_sound;   /* the tables in flash passed their check */
uint8_t wearer_says_columns;

void wearer_begin(void)
{
    const struct wl_input input = {WL_BOARD_RATE_HZ, 1, 0, INT32_MIN, INT32_MAX};

    n_columns = 0;
    is_sound = wl_stream_init(&stream, &wl_app, &input, memory) == WL_OK;
}

int8_t *wearer_arena(void)
{
    return is_sound ? stream.arena : NULL;
}

static void say_columns(void)
{
    for (; n_columns < stream.frontend.n_columns; n_columns++) {
        uint32_t at = n_columns % WL_IMAGE_COLUMNS;
        struct wl_frame *frame;

        if (!wearer_says_columns && !bench_is_taken())
            continue;
        frame = line_frame(WL_FRAME_COLUMN);
        wl_frame_put(frame, n_columns, 4);
        wl_frame_put(frame, stream.image.flags[at], 1);
        wl_frame_put(frame, 0, 3);
        wl_frame_put_bytes(frame, stream.image.code[at], WL_ROWS);
        line_say();
    }
}

static void say_events(const struct wl_event *events, size_t n)
{
    for (size_t k = 0; k < n; k++)
        line_verdict(events + k);
}

void wearer_push(const int32_t *counts, size_t n, uint8_t line)
{
    struct wl_event events[EVENTS];
    size_t taken = 0, n_events = EVENTS;

    while (is_sound && (taken < n || n_events == EVENTS)) {
        size_t part = n - taken < HOP ? n - taken : HOP;

        taken += wl_stream_push(&stream, counts + taken, part, line, events, EVENTS, &n_events);
        say_columns();
        say_events(events, n_events);
    }
}
