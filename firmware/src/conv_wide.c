/* Convolution where registers are wide: loops over halfwords that a compiler makes vectors of; 19 KB of stack. */
#include <string.h>

#include "kernels.h"

#ifdef WL_WIDE

#define ROOM 8192           /* halfwords of windows that are laid out together: weights are widened once for all */
#define ABREAST 4           /* windows, by two channels: as many sums as registers hold */
#define LANES 8             /* a row of halfwords is a multiple of so many */

/** n codes less a zero point, as halfwords. */
static void widen(const int8_t *x, int32_t n, int32_t zero, int16_t *to)
{
    for (int32_t i = 0; i < n; i++)
        to[i] = (int16_t)(x[i] - zero);
}

/** A whole window in one row, as its weights lie; what is padded is a real zero. */
static void lay_out(const struct wl_op *op, const int8_t *x, int32_t oy, int32_t ox, int16_t *to)
{
    struct wl_span rows = wl_window(oy, op->stride_h, op->pad_top, op->kernel_h, op->in_h);
    struct wl_span columns = wl_window(ox, op->stride_w, op->pad_left, op->kernel_w, op->in_w);
    int32_t kernel_row = op->kernel_w * op->in_c, map_row = op->in_w * op->in_c;
    int32_t n = (columns.to - columns.from) * op->in_c;
    const int8_t *from = x + rows.at * map_row + columns.at * op->in_c;

    if (n < kernel_row || rows.to - rows.from < op->kernel_h)
        memset(to, 0, (size_t)(op->kernel_h * kernel_row) * sizeof to[0]);
    to += columns.from * op->in_c;
    for (int32_t i = rows.from; i < rows.to; i++, from += map_row)
        widen(from, n, op->x_zero, to + i * kernel_row);
}

/**
 * Sums of products: four rows by the weights of two channels
 *
 * |x| <= 255, |w| <= 128 and at most 32,768 of them a sum (wl_graph_check): below 2^30.
 */
static void dots(const int16_t *x, const int16_t *w, int32_t n, int32_t sums[2][ABREAST])
{
    const int16_t *x1 = x + n, *x2 = x1 + n, *x3 = x2 + n, *v = w + n;
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;

    for (int32_t i = 0; i < n; i++) {
        a0 += x[i] * w[i], a1 += x1[i] * w[i], a2 += x2[i] * w[i], a3 += x3[i] * w[i];
        b0 += x[i] * v[i], b1 += x1[i] * v[i], b2 += x2[i] * v[i], b3 += x3[i] * v[i];
    }
    sums[0][0] = a0, sums[0][1] = a1, sums[0][2] = a2, sums[0][3] = a3;
    sums[1][0] = b0, sums[1][1] = b1, sums[1][2] = b2, sums[1][3] = b3;
}

/** Every channel of the positions that are laid out; the last two of an odd number overlap the two before. */
static void conv_rows(const struct wl_op *op, const struct wl_scaling *scaling, const int16_t *rows, int32_t n_rows,
                      int32_t n, int32_t row, int8_t *out)
{
    int32_t next = op->out_c > 1, last = op->out_c - 1 - next;
    int16_t weights[2 * WL_WIDE_CODES];

    memset(weights, 0, sizeof weights);
    for (int32_t c = 0;; c = c + 2 < last ? c + 2 : last) {
        widen(op->weight + c * n, n, 0, weights);
        widen(op->weight + (c + next) * n, n, 0, weights + row);
        for (int32_t first = 0; first < n_rows; first += ABREAST) {
            int32_t sums[2][ABREAST];

            dots(rows + first * row, weights, row, sums);
            for (int32_t k = 0; k < ABREAST && first + k < n_rows; k++) {
                int8_t *to = out + (first + k) * op->out_c + c;

                to[0] = wl_code_of(scaling, c, op->bias[c] + sums[0][k]);
                to[next] = wl_code_of(scaling, c + next, op->bias[c + next] + sums[1][k]);
            }
        }
        if (c >= last)
            break;
    }
}

void wl_conv2d_wide(const struct wl_op *op, int8_t *arena)
{
    int32_t n = op->kernel_h * op->kernel_w * op->in_c, row = (n + LANES - 1) / LANES * LANES;
    int32_t n_positions = op->out_h * op->out_w, most = ROOM / row / ABREAST * ABREAST, n_rows = 0, done = 0;
    struct wl_scaling scaling = wl_scaling_of(op);
    int16_t rows[ROOM];

    memset(rows, 0, sizeof rows); /* behind a window, and in rows that nobody fills */

    for (int32_t oy = 0; oy < op->out_h; oy++)
        for (int32_t ox = 0; ox < op->out_w; ox++) {
            lay_out(op, arena + op->x, oy, ox, rows + n_rows * row);
            if (++n_rows < most && done + n_rows < n_positions)
                continue;
            conv_rows(op, &scaling, rows, n_rows, n, row, arena + op->out + done * op->out_c);
            done += n_rows;
            n_rows = 0;
        }
}

/** One tap of a depthwise kernel, every channel; a product of |255| and |128| fits a halfword. */
static void add_tap(const int8_t *restrict x, const int8_t *restrict w, int32_t n, int32_t zero,
                    int32_t *restrict sums)
{
    for (int32_t c = 0; c < n; c++) {
        int16_t of = (int16_t)(x[c] - zero), by = w[c];

        sums[c] += (int16_t)(of * by);
    }
}

void wl_depthwise_wide(const struct wl_op *op, int8_t *arena)
{
    struct wl_scaling scaling = wl_scaling_of(op);
    int32_t n = op->out_c, sums[WL_WIDE_CODES];
    int8_t *out = arena + op->out;

    for (int32_t oy = 0; oy < op->out_h; oy++)
        for (int32_t ox = 0; ox < op->out_w; ox++, out += n) {
            struct wl_span rows = wl_window(oy, op->stride_h, op->pad_top, op->kernel_h, op->in_h);
            struct wl_span columns = wl_window(ox, op->stride_w, op->pad_left, op->kernel_w, op->in_w);

            memcpy(sums, op->bias, (size_t)n * sizeof sums[0]);
            for (int32_t i = rows.from; i < rows.to; i++)
                for (int32_t j = columns.from; j < columns.to; j++) {
                    int32_t at = (rows.at + i - rows.from) * op->in_w + columns.at + j - columns.from;

                    add_tap(arena + op->x + at * n, op->weight + (i * op->kernel_w + j) * n, n, op->x_zero, sums);
                }
            for (int32_t c = 0; c < n; c++)
                out[c] = wl_code_of(&scaling, c, sums[c]);
        }
}

#else

typedef int wl_no_wide_registers; /* a file of C declares something */

#endif
