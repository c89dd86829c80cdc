/* Convolutions over NHWC maps; one dimension is height 1. */
#include <string.h>

#include "kernels.h"
#include "wl_requant.h"

/** A window over its map: what of it lies there. */
struct window {
    struct wl_span rows, columns;
};

static struct window window_at(const struct wl_op *op, int32_t oy, int32_t ox)
{
    struct window window = {wl_window(oy, op->stride_h, op->pad_top, op->kernel_h, op->in_h),
                            wl_window(ox, op->stride_w, op->pad_left, op->kernel_w, op->in_w)};

    return window;
}

/**
 * One position of the output: every output channel, two at a time; the last of an odd number comes twice
 *
 * A row of the window lies in one piece in the map and in the weights, all channels. What is
 * padded is a real zero, and not there.
 */
WL_SELDOM void conv_position(const struct wl_op *op, const int8_t *x, struct window window, int8_t *out)
{
    struct wl_span rows = window.rows, columns = window.columns;
    int32_t n = (columns.to - columns.from) * op->in_c, n_rows = rows.to - rows.from;
    int32_t kernel_row = op->kernel_w * op->in_c, map_row = op->in_w * op->in_c;
    const int8_t *from = x + rows.at * map_row + columns.at * op->in_c;
    const int8_t *weight = op->weight + rows.from * kernel_row + columns.from * op->in_c;
    struct wl_scaling scaling = wl_scaling_of(op);

    for (int32_t c = 0; c < op->out_c; c += 2) {
        int32_t next = c + 1 < op->out_c ? c + 1 : c, to_next = (next - c) * op->kernel_h * kernel_row;
        struct wl_pair sum = {op->bias[c], op->bias[next]};

        for (int32_t i = 0; i < n_rows; i++)
            sum = wl_dot(from + i * map_row, weight + i * kernel_row, weight + i * kernel_row + to_next, n,
                         op->x_zero, sum);

        out[c] = wl_code_of(&scaling, c, sum.a);
        out[next] = wl_code_of(&scaling, next, sum.b);
        weight += 2 * op->kernel_h * kernel_row;
    }
}

#ifdef WL_BLOCKED

#define COLUMN_CODES 512    /* longest window that is laid out; a longer one is read where it lies */

/** The whole window in one piece, as its weights lie: the map itself where it does, else in room. */
static const int8_t *gathered(const struct wl_op *op, const int8_t *x, struct window window, int8_t *room)
{
    struct wl_span rows = window.rows, columns = window.columns;
    int32_t kernel_row = op->kernel_w * op->in_c, map_row = op->in_w * op->in_c;
    int32_t n = (columns.to - columns.from) * op->in_c, n_rows = rows.to - rows.from;
    const int8_t *from = x + rows.at * map_row + columns.at * op->in_c;
    int8_t *to = room + rows.from * kernel_row + columns.from * op->in_c;

    if (op->kernel_h == 1 && n == kernel_row)
        return from;
    if (n_rows < op->kernel_h || n < kernel_row)
        memset(room, op->x_zero, (size_t)(op->kernel_h * kernel_row));
    for (int32_t i = 0; i < n_rows; i++)
        wl_move(to + i * kernel_row, from + i * map_row, n);

    return room;
}

/** One of two columns, n codes less the zero point: quads, then what is left over, every fourth halfword. */
static void lay_out(const int8_t *x, int32_t n, int32_t x_zero, int16_t *to)
{
    int32_t n_quads = n >> 2;

    if (n_quads)
        wl_widen_quads(x, n_quads, x_zero, to);
    to += 8 * n_quads;
    for (int32_t i = 4 * n_quads; i < n; i++, to += 4)
        *to = (int16_t)(x[i] - x_zero);
}

/**
 * Every channel of two positions, two channels at a time
 *
 * The last two of an odd number overlap the two before; a single channel is its own neighbour.
 */
