/* The whole device as one machine: samples in, events out, the same for any portions. */
#include <string.h>

#include "app.h"
#include "gate.h"
#include "stages.h"
#include "wl_fixed.h"

#define COLUMNS 80          /* of an image */
#define SAMPLES_A_COLUMN 8  /* of the beat stream */
#define HALF (WL_BEAT_WINDOW / 2)
#define REACH (HALF + WL_BEAT_SEARCH) /* of the beat stream, what must follow a peak */
#define PATIENCE 256        /* 2 s: the longest a beat waits for the next one */
#define SETTLED 160         /* a peak is known 1.25 s after it happened at the latest (qrs.c: LAG + MAX_LENGTH) */
#define COLUMN_US 62500
#define CODE_SHIFT 5        /* 32 uV a code */

/* Whoever meters a device (WL_METERED) is told which part of the work begins. */
enum stage { FRONT_END = 1, BEATS, NETWORKS };

#ifdef WL_METERED
void wl_mark(uint32_t stage);
#else
static void wl_mark(uint32_t stage)
{
    (void)stage;
}
#endif

static const struct wl_network *network_of(const struct wl_stream *s, int32_t i)
{
    return &s->app->networks[i];
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/** 1 when n or more lie between two counts that only grow. */
static int reaches(uint32_t count, uint32_t from, uint32_t n)
{
    return (int32_t)(count - from - n) >= 0;
}

enum wl_status wl_stream_init(struct wl_stream *s, const struct wl_app *app, const struct wl_input *input,
                              int8_t *memory)
{
    enum wl_status status = wl_app_check(app);
    int32_t at = 0;

    if (status != WL_OK)
        return status;
    memset(s, 0, sizeof *s);
    status = wl_frontend_init(&s->frontend, input, &s->image, &s->beats);
    if (status != WL_OK)
        return status;
    s->app = app;
    s->arena = memory;
    at = wl_app_arena_bytes(app);
    for (int32_t i = 0; i < app->n_networks; i++) {
        wl_judge_init(&s->judge[i], network_of(s, i), memory + at);
        at += wl_judge_bytes(network_of(s, i));
    }
    wl_qrs_init(&s->qrs);
    wl_beat_maker_init(&s->maker);
    wl_gate_init(s);
    return WL_OK;
}

struct wl_stretch wl_columns_of(uint32_t first_sample, uint32_t n_samples)
{
    int32_t from = (int32_t)first_sample; /* a first beat may begin before the first sample */
    struct wl_stretch columns = {from > 0 ? (uint32_t)from / SAMPLES_A_COLUMN : 0,
                                 (first_sample + n_samples + SAMPLES_A_COLUMN - 1) / SAMPLES_A_COLUMN};

    return columns;
}

/** How many of these columns carry each flag; those behind the end carry none. */
static void count_flags(const struct wl_stream *s, struct wl_stretch columns, uint8_t *counts)
{
    memset(counts, 0, WL_FLAGS);
    for (uint32_t c = columns.from; c < least(columns.to, s->n_columns); c++)
        for (uint32_t bits = s->image.flags[c % WL_IMAGE_COLUMNS], i = 0; bits; bits >>= 1, i++)
            counts[i] = (uint8_t)(counts[i] + (bits & 1));
}

/** Run a network on what its inputs hold, or do not, and say what is to be said. */
static void judge(struct wl_stream *s, int32_t i, enum wl_by by, int unsure, struct wl_event *event)
{
    const struct wl_network *network = network_of(s, i);

    if (by == WL_BY_NETWORK) {
        wl_mark(NETWORKS + (uint32_t)i);
        wl_graph_run(network->graph, s->arena);
        wl_mark(BEATS);
    }
    wl_judge_window(&s->judge[i], network, s->arena, by, unsure, event);
    event->network = (uint8_t)i;
}

static int64_t time_us(const struct wl_stream *s, int64_t us)
{
    return us - wl_frontend_delay_us(s->frontend.input.rate_hz);
}

/** A sample of the beat stream is 7812.5 us; when it is centred, to the microsecond below. */
static int64_t beat_sample_us(int32_t sample)
{
    return ((int64_t)sample * 15625) >> 1;
}

static void put_image(struct wl_stream *s, int8_t *to, uint32_t first)
{
    for (uint32_t i = 0; i < COLUMNS; i++)
        memcpy(to + i * WL_ROWS, s->image.code[(first + i) % WL_IMAGE_COLUMNS], WL_ROWS);
}

/** The same columns in colours, painted as they lie in the ring: there is no room for a copy. */
static void put_picture(const struct wl_stream *s, int8_t *to, uint32_t first, const int8_t *colours)
{
    for (int32_t x = 0; x < WL_PICTURE_SIDE; x++) {
        uint32_t column = first + (uint32_t)wl_paint_place(x, COLUMNS);

        wl_paint_column(s->image.code[column % WL_IMAGE_COLUMNS], colours, to + 3 * x);
    }
}

static void put_row(const struct wl_stream *s, int8_t *to, uint32_t first)
{
    for (uint32_t i = 0; i < WL_BEAT_WINDOW; i++) {
        int32_t code = wl_round_shift(s->beats.x_uv[(first + i) % WL_BEAT_SAMPLES], CODE_SHIFT);

        to[i] = (int8_t)(code < -128 ? -128 : code > 127 ? 127 : code);
    }
}

/** 1 when all is known of a window: its samples and their flags. A blind second waits for the flags. */
static int is_there(const struct wl_stream *s, const struct wl_network *network, uint32_t first,
                    struct wl_stretch columns)
{
    if (wl_sees_columns(network))
        return s->n_columns >= columns.to;
    return reaches(s->n_beats, first, WL_BEAT_WINDOW) &&
           (s->over || reaches(s->n_columns * SAMPLES_A_COLUMN, first, WL_BEAT_WINDOW));
}

/** The next window of a network that sees one every hop, if it is there. */
static int next_window(struct wl_stream *s, int32_t i, struct wl_event *event)
{
    const struct wl_network *network = network_of(s, i);
    uint32_t first = s->judge[i].n_windows * (uint32_t)network->hop;
    const int8_t *colours = wl_colours(network);
    int is_image = wl_sees_columns(network);
    struct wl_stretch image = {first, first + COLUMNS};
    struct wl_stretch columns = is_image ? image : wl_columns_of(first, WL_BEAT_WINDOW);
    uint8_t counts[WL_FLAGS];
    enum wl_by by;

    if (!is_there(s, network, first, columns))
        return 0;
    count_flags(s, columns, counts);
    by = wl_judge_may(network, counts) ? WL_BY_NETWORK : WL_BY_RULE;
    if (by == WL_BY_NETWORK && colours)
        put_picture(s, s->arena + network->at, first, colours);
    else if (by == WL_BY_NETWORK && is_image)
        put_image(s, s->arena + network->at, first);
    else if (by == WL_BY_NETWORK)
        put_row(s, s->arena + network->at, first);
    judge(s, i, by, 0, event);
    if (i == 0)
        wl_gate_hear(s, by == WL_BY_NETWORK);
    event->t0_us = time_us(s, is_image ? (int64_t)first * COLUMN_US : beat_sample_us((int32_t)first));
    memcpy(event->flag_columns, counts, sizeof counts);
    return 1;
}

/** Look whether an electrode was off, or samples missing, up to a column. */
static void watch_line(struct wl_stream *s, uint32_t column)
{
    for (; s->n_watched < column; s->n_watched++)
        if (s->image.flags[s->n_watched % WL_IMAGE_COLUMNS] & (WL_LEAD_OFF | WL_GAP))
            s->is_broken = 1;
}

/**
 * Every peak that is known by now
 *
 * WL_PEAKS hold them: two are 25 samples apart at least, and the oldest is let go 866 after it happened
 * (a window that contains it begins 64 before it and is judged 930 later).
 */
static void detect(struct wl_stream *s)
{
    if (s->n_beats > SETTLED)
        watch_line(s, (s->n_beats - SETTLED) / SAMPLES_A_COLUMN); /* no peak is found before that any more */
    while (wl_qrs_next(&s->qrs, &s->beats, s->n_beats)) {
        watch_line(s, s->qrs.peak_index / SAMPLES_A_COLUMN + 1);
        s->peaks[s->n_peaks] = s->qrs.peak_index;
        s->broken[s->n_peaks++] = s->is_broken;
        s->is_broken = 0;
    }
}

/** 1 when all is known of the oldest peak: what follows it, its window, its flags, its signal's quality. */
static int is_ready(const struct wl_stream *s, struct wl_stretch columns)
{
    uint32_t peak = s->peaks[0], settled = s->no_peak_follows ? 0 : SETTLED;

    if (!reaches(s->n_beats, peak, s->n_peaks > 1 ? REACH : PATIENCE + settled))
        return 0;
    if (s->over)
        return 1;
    return reaches(s->n_columns * SAMPLES_A_COLUMN, peak, HALF) && (!s->app->gate || wl_gate_knows(s, columns));
}

/** The oldest peak becomes a beat in the arena; apart, so that its struct is off the stack when the network runs. */
static void make_beat(struct wl_stream *s, const struct wl_network *network)
{
    uint32_t peak = s->peaks[0], late = peak + PATIENCE;
    uint32_t next = s->n_peaks > 1 && s->peaks[1] - peak < PATIENCE ? s->peaks[1] : late;
    struct wl_beat beat;

    if (s->broken[0])
        wl_beat_break(&s->maker);
    wl_beat_make(&s->maker, &s->beats, peak, next, &beat);
    memcpy(s->arena + network->at, beat.shape, sizeof beat.shape);
    if (network->at_rr >= 0)
        memcpy(s->arena + network->at_rr, beat.rr, sizeof beat.rr);
}

static void forget_peak(struct wl_stream *s)
{
    s->n_peaks--;
    memmove(s->peaks, s->peaks + 1, s->n_peaks * sizeof s->peaks[0]);
    memmove(s->broken, s->broken + 1, s->n_peaks);
}

/** The next beat, if all is known of it. */
static int next_beat(struct wl_stream *s, int32_t i, struct wl_event *event)
{
    const struct wl_network *network = network_of(s, i);
    const struct wl_gate *gate = s->app->gate;
    uint32_t first;
    struct wl_stretch columns;
    uint8_t counts[WL_FLAGS];
    enum wl_by by = WL_BY_NETWORK;
    enum wl_answer signal = WL_YES;

    detect(s);
    if (s->n_peaks == 0)
        return 0;
    first = s->peaks[0] - HALF;
    columns = wl_columns_of(first, WL_BEAT_WINDOW);
    if (!is_ready(s, columns))
        return 0;

    count_flags(s, columns, counts);
    if (!wl_judge_may(network, counts))
        by = WL_BY_RULE;
    else if (gate && (signal = wl_gate_answer(s, columns)) != WL_YES)
        by = WL_BY_GATE;
    if (gate && gate->protects && by != WL_BY_NETWORK)
        wl_beat_break(&s->maker);
    else
        make_beat(s, network);
    judge(s, i, by, signal == WL_NOT_SURE, event);
    event->t0_us = time_us(s, beat_sample_us((int32_t)first));
    memcpy(event->flag_columns, counts, sizeof counts);
    forget_peak(s);
    return 1;
}

/** One event that is due, if there is one. */
static int next_event(struct wl_stream *s, struct wl_event *event)
{
    wl_mark(BEATS);
    for (int32_t i = 0; i < s->app->n_networks; i++)
        if (network_of(s, i)->input == WL_INPUT_BEAT ? next_beat(s, i, event) : next_window(s, i, event))
            return 1;

    return 0;
}

/** Take counts to the next hop; what lies behind the end of a recording is not known. */
static size_t advance(struct wl_stream *s, const int32_t *counts, size_t n, uint8_t line)
{
    size_t taken;
    uint32_t rate_hz = (uint32_t)s->frontend.input.rate_hz;

    wl_mark(FRONT_END);
    taken = wl_frontend_to_hop(&s->frontend, counts, n, line);
    s->n_columns = s->frontend.n_columns;
    s->n_beats = s->frontend.n_beats;
    if (s->ending) {
        s->n_columns = least(s->n_columns, (uint32_t)((s->n_counts * 16 + rate_hz - 1) / rate_hz));
        s->n_beats = least(s->n_beats, (uint32_t)((s->n_counts * 128 + rate_hz - 1) / rate_hz));
    }
    return taken;
}

size_t wl_stream_push(struct wl_stream *s, const int32_t *counts, size_t n, uint8_t line,
                      struct wl_event *events, size_t room, size_t *n_events)
{
    size_t taken = 0, found = 0;

    while (found < room) {
        if (next_event(s, &events[found])) {
            found++;
            continue;
        }
        if (taken == n)
            break;
        taken += advance(s, counts + taken, n - taken, line);
    }
    if (taken > 0) {
        s->n_counts += taken;
        s->last_count = counts[taken - 1];
        s->last_line = line;
    }
    *n_events = found;
    return taken;
}

/** Hold the last sample until the last column it belongs to is complete; 0 when it is. */
static int hold(struct wl_stream *s)
{
    uint32_t enough = (WL_COLUMN_LAG + 1) * WL_HOP * (uint32_t)s->frontend.input.rate_hz / WL_RATE_OUT_HZ + 64;

    s->ending = 1;
    if (s->n_counts == 0 || s->n_held >= enough)
        return 0;
    advance(s, &s->last_count, 1, s->last_line);
    s->no_peak_follows = s->frontend.n_beats > s->n_beats; /* the next event looks at all that is known */
    s->n_held++;
    return 1;
}

size_t wl_stream_finish(struct wl_stream *s, struct wl_event *events, size_t room)
{
    size_t found = 0;

    while (found < room) {
        if (next_event(s, &events[found]))
            found++;
        else if (!hold(s)) {
            if (s->over)
                break;
            s->over = 1;
        }
    }
    return found;
}
