/* Maximum and mean over windows; what is padded is not there.
 *
 * Without padding, output k only needs inputs from position k on, of its own channel: a
 * pool may write over its input, and the memory plan relies on it. So every output is
 * finished before the next one is begun.
 */
#include "kernels.h"
#include "wl_requant.h"

static int32_t maximum(const struct wl_op *op, const int8_t *x, struct wl_span rows, struct wl_span columns)
{
    int32_t highest = -128;

    for (int32_t i = 0; i < rows.to - rows.from; i++)
        for (int32_t j = 0; j < columns.to - columns.from; j++) {
            int32_t v = x[((rows.at + i) * op->in_w + columns.at + j) * op->in_c];

            highest = v > highest ? v : highest;
        }
    return highest;
}

/** Half away from zero. A window holds at most 2^23 codes (wl_graph_check): the sum stays below 2^30. */
static int32_t mean(const struct wl_op *op, const int8_t *x, struct wl_span rows, struct wl_span columns)
{
    int32_t count = (rows.to - rows.from) * (columns.to - columns.from), sum = 0;

    for (int32_t i = 0; i < rows.to - rows.from; i++)
        for (int32_t j = 0; j < columns.to - columns.from; j++)
            sum += x[((rows.at + i) * op->in_w + columns.at + j) * op->in_c];

    return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

typedef int32_t (*wl_pooling)(const struct wl_op *op, const int8_t *x, struct wl_span rows, struct wl_span columns);

static void slide(const struct wl_op *op, int8_t *arena, wl_pooling pooling)
{
    const int8_t *x = arena + op->x;
    int8_t *out = arena + op->out;

    for (int32_t oy = 0; oy < op->out_h; oy++) {
        struct wl_span rows = wl_window(oy, op->stride_h, op->pad_top, op->kernel_h, op->in_h);

        for (int32_t ox = 0; ox < op->out_w; ox++) {
            struct wl_span columns = wl_window(ox, op->stride_w, op->pad_left, op->kernel_w, op->in_w);

            for (int32_t c = 0; c < op->out_c; c++)
                *out++ = wl_activate(pooling(op, x + c, rows, columns), 0, op->low, op->high);
        }
    }
}

void wl_max_pool(const struct wl_op *op, int8_t *arena)
{
    slide(op, arena, maximum);
}

void wl_average_pool(const struct wl_op *op, int8_t *arena)
{
    slide(op, arena, mean);
}
