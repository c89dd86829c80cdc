/* What changes codes one by one, or only moves them. */
#include <string.h>

#include "kernels.h"
#include "wl_requant.h"

#define RAISE (1 << 20) /* what an addend is multiplied by before it is scaled: 255 * 2^20 < 2^28 */

static int32_t n_codes(const struct wl_op *op)
{
    return op->in_h * op->in_w * op->in_c;
}

/* The steps of an addition, out of the operator: a kernel that writes codes need not look them up again. */
struct sum_of_two {
    int32_t x_zero, y_zero, x_by_q31, y_by_q31, by_q31;
    int x_shift, y_shift, shift;
};

static inline int32_t scaled_sum(const struct sum_of_two *of, int32_t x, int32_t y)
{
    int32_t raised_x = wl_requant((x - of->x_zero) * RAISE, of->x_by_q31, of->x_shift);
    int32_t raised_y = wl_requant((y - of->y_zero) * RAISE, of->y_by_q31, of->y_shift);

    return wl_requant(raised_x + raised_y, of->by_q31, of->shift);
}

/** Both addends to a common unit, their sum to the output's; may write over either. */
void wl_add(const struct wl_op *op, int8_t *arena)
{
    const int8_t *x = arena + op->x, *y = arena + op->y;
    const struct sum_of_two of = {op->x_zero, op->y_zero, op->by_q31[0], op->by_q31[1], op->by_q31[2],
                                  op->by_shift[0], op->by_shift[1], op->by_shift[2]};
    int32_t zero = op->out_zero, low = op->low, high = op->high, n = n_codes(op);
    int8_t *out = arena + op->out;

    for (int32_t i = 0; i < n; i++)
        out[i] = wl_activate(scaled_sum(&of, x[i], y[i]), zero, low, high);
}

/** The map in the middle of zeros: of zero points. */
void wl_pad(const struct wl_op *op, int8_t *arena)
{
    const int8_t *x = arena + op->x;
    int8_t *out = arena + op->out;
    size_t row = (size_t)op->in_w * (size_t)op->in_c;

    memset(out, op->out_zero, (size_t)op->out_h * (size_t)op->out_w * (size_t)op->out_c);
    for (int32_t i = 0; i < op->in_h; i++)
        memcpy(out + ((op->pad_top + i) * op->out_w + op->pad_left) * op->out_c, x + (size_t)i * row, row);
}

/** in_h rows of in_w * in_c bytes, each to a row of out_w * out_c: one part of a concatenation. */
void wl_copy(const struct wl_op *op, int8_t *arena)
{
    size_t row = (size_t)op->in_w * (size_t)op->in_c, pitch = (size_t)op->out_w * (size_t)op->out_c;

    for (int32_t i = 0; i < op->in_h; i++)
        memmove(arena + op->out + (size_t)i * pitch, arena + op->x + (size_t)i * row, row);
}

/** By a table of 256 codes; may write over its input. */
void wl_sigmoid(const struct wl_op *op, int8_t *arena)
{
    const int8_t *x = arena + op->x;
    int8_t *out = arena + op->out;

    for (int32_t i = 0; i < n_codes(op); i++)
        out[i] = op->weight[x[i] + 128];
}

/**
 * One row of a softmax
 * exp_q23         exp(-d steps), d = 0..255: at most 2^23, and of 256 classes 2^31 in all
 *
 * The probability in steps of 1/256, half up; 256 itself has no code.
 */
static void softmax_row(const int32_t *exp_q23, const int8_t *x, int8_t *out, int32_t n)
{
    int32_t highest = -128;
    uint32_t total = 0;

    for (int32_t i = 0; i < n; i++)
        highest = x[i] > highest ? x[i] : highest;
    for (int32_t i = 0; i < n; i++)
        total += (uint32_t)exp_q23[highest - x[i]];
    for (int32_t i = 0; i < n; i++) {
        uint32_t steps = ((uint32_t)exp_q23[highest - x[i]] * 256u + total / 2) / total;

        out[i] = (int8_t)((steps > 255 ? 255 : (int32_t)steps) - 128);
    }
}

/** Over the channels of every position; may write over its input. */
void wl_softmax(const struct wl_op *op, int8_t *arena)
{
    for (int32_t i = 0; i < op->in_h * op->in_w; i++)
        softmax_row(op->bias, arena + op->x + i * op->in_c, arena + op->out + i * op->in_c, op->in_c);
}
