/* The bench: a host looks into the flash, runs the network layer by layer, and is the converter. */
#include "board.h"
#include "link.h"

#define PART_BYTES 228 /* of an ANSWER */
#define QUIET_S 10u    /* without a frame of the host, back to the wearer */

static uint32_t taken;       /* the network on the bench, from 1 on; 0: the device is its wearer's */
static uint32_t heard_at;    /* ticks */
static int32_t stepped;      /* the layer that ran last; -1: none since an input came */
static uint32_t step_ticks;  /* that it took */
static uint32_t fed_ticks;   /* that the last samples took, frames included */
static uint32_t index;       /* of the next sample from the host */
static int32_t rest_at, rest_end; /* of an output that is on its way */

/** The network on the bench; off it the first. */
static const struct wl_network *network(void)
{
    return &wl_app.networks[taken ? taken - 1 : 0];
}

static const struct wl_known *known(void)
{
    return &wl_about.networks[taken ? taken - 1 : 0];
}

int bench_is_taken(void)
{
    return taken != 0;
}

/** The arena is about to change: an output that is still on its way is not what it was. */
static void forget_output(void)
{
    rest_at = rest_end = 0;
}

void bench_begin(void)
{
    stepped = -1;
    forget_output();
    index = 0;
    wearer_begin();
}

static void give_back(void)
{
    taken = 0;
    bench_begin();
    line_begin_anew();
}

static int take(uint32_t item)
{
    if (item > (uint32_t)wl_app.n_networks)
        return 0;
    if (item == 0 && taken)
        give_back();
    if (item != 0) {
        taken = item;
        bench_begin();
    }
    line_answer(ASK_BENCH, item, 0, 0);
    line_say();
    return 1;
}

static const uint8_t *at_of(const struct wl_constant *constant)
{
    const struct wl_op *op = &network()->graph->ops[constant->row];
    const void *const places[] = {op->weight, op->bias, op->by_q31, op->by_shift, &op->x};

    return places[constant->field];
}

static int say_constant(uint32_t item)
{
    const struct wl_constant *constant = known()->constants + item;
    struct wl_frame *frame;

    if (item >= (uint32_t)known()->n_constants)
        return 0;
    frame = line_answer(ASK_TENSOR, item, 0, constant->n_bytes);
    wl_frame_put(frame, wl_crc32(0, at_of(constant), constant->n_bytes), 4);
    for (const char *name = constant->name; *name; name++)
        wl_frame_put(frame, (uint8_t)*name, 1);
    line_say();
    return 1;
}

static const uint8_t *output_of(const struct wl_layer *layer)
{
    return (const uint8_t *)wearer_arena() + layer->out.at;
}

/** A layer that ran last is not run again: the answer was lost, and its input is gone. */
static int step(uint32_t item)
{
    const struct wl_layer *layer = known()->layers + item;
    struct wl_frame *frame;

    if (!taken || !wearer_arena() || item >= (uint32_t)known()->n_layers)
        return 0;
    if (item != 0 && (int32_t)item != stepped && (int32_t)item != stepped + 1)
        return 0;
    if ((int32_t)item != stepped) {
        uint32_t began = board_ticks();

        forget_output();
        for (int32_t row = item ? layer[-1].n_rows : 0; row < layer->n_rows; row++)
            wl_graph_step(network()->graph, row, wearer_arena());
        step_ticks = board_ticks() - began;
        stepped = (int32_t)item;
    }
    frame = line_answer(ASK_STEP, item, 0, (uint32_t)layer->out.n_bytes);
    wl_frame_put(frame, wl_crc32(0, output_of(layer), (size_t)layer->out.n_bytes), 4);
    wl_frame_put(frame, step_ticks, 4);
    line_say();
    return 1;
}

static int say_layer(uint32_t item)
{
    if (!taken || stepped < 0 || item != (uint32_t)stepped)
        return 0;
    rest_at = 0;
    rest_end = known()->layers[item].out.n_bytes;
    return 1;
}

