/* A cascade of two made-up networks: the same events for any portions and any room, and tables that are refused. */
#include <string.h>

#include "check.h"
#include "wl.h"

#define SECONDS 60
#define RATE_HZ 250
#define N_COUNTS (SECONDS * RATE_HZ)
#define MAX_EVENTS 256
#define IMAGE_CODES (80 * WL_ROWS)
#define SHAPE_CODES (2 * WL_BEAT_WINDOW)

static int8_t image_weights[IMAGE_CODES], shape_weights[SHAPE_CODES];
static const int32_t bias[1], by_q31[1] = {1 << 30};
static const int8_t image_shift[1] = {-9}, shape_shift[1] = {-2};
static uint16_t scores_q15[256];

static const struct wl_op image_op = {
    .weight = image_weights, .bias = bias, .by_q31 = by_q31, .by_shift = image_shift, .out = IMAGE_CODES,
    .in_h = 1, .in_w = 1, .in_c = IMAGE_CODES, .out_h = 1, .out_w = 1, .out_c = 1,
    .low = -128, .high = 127, .kind = WL_OP_DENSE};
static const struct wl_op shape_op = {
    .weight = shape_weights, .bias = bias, .by_q31 = by_q31, .by_shift = shape_shift, .out = SHAPE_CODES,
    .in_h = 1, .in_w = 1, .in_c = SHAPE_CODES, .out_h = 1, .out_w = 1, .out_c = 1,
    .low = -128, .high = 127, .kind = WL_OP_DENSE};
static const struct wl_graph image_graph = {&image_op, 1, IMAGE_CODES + 8}, shape_graph = {&shape_op, 1, SHAPE_CODES + 8};
static const struct wl_question image_question = {scores_q15, 512, -512, 256, IMAGE_CODES};
static const struct wl_question shape_question = {scores_q15, 1, 0, 0, SHAPE_CODES};
static const struct wl_place image_output = {IMAGE_CODES, 1}, shape_output = {SHAPE_CODES, 1};

#define LIMITS {8, 40, 8, WL_NO_LIMIT, WL_NO_LIMIT, 8}

static struct wl_network networks[2] = {
    {&image_graph, &image_question, &image_output, 1, 1, 0, -1, 16, 3, 2, 0, LIMITS, WL_INPUT_IMAGE, {1}, 0},
    {&shape_graph, &shape_question, &shape_output, 1, 1, 0, -1, 1, 1, 1, -1, LIMITS, WL_INPUT_BEAT, {2}, 0},
};
static struct wl_gate gate = {7680, 2560, 128, 0, 3, 0};
static struct wl_app app = {networks, &gate, 2, IMAGE_CODES + 64};
static const struct wl_input input = {RATE_HZ, 1, 0, -32768, 32767};

static int32_t counts[N_COUNTS];
static int8_t memory[IMAGE_CODES + 64];
static struct wl_stream stream;
static struct wl_event expected[MAX_EVENTS], found[MAX_EVENTS];

/** Triangular beats; for a third of the time under noise. */
static void make_ecg(void)
{
    uint32_t seed = 1;

    for (int32_t i = 0; i < N_COUNTS; i++) {
        int32_t since = i % 190 - 95, beat_uv = since < 0 ? since : -since;

        seed = seed * 1664525u + 1013904223u;
        beat_uv = beat_uv > -10 ? 1000 + 100 * beat_uv : 0;
        counts[i] = beat_uv + (int32_t)(seed >> 24) / (i > N_COUNTS / 3 && i < 2 * N_COUNTS / 3 ? 1 : 16);
    }
    for (int32_t i = 0; i < IMAGE_CODES; i++)
        image_weights[i] = (int8_t)(i % WL_ROWS < 6 ? -3 : 1);
    for (int32_t i = 0; i < SHAPE_CODES; i++)
        shape_weights[i] = (int8_t)(i % 7 - 3);
    for (int32_t i = 0; i < 256; i++)
        scores_q15[i] = (uint16_t)(i * 128);
}

/** Electrodes are off for two seconds. */
static uint8_t line_of(size_t at)
{
    return at >= 45 * RATE_HZ && at < 47 * RATE_HZ ? WL_LEAD_OFF : 0;
}

