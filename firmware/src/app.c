/* The tables of an application, looked at once, before the first sample. */
#include "app.h"

#include "judge.h"

#define COLUMNS 80          /* of an image */
#define MAX_HOP_OF_GATE 64  /* columns: then every beat lies in a whole window */
#define RING_OF_GATE 934    /* from what a window around a peak reaches back to, to the hop that lets it go */
#define MAX_MEAN_WINDOWS 16
#define MAX_MEAN_HOPS 64
#define MAX_CODE_Q8 33024   /* one past the codes */
#define ONE_Q15 32768
#define RING 512            /* what the longest wait without a gate reaches back to */
#define MAX_WINDOWS_OF_GATE 16

static int within(int32_t v, int32_t low, int32_t high)
{
    return v >= low && v <= high;
}

static int lies_in(int32_t at, int32_t n_bytes, int32_t arena_bytes)
{
    return at >= 0 && n_bytes >= 0 && n_bytes <= arena_bytes && at <= arena_bytes - n_bytes;
}

static int thresholds_fit(int32_t accept_q8, int32_t reject_q8, int32_t hold_q8)
{
    return within(reject_q8, -MAX_CODE_Q8, MAX_CODE_Q8) && within(accept_q8, reject_q8 + 1, MAX_CODE_Q8) &&
           within(hold_q8, 0, MAX_CODE_Q8);
}

/** Questions and outputs lie in the arena, scores are chances, and an event has room for all of them. */
static int codes_fit(const struct wl_network *network, int32_t arena_bytes)
{
    int32_t n_logits = 0;

    if (!within(network->n_questions, 1, WL_UNDECIDED - 2) || !within(network->n_outputs, 1, WL_LOGITS) ||
        !within(network->unusable_score_q15, -1, ONE_Q15))
        return 0;
    for (int32_t k = 0; k < network->n_questions; k++) {
        const struct wl_question *one = &network->questions[k];

        if (!one->score_q15 || !lies_in(one->at, 1, arena_bytes) ||
            !thresholds_fit(one->accept_q8, one->reject_q8, one->hold_q8))
            return 0;
    }
    for (int32_t k = 0; k < network->n_outputs; k++) {
        const struct wl_place *output = &network->outputs[k];

        if (!within(output->n_bytes, 1, WL_LOGITS - n_logits) || !lies_in(output->at, output->n_bytes, arena_bytes))
            return 0;
        n_logits += output->n_bytes;
    }
    return 1;
}

/** What it is fed lies in the arena; windows move on, and not beyond their own length. */
static int input_fits(const struct wl_network *network, int32_t arena_bytes)
{
    switch (network->input) {
    case WL_INPUT_IMAGE:
        return within(network->hop, 1, COLUMNS) && lies_in(network->at, COLUMNS * WL_ROWS, arena_bytes);
#ifndef WL_NO_PICTURES
    case WL_INPUT_PICTURE:
        return network->colours && within(network->hop, 1, COLUMNS) &&
               lies_in(network->at, 3 * WL_PICTURE_SIDE * WL_PICTURE_SIDE, arena_bytes);
#endif
    case WL_INPUT_BLIND:
        return within(network->hop, 1, WL_BEAT_WINDOW) && lies_in(network->at, WL_BEAT_WINDOW, arena_bytes);
    default:
        return lies_in(network->at, 2 * WL_BEAT_WINDOW, arena_bytes) &&
               (network->at_rr < 0 || lies_in(network->at_rr, WL_RR_RATIOS, arena_bytes));
    }
}

static int network_fits(const struct wl_network *network)
{
    return network->graph && network->questions && network->outputs && network->input < WL_INPUT_KINDS &&
           (wl_sees_columns(network) || WL_BEAT_SAMPLES >= RING) &&
           within(network->mean_windows, 1, MAX_MEAN_WINDOWS) && within(network->mean_hops, 1, MAX_MEAN_HOPS) &&
           codes_fit(network, network->graph->arena_bytes) && input_fits(network, network->graph->arena_bytes);
}

/** A beat behind a gate waits for windows of an image, and the ring of beats must reach back to it. */
static int gate_fits(const struct wl_app *app)
{
    const struct wl_gate *gate = app->gate;

    if (!gate)
        return 1;
    return app->n_networks == 2 && wl_sees_columns(&app->networks[0]) &&
           app->networks[1].input == WL_INPUT_BEAT && app->networks[0].hop <= MAX_HOP_OF_GATE &&
           WL_BEAT_SAMPLES >= RING_OF_GATE && within(gate->n_windows, 1, MAX_WINDOWS_OF_GATE) &&
           within(gate->question, 0, app->networks[0].n_questions - 1) &&
           thresholds_fit(gate->accept_q8, gate->reject_q8, gate->hold_q8);
}

int32_t wl_app_arena_bytes(const struct wl_app *app)
{
    int32_t most = 0;

    for (int32_t i = 0; i < app->n_networks; i++)
        if (app->networks[i].graph->arena_bytes > most)
            most = app->networks[i].graph->arena_bytes;

    return most;
}

int32_t wl_app_memory_bytes(const struct wl_app *app)
{
    uint32_t n_bytes; /* past 2^31 where an arena claims all there is */
    int32_t n_beat_networks = 0;

    if (!within(app->n_networks, 1, WL_NETWORKS) || !app->networks)
        return -1;
    for (int32_t i = 0; i < app->n_networks; i++) {
        if (!network_fits(&app->networks[i]))
            return -1;
        n_beat_networks += app->networks[i].input == WL_INPUT_BEAT;
    }
    if (n_beat_networks > 1 || !gate_fits(app)) /* beats wait in one queue */
        return -1;

    n_bytes = (uint32_t)wl_app_arena_bytes(app);
    for (int32_t i = 0; i < app->n_networks; i++)
        n_bytes += (uint32_t)wl_judge_bytes(&app->networks[i]);
    return n_bytes > INT32_MAX ? -1 : (int32_t)n_bytes;
}

enum wl_status wl_app_check(const struct wl_app *app)
{
    int32_t needed = wl_app_memory_bytes(app), at;

    if (needed < 0 || app->memory_bytes < needed)
        return WL_BAD_APP;
    for (int32_t i = 0; i < app->n_networks; i++) {
        enum wl_status status = wl_graph_check(app->networks[i].graph, &at);

        if (status != WL_OK)
            return status;
    }
    return WL_OK;
}
