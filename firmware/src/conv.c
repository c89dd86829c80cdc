/* Convolutions over NHWC maps; one dimension is height 1. */
#include "kernels.h"
#include "wl_requant.h"

/**
 * One position of the output: every output channel
 * x               The input map
 * rows, columns   The part of the window that lies on it: what is padded is a real zero
 * out             out_c codes
 *
 * A row of the window lies in one piece in the map and in the weights, all channels.
 */
static void conv_position(const struct wl_op *op, const int8_t *x, struct wl_span rows, struct wl_span columns,
                          int8_t *out)
{
    int32_t n = (columns.to - columns.from) * op->in_c;
    int32_t kernel_row = op->kernel_w * op->in_c, map_row = op->in_w * op->in_c;
    const int8_t *from = x + rows.at * map_row + columns.at * op->in_c;
    const int8_t *weight = op->weight + rows.from * kernel_row + columns.from * op->in_c;

    for (int32_t c = 0; c < op->out_c; c++) {
        int32_t sum = op->bias[c];

        for (int32_t i = 0; i < rows.to - rows.from; i++)
            sum += wl_dot(from + i * map_row, weight + i * kernel_row, n, op->x_zero);

        sum = wl_requant(sum, op->by_q31[c], op->by_shift[c]);
        out[c] = wl_activate(sum, op->out_zero, op->low, op->high);
        weight += op->kernel_h * kernel_row;
    }
}

void wl_conv2d(const struct wl_op *op, int8_t *arena)
{
    int8_t *out = arena + op->out;

    for (int32_t oy = 0; oy < op->out_h; oy++) {
        struct wl_span rows = wl_window(oy, op->stride_h, op->pad_top, op->kernel_h, op->in_h);

        for (int32_t ox = 0; ox < op->out_w; ox++) {
            struct wl_span columns = wl_window(ox, op->stride_w, op->pad_left, op->kernel_w, op->in_w);

            conv_position(op, arena + op->x, rows, columns, out);
            out += op->out_c;
        }
    }
}

/** One sum: output channel c over input channel in_c. */
static int32_t depthwise_sum(const struct wl_op *op, const int8_t *x, struct wl_span rows, struct wl_span columns,
                             int32_t c, int32_t in_c)
{
    int32_t sum = op->bias[c];

    for (int32_t i = rows.from; i < rows.to; i++)
        for (int32_t j = columns.from; j < columns.to; j++) {
            int32_t y = rows.at + i - rows.from, z = columns.at + j - columns.from;

            sum += (x[(y * op->in_w + z) * op->in_c + in_c] - op->x_zero) *
                   op->weight[(i * op->kernel_w + j) * op->out_c + c];
        }
    return sum;
}

void wl_depthwise_conv2d(const struct wl_op *op, int8_t *arena)
{
    int8_t *out = arena + op->out;
    int32_t multiplier = op->out_c / op->in_c;

    for (int32_t oy = 0; oy < op->out_h; oy++) {
        struct wl_span rows = wl_window(oy, op->stride_h, op->pad_top, op->kernel_h, op->in_h);

        for (int32_t ox = 0; ox < op->out_w; ox++) {
            struct wl_span columns = wl_window(ox, op->stride_w, op->pad_left, op->kernel_w, op->in_w);

            for (int32_t c = 0; c < op->out_c; c++) {
                int32_t sum = depthwise_sum(op, arena + op->x, rows, columns, c, c / multiplier);

                sum = wl_requant(sum, op->by_q31[c], op->by_shift[c]);
                *out++ = wl_activate(sum, op->out_zero, op->low, op->high);
            }
        }
    }
}