int bench_go_on(void)
{
    int32_t n = rest_end - rest_at < PART_BYTES ? rest_end - rest_at : PART_BYTES;
    struct wl_frame *frame;

    if (taken && board_ticks() - heard_at > QUIET_S * board_ticks_hz) {
        give_back();
        return 1;
    }
    if (n == 0 || !line_has_room())
        return 0;
    frame = line_answer(ASK_LAYER, (uint32_t)stepped, (uint32_t)rest_at, (uint32_t)rest_end);
    wl_frame_put_bytes(frame, output_of(known()->layers + stepped) + rest_at, (size_t)n);
    line_say();
    rest_at += n;
    return 1;
}

/** The outputs as a VERDICT that judges nothing. */
static int say_logits(uint32_t item)
{
    struct wl_event event = {.network = (uint8_t)(taken - 1), .label = WL_UNDECIDED, .score_q15 = -1};

    if (!taken || stepped != known()->n_layers - 1)
        return 0;
    for (int32_t k = 0; k < network()->n_outputs; k++)
        for (int32_t i = 0; i < network()->outputs[k].n_bytes; i++)
            event.logits[event.n_logits++] = wearer_arena()[network()->outputs[k].at + i];
    event.window = item;
    line_verdict(&event);
    return 1;
}

static int asked(const struct wl_frame *heard)
{
    uint32_t item = wl_frame_get(heard, 2, 2);

    switch (wl_frame_get(heard, 0, 1)) {
    case ASK_TENSOR:
        return say_constant(item);
    case ASK_LAYER:
        return say_layer(item);
    case ASK_BENCH:
        return take(item);
    case ASK_STEP:
        return step(item);
    case ASK_LOGITS:
        return say_logits(item);
    default:
        return 0;
    }
}

static int take_input(const struct wl_frame *heard)
{
    uint32_t number = wl_frame_get(heard, 0, 1), offset = wl_frame_get(heard, 4, 4);
    uint32_t n = heard->n_payload < 8u ? 0 : heard->n_payload - 8u;

    if (!taken || !wearer_arena() || heard->n_payload < 8 || number >= (uint32_t)known()->n_inputs ||
        offset > (uint32_t)known()->inputs[number].n_bytes || n > (uint32_t)known()->inputs[number].n_bytes - offset)
        return 0;
    forget_output();
    for (uint32_t i = 0; i < n; i++)
        wearer_arena()[(uint32_t)known()->inputs[number].at + offset + i] = (int8_t)heard->payload[8 + i];
    stepped = -1;
    line_answer(ASK_INPUT, number, offset, (uint32_t)known()->inputs[number].n_bytes);
    line_say();
    return 1;
}

/** What came before already is only answered. */
static int take_samples(const struct wl_frame *heard)
{
    static int32_t counts[WL_WIRE_SAMPLES_16];
    int32_t n = wl_frame_samples(heard, counts);
    uint32_t had = index - wl_frame_get(heard, 0, 4);
    struct wl_frame *frame;

    if (!taken || n < 0 || had > index) /* a hole, or an index before the first */
        return 0;
    if (had < (uint32_t)n) {
        uint32_t began = board_ticks();

        forget_output();
        stepped = -1;
        wearer_push(counts + had, (size_t)n - had, (uint8_t)wl_frame_get(heard, 6, 1));
        index += (uint32_t)n - had;
        fed_ticks = board_ticks() - began;
    }
    frame = line_answer(ASK_SAMPLES, 0, wl_frame_get(heard, 0, 4) + (uint32_t)n, 0);
    wl_frame_put(frame, fed_ticks, 4);
    line_say();
    return 1;
}

void bench_take(const struct wl_frame *heard)
{
    heard_at = board_ticks();
    if (heard->type == WL_FRAME_QUERY) {
        if (!asked(heard))
            line_complain(UNKNOWN_ITEM, heard, "nothing known of it here and now");
    } else if (!(heard->type == WL_FRAME_INPUT ? take_input(heard) : take_samples(heard))) {
        line_complain(NOT_NOW, heard, "not now, or not so much");
    }
}