static size_t run(struct wl_event *events, size_t portion, size_t room)
{
    size_t n_events = 0, n;

    CHECK_EQUAL("init", WL_OK, wl_stream_init(&stream, &app, &input, memory));
    for (size_t at = 0; at < N_COUNTS;) {
        size_t end = at + 1;

        while (end < N_COUNTS && end - at < portion && line_of(end) == line_of(at))
            end++;
        at += wl_stream_push(&stream, counts + at, end - at, line_of(at), events + n_events, room, &n);
        n_events += n;
    }
    do {
        n = wl_stream_finish(&stream, events + n_events, room);
        n_events += n;
    } while (n == room);
    CHECK_EQUAL("after the end", 0, wl_stream_finish(&stream, events, room));
    return n_events;
}

static void test_portions(void)
{
    static const size_t portions[] = {1, 7, 16, 97, 5000}, rooms[] = {1, 3, 8};
    size_t n = run(expected, N_COUNTS, 8);
    int n_by[3] = {0, 0, 0};

    for (size_t i = 0; i < n; i++)
        n_by[expected[i].by] += expected[i].network == 1;
    for (int by = 0; by < 3; by++)
        CHECK_EQUAL("beats of every kind", 1, n_by[by] > 2);
    for (size_t p = 0; p < sizeof portions / sizeof portions[0]; p++)
        for (size_t r = 0; r < sizeof rooms / sizeof rooms[0]; r++) {
            CHECK_EQUAL("events", n, run(found, portions[p], rooms[r]));
            for (size_t i = 0; i < n; i++)
                CHECK_EQUAL("an event", 0, memcmp(&expected[i], &found[i], sizeof found[i]));
        }
}

/** Whatever a table claims, it is refused before a byte is read or written by it. */
static void test_refusals(void)
{
    static const struct wl_network sound[2] = {
        {&image_graph, &image_question, &image_output, 1, 1, 0, -1, 16, 3, 2, 0, LIMITS, WL_INPUT_IMAGE, {1}, 0},
        {&shape_graph, &shape_question, &shape_output, 1, 1, 0, -1, 1, 1, 1, -1, LIMITS, WL_INPUT_BEAT, {2}, 0},
    };
    int32_t *const fields[] = {&networks[0].n_questions, &networks[0].n_outputs, &networks[0].at, &networks[0].hop,
                               &networks[0].mean_windows, &networks[0].mean_hops, &networks[1].at, &networks[1].at_rr,
                               &gate.question, &gate.n_windows, &gate.hold_q8, &app.n_networks, &app.memory_bytes};
    int32_t needed = wl_app_memory_bytes(&app);

    CHECK_EQUAL("memory", IMAGE_CODES + 8 + 1 + 4 * 2 + 1, needed);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        int32_t right = *fields[i];

        *fields[i] = fields[i] == &networks[1].at_rr ? SHAPE_CODES : fields[i] == &app.memory_bytes ? needed - 1 : 1 << 30;
        CHECK_EQUAL("refused", WL_BAD_APP, wl_stream_init(&stream, &app, &input, memory));
        *fields[i] = right;
    }
    for (int32_t score_q15 = -2; score_q15 <= 32769; score_q15 += 32771) {
        networks[0].unusable_score_q15 = score_q15;
        CHECK_EQUAL("no such score", WL_BAD_APP, wl_stream_init(&stream, &app, &input, memory));
    }
    networks[0] = sound[0];
    networks[0].input = WL_INPUT_PICTURE;
    CHECK_EQUAL("no colours", WL_BAD_APP, wl_stream_init(&stream, &app, &input, memory));
    networks[0].colours = image_weights;
    CHECK_EQUAL("no room for a picture", WL_BAD_APP, wl_stream_init(&stream, &app, &input, memory));
    networks[0] = sound[0];
    networks[0].input = WL_INPUT_KINDS;
    CHECK_EQUAL("no such input", WL_BAD_APP, wl_stream_init(&stream, &app, &input, memory));
    networks[0] = sound[1];
    CHECK_EQUAL("two of beats", WL_BAD_APP, wl_stream_init(&stream, &app, &input, memory));
    networks[0] = sound[0];
    CHECK_EQUAL("sound again", WL_OK, wl_stream_init(&stream, &app, &input, memory));
}

/** A graph that claims all memory there is, or none. */
static void test_hostile_graphs(void)
{
    static const struct wl_graph hostile[] = {{&shape_op, 1, INT32_MAX}, {&shape_op, 1, 0}};

    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        networks[1].graph = &hostile[i];
        CHECK_EQUAL("hostile", WL_BAD_APP, wl_stream_init(&stream, &app, &input, memory));
    }
    networks[1].graph = &shape_graph;
    CHECK_EQUAL("sound at last", WL_OK, wl_stream_init(&stream, &app, &input, memory));
}

int main(void)
{
    make_ecg();
    test_portions();
    test_refusals();
    test_hostile_graphs();
    return checks_done("stream");
}
