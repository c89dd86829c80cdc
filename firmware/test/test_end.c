/* A lone beat at the end of a recording is what it is in a longer one, also where the ring is as short as allowed. */
#include <string.h>

#include "check.h"
#include "wl.h"

#define RATE_HZ 256
#define BEATS_END (10 * RATE_HZ) /* the last beat lies a second before it */
#define MOST (16 * RATE_HZ)
#define SHAPE_CODES (2 * WL_BEAT_WINDOW)
#define MAX_EVENTS 32

static int8_t weights[SHAPE_CODES];
static uint16_t scores_q15[256];
static const int32_t bias[1], by_q31[1] = {1 << 30};
static const int8_t shift[1] = {-2};
static const struct wl_op op = {
    .weight = weights, .bias = bias, .by_q31 = by_q31, .by_shift = shift, .out = SHAPE_CODES,
    .in_h = 1, .in_w = 1, .in_c = SHAPE_CODES, .out_h = 1, .out_w = 1, .out_c = 1,
    .low = -128, .high = 127, .kind = WL_OP_DENSE};
static const struct wl_graph graph = {&op, 1, SHAPE_CODES + 8};
static const struct wl_question question = {scores_q15, 1, 0, 0, SHAPE_CODES};
static const struct wl_place output = {SHAPE_CODES, 1};
static const struct wl_network network = {
    &graph, &question, &output, 1, 1, 0, -1, 1, 1, 1, -1,
    {WL_NO_LIMIT, WL_NO_LIMIT, WL_NO_LIMIT, WL_NO_LIMIT, WL_NO_LIMIT, WL_NO_LIMIT}, WL_INPUT_BEAT, {1}};
static const struct wl_app app = {&network, 0, 1, SHAPE_CODES + 16};
static const struct wl_input input = {RATE_HZ, 1, 0, -32768, 32767};

static int32_t counts[MOST];
static int8_t memory[SHAPE_CODES + 16];
static struct wl_stream stream;

static size_t run(size_t n, struct wl_event *events)
{
    size_t n_events;

    CHECK_EQUAL("init", WL_OK, wl_stream_init(&stream, &app, &input, memory));
    CHECK_EQUAL("taken", n, wl_stream_push(&stream, counts, n, 0, events, MAX_EVENTS, &n_events));
    return n_events + wl_stream_finish(&stream, events + n_events, MAX_EVENTS - n_events);
}

int main(void)
{
    static struct wl_event whole[MAX_EVENTS], cut[MAX_EVENTS];
    size_t n = 0;

    for (int32_t i = 0; i < BEATS_END; i++) {
        int32_t since = i % RATE_HZ - RATE_HZ / 2;

        since = since < 0 ? -since : since;
        counts[i] = since < 10 ? 1000 - 100 * since : 0;
    }
    for (int32_t i = 0; i < SHAPE_CODES; i++)
        weights[i] = (int8_t)(i % 7 - 3);
    n = run(MOST, whole);
    CHECK_EQUAL("beats", 1, n > 7);
    for (size_t end = BEATS_END + 3 * RATE_HZ / 2 + RATE_HZ / 4; end < MOST; end += 13) {
        memset(cut, 0, sizeof cut);
        CHECK_EQUAL("as many", n, run(end, cut));
        CHECK_EQUAL("the last one", 0, memcmp(&whole[n - 1], &cut[n - 1], sizeof cut[0]));
    }
    return checks_done("end");
}
