/* Maximum and mean over windows; what is padded is not there.
 *
 * Without padding, output k only needs inputs from position k on, of its own channel: a
 * pool may write over its input, and the memory plan relies on it. So every output is
 * finished before the next one is begun.
 */
#include "kernels.h"
#include "wl_requant.h"

/* What of a map one output sees, its first code and how far the others lie apart; channels are neighbours. */
struct view {
    const int8_t *first;
    int32_t n_rows, n_columns, row, column;
};

static inline int32_t maximum(struct view view, int32_t c)
{
    int32_t highest = -128;

    for (int32_t i = 0; i < view.n_rows; i++)
        for (int32_t j = 0; j < view.n_columns; j++) {
            int32_t v = view.first[i * view.row + j * view.column + c];

            highest = v > highest ? v : highest;
        }
    return highest;
}

/** A window holds at most 2^23 codes (wl_graph_check): the sum stays below 2^30. */
static inline int32_t sum_of(struct view view, int32_t c)
{
    int32_t sum = 0;

    for (int32_t i = 0; i < view.n_rows; i++)
        for (int32_t j = 0; j < view.n_columns; j++)
            sum += view.first[i * view.row + j * view.column + c];

    return sum;
}

/** Half away from zero. */
static inline int8_t mean_code(int32_t sum, int32_t count, int32_t low, int32_t high)
{
    return wl_activate(sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count, 0, low, high);
}

#ifdef WL_WORDS

#define MOST_OF_WORDS 255   /* codes whose sum fits 16 bits */

/** Four channels from c on; read whole before any is written, so they too may lie over their input. */
static inline void four_maxima(struct view view, int32_t c, int32_t low, int32_t high, int8_t *out)
{
    int8_t best[4] = {-128, -128, -128, -128};

    for (int32_t i = 0; i < view.n_rows; i++)
        for (int32_t j = 0; j < view.n_columns; j++)
            wl_higher_four(best, view.first + i * view.row + j * view.column + c);
    for (int32_t k = 0; k < 4; k++)
        out[k] = wl_activate(best[k], 0, low, high);
}

static inline void four_means(struct view view, int32_t c, int32_t low, int32_t high, int8_t *out)
{
    int32_t count = view.n_rows * view.n_columns;
    int16_t sum[4] = {0, 0, 0, 0};

    for (int32_t i = 0; i < view.n_rows; i++)
        for (int32_t j = 0; j < view.n_columns; j++)
            wl_add_four(sum, view.first + i * view.row + j * view.column + c);
    out[0] = mean_code(sum[0], count, low, high), out[1] = mean_code(sum[2], count, low, high);
    out[2] = mean_code(sum[1], count, low, high), out[3] = mean_code(sum[3], count, low, high);
}
#endif

/** Every channel of one position. */
static inline void pool(struct view view, int32_t n_channels, int32_t low, int32_t high, int is_maximum, int8_t *out)
{
    int32_t count = view.n_rows * view.n_columns, c = 0;

#ifdef WL_WORDS
    for (; c + 4 <= n_channels && (is_maximum || count <= MOST_OF_WORDS); c += 4) {
        if (is_maximum)
            four_maxima(view, c, low, high, out + c);
        else
            four_means(view, c, low, high, out + c);
    }
#endif
    for (; c < n_channels; c++)
        out[c] = is_maximum ? wl_activate(maximum(view, c), 0, low, high)
                            : mean_code(sum_of(view, c), count, low, high);
}

/** Written out once for each kind: which one is known when it is compiled. */
static inline void slide(const struct wl_op *op, int8_t *arena, int is_maximum)
{
    int32_t low = op->low, high = op->high, n_channels = op->out_c;
    int8_t *out = arena + op->out;

    for (int32_t oy = 0; oy < op->out_h; oy++) {
        struct wl_span rows = wl_window(oy, op->stride_h, op->pad_top, op->kernel_h, op->in_h);

        for (int32_t ox = 0; ox < op->out_w; ox++, out += n_channels) {
            struct wl_span columns = wl_window(ox, op->stride_w, op->pad_left, op->kernel_w, op->in_w);
            struct view view = {arena + op->x + (rows.at * op->in_w + columns.at) * op->in_c,
                                rows.to - rows.from, columns.to - columns.from, op->in_w * op->in_c, op->in_c};

            pool(view, n_channels, low, high, is_maximum, out);
        }
    }
}

void wl_max_pool(const struct wl_op *op, int8_t *arena)
{
    slide(op, arena, 1);
}

void wl_average_pool(const struct wl_op *op, int8_t *arena)
{
    slide(op, arena, 0);
}