static void conv_columns(const struct wl_op *op, struct wl_scaling scaling, const int16_t *columns, int32_t n,
                         int8_t *out_0, int8_t *out_1)
{
    int32_t n_quads = n >> 2, next = op->out_c > 1, last = op->out_c - 1 - next, c = 0;

    for (;; c = c + 2 < last ? c + 2 : last) {
        const int8_t *weight = op->weight + c * n, *beside = weight + next * n;
        int32_t sum[4] = {op->bias[c], op->bias[c], op->bias[c + next], op->bias[c + next]};

        if (n_quads)
            wl_block_quads(columns, weight, beside, n_quads, sum);
        for (int32_t i = 4 * n_quads, at = 8 * n_quads; i < n; i++, at += 4) {
            sum[0] += columns[at] * weight[i];
            sum[1] += columns[at + 2] * weight[i];
            sum[2] += columns[at] * beside[i];
            sum[3] += columns[at + 2] * beside[i];
        }
        wl_two_codes(&scaling, c, sum[0], sum[1], out_0 + c, out_1 + c);
        wl_two_codes(&scaling, c + next, sum[2], sum[3], out_0 + c + next, out_1 + c + next);
        if (c >= last)
            break;
    }
}

/** Positions two by two, whichever row they are in; the last of an odd number is laid out twice. */
static void conv_in_columns(const struct wl_op *op, int8_t *arena)
{
    int16_t columns[2 * COLUMN_CODES + 4];
    int8_t room[COLUMN_CODES], *out = arena + op->out;
    int32_t n = op->kernel_h * op->kernel_w * op->in_c, n_positions = op->out_h * op->out_w, oy = 0, ox = 0;
    struct wl_scaling scaling = wl_scaling_of(op);

    for (int32_t i = 0; i < n_positions; i++) {
        const int8_t *x = gathered(op, arena + op->x, window_at(op, oy, ox), room);
        int32_t is_last = i + 1 == n_positions;

        lay_out(x, n, op->x_zero, columns + 2 * (i & 1));
        if ((i & 1) == 0 && is_last)
            lay_out(x, n, op->x_zero, columns + 2);
        if (i & 1)
            conv_columns(op, scaling, columns, n, out + (i - 1) * op->out_c, out + i * op->out_c);
        else if (is_last)
            conv_columns(op, scaling, columns, n, out + i * op->out_c, out + i * op->out_c);
        if (++ox == op->out_w)
            ox = 0, oy++;
    }
}
#endif

void wl_conv2d(const struct wl_op *op, int8_t *arena)
{
    int8_t *out = arena + op->out;

#ifdef WL_X86
    if (wl_conv2d_fits_avx2(op)) {
        wl_conv2d_avx2(op, arena);
        return;
    }
#endif
#ifdef WL_WIDE
    if (op->kernel_h * op->kernel_w * op->in_c <= WL_WIDE_CODES) {
        wl_conv2d_wide(op, arena);
        return;
    }
#endif
#ifdef WL_VECTORS
    if (op->kernel_h * op->kernel_w * op->in_c <= WL_VECTOR_CODES && op->out_c >= 4 &&
        op->out_c <= WL_VECTOR_CHANNELS && wl_scaling_of(op).is_fast) {
        wl_conv2d_vectors(op, arena);
        return;
    }
#endif
#ifdef WL_BLOCKED
    if (op->kernel_h * op->kernel_w * op->in_c <= COLUMN_CODES) {
        conv_in_columns(op, arena);
        return;
    }
#endif
    for (int32_t oy = 0; oy < op->out_h; oy++)
        for (int32_t ox = 0; ox < op->out_w; ox++, out += op->out_c)
            conv_position(op, arena + op->x, window_at(op, oy, ox), out);
}

/** One position, channel by channel: output channel c sees input channel c / multiplier. */
WL_SELDOM void depthwise_position(const struct wl_op *op, const struct wl_scaling *scaling, const int8_t *x,
                                  struct window window, int8_t *out)
{
    int32_t multiplier = op->out_c / op->in_c, n_columns = window.columns.to - window.columns.from, same = 0;
    const int8_t *first = x + (window.rows.at * op->in_w + window.columns.at) * op->in_c;
    const int8_t *weight = op->weight + (window.rows.from * op->kernel_w + window.columns.from) * op->out_c;

