/* The executor: a constant table of operators, one after the other. */
#include "kernels.h"

#define MAX_LENGTH 65536    /* of any dimension */
#define MAX_WINDOW 4096     /* of a kernel, a stride or a pad */
#define MAX_TERMS 32768     /* of one sum of products */
#define MAX_POOLED (1 << 23)
#define MAX_CLASSES 256
#define MAX_BIAS (1 << 30)

typedef void (*wl_kernel)(const struct wl_op *op, int8_t *arena);

static const wl_kernel kernels[WL_OP_KINDS] = {
    [WL_OP_CONV2D] = wl_conv2d, [WL_OP_DEPTHWISE_CONV2D] = wl_depthwise_conv2d,
    [WL_OP_DENSE] = wl_dense, [WL_OP_MAX_POOL] = wl_max_pool,
    [WL_OP_AVERAGE_POOL] = wl_average_pool, [WL_OP_ADD] = wl_add,
    [WL_OP_PAD] = wl_pad, [WL_OP_COPY] = wl_copy,
    [WL_OP_SIGMOID] = wl_sigmoid, [WL_OP_SOFTMAX] = wl_softmax,
};

static int between(int32_t v, int32_t low, int32_t high)
{
    return v >= low && v <= high;
}

/** Codes of a map; at most 2^48. */
static int64_t volume(int32_t h, int32_t w, int32_t c)
{
    return (int64_t)h * w * c;
}

/** 1 when n codes from an offset lie in the arena. */
static int inside(int32_t offset, int64_t n, int32_t arena_bytes)
{
    return offset >= 0 && n <= (int64_t)arena_bytes - offset;
}

static int is_linear(const struct wl_op *op)
{
    return op->kind == WL_OP_CONV2D || op->kind == WL_OP_DEPTHWISE_CONV2D || op->kind == WL_OP_DENSE;
}

static int slides(const struct wl_op *op)
{
    return op->kind == WL_OP_CONV2D || op->kind == WL_OP_DEPTHWISE_CONV2D || op->kind == WL_OP_MAX_POOL ||
           op->kind == WL_OP_AVERAGE_POOL;
}

/** 1 when the last window of a direction, and so every one, meets the map. */
static int window_fits(int32_t out, int32_t stride, int32_t pad, int32_t kernel, int32_t in)
{
    return between(kernel, 1, MAX_WINDOW) && between(stride, 1, MAX_WINDOW) && between(pad, 0, kernel - 1) &&
           (int64_t)(out - 1) * stride - pad < in;
}

/** How many codes an operator reads for one output of its channel. */
static int64_t terms(const struct wl_op *op)
{
    if (op->kind == WL_OP_CONV2D)
        return volume(op->kernel_h, op->kernel_w, op->in_c);
    if (op->kind == WL_OP_DENSE)
        return op->in_c;
    return volume(op->kernel_h, op->kernel_w, 1);
}

static int shape_fits(const struct wl_op *op)
{
    int same_channels = op->in_c == op->out_c;
    int same_map = op->in_h == op->out_h && op->in_w == op->out_w && same_channels;

    if (slides(op) && (!window_fits(op->out_h, op->stride_h, op->pad_top, op->kernel_h, op->in_h) ||
                       !window_fits(op->out_w, op->stride_w, op->pad_left, op->kernel_w, op->in_w)))
        return 0;
    switch (op->kind) {
    case WL_OP_CONV2D:
        return terms(op) <= MAX_TERMS;
    case WL_OP_DEPTHWISE_CONV2D:
        return op->out_c % op->in_c == 0 && terms(op) <= MAX_TERMS;
    case WL_OP_DENSE:
        return terms(op) <= MAX_TERMS && volume(op->in_h, op->in_w, 1) == 1 && volume(op->out_h, op->out_w, 1) == 1;
    case WL_OP_MAX_POOL:
    case WL_OP_AVERAGE_POOL:
        return same_channels && terms(op) <= MAX_POOLED;
    case WL_OP_PAD:
        return same_channels && op->pad_top >= 0 && op->pad_left >= 0 && op->pad_top + op->in_h <= op->out_h &&
               op->pad_left + op->in_w <= op->out_w;
    case WL_OP_COPY:
        return op->in_h == op->out_h && volume(1, op->in_w, op->in_c) <= volume(1, op->out_w, op->out_c);
    case WL_OP_SOFTMAX:
        return same_map && op->in_c <= MAX_CLASSES;
    default:
        return same_map;
    }
}

