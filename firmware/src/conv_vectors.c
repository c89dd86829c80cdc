/* Convolutions where a core has vectors: four channels of a position at once, their codes made together. */
#include <string.h>

#include "kernels.h"

#ifdef WL_VECTORS

/** The whole window in one piece, as its weights lie: the map itself where it does, else in room. */
static const int8_t *gathered(const struct wl_op *op, const int8_t *x, int32_t oy, int32_t ox, int8_t *room)
{
    struct wl_span rows = wl_window(oy, op->stride_h, op->pad_top, op->kernel_h, op->in_h);
    struct wl_span columns = wl_window(ox, op->stride_w, op->pad_left, op->kernel_w, op->in_w);
    int32_t kernel_row = op->kernel_w * op->in_c, map_row = op->in_w * op->in_c;
    int32_t n = (columns.to - columns.from) * op->in_c;
    const int8_t *from = x + rows.at * map_row + columns.at * op->in_c;
    int8_t *to = room + rows.from * kernel_row + columns.from * op->in_c;

    if (op->kernel_h == 1 && n == kernel_row)
        return from;
    if (rows.to - rows.from < op->kernel_h || n < kernel_row)
        memset(room, op->x_zero, (size_t)(op->kernel_h * kernel_row));
    for (int32_t i = rows.from; n > 0 && i < rows.to; i++, to += kernel_row, from += map_row)
        wl_copy_codes(to, from, n);
    return room;
}

/** Every channel of one position by fours; the last ones of a number that is no multiple overlap those before. */
static void conv_fours(const struct wl_op *op, const int32_t *base, const int8_t *x, int32_t n, int8_t *out)
{
    const int8_t *weight = op->weight;

    for (int32_t c = 0, last = op->out_c - 4;;) {
        struct wl_four sum = {base[c], base[c + 1], base[c + 2], base[c + 3]};

        sum = wl_dot_four(x, weight, n, sum);
        wl_four_codes(sum, op->by_q31 + c, op->by_shift + c, op->out_zero, out + c);
        if (c >= last)
            break;
        c = c + 4 < last ? c + 4 : last;
        weight = op->weight + c * n;
    }
}

/**
 * What a zero point takes from a sum is the same for every position, as padding is that code: taken off the bias once.
 *
 * |x| <= 128, |w| <= 128 and at most WL_VECTOR_CODES of them a sum: below 2^25, so 32 bits hold both beside a bias.
 */
void wl_conv2d_vectors(const struct wl_op *op, int8_t *arena)
{
    int32_t n = op->kernel_h * op->kernel_w * op->in_c, base[WL_VECTOR_CHANNELS];
    int8_t room[WL_VECTOR_CODES], *out = arena + op->out;

    for (int32_t c = 0; c < op->out_c; c++)
        base[c] = op->bias[c] - op->x_zero * wl_sum_codes(op->weight + c * n, n);
    for (int32_t oy = 0; oy < op->out_h; oy++)
        for (int32_t ox = 0; ox < op->out_w; ox++, out += op->out_c)
            conv_fours(op, base, gathered(op, arena + op->x, oy, ox, room), n, out);
}

/** Which taps lie on the map, seen from the first one. */
WL_SELDOM int32_t taps_of(const struct wl_op *op, struct wl_span rows, struct wl_span columns, struct wl_tap *taps)
{
    int32_t n = 0;

    for (int32_t i = 0; i < rows.to - rows.from; i++)
        for (int32_t j = 0; j < columns.to - columns.from; j++, n++) {
            taps[n].x = (i * op->in_w + j) * op->in_c;
            taps[n].w = (i * op->kernel_w + j) * op->in_c;
        }
    return n;
}

static int is_same(struct wl_span a, struct wl_span b)
{
    return a.from == b.from && a.to == b.to;
}

/** Every channel of one position by eights, the last ones overlapping. */
static void depthwise_eights(const struct wl_op *op, const int8_t *x, const int8_t *w, const struct wl_tap *taps,
                             int32_t n_taps, int8_t *out)
{
    int32_t sum[8];

    for (int32_t c = 0, last = op->out_c - 8;; c = c + 8 < last ? c + 8 : last) {
        wl_eight_sums(x + c, w + c, taps, n_taps, op->x_zero, op->bias + c, sum);
        wl_eight_codes(sum, op->by_q31 + c, op->by_shift + c, op->out_zero, out + c);
        if (c >= last)
            break;
    }
}

void wl_depthwise_vectors(const struct wl_op *op, int8_t *arena)
{
    struct wl_span rows_before = {0, 0, 0}, columns_before = {0, 0, 0};
    struct wl_tap taps[WL_MAX_TAPS];
    int8_t *out = arena + op->out;
    int32_t n_taps = 0;

    for (int32_t oy = 0; oy < op->out_h; oy++) {
        struct wl_span rows = wl_window(oy, op->stride_h, op->pad_top, op->kernel_h, op->in_h);

        for (int32_t ox = 0; ox < op->out_w; ox++, out += op->out_c) {
            struct wl_span columns = wl_window(ox, op->stride_w, op->pad_left, op->kernel_w, op->in_w);

            if (!is_same(rows, rows_before) || !is_same(columns, columns_before)) /* seldom but at the border */
                n_taps = taps_of(op, rows, columns, taps);
            rows_before = rows, columns_before = columns;
            depthwise_eights(op, arena + op->x + (rows.at * op->in_w + columns.at) * op->in_c,
                             op->weight + (rows.from * op->kernel_w + columns.from) * op->in_c, taps, n_taps, out);
        }
    }
}

#else

typedef int wl_no_vectors; /* a file of C declares something */

#endif