    for (int32_t c = 0; c < op->out_c; c++, weight++) {
        const int8_t *from = first, *w = weight;
        int32_t sum = op->bias[c];

        for (int32_t i = window.rows.from; i < window.rows.to; i++) {
            for (int32_t j = 0; j < n_columns; j++)
                sum += (from[j * op->in_c] - op->x_zero) * w[j * op->out_c];
            from += op->in_w * op->in_c;
            w += op->kernel_w * op->out_c;
        }
        out[c] = wl_code_of(scaling, c, sum);
        if (++same == multiplier)
            same = 0, first++;
    }
}

#ifdef WL_LANES

/** Which taps lie on the map, seen from the first one; as many channels go in as come out. */
WL_SELDOM int32_t taps_of(const struct wl_op *op, struct window window, struct wl_tap *taps)
{
    int32_t n = 0, n_columns = window.columns.to - window.columns.from;

    for (int32_t i = 0; i < window.rows.to - window.rows.from; i++)
        for (int32_t j = 0; j < n_columns; j++, n++) {
            taps[n].x = (i * op->in_w + j) * op->in_c;
            taps[n].w = (i * op->kernel_w + j) * op->in_c;
        }
    return n;
}

static int is_same_part(struct window a, struct window b)
{
    return a.columns.from == b.columns.from && a.columns.to == b.columns.to && a.rows.from == b.rows.from &&
           a.rows.to == b.rows.to;
}

/** Channels by WL_LANES; the last ones of a number that is no multiple overlap those before. */
static void depthwise_side_by_side(const struct wl_op *op, const int8_t *x, int8_t *out)
{
    struct wl_scaling scaling = wl_scaling_of(op);
    struct window before = {{0, 0, 0}, {0, 0, 0}};
    struct wl_tap taps[WL_MAX_TAPS];
    int32_t n_taps = 0, last = op->out_c - WL_LANES;

    for (int32_t oy = 0; oy < op->out_h; oy++)
        for (int32_t ox = 0; ox < op->out_w; ox++, out += op->out_c) {
            struct window window = window_at(op, oy, ox);
            const int8_t *from = x + (window.rows.at * op->in_w + window.columns.at) * op->in_c;
            const int8_t *w = op->weight + (window.rows.from * op->kernel_w + window.columns.from) * op->in_c;

            if (!is_same_part(window, before)) /* the same for all positions but those at the border */
                n_taps = taps_of(op, window, taps);
            before = window;
            for (int32_t c = 0;; c = c + WL_LANES < last ? c + WL_LANES : last) {
                int32_t sum[WL_LANES];

                memcpy(sum, op->bias + c, sizeof sum);
                wl_side_by_side(from + c, w + c, taps, n_taps, op->x_zero, sum);
                for (int32_t k = 0; k < WL_LANES; k++)
                    out[c + k] = wl_code_of(&scaling, c + k, sum[k]);
                if (c >= last)
                    break;
            }
        }
}
#endif

void wl_depthwise_conv2d(const struct wl_op *op, int8_t *arena)
{
    const int8_t *x = arena + op->x;
    int8_t *out = arena + op->out;
    struct wl_scaling scaling = wl_scaling_of(op);

#ifdef WL_X86
    if (wl_depthwise_fits_avx2(op)) {
        wl_depthwise_avx2(op, arena);
        return;
    }
#endif
#ifdef WL_WIDE
    if (op->out_c == op->in_c && op->out_c <= WL_WIDE_CODES) {
        wl_depthwise_wide(op, arena);
        return;
    }
#endif
#ifdef WL_VECTORS
    if (op->out_c == op->in_c && op->out_c >= 8 && op->kernel_h * op->kernel_w <= WL_MAX_TAPS && scaling.is_fast) {
        wl_depthwise_vectors(op, arena);
        return;
    }
#endif
#ifdef WL_LANES
    if (op->out_c == op->in_c && op->out_c >= WL_LANES && op->kernel_h * op->kernel_w <= WL_MAX_TAPS) {
        depthwise_side_by_side(op, x, out);
        return;
    }
#endif
    for (int32_t oy = 0; oy < op->out_h; oy++)
        for (int32_t ox = 0; ox < op->out_w; ox++, out += op->out_c)
            depthwise_position(op, &scaling, x, window_at(op, oy, ox), out);
}