static int dimensions_fit(const struct wl_op *op)
{
    const int32_t lengths[] = {op->in_h, op->in_w, op->in_c, op->out_h, op->out_w, op->out_c};

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        if (!between(lengths[i], 1, MAX_LENGTH))
            return 0;

    return shape_fits(op);
}

/** Bytes that an operator writes from its offset on; the last row of a copy ends with its codes. */
static int64_t out_bytes(const struct wl_op *op)
{
    int64_t pitch = volume(1, op->out_w, op->out_c);

    if (op->kind == WL_OP_COPY)
        return (op->in_h - 1) * pitch + volume(1, op->in_w, op->in_c);
    return op->out_h * pitch;
}

/** 1 for the kinds that are finished with an input before they write there (pool.c, elementwise.c). */
static int may_write_over(const struct wl_op *op)
{
    if (op->kind == WL_OP_MAX_POOL || op->kind == WL_OP_AVERAGE_POOL)
        return op->pad_top == 0 && op->pad_left == 0;
    return op->kind == WL_OP_ADD || op->kind == WL_OP_SIGMOID || op->kind == WL_OP_SOFTMAX;
}

/** 1 when an input lies in the arena, and the output beside it or exactly over it. */
static int input_lies_well(const struct wl_op *op, int32_t input, int32_t arena_bytes)
{
    int64_t n = volume(op->in_h, op->in_w, op->in_c), n_out = out_bytes(op);
    int beside = input + n <= op->out || op->out + n_out <= input;

    return inside(input, n, arena_bytes) && (beside || (input == op->out && may_write_over(op)));
}

static int lies_in_arena(const struct wl_op *op, int32_t arena_bytes)
{
    return inside(op->out, out_bytes(op), arena_bytes) && input_lies_well(op, op->x, arena_bytes) &&
           (op->kind != WL_OP_ADD || input_lies_well(op, op->y, arena_bytes));
}

static int multipliers_fit(const struct wl_op *op, int32_t n)
{
    if (!op->by_q31 || !op->by_shift)
        return 0;
    for (int32_t c = 0; c < n; c++)
        if (op->by_q31[c] < 0 || !between(op->by_shift[c], -31, 30))
            return 0;

    return 1;
}

static int constants_fit(const struct wl_op *op)
{
    if (op->kind == WL_OP_SIGMOID)
        return op->weight != 0;
    if (op->kind == WL_OP_ADD)
        return multipliers_fit(op, 3);
    if (op->kind == WL_OP_SOFTMAX) {
        for (int32_t d = 0; op->bias && d < 256; d++)
            if (!between(op->bias[d], d == 0, 1 << 23))
                return 0;
        return op->bias != 0;
    }
    if (!is_linear(op))
        return 1;
    for (int32_t c = 0; op->bias && c < op->out_c; c++)
        if (!between(op->bias[c], -MAX_BIAS, MAX_BIAS))
            return 0;
    return op->weight && op->bias && multipliers_fit(op, op->out_c);
}

static int codes_fit(const struct wl_op *op)
{
    return between(op->x_zero, -128, 127) && between(op->y_zero, -128, 127) && between(op->out_zero, -128, 127) &&
           between(op->low, -128, 127) && between(op->high, op->low, 127);
}

static enum wl_status check_op(const struct wl_op *op, int32_t arena_bytes)
{
    if (op->kind >= WL_OP_KINDS)
        return WL_BAD_OPERATOR;
    if (!dimensions_fit(op))
        return WL_BAD_SHAPE;
    if (!lies_in_arena(op, arena_bytes))
        return WL_BAD_ARENA;
    if (!constants_fit(op) || !codes_fit(op))
        return WL_BAD_CONSTANT;
    return WL_OK;
}

enum wl_status wl_graph_check(const struct wl_graph *graph, int32_t *at)
{
    int32_t n_ops = graph->ops ? graph->n_ops : 0;

    for (*at = 0; *at < n_ops; ++*at) {
        enum wl_status status = check_op(&graph->ops[*at], graph->arena_bytes);

        if (status != WL_OK)
            return status;
    }
    return n_ops > 0 ? WL_OK : WL_BAD_OPERATOR;
}

void wl_graph_step(const struct wl_graph *graph, int32_t index, int8_t *arena)
{
    const struct wl_op *op = &graph->ops[index];

    kernels[op->kind](op, arena);
}

void wl_graph_run(const struct wl_graph *graph, int8_t *arena)
{
    for (int32_t i = 0; i < graph->n_ops; i++)
        wl_graph_step(graph, i, arena);
}
