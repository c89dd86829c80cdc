/* Samples on stdin, one integer in uV a line at 256 Hz; a line for each verdict on stdout. */
#include <inttypes.h>
#include <stdio.h>

#include "wl_app.h"

#define ROOM 4

static struct wl_stream stream;
static int8_t memory[WL_APP_MEMORY_BYTES];

static void print(const struct wl_event *events, size_t n)
{
    for (size_t k = 0; k < n; k++)
        printf("%" PRId64 " %s %" PRId32 "\n", events[k].t0_us, wl_app_label(&events[k]), events[k].margin_q8);
}

static void push(int32_t count)
{
    struct wl_event events[ROOM];
    size_t n_events, n_left = 1;

    do {
        n_left -= wl_stream_push(&stream, &count, n_left, 0, events, ROOM, &n_events);
        print(events, n_events);
    } while (n_left > 0 || n_events == ROOM);
}

int main(void)
{
    const struct wl_input input = {256, 1, 0, -32768, 32767};
    struct wl_event events[ROOM];
    size_t n_events;
    int count;

    if (wl_stream_init(&stream, &wl_app, &input, memory) != WL_OK) {
        fprintf(stderr, "the tables or the input are refused\n");
        return 1;
    }
    while (scanf("%d", &count) == 1)
        push(count);
    do {
        n_events = wl_stream_finish(&stream, events, ROOM);
        print(events, n_events);
    } while (n_events == ROOM);
    return 0;
}
